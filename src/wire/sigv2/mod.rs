//! Signature Version 2, for clients that know nothing newer: in a header, in a query, and under a form's policy.
//!
//! It is weaker than version 4 in every way (SHA-1, no scope, no signature over the body or most headers), so it is
//! off unless an operator turns it on. Which errors there are is `sigv4::AuthError`'s, for both versions.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html>

mod canonical;

#[cfg(test)]
mod tests;

pub use canonical::{Resource, string_to_sign};

use crate::wire::http_date;
use crate::wire::percent;
use crate::wire::sigv4::{AuthError, Mismatch, SKEW_MAX_S, Secret, signatures_equal};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, header};
use sha1::Sha1;

/// A request as it came over the wire, with what its signature covers.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    pub resource: Resource<'a>,
    pub headers: &'a HeaderMap,
}

/// The base64 of HMAC-SHA1: what a client sends as its signature.
pub fn sign(secret: &Secret, text: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text);
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Checks `Authorization: AWS key:signature` (`Scheme::SigV2Header`); the access key that signed. `now` is in Unix
/// seconds.
pub fn verify_header(
    request: &Request<'_>,
    lookup: &dyn Fn(&str) -> Option<Secret>,
    now: i64,
) -> Result<String, AuthError> {
    let authorization = text(request.headers, header::AUTHORIZATION.as_str()).unwrap_or_default();
    let claim = authorization.trim_ascii().strip_prefix("AWS").unwrap_or("").trim_ascii();
    // A key's id may hold a colon, base64 does not.
    let (access_key_id, signature) = claim.rsplit_once(':').ok_or(AuthError::SigV2HeaderMalformed)?;
    if access_key_id.is_empty() || signature.is_empty() {
        return Err(AuthError::SigV2HeaderMalformed);
    }
    let date = match text(request.headers, "x-amz-date") {
        Some(date) => Some((date, "")),
        None => text(request.headers, header::DATE.as_str()).map(|date| (date, "date")),
    };
    let (date, place) = date.ok_or(AuthError::MissingDate)?;
    // Before 1970 there was no clock that a request could be compared with.
    let timestamp = http_date::parse(&date).filter(|at| *at >= 0).ok_or(AuthError::MissingDate)?;
    if now.abs_diff(timestamp) > SKEW_MAX_S as u64 {
        return Err(AuthError::TimeTooSkewed { request_time: date, now });
    }
    // The line is empty when `x-amz-date` is there: that one is signed among its like.
    let line = if place.is_empty() { "" } else { date.as_str() };
    check(request, access_key_id, signature, line, lookup)?;
    Ok(access_key_id.to_owned())
}

/// Checks `AWSAccessKeyId`, `Signature` and `Expires` of a query (`Scheme::SigV2Query`); the access key that signed.
/// `now` is in Unix seconds; the URL has to be valid at the start of the request only.
///
/// Headers that the client has moved into the query count as headers, unless they are there as such.
pub fn verify_query(
    request: &Request<'_>,
    lookup: &dyn Fn(&str) -> Option<Secret>,
    now: i64,
) -> Result<String, AuthError> {
    let query = request.resource.query;
    let parameter = |name: &str| {
        let mut pairs = percent::query_pairs(query);
        let found = pairs.find(|(known, _)| percent::decode_query_text(known) == name);
        found.map(|(_, value)| decode_signature_text(value)).filter(|value| !value.is_empty())
    };
    let names = ["AWSAccessKeyId", "Signature", "Expires"].map(parameter);
    let [Some(access_key_id), Some(signature), Some(expires)] = names else {
        return Err(AuthError::SigV2QueryIncomplete);
    };
    let expired_at: i64 =
        expires.parse().map_err(|_| AuthError::SigV2ExpiresInvalid { expires: expires.clone() })?;
    if now > expired_at {
        return Err(AuthError::SigV2Expired { expired_at, now });
    }
    let mut headers = request.headers.clone();
    take_hoisted_headers(&mut headers, query);
    let request = Request { headers: &headers, ..*request };
    check(&request, &access_key_id, &signature, &expires, lookup)?;
    Ok(access_key_id)
}

/// Checks the signature of a browser's form: it covers the policy's base64 text as received. Whether the policy
/// allows the upload, and until when, is the front end's to judge.
pub fn verify_policy(
    policy: &str,
    access_key_id: &str,
    signature: &str,
    lookup: &dyn Fn(&str) -> Option<Secret>,
) -> Result<(), AuthError> {
    compare(policy.to_owned(), access_key_id, signature, lookup)
}

/// A presigned URL of this version carries `x-amz-*`, Content-Type and Content-MD5 as parameters when its client has
/// signed them as headers. They count where the header itself is absent.
fn take_hoisted_headers(headers: &mut HeaderMap, query: &str) {
    for (name, value) in percent::query_pairs(query) {
        let name = percent::decode_query_text(name).to_ascii_lowercase();
        if !is_hoisted(&name) {
            continue;
        }
        let value = percent::decode_query(value);
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(&value))
        {
            headers.entry(name).or_insert(value);
        }
    }
}

/// Whether a parameter of a presigned URL, in lower case, is a header that was moved there.
pub fn is_hoisted(name: &str) -> bool {
    name.starts_with("x-amz-") || name == "content-type" || name == "content-md5"
}

/// A `+` of base64 that a client forgot to escape is meant as one: no part of the three holds a space.
fn decode_signature_text(raw: &str) -> String {
    percent::decode_query_text(raw).replace(' ', "+")
}

fn check(
    request: &Request<'_>,
    access_key_id: &str,
    signature: &str,
    date: &str,
    lookup: &dyn Fn(&str) -> Option<Secret>,
) -> Result<(), AuthError> {
    let answer = compare(string_to_sign(request, date), access_key_id, signature, lookup);
    let Resource { host_bucket, path, .. } = request.resource;
    let is_bare_bucket = host_bucket.is_none() && path.len() > 1 && path.rfind('/') == Some(0);
    if answer.is_ok() || !is_bare_bucket {
        return answer;
    }
    // boto3 asks for `/bucket` and signs `/bucket/`, which names the same.
    let resource = Resource { path: &format!("{path}/"), ..request.resource };
    let text = string_to_sign(&Request { resource, ..*request }, date);
    compare(text, access_key_id, signature, lookup).or(answer)
}

fn compare(
    string_to_sign: String,
    access_key_id: &str,
    signature: &str,
    lookup: &dyn Fn(&str) -> Option<Secret>,
) -> Result<(), AuthError> {
    let secret =
        lookup(access_key_id).ok_or(AuthError::UnknownKey { access_key_id: access_key_id.to_owned() })?;
    if signatures_equal(&sign(&secret, string_to_sign.as_bytes()), signature) {
        return Ok(());
    }
    Err(AuthError::SignatureDoesNotMatch(Box::new(Mismatch {
        access_key_id: access_key_id.to_owned(),
        signature_provided: signature.to_owned(),
        string_to_sign,
        canonical_request: None,
    })))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).trim_ascii().to_owned())
}
