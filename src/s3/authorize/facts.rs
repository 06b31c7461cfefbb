//! What a request has for the condition keys of policies.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html#amazons3-policy-keys>

use crate::base::body::Peer;
use crate::engine::access::{Facts, Principal};
use crate::s3::operation::Operation as O;
use crate::s3::request::Request;
use crate::s3::tags;
use crate::wire::copy_source::CopySource;
use crate::wire::sigv4::Scheme;
use http::header;
use std::sync::atomic::{AtomicBool, Ordering};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A request, and what it is about: the bucket and key that it names, or the source of a copy, or one key of many.
pub struct RequestFacts<'a> {
    pub request: &'a Request,
    /// The region that the gateway is in.
    pub region: &'a str,
    /// The canonical id of who owns the bucket.
    pub owner: &'a str,
    pub version_id: Option<&'a str>,
    /// Where there is no listing: the key whose absence the caller would be told.
    pub prefix: Option<&'a str>,
    /// The object's tags, where there is an object and a policy wants to know.
    pub existing_tags: Option<&'a [(String, String)]>,
    /// Whether a policy has asked for them: what it says may be otherwise for other tags.
    pub asked_for_tags: AtomicBool,
    /// The tags that the request's document has.
    pub request_tags: Option<&'a [(String, String)]>,
}

impl Facts for RequestFacts<'_> {
    fn values(&self, key: &str) -> Option<Vec<String>> {
        if let Some(name) = key.strip_prefix("s3:") { self.of_s3(name) } else { self.of_anything(key) }
    }
}

impl RequestFacts<'_> {
    fn existing_tags(&self) -> Option<&[(String, String)]> {
        self.asked_for_tags.store(true, Ordering::Relaxed);
        self.existing_tags
    }

    fn of_anything(&self, key: &str) -> Option<Vec<String>> {
        let request = self.request;
        let peer = request.parts.extensions.get::<Peer>();
        let user = match request.caller.principal() {
            Principal::Anonymous => None,
            Principal::User(user) => Some(user),
        };
        one(match key {
            "aws:sourceip" => peer.map(|peer| peer.address.ip().to_canonical().to_string()),
            "aws:securetransport" => Some(peer.is_some_and(|peer| peer.tls).to_string()),
            "aws:currenttime" => self.now()?.format(&Rfc3339).ok(),
            "aws:epochtime" => Some(request.now_ms.div_euclid(1000).to_string()),
            "aws:referer" => request.header(header::REFERER).map(Into::into),
            "aws:useragent" => request.header(header::USER_AGENT).map(Into::into),
            "aws:username" => user.map(|user| user.name.to_owned()),
            "aws:userid" | "aws:principalaccount" => user.map(|user| user.account.to_owned()),
            "aws:principalarn" => user.map(|user| user.arn()),
            "aws:principaltype" => Some(match user {
                None => "Anonymous".to_owned(),
                Some(user) if user.is_root() => "Account".to_owned(),
                Some(_) => "User".to_owned(),
            }),
            "aws:requestedregion" => Some(self.region.to_owned()),
            "aws:resourceaccount" => Some(self.owner.to_owned()),
            "aws:principalisawsservice" | "aws:viaawsservice" => Some("false".to_owned()),
            _ => None,
        })
    }

    /// `name` is without `s3:`.
    fn of_s3(&self, name: &str) -> Option<Vec<String>> {
        let request = self.request;
        match name {
            "x-amz-copy-source" => return self.copy_source(),
            "requestobjecttagkeys" => return self.tags_of_request().map(keys),
            "existingobjecttagkeys" => return self.existing_tags().map(|tags| keys(tags.to_vec())),
            _ => {}
        }
        if let Some(tag) = name.strip_prefix("existingobjecttag/") {
            return one(value_of(self.existing_tags()?, tag));
        }
        if let Some(tag) = name.strip_prefix("requestobjecttag/") {
            return one(value_of(&self.tags_of_request()?, tag));
        }
        one(match name {
            "authtype" => match request.scheme {
                Scheme::Header | Scheme::SigV2Header => Some("REST-HEADER".to_owned()),
                Scheme::Presigned | Scheme::SigV2Query => Some("REST-QUERY-STRING".to_owned()),
                Scheme::Anonymous => (request.operation == O::PostObject).then(|| "POST".to_owned()),
            },
            "signatureversion" => match request.scheme {
                Scheme::Header | Scheme::Presigned => Some("AWS4-HMAC-SHA256".to_owned()),
                Scheme::SigV2Header | Scheme::SigV2Query => Some("AWS".to_owned()),
                Scheme::Anonymous => None,
            },
            "signatureage" => request.signature_age_ms.map(|age_ms| age_ms.to_string()),
            "prefix" => match self.prefix {
                Some(prefix) => Some(prefix.to_owned()),
                None => self.of_listing("prefix"),
            },
            "delimiter" | "max-keys" => self.of_listing(name),
            "versionid" => self.version_id.map(str::to_owned),
            "if-match" | "if-none-match" => request.header(name).map(Into::into),
            "objectcreationoperation" => Some(creates_object(request.operation).to_string()),
            "resourceaccount" => Some(self.owner.to_owned()),
            "object-lock-mode" | "object-lock-retain-until-date" | "object-lock-legal-hold" => {
                request.header(format!("x-amz-{name}")).map(Into::into)
            }
            "object-lock-remaining-retention-days" => {
                let until = request.header("x-amz-object-lock-retain-until-date")?;
                let until = OffsetDateTime::parse(&until, &Rfc3339).ok()?;
                Some((until - self.now()?).whole_days().to_string())
            }
            _ if name.starts_with("x-amz-") => request.header(name).map(Into::into),
            _ => None,
        })
    }

    fn now(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.request.now_ms) * 1_000_000).ok()
    }

    /// Parameters of listings mean nothing elsewhere, so that nobody can meet a condition with one.
    fn of_listing(&self, name: &str) -> Option<String> {
        let lists = matches!(
            self.request.operation,
            O::ListObjects | O::ListObjectsV2 | O::ListObjectVersions | O::ListMultipartUploads
        );
        self.request.query.get(name).filter(|_| lists).map(str::to_owned)
    }

    /// As policies have it: decoded, without the version; with and without the slash in front, as AWS's own examples
    /// have both.
    fn copy_source(&self) -> Option<Vec<String>> {
        let header = self.request.headers().get("x-amz-copy-source")?;
        let CopySource { bucket, key, .. } = CopySource::parse(header.as_bytes()).ok()?;
        Some(vec![format!("{bucket}/{key}"), format!("/{bucket}/{key}")])
    }

    fn tags_of_request(&self) -> Option<Vec<(String, String)>> {
        match self.request_tags {
            Some(tags) => Some(tags.to_vec()),
            None => tags::from_header(self.request.headers()).ok().filter(|tags| !tags.is_empty()),
        }
    }
}

fn creates_object(operation: O) -> bool {
    matches!(operation, O::PutObject | O::PostObject | O::CopyObject | O::CompleteMultipartUpload)
}

fn one(value: Option<String>) -> Option<Vec<String>> {
    value.map(|value| vec![value])
}

fn keys(tags: Vec<(String, String)>) -> Vec<String> {
    tags.into_iter().map(|(key, _)| key).collect()
}

/// Keys of conditions have no case, so those of tags have none here.
fn value_of(tags: &[(String, String)], key: &str) -> Option<String> {
    tags.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value.clone())
}
