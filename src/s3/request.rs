//! A request on its way to an operation: routed, its sender known, its bucket looked up.

use crate::base::body::Peer;
use crate::base::limits::HEADER_SECTION_LEN_MAX;
use crate::engine;
use crate::engine::access::acl;
use crate::engine::access::lists::{Asker, JudgedTags};
use crate::engine::named_bucket::NamedBucket;
use crate::meta::records::BucketRecord;
use crate::s3::auth::{Caller, Sender, User};
use crate::s3::authorize::Subject;
use crate::s3::body::Incoming;
use crate::s3::document::Budget;
use crate::s3::error::S3Error;
use crate::s3::operation::Operation;
use crate::s3::query::Query;
use crate::s3::response::RequestId;
use crate::s3::router::Target;
use crate::wire::error_code::ErrorCode;
use crate::wire::sigv4::Scheme;
use http::HeaderMap;
use http::header::{AsHeaderName, HOST};
use http::request::Parts;
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedSemaphorePermit;

/// What an operation is given.
pub struct Request {
    pub id: RequestId,
    pub operation: Operation,
    pub parts: Parts,
    pub query: Query,
    pub target: Arc<Target>,
    pub caller: Caller,
    pub scheme: Scheme,
    /// How long ago a presigned request was signed.
    pub signature_age_ms: Option<i64>,
    /// The bucket that the request names, as it was when the request came in; `None` where there is none yet.
    pub bucket_record: Option<Arc<BucketRecord>>,
    /// Unix milliseconds, read once when the request came in.
    pub now_ms: i64,
    /// Behind a lock that nobody ever takes, because a body cannot be shared between threads and a request is.
    body: Mutex<Option<Incoming>>,
    /// Where the memory for a long document comes from, and what this request has of it.
    pub documents: Budget,
    pub share: Option<OwnedSemaphorePermit>,
    /// For the engine to judge the object that it finds, once the request itself was judged.
    pub asker: Option<Asker>,
}

impl Request {
    #[allow(clippy::too_many_arguments, reason = "one place builds it, from exactly these")]
    pub fn new(
        id: RequestId,
        operation: Operation,
        parts: Parts,
        query: Query,
        target: Arc<Target>,
        sender: Sender,
        bucket_record: Option<Arc<BucketRecord>>,
        now_ms: i64,
        body: Incoming,
        documents: Budget,
    ) -> Request {
        let Sender { caller, scheme, signature_age_ms } = sender;
        Request {
            id,
            operation,
            parts,
            query,
            target,
            caller,
            scheme,
            signature_age_ms,
            bucket_record,
            now_ms,
            body: Mutex::new(Some(body)),
            documents,
            share: None,
            asker: None,
        }
    }

    /// The body, which only one may have.
    ///
    /// # Panics
    /// The second time.
    pub fn take_body(&mut self) -> Incoming {
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        body.take().expect("an operation reads its body once")
    }

    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// Who sent the request, where that has to be somebody.
    pub fn user(&self) -> Result<&User, S3Error> {
        self.caller.user().ok_or_else(|| ErrorCode::AccessDenied.into())
    }

    /// The canonical id of who writes what this request writes. Whose it is then is up to the bucket's ownership.
    pub fn writer(&self) -> String {
        self.caller.id().unwrap_or(acl::ANONYMOUS_ID).to_owned()
    }

    /// What the request is judged on; `None` where there is no bucket.
    pub fn subject(&self) -> Option<Subject<'_>> {
        Some(Subject {
            bucket_name: self.bucket_name(),
            bucket: self.bucket_record.as_ref()?,
            key: self.target.key.as_deref(),
            version_id: self.query.get("versionId"),
            existing_tags: self.judged_tags(),
            request_tags: None,
        })
    }

    /// The tags of the object that the request names, where it was judged by them.
    pub fn judged_tags(&self) -> Option<&JudgedTags> {
        self.asker.as_ref().and_then(Asker::judged_tags)
    }

    /// What the store has about the bucket that the request names, as it was when the request was judged.
    pub fn bucket_record(&self) -> Result<&BucketRecord, S3Error> {
        self.bucket_record.as_deref().ok_or_else(|| ErrorCode::NoSuchBucket.into())
    }

    /// The same as [`Request::bucket`], without a copy.
    pub fn bucket_name(&self) -> &str {
        self.target.bucket.as_deref().unwrap_or_default()
    }

    /// The bucket that the request names, the very one that it was judged on; empty at the service level.
    pub fn bucket(&self) -> NamedBucket {
        match &self.bucket_record {
            Some(record) => NamedBucket::judged(self.bucket_name(), Arc::clone(record)),
            None => NamedBucket::from(self.bucket_name()),
        }
    }

    /// The key that the request names; empty above the object level.
    pub fn key(&self) -> String {
        self.target.key.clone().unwrap_or_default()
    }

    /// A header's value as text; several are joined with commas.
    pub fn header(&self, name: impl AsHeaderName) -> Option<Cow<'_, str>> {
        header(&self.parts.headers, name)
    }

    /// The URL of the bucket or object that the request names, as the client reaches it.
    pub fn url(&self) -> String {
        url(&self.parts)
    }

    /// The version that the request names. Ids are opaque, but not every text can be one.
    pub fn version_id(&self) -> Result<Option<String>, S3Error> {
        match self.query.get("versionId") {
            None => Ok(None),
            Some(id) if is_version_id(id) => Ok(Some(id.to_owned())),
            Some(id) => Err(S3Error::argument("versionId", id, "Invalid version id specified")),
        }
    }
}

/// The URL that a request was sent to, without its query.
pub fn url(parts: &Parts) -> String {
    let tls = parts.extensions.get::<Peer>().is_some_and(|peer| peer.tls);
    let scheme = if tls { "https" } else { "http" };
    let host = header(&parts.headers, HOST)
        .map(Cow::into_owned)
        .or_else(|| parts.uri.authority().map(|authority| authority.as_str().to_owned()));
    let path = crate::wire::sigv4::canonical_uri(parts.uri.path());
    format!("{scheme}://{}{path}", host.unwrap_or_default())
}

/// Whether a text can be a version id: letters, digits and a few others, at most 1,024 bytes.
pub fn is_version_id(text: &str) -> bool {
    engine::objects::is_version_id(text)
}

/// A header's value as text; several are joined with commas. Bytes that are not UTF-8 are replaced.
pub fn header(headers: &HeaderMap, name: impl AsHeaderName) -> Option<Cow<'_, str>> {
    let mut values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut joined = values.next()?;
    for value in values {
        let joined = joined.to_mut();
        joined.push(',');
        joined.push_str(&value);
    }
    Some(joined)
}

/// S3's limit on all headers together. It comes before anything is computed over them.
pub fn check_header_section(headers: &HeaderMap) -> Result<(), S3Error> {
    // `: ` and the end of the line.
    let len: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    match len > HEADER_SECTION_LEN_MAX {
        true => Err(ErrorCode::RequestHeaderSectionTooLarge.into()),
        false => Ok(()),
    }
}
