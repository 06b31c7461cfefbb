//! What a client says about an object when it writes it: system headers, user metadata, storage class, tags; and
//! the headers that ask for what Dovetail does not do, which are refused rather than dropped.

use crate::base::limits::USER_METADATA_LEN_MAX;
use crate::meta::records::Metadata;
use crate::s3::error::S3Error;
use crate::s3::request::header;
use crate::s3::tags;
use crate::wire::error_code::ErrorCode;
use crate::wire::header_value;
use http::HeaderMap;

/// Kept and given back as they were sent.
const SYSTEM_HEADERS: [&str; 5] =
    ["content-type", "cache-control", "content-disposition", "content-language", "expires"];
pub const WEBSITE_REDIRECT: &str = "x-amz-website-redirect-location";
const STORAGE_CLASSES: [&str; 8] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "GLACIER_IR",
    "DEEP_ARCHIVE",
];

/// Everything about the object in the headers of PutObject, CreateMultipartUpload, or CopyObject with REPLACE.
pub fn from_headers(headers: &HeaderMap) -> Result<Metadata, S3Error> {
    Ok(Metadata {
        headers: system_headers(headers)?,
        user: user_metadata(headers)?,
        storage_class: storage_class(headers)?,
        tags: tags::from_header(headers)?,
    })
}

fn system_headers(headers: &HeaderMap) -> Result<Vec<(String, String)>, S3Error> {
    let mut kept = Vec::new();
    for name in SYSTEM_HEADERS {
        if let Some(value) = headers.get(name).map(|value| plain_text(value.as_bytes()))
            && !value.is_empty()
        {
            kept.push((name.to_owned(), value));
        }
    }
    if let Some(encodings) = header(headers, "content-encoding")
        && let Some(encodings) = content_encoding(&encodings)
    {
        kept.push(("content-encoding".to_owned(), encodings));
    }
    if let Some(location) = website_redirect(headers)? {
        kept.push((WEBSITE_REDIRECT.to_owned(), location));
    }
    Ok(kept)
}

/// `Content-Encoding` as it was sent, but for `aws-chunked`, which says how the body travels and not what it is.
fn content_encoding(sent: &str) -> Option<String> {
    let is_kept = |encoding: &&str| {
        let encoding = encoding.trim();
        !encoding.is_empty() && !encoding.eq_ignore_ascii_case("aws-chunked")
    };
    // The spaces between those that stay are the client's.
    let kept = sent.split(',').filter(is_kept).collect::<Vec<_>>().join(",");
    (!kept.is_empty()).then(|| kept.trim().to_owned())
}

/// `x-amz-website-redirect-location`, which is kept although no website is served from it.
pub fn website_redirect(headers: &HeaderMap) -> Result<Option<String>, S3Error> {
    let Some(location) = header(headers, WEBSITE_REDIRECT) else { return Ok(None) };
    if ["/", "http://", "https://"].iter().any(|prefix| location.starts_with(prefix)) {
        Ok(Some(location.into_owned()))
    } else {
        Err(ErrorCode::InvalidRedirectLocation.into())
    }
}

/// UTF-8, or else Latin-1.
fn plain_text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.trim_ascii().to_owned(),
        Err(_) => value.iter().map(|byte| char::from(*byte)).collect(),
    }
}

fn user_metadata(headers: &HeaderMap) -> Result<Vec<(String, String)>, S3Error> {
    let mut user = Vec::new();
    let mut len = 0;
    for name in headers.keys() {
        let Some(short) = name.as_str().strip_prefix("x-amz-meta-") else { continue };
        let values: Vec<String> = headers
            .get_all(name)
            .iter()
            .map(|value| header_value::decode(value.as_bytes().trim_ascii()))
            .collect();
        let value = values.join(",");
        len += short.len() + value.len();
        user.push((short.to_owned(), value));
    }
    if len > USER_METADATA_LEN_MAX {
        return Err(S3Error::from(ErrorCode::MetadataTooLarge)
            .field("Size", len)
            .field("MaxSizeAllowed", USER_METADATA_LEN_MAX));
    }
    Ok(user)
}

