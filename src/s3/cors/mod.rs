//! Cross-origin resource sharing: which pages a browser may let use a bucket. A bucket's owner sets the rules, the
//! browser enforces them: without them nothing is allowed, with them no request is refused that was allowed without.
//!
//! A request without `Origin` comes from no page and costs nothing here.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>, <https://fetch.spec.whatwg.org/#http-cors-protocol>

mod document;
#[cfg(test)]
mod tests;

pub use document::{DOCUMENT_LEN_MAX, parse, write};

use crate::engine;
use crate::engine::named_bucket::NamedBucket;
use crate::meta::records::{CorsRecord, CorsRule};
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::response;
use crate::s3::router::Target;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

/// A browser names those that a script sets. More match nothing, so that nobody can make the rules expensive.
const REQUESTED_HEADERS_MAX: usize = 100;

/// What a preflight asks about.
pub struct Preflight<'a> {
    pub origin: &'a str,
    pub method: &'a str,
    /// `Access-Control-Request-Headers`, as sent.
    pub headers: &'a str,
}

/// The headers that an actual request's answer gets, whatever the answer is. None where nothing is allowed.
pub async fn headers_for(s3: &S3, target: &Target, parts: &Parts) -> Result<HeaderMap, S3Error> {
    let origin = parts.headers.get(ORIGIN).and_then(|value| value.to_str().ok());
    let (Some(origin), Some(bucket)) = (origin, &target.bucket) else { return Ok(HeaderMap::new()) };
    let settings = match NamedBucket::from(bucket.as_str()).settings(s3.engine()).await {
        Ok(settings) => settings,
        // Saying so is up to the operation.
        Err(engine::Error::NoSuchBucket) => return Ok(HeaderMap::new()),
        Err(err) => return Err(err.into()),
    };
    // A client that names a method, as in a preflight, means that one.
    let named = parts.headers.get(ACCESS_CONTROL_REQUEST_METHOD).and_then(|value| value.to_str().ok());
    let method = named.unwrap_or(parts.method.as_str());
    Ok(settings.cors.as_ref().and_then(|rules| actual(rules, origin, method)).unwrap_or_default())
}

/// What the first rule for this origin and method lets a page see.
fn actual(rules: &CorsRecord, origin: &str, method: &str) -> Option<HeaderMap> {
    let mut fitting = rules.rules.iter().filter(|rule| allows_method(rule, method));
    let (rule, pattern) = fitting.find_map(|rule| Some((rule, matching_origin(rule, origin)?)))?;
    Some(headers(rule, pattern, origin))
}

/// What the first rule for all that is asked answers. Nothing if there is none.
pub fn preflight(rules: &CorsRecord, asked: &Preflight<'_>) -> Option<HeaderMap> {
    let names = asked.headers.split(',').map(|name| name.trim_ascii().to_ascii_lowercase());
    let names: Vec<String> = names.filter(|name| !name.is_empty()).take(REQUESTED_HEADERS_MAX + 1).collect();
    if names.len() > REQUESTED_HEADERS_MAX {
        return None;
    }
    let fits = |rule: &CorsRule| {
        allows_method(rule, asked.method) && names.iter().all(|name| allows_header(rule, name))
    };
    let mut fitting = rules.rules.iter().filter(|rule| fits(rule));
    let (rule, pattern) = fitting.find_map(|rule| Some((rule, matching_origin(rule, asked.origin)?)))?;
    let mut answer = headers(rule, pattern, asked.origin);
    if !names.is_empty() {
        response::set(&mut answer, ACCESS_CONTROL_ALLOW_HEADERS, &names.join(", "));
    }
    Some(answer)
}

/// What preflights and actual requests are both told.
fn headers(rule: &CorsRule, pattern: &str, origin: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if pattern == "*" {
        // A browser would not take credentials together with this.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        response::set(&mut headers, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    response::set(&mut headers, ACCESS_CONTROL_ALLOW_METHODS, &rule.allowed_methods.join(", "));
    if !rule.expose_headers.is_empty() {
        response::set(&mut headers, ACCESS_CONTROL_EXPOSE_HEADERS, &rule.expose_headers.join(", "));
    }
    if let Some(seconds) = rule.max_age_seconds {
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
    }
    let vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
    headers.insert(VARY, HeaderValue::from_static(vary));
    headers
}

fn matching_origin<'r>(rule: &'r CorsRule, origin: &str) -> Option<&'r str> {
    rule.allowed_origins.iter().map(String::as_str).find(|pattern| matches(pattern, origin))
}

fn allows_method(rule: &CorsRule, method: &str) -> bool {
    rule.allowed_methods.iter().any(|allowed| allowed == method)
}

/// `name` is in lower case.
fn allows_header(rule: &CorsRule, name: &str) -> bool {
    rule.allowed_headers.iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), name))
}

/// Whether a text fits a pattern, in which the first `*` stands for any text, the empty one too.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
    }
}
