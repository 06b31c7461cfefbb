//! What keeps versions and what ends them without a request: locks and lifecycle rules.

use super::{Pair, same, version_entries};
use crate::client::path;
use std::time::{Duration, Instant};

/// A lifecycle rule is carried out within a moment.
const PATIENCE: Duration = Duration::from_secs(20);

impl Pair {
    pub(super) async fn lock(&mut self, key: &str, version: u8, hold: Option<bool>) {
        let id = self.version_id(key, version);
        let (name, document) = match hold {
            Some(true) => ("legal-hold", "<LegalHold><Status>ON</Status></LegalHold>"),
            Some(false) => ("legal-hold", "<LegalHold><Status>OFF</Status></LegalHold>"),
            None => (
                "retention",
                "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2999-01-01T00:00:00Z</RetainUntilDate></Retention>",
            ),
        };
        let url = format!("{}?{name}&versionId={id}", path(&self.bucket, key));
        let answer = self.client.send("PUT", &url, &[], document).await.unwrap();
        same(answer, self.model.lock(key, &id, hold));
    }

    /// Sets a rule for a date that is past, waits until it was carried out, and takes it away again.
    pub(super) async fn expire(&mut self, prefix: &str) {
        let rule = format!(
            "<LifecycleConfiguration><Rule><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status>\
             <Expiration><Date>2020-01-01T00:00:00Z</Date></Expiration></Rule></LifecycleConfiguration>"
        );
        let url = format!("/{}?lifecycle", self.bucket);
        self.client.send("PUT", &url, &[], rule).await.unwrap().expect(200);
        let expired = self.model.expire(prefix);
        let wanted: Vec<&str> =
            self.model.versions().map(|(key, ..)| key).filter(|key| key.starts_with(prefix)).collect();
        let begun = Instant::now();
        let listed = loop {
            let list = format!("/{}?versions&encoding-type=url&prefix={prefix}", self.bucket);
            let listed = version_entries(&self.client.send("GET", &list, &[], "").await.unwrap().text()).0;
            if listed.len() == wanted.len() && !listed.iter().any(|entry| entry.ends_with(" latest")) {
                break listed;
            }
            assert!(begun.elapsed() < PATIENCE, "{listed:?} instead of {wanted:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        self.client.send("DELETE", &url, &[], "").await.unwrap().expect(204);
        for key in expired {
            let id = listed
                .iter()
                .find_map(|entry| entry.strip_prefix(&format!("{key} "))?.strip_suffix(" latest marker"));
            self.learn_id(&key, id.map(str::to_string));
        }
    }
}
