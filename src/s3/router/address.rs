//! Which bucket and key a request names: from its host and its raw path.

use crate::base::limits::KEY_LEN_MAX;
use crate::s3::error::S3Error;
use crate::s3::router::Level;
use crate::wire::error_code::ErrorCode;
use crate::wire::percent;
use http::{HeaderMap, Uri, Version, header};
use std::net::IpAddr;

/// What a request names. Names are decoded, and not yet checked against S3's rules for buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    pub bucket: Option<String>,
    /// 1 to 1,024 bytes.
    pub key: Option<String>,
    /// Whether the bucket was in the host rather than in the path.
    pub in_host: bool,
}

impl Target {
    pub fn level(&self) -> Level {
        match (&self.bucket, &self.key) {
            (None, _) => Level::Service,
            (Some(_), None) => Level::Bucket,
            (Some(_), Some(_)) => Level::Object,
        }
    }
}

/// Reads host and path. The path is split as it was sent and then decoded once, so that `//`, dots and encoded
/// slashes stay what they are.
pub fn address(
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
    domains: &[String],
) -> Result<Target, S3Error> {
    let host = host(uri, version, headers)?;
    let path = uri.path().strip_prefix('/').unwrap_or(uri.path());
    if let Some(bucket) = bucket_in_host(host, domains) {
        return Ok(Target { bucket: Some(bucket), key: decode_key(path)?, in_host: true });
    }
    if path.is_empty() {
        return Ok(Target::default());
    }
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    Ok(Target { bucket: Some(decode(bucket)?), key: decode_key(key)?, in_host: false })
}

/// `Host` or, in HTTP/2, the authority.
fn host<'a>(uri: &'a Uri, version: Version, headers: &'a HeaderMap) -> Result<&'a str, S3Error> {
    let mut values = headers.get_all(header::HOST).iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(S3Error::invalid_request("More than one Host header was sent")),
        (Some(host), None) => {
            host.to_str().map_err(|_| S3Error::invalid_request("The Host header is not valid"))
        }
        (None, _) => match uri.authority() {
            Some(authority) => Ok(authority.as_str()),
            None if version < Version::HTTP_11 => Ok(""),
            None => Err(S3Error::invalid_request("Missing required header for this request: Host")),
        },
    }
}

/// What stands before one of our domains. Any other host, an address for instance, means that the path names the
/// bucket.
fn bucket_in_host(host: &str, domains: &[String]) -> Option<String> {
    let host = without_port(host).to_ascii_lowercase();
    if host.parse::<IpAddr>().is_ok() || domains.contains(&host) {
        return None;
    }
    let before = |domain: &String| host.strip_suffix(domain.as_str())?.strip_suffix('.');
    // The longest domain: one may be a part of another.
    let bucket = domains.iter().filter_map(before).min_by_key(|bucket| bucket.len())?;
    (!bucket.is_empty()).then(|| bucket.to_owned())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.ends_with(']') && name.contains(':') && !port.is_empty() => host,
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
    .trim_matches(['[', ']'])
}

fn decode(raw: &str) -> Result<String, S3Error> {
    percent::decode(raw.as_bytes())
        .map_err(|err| S3Error::from(ErrorCode::InvalidURI).field("URI", raw).source(err))
}

fn decode_key(raw: &str) -> Result<Option<String>, S3Error> {
    if raw.is_empty() {
        return Ok(None);
    }
    let key = decode(raw)?;
    check_key(&key)?;
    Ok(Some(key))
}

/// The limits of keys that hold wherever a key comes from.
pub fn check_key(key: &str) -> Result<(), S3Error> {
    if key.len() > KEY_LEN_MAX {
        return Err(S3Error::from(ErrorCode::KeyTooLongError)
            .field("Size", key.len())
            .field("MaxSizeAllowed", KEY_LEN_MAX));
    }
    if climbs_above_root(key) {
        return Err(S3Error::from(ErrorCode::InvalidURI).field("URI", key));
    }
    Ok(())
}

/// Whether the dots of `../x` or `a/../../x` lead out of the bucket. Other keys with dots are names like any other.
fn climbs_above_root(key: &str) -> bool {
    if !key.contains("..") {
        return false;
    }
    let mut depth = 0i32;
    key.split('/').any(|segment| {
        depth += match segment {
            ".." => -1,
            "" | "." => 0,
            _ => 1,
        };
        depth < 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, path: &str) -> Result<(Option<String>, Option<String>), ErrorCode> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        let domains = ["s3.example.test".to_owned(), "example.test".to_owned()];
        address(&path.parse().unwrap(), Version::HTTP_11, &headers, &domains)
            .map(|target| (target.bucket, target.key))
            .map_err(|err| err.code())
    }

    #[test]
    fn finds_bucket_and_key_in_either_style() {
        for (host, path, bucket, key) in [
            ("s3.example.test", "/", "", ""),
            ("s3.example.test:9000", "/b", "b", ""),
            ("127.0.0.1:9000", "/b/", "b", ""),
            ("[::1]:9000", "/b/k", "b", "k"),
            ("[::1]", "/b/k", "b", "k"),
            ("localhost", "/b//k", "b", "/k"),
            ("b.s3.example.test", "/", "b", ""),
            ("a.b.S3.example.test:80", "/k/l", "a.b", "k/l"),
            ("s3.example.test.other", "/b/k", "b", "k"),
            ("unknown", "/b/a+b%2Fc%20d", "b", "a+b/c d"),
            ("localhost", "/b/%2525", "b", "%25"),
            ("localhost", "/b/a/../c/./d//", "b", "a/../c/./d//"),
            ("localhost", "/b/%F0%9F%98%80%01", "b", "\u{1f600}\u{1}"),
        ] {
            let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            assert_eq!(target(host, path), Ok((text(bucket), text(key))), "{host}{path}");
        }
    }

    #[test]
    fn refuses_paths_that_name_nothing() {
        for (path, code) in [
            ("/b/%zz", ErrorCode::InvalidURI),
            ("/b/%", ErrorCode::InvalidURI),
            ("/b/%00", ErrorCode::InvalidURI),
            ("/b/%ff", ErrorCode::InvalidURI),
            ("/%ff/k", ErrorCode::InvalidURI),
            ("/b/../k", ErrorCode::InvalidURI),
            ("/b/a/%2e%2e/../k", ErrorCode::InvalidURI),
        ] {
            assert_eq!(target("localhost", path), Err(code), "{path}");
        }
        let longest = format!("/b/{}", "k".repeat(1024));
        assert!(target("localhost", &longest).is_ok());
        assert_eq!(target("localhost", &format!("{longest}k")), Err(ErrorCode::KeyTooLongError));
    }

    #[test]
    fn a_request_has_exactly_one_host() {
        let mut headers = HeaderMap::new();
        let uri: Uri = "/b".parse().unwrap();
        assert!(address(&uri, Version::HTTP_11, &headers, &[]).is_err());
        assert!(address(&"http://h/b".parse().unwrap(), Version::HTTP_2, &headers, &[]).is_ok());
        headers.append(header::HOST, "a".parse().unwrap());
        assert!(address(&uri, Version::HTTP_11, &headers, &[]).is_ok());
        headers.append(header::HOST, "b".parse().unwrap());
        assert!(address(&uri, Version::HTTP_11, &headers, &[]).is_err());
    }
}
