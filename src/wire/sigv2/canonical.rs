//! The text that a version 2 signature covers.

use super::Request;
use crate::wire::percent;
use crate::wire::sub_resources::SUB_RESOURCES;
use http::HeaderMap;
use std::collections::BTreeMap;

/// What a request is about: the bucket that its host names, and its path and query as sent.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// The bucket of a virtual-hosted-style request; it stands in no path.
    pub host_bucket: Option<&'a str>,
    /// The raw path, not decoded.
    pub path: &'a str,
    /// The raw query without its `?`; empty if there is none.
    pub query: &'a str,
}

/// Parameters that are signed beside sub-resources, because they change what a request does. All others are not signed,
/// so a parameter that this list lacks could be added by whoever sees a request.
const SIGNED_PARAMETERS: [&str; 12] = [
    "partNumber",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "select-type",
    "uploadId",
    "versionId",
    // Nothing here answers to these two; the boto family signs them.
    "defaultObjectAcl",
    "storageClass",
];

/// The text. `date` is the `Date` header, or nothing when `x-amz-date` stands in for it, or the `Expires` parameter.
pub fn string_to_sign(request: &Request<'_>, date: &str) -> String {
    let header = |name: &str| {
        let value = request.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        value.map(|value| value.trim_ascii().to_owned()).unwrap_or_default()
    };
    let mut text = String::with_capacity(256);
    for line in [request.method, &header("content-md5"), &header("content-type"), date] {
        text.push_str(line);
        text.push('\n');
    }
    push_headers(request.headers, &mut text);
    push_resource(&request.resource, &mut text);
    text
}

/// Every `x-amz-*` header in the order of names, the values of one joined with commas.
fn push_headers(headers: &HeaderMap, text: &mut String) {
    let mut sorted: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| name.as_str().starts_with("x-amz-")) {
        let value = String::from_utf8_lossy(value.as_bytes());
        let joined = sorted.entry(name.as_str()).or_default();
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(value.trim_ascii());
    }
    for (name, value) in sorted {
        text.push_str(name);
        text.push(':');
        text.push_str(&value);
        text.push('\n');
    }
}

/// The bucket and the path as sent, and the parameters that change what the request does, decoded.
fn push_resource(resource: &Resource<'_>, text: &mut String) {
    if let Some(bucket) = resource.host_bucket {
        text.push('/');
        text.push_str(bucket);
    }
    text.push_str(if resource.path.is_empty() { "/" } else { resource.path });

    let mut signed: Vec<(String, String)> = percent::query_pairs(resource.query)
        .map(|(name, value)| (percent::decode_query_text(name), value))
        .filter(|(name, _)| is_signed(name))
        .map(|(name, value)| (name.into_owned(), percent::decode_query_text(value).into_owned()))
        .collect();
    signed.sort();
    for (index, (name, value)) in signed.iter().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        text.push_str(name);
        if !value.is_empty() {
            text.push('=');
            text.push_str(value);
        }
    }
}

fn is_signed(parameter: &str) -> bool {
    SUB_RESOURCES.contains(&parameter) || SIGNED_PARAMETERS.contains(&parameter)
}
