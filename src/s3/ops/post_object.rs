//! PostObject: a browser's form becomes an object. Who may do that stands in the form, as a signed policy; what the
//! object is like, in fields that mean what PutObject's headers do, so that what follows is a PutObject.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>
//!
//! Order, the first failure wins: the bucket, the form up to its file, the key, the signature, the form's policy, whether
//! the caller may do it, then all that a PutObject refuses, and the file.

use super::put_object::put_object;
use crate::base::body::RequestBody;
use crate::engine;
use crate::s3::S3;
use crate::s3::auth::Sender;
use crate::s3::authorize;
use crate::s3::body::Incoming;
use crate::s3::error::S3Error;
use crate::s3::operation::Operation;
use crate::s3::post_form::{self, Fields, Form, FormFile};
use crate::s3::query::Query;
use crate::s3::request::{Request, url};
use crate::s3::response::{self, RequestId, Response};
use crate::s3::router::{Target, check_key};
use crate::s3::trace::Trace;
use crate::wire::error_code::ErrorCode;
use crate::wire::post_policy::{PolicyError, PostPolicy};
use crate::wire::sigv4::Scheme;
use crate::wire::xml::Writer;
use crate::wire::{bucket_name, etag, percent};
use http::StatusCode;
use http::header::{ETAG, LOCATION};
use http::request::Parts;
use std::sync::Arc;
use url::Url;

/// A POST that nobody has been found behind yet.
pub struct Post {
    pub id: RequestId,
    pub parts: Parts,
    pub query: Query,
    pub target: Arc<Target>,
    pub now_ms: i64,
}

pub async fn post_object(
    s3: &S3,
    post: Post,
    body: RequestBody,
    trace: &mut Trace,
) -> Result<Response, S3Error> {
    let Post { id, mut parts, query, target, now_ms } = post;
    let bucket = target.bucket.clone().unwrap_or_default();
    if !bucket_name::is_valid(&bucket) {
        return Err(ErrorCode::InvalidBucketName.into());
    }
    let record = engine::ops::head_bucket::head_bucket(s3.engine(), &bucket).await?;
    authorize::expected_owner(parts.headers.get("x-amz-expected-bucket-owner"), &record)?;

    let Form { fields, mut file } = post_form::read(&parts.headers, body).await?;
    let key = fields.required("key")?.to_owned();
    if key.is_empty() {
        return Err(ErrorCode::UserKeyMustBeSpecified.into());
    }
    check_key(&key)?;
    let target = Arc::new(Target { key: Some(key.clone()), ..Target::clone(&target) });
    trace.target = target.clone();

    let caller = s3.0.auth.authenticate_form(&fields)?;
    trace.caller = caller.clone();
    check_policy(&fields, &bucket, &mut file, now_ms.div_euclid(1000))?;

    let location = object_url(&parts, &key);
    parts.headers = fields.to_headers(&parts.headers)?;
    let (file, documents) = (Incoming::of_form(file), s3.0.documents.clone());
    let sender = Sender { caller, scheme: Scheme::Anonymous, signature_age_ms: None };
    let operation = Operation::PostObject;
    let record = Some(Arc::new(record));
    let mut request =
        Request::new(id, operation, parts, query, target, sender, record, now_ms, file, documents);
    request.asker = authorize::request(s3, &request).await?.asker;
    let stored = put_object(s3, request).await?;
    Ok(answer(stored, &fields, &bucket, &key, &location))
}

/// Compares the form with its policy, if it has one, and lets the file be as long as that says.
fn check_policy(fields: &Fields, bucket: &str, file: &mut FormFile, now_s: i64) -> Result<(), S3Error> {
    let Some(policy) = fields.get("policy") else { return Ok(()) };
    let policy = PostPolicy::parse(policy)?;
    policy.check(&fields.under_policy(bucket), now_s)?;
    match policy.length() {
        Some(lengths) => file.allow(lengths),
        None => Ok(()),
    }
}

