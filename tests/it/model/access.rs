//! Who else reads: objects whose list is public, and a bucket policy that lets strangers in but not under a prefix.

use super::s3::{Model, Refusal};
use super::{KEYS, Pair, same};
use crate::client::path;

/// What strangers say of where they come from.
const REFERER: (&str, &str) = ("referer", "http://stranger.example/");

/// A policy that lets everybody read.
#[derive(Clone)]
pub struct Policy {
    /// Strangers are kept from what is under it, public or not.
    denied: String,
}

impl Model {
    fn stranger_reads(&self, key: &str) -> bool {
        let is_public = self.current(key).is_some_and(|object| object.is_public);
        match &self.policy {
            Some(policy) => !key.starts_with(&policy.denied) && self.current(key).is_some(),
            None => is_public,
        }
    }

    fn publish(&mut self, key: &str, is_public: bool) -> Result<(), Refusal> {
        let object = self.current_mut(key).ok_or(Refusal::NoObject)?;
        object.is_public = is_public;
        Ok(())
    }
}

impl Pair {
    /// Lists count in the bucket, and what is public is not blocked.
    pub(super) async fn allow_strangers(&self) {
        let url = format!("/{}?publicAccessBlock", self.bucket);
        self.client.send("DELETE", &url, &[], "").await.unwrap().expect(204);
    }

    pub(super) async fn publish(&mut self, key: &str, is_public: bool) {
        let canned = if is_public { "public-read" } else { "private" };
        let url = format!("{}?acl", path(&self.bucket, key));
        let answer = self.client.send("PUT", &url, &[("x-amz-acl", canned)], "").await.unwrap();
        same(answer, self.model.publish(key, is_public));
    }

    pub(super) async fn set_policy(&mut self, denied: Option<&str>) {
        let url = format!("/{}?policy", self.bucket);
        let answer = match denied {
            None => self.client.send("DELETE", &url, &[], "").await.unwrap(),
            Some(prefix) => {
                let statement = |effect: &str, prefix: &str, condition: &str| {
                    let resource = format!("arn:aws:s3:::{}/{prefix}*", self.bucket);
                    format!(
                        r#"{{"Effect":"{effect}","Principal":"*","Action":"s3:GetObject","Resource":"{resource}"{condition}}}"#
                    )
                };
                let stranger =
                    format!(r#","Condition":{{"StringEquals":{{"aws:Referer":"{}"}}}}"#, REFERER.1);
                let (allow, deny) = (statement("Allow", "", ""), statement("Deny", prefix, &stranger));
                let document = format!(r#"{{"Version":"2012-10-17","Statement":[{allow},{deny}]}}"#);
                self.client.send("PUT", &url, &[], document).await.unwrap()
            }
        };
        answer.expect(204);
        self.model.policy = denied.map(|denied| Policy { denied: denied.to_string() });
    }

    /// A stranger reads what the model lets them, and learns nothing of the rest.
    pub(super) async fn compare_strangers(&self) {
        for key in KEYS {
            let answer =
                self.client.send_unsigned("GET", &path(&self.bucket, key), &[REFERER]).await.unwrap();
            match self.model.stranger_reads(key) {
                true => assert!(Some(&answer.expect(200).body) == self.model.get(key), "{key}"),
                false => drop(answer.expect_code(403, "AccessDenied")),
            }
        }
    }
}
