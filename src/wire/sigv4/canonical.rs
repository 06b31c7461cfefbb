//! The canonical form of a request: the bytes that client and server must agree on.

use std::borrow::Cow;

use http::HeaderMap;

use super::{ALGORITHM, Scope, sha256_hex};
use crate::wire::{http_date, percent};

/// The parts of a request that a signature covers, as they came over the wire.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// The raw path, not decoded, without the query.
    pub path: &'a str,
    /// The raw query without its `?`; empty if there is none.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    /// HTTP/2's `:authority`, which stands for `Host` when that is missing.
    pub authority: Option<&'a str>,
}

impl Request<'_> {
    /// The request in canonical form. `path` is the canonical URI; `query` is in canonical form already.
    pub(super) fn canonical(&self, path: &str, query: &str, signed_headers: &str, payload: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        for line in [self.method, path, query] {
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
        for name in signed_headers.split(';') {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            self.canonical_header(name, &mut out);
            out.push(b'\n');
        }
        out.push(b'\n');
        out.extend_from_slice(signed_headers.as_bytes());
        out.push(b'\n');
        out.extend_from_slice(payload.as_bytes());
        out
    }

    /// All values of a header, joined with commas; nothing if it is not there, so that the signature fails.
    fn canonical_header(&self, name: &str, out: &mut Vec<u8>) {
        let mut values = self.headers.get_all(name).iter().peekable();
        if values.peek().is_none()
            && name.eq_ignore_ascii_case("host")
            && let Some(authority) = self.authority
        {
            out.extend_from_slice(authority.as_bytes());
        }
        for (index, value) in values.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            collapse_spaces(value.as_bytes().trim_ascii(), out);
        }
    }
}

fn collapse_spaces(value: &[u8], out: &mut Vec<u8>) {
    let mut after_space = false;
    for byte in value {
        if !(*byte == b' ' && after_space) {
            out.push(*byte);
        }
        after_space = *byte == b' ';
    }
}

/// The path in canonical form: decoded and encoded once, and otherwise as sent (S3's exception from the general
/// rules of SigV4, which would encode twice and resolve dots).
pub fn canonical_uri(path: &str) -> String {
    percent::canonical_path(path)
}

/// The query in canonical form: encoded, sorted, every name with `=`. Parameters named in `omitted` (in any case) are
/// left out: `X-Amz-Signature` cannot sign itself.
pub fn canonical_query(query: &str, omitted: Option<&str>) -> String {
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = percent::query_pairs(query)
        .filter(|(name, _)| {
            !omitted.is_some_and(|omitted| percent::decode_query_text(name).eq_ignore_ascii_case(omitted))
        })
        .map(|(name, value)| (reencode(name), reencode(value)))
        .collect();
    pairs.sort_unstable();
    let mut out = String::with_capacity(query.len() + 16);
    for (name, value) in &pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
    out
}

fn reencode(raw: &str) -> Cow<'_, str> {
    match percent::decode_query(raw) {
        Cow::Borrowed(bytes) => percent::encode(bytes),
        Cow::Owned(bytes) => Cow::Owned(percent::encode(&bytes).into_owned()),
    }
}

/// What is signed in the end.
pub(super) fn string_to_sign(timestamp: i64, scope: &Scope, canonical_request: &[u8]) -> String {
    format!("{ALGORITHM}\n{}\n{scope}\n{}", http_date::basic(timestamp), sha256_hex(canonical_request))
}