/// What PutObject says about the object, in the shape that the form asks for.
fn answer(stored: Response, fields: &Fields, bucket: &str, key: &str, location: &str) -> Response {
    let etag = stored.headers().get(ETAG).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    let redirect = fields.get("success_action_redirect").or_else(|| fields.get("redirect"));
    let mut answer = match redirect.and_then(|url| redirection(url, bucket, key, &etag)) {
        Some(url) => {
            let mut answer = response::empty(StatusCode::SEE_OTHER);
            response::set(answer.headers_mut(), LOCATION, &url);
            answer
        }
        None => {
            let mut answer = match fields.get("success_action_status") {
                Some("200") => response::empty(StatusCode::OK),
                Some("201") => {
                    // Without a namespace, as on AWS.
                    let mut document = Writer::document("PostResponse", None);
                    document.text("Location", location).text("Bucket", bucket).text("Key", key);
                    document.etag("ETag", etag::unquote(&etag));
                    response::xml_with_status(StatusCode::CREATED, document)
                }
                _ => response::empty(StatusCode::NO_CONTENT),
            };
            response::set(answer.headers_mut(), LOCATION, location);
            answer
        }
    };
    for (name, value) in stored.headers() {
        answer.headers_mut().entry(name).or_insert(value.clone());
    }
    if answer.status() == StatusCode::NO_CONTENT {
        answer.headers_mut().remove(http::header::CONTENT_LENGTH);
    }
    answer
}

/// The URL that the form wants the browser to go to, with what it may want to know there. A text that is no URL counts
/// as none.
fn redirection(text: &str, bucket: &str, key: &str, etag: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let is_plain = |byte: u8| (b'!'..=b'~').contains(&byte);
    let text = if text.bytes().all(is_plain) { text.to_owned() } else { url.to_string() };
    let (start, fragment) = match text.split_once('#') {
        Some((start, fragment)) => (start, format!("#{fragment}")),
        None => (text.as_str(), String::new()),
    };
    let separator = if start.contains('?') { '&' } else { '?' };
    let encode = |value: &str| percent::encode(value.as_bytes()).into_owned();
    let (bucket, key, etag) = (encode(bucket), encode(key), encode(etag));
    Some(format!("{start}{separator}bucket={bucket}&key={key}&etag={etag}{fragment}"))
}

/// Where the object is, as the client reaches it.
fn object_url(parts: &Parts, key: &str) -> String {
    let bucket = url(parts);
    format!("{}/{}", bucket.trim_end_matches('/'), percent::encode_path(key.as_bytes()))
}

impl From<PolicyError> for S3Error {
    fn from(err: PolicyError) -> S3Error {
        let code = match err {
            PolicyError::Document(_) => ErrorCode::InvalidPolicyDocument,
            PolicyError::Expired | PolicyError::ConditionFailed(_) | PolicyError::ExtraField(_) => {
                ErrorCode::AccessDenied
            }
        };
        S3Error::new(code, err.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_carry_what_was_stored() {
        let to = |url| redirection(url, "b", "a key/ü", "\"e\"");
        let added = "bucket=b&key=a%20key%2F%C3%BC&etag=%22e%22";
        for (url, expected) in [
            ("https://example.com/done", Some(format!("https://example.com/done?{added}"))),
            ("http://example.com?a=1", Some(format!("http://example.com?a=1&{added}"))),
            ("http://example.com/#top", Some(format!("http://example.com/?{added}#top"))),
            ("https://example.com/ü", Some(format!("https://example.com/%C3%BC?{added}"))),
            ("https://example.com/a\r\nX: y", Some(format!("https://example.com/aX:%20y?{added}"))),
            ("javascript:alert(1)", None),
            ("/done", None),
            ("", None),
        ] {
            assert_eq!(to(url), expected, "{url:?}");
        }
    }
}