/// `x-amz-storage-class`; `None` is STANDARD. Classes are kept and reported, nothing is archived.
pub fn storage_class(headers: &HeaderMap) -> Result<Option<String>, S3Error> {
    match header(headers, "x-amz-storage-class").as_deref() {
        None | Some("STANDARD") => Ok(None),
        Some(class) if STORAGE_CLASSES.contains(&class) => Ok(Some(class.to_owned())),
        Some(class) => {
            Err(S3Error::from(ErrorCode::InvalidStorageClass).field("StorageClassRequested", class))
        }
    }
}

/// Refuses a write that asks for what would not be done: appending.
pub fn refuse_unsupported(headers: &HeaderMap) -> Result<(), S3Error> {
    let is_refused = |name: &str| name == "x-amz-write-offset-bytes";
    match headers.keys().find(|name| is_refused(name.as_str())) {
        Some(name) => Err(S3Error::not_implemented(name.as_str())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        map
    }

    fn code<T: std::fmt::Debug>(result: Result<T, S3Error>) -> &'static str {
        result.unwrap_err().code().as_str()
    }

    #[test]
    fn keeps_what_the_client_said_and_drops_the_framing() {
        let metadata = from_headers(&headers(&[
            ("content-type", b"text/plain"),
            ("content-encoding", b"gzip, aws-chunked"),
            ("expires", b"whenever"),
            ("x-amz-meta-a", b" one "),
            ("x-amz-meta-a", b"two"),
            ("x-amz-meta-word", b"=?UTF-8?B?w6k=?="),
            ("x-amz-meta-latin", b"caf\xe9"),
            ("x-amz-storage-class", b"STANDARD"),
            ("x-amz-tagging", b"k=v&with%20space=a%2Bb"),
            ("host", b"h"),
        ]))
        .unwrap();
        let header = |name: &str| metadata.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        assert_eq!(header("content-type"), Some("text/plain"));
        assert_eq!(header("content-encoding"), Some("gzip"));
        assert_eq!(header("expires"), Some("whenever"));
        assert_eq!(metadata.headers.len(), 3);
        let user = |name: &str| metadata.user.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        assert_eq!(user("a"), Some("one,two"));
        assert_eq!(user("word"), Some("é"));
        assert_eq!(user("latin"), Some("café"));
        assert_eq!(metadata.storage_class, None);
        assert_eq!(metadata.tags, [("k".into(), "v".into()), ("with space".to_owned(), "a+b".to_owned())]);
    }

    #[test]
    fn keeps_the_encodings_as_they_were_written() {
        for (sent, kept) in [
            ("gzip", Some("gzip")),
            (" deflate, gzip", Some("deflate, gzip")),
            ("deflate,gzip", Some("deflate,gzip")),
            ("deflate, gzip,aws-chunked", Some("deflate, gzip")),
            ("AWS-Chunked, gzip", Some("gzip")),
            ("aws-chunked", None),
            ("aws-chunked, aws-chunked", None),
            (" , ", None),
            ("", None),
        ] {
            assert_eq!(content_encoding(sent).as_deref(), kept, "{sent:?}");
        }
    }

    #[test]
    fn limits_user_metadata_to_two_kibibytes() {
        let value = vec![b'v'; 2047];
        assert!(from_headers(&headers(&[("x-amz-meta-n", &value)])).is_ok());
        assert_eq!(code(from_headers(&headers(&[("x-amz-meta-nn", &value)]))), "MetadataTooLarge");
    }

    #[test]
    fn refuses_bad_classes_and_redirects() {
        assert_eq!(code(storage_class(&headers(&[("x-amz-storage-class", b"SNOW")]))), "InvalidStorageClass");
        let redirect = headers(&[("x-amz-website-redirect-location", b"ftp://x")]);
        assert_eq!(code(from_headers(&redirect)), "InvalidRedirectLocation");
    }

    #[test]
    fn refuses_what_would_not_be_done() {
        let appending = headers(&[("x-amz-write-offset-bytes", b"x")]);
        assert_eq!(code(refuse_unsupported(&appending)), "NotImplemented");
    }
}
