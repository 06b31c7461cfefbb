//! `x-amz-copy-source`: `[/]bucket/key[?versionId=id]`, percent-encoded.

use crate::wire::error_code::ErrorCode;
use crate::wire::percent;

/// The object that a copy reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopySource {
    pub bucket: String,
    pub key: String,
    /// `null` is a version id like any other here.
    pub version_id: Option<String>,
}

/// Why a copy source names no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopySourceError {
    #[error("Invalid copy source object key")]
    Key,
    #[error("Invalid copy source encoding.")]
    Encoding,
    #[error("Copy sources given as an access point ARN are not supported")]
    AccessPoint,
}

impl CopySourceError {
    pub fn code(self) -> ErrorCode {
        match self {
            CopySourceError::Key | CopySourceError::Encoding => ErrorCode::InvalidArgument,
            CopySourceError::AccessPoint => ErrorCode::NotImplemented,
        }
    }
}

impl CopySource {
    /// Reads the header's bytes. The version id is split off before decoding, because a `?` that belongs to the key
    /// arrives as `%3F`; bucket and key are split after it, because some clients encode the slash between them.
    pub fn parse(header: &[u8]) -> Result<CopySource, CopySourceError> {
        let (path, query) = match header.iter().position(|byte| *byte == b'?') {
            Some(at) => (&header[..at], Some(&header[at + 1..])),
            None => (header, None),
        };
        let version_id = match query.map(|query| query.strip_prefix(b"versionId=")) {
            None => None,
            Some(Some(id)) if !id.is_empty() => Some(decode(id)?),
            Some(_) => return Err(CopySourceError::Key),
        };
        let path = decode(path)?;
        let path = path.strip_prefix('/').unwrap_or(&path);
        if path.starts_with("arn:") {
            return Err(CopySourceError::AccessPoint);
        }
        let (bucket, key) = path.split_once('/').ok_or(CopySourceError::Key)?;
        if bucket.is_empty() || key.is_empty() {
            return Err(CopySourceError::Key);
        }
        Ok(CopySource { bucket: bucket.to_owned(), key: key.to_owned(), version_id })
    }

    /// The header's value, for a client.
    pub fn to_header(&self) -> String {
        let path = format!(
            "{}/{}",
            percent::encode(self.bucket.as_bytes()),
            percent::encode_path(self.key.as_bytes())
        );
        match &self.version_id {
            Some(id) => format!("{path}?versionId={}", percent::encode(id.as_bytes())),
            None => path,
        }
    }
}

fn decode(raw: &[u8]) -> Result<String, CopySourceError> {
    percent::decode(raw).map_err(|_| CopySourceError::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(bucket: &str, key: &str, version_id: Option<&str>) -> CopySource {
        CopySource { bucket: bucket.into(), key: key.into(), version_id: version_id.map(str::to_owned) }
    }

    #[test]
    fn reads_every_legal_form() {
        for (header, expected) in [
            ("b/k", source("b", "k", None)),
            ("/b/k", source("b", "k", None)),
            ("b/a/b/c", source("b", "a/b/c", None)),
            ("b//k", source("b", "/k", None)),
            ("b/dir/", source("b", "dir/", None)),
            ("b%2Fk", source("b", "k", None)),
            ("%2Fb%2Fk", source("b", "k", None)),
            ("b/a+b%20c%2Bd", source("b", "a+b c+d", None)),
            ("b/%2525", source("b", "%25", None)),
            ("b/k%3FversionId=x", source("b", "k?versionId=x", None)),
            ("b/k?versionId=3%2FL4", source("b", "k", Some("3/L4"))),
            ("b/k?versionId=null", source("b", "k", Some("null"))),
            ("b/é", source("b", "é", None)),
        ] {
            assert_eq!(CopySource::parse(header.as_bytes()), Ok(expected), "{header}");
        }
    }

    #[test]
    fn refuses_what_names_no_object() {
        use CopySourceError::*;
        for (header, expected) in [
            ("", Key),
            ("/", Key),
            ("b", Key),
            ("b/", Key),
            ("/b/", Key),
            ("//k", Key),
            ("b/k?", Key),
            ("b/k?versionId=", Key),
            ("b/k?other=1", Key),
            ("b/%zz", Encoding),
            ("b/%ff", Encoding),
            ("b/k%00", Encoding),
            ("b/k?versionId=%", Encoding),
            ("/arn:aws:s3:us-west-2:123456789012:accesspoint/x/object/k", AccessPoint),
            ("arn:aws:s3:us-west-2:123456789012:accesspoint/x/object/k", AccessPoint),
        ] {
            assert_eq!(CopySource::parse(header.as_bytes()), Err(expected), "{header}");
        }
        assert_eq!(CopySource::parse(b"b/\xff"), Err(Encoding));
    }

    #[test]
    fn reads_back_what_it_writes() {
        for key in ["k", "/k", "a b+c?versionId=1", "%25", "é\n", "a/./../b"] {
            for version_id in [None, Some("null"), Some("a/b+c")] {
                let source = source("bucket", key, version_id);
                assert_eq!(CopySource::parse(source.to_header().as_bytes()), Ok(source));
            }
        }
    }
}
