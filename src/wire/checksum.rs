//! The checksums of S3 in words: header names, XML elements, and values in base64.
//!
//! Which checksum a request needs, and whether it is right, is decided elsewhere; here are only the forms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use dovetail_digest::{Algorithm, Digest};
use http::HeaderMap;

use crate::wire::error_code::ErrorCode;

const HEADER_PREFIX: &str = "x-amz-checksum-";

/// Headers that begin like a checksum and are none.
const OTHER_HEADERS: [&str; 3] = ["x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"];

/// `x-amz-checksum-crc64nvme`.
pub fn header_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Crc32 => "x-amz-checksum-crc32",
        Algorithm::Crc32c => "x-amz-checksum-crc32c",
        Algorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        Algorithm::Sha1 => "x-amz-checksum-sha1",
        Algorithm::Sha256 => "x-amz-checksum-sha256",
        Algorithm::Sha512 => "x-amz-checksum-sha512",
        Algorithm::Md5 => "x-amz-checksum-md5",
        Algorithm::XxHash64 => "x-amz-checksum-xxhash64",
        Algorithm::XxHash3 => "x-amz-checksum-xxhash3",
        Algorithm::XxHash128 => "x-amz-checksum-xxhash128",
    }
}

/// `ChecksumCRC64NVME`.
pub fn element_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Crc32 => "ChecksumCRC32",
        Algorithm::Crc32c => "ChecksumCRC32C",
        Algorithm::Crc64Nvme => "ChecksumCRC64NVME",
        Algorithm::Sha1 => "ChecksumSHA1",
        Algorithm::Sha256 => "ChecksumSHA256",
        Algorithm::Sha512 => "ChecksumSHA512",
        Algorithm::Md5 => "ChecksumMD5",
        Algorithm::XxHash64 => "ChecksumXXHASH64",
        Algorithm::XxHash3 => "ChecksumXXHASH3",
        Algorithm::XxHash128 => "ChecksumXXHASH128",
    }
}

/// The algorithm that a header, a trailer or a form field names; case does not matter.
pub fn algorithm_of_header(name: &str) -> Option<Algorithm> {
    let prefix = name.get(..HEADER_PREFIX.len())?;
    if !prefix.eq_ignore_ascii_case(HEADER_PREFIX) {
        return None;
    }
    Algorithm::from_name(&name[HEADER_PREFIX.len()..])
}

/// The algorithm of an XML element; case matters.
pub fn algorithm_of_element(name: &str) -> Option<Algorithm> {
    Algorithm::ALL.into_iter().find(|algorithm| element_name(*algorithm) == name)
}

/// The digest in base64.
pub fn encode(digest: &Digest) -> String {
    BASE64.encode(digest.as_bytes())
}

/// Reads base64 of exactly the algorithm's length.
pub fn decode(algorithm: Algorithm, text: &str) -> Option<Digest> {
    let bytes = BASE64.decode(text).ok()?;
    (bytes.len() == algorithm.digest_len()).then(|| Digest::new(&bytes))
}

/// The checksum of a whole object: of its bytes, or (`part_count` given) of its parts' digests one after the other,
/// which is written `<base64>-<part count>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectChecksum {
    pub algorithm: Algorithm,
    pub digest: Digest,
    /// 1 to 10,000 for a composite checksum.
    pub part_count: Option<u32>,
}

impl ObjectChecksum {
    /// Reads either form.
    pub fn decode(algorithm: Algorithm, text: &str) -> Option<ObjectChecksum> {
        let (text, part_count) = match text.split_once('-') {
            Some((text, count)) => (text, Some(parse_part_count(count)?)),
            None => (text, None),
        };
        Some(ObjectChecksum { algorithm, digest: decode(algorithm, text)?, part_count })
    }

    /// Writes the form that `part_count` says.
    pub fn encode(&self) -> String {
        match self.part_count {
            Some(count) => format!("{}-{count}", encode(&self.digest)),
            None => encode(&self.digest),
        }
    }
}

fn parse_part_count(text: &str) -> Option<u32> {
    let is_number =
        !text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|count| is_number && (1..=10_000).contains(count))
}

/// Why the checksum headers of a request make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumError {
    #[error("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")]
    Several,
    #[error("The algorithm type you specified in x-amz-checksum- header is invalid.")]
    UnknownAlgorithm,
    #[error("Value for {name} header is invalid.")]
    Value { name: &'static str },
}

impl ChecksumError {
    pub fn code(&self) -> ErrorCode {
        ErrorCode::InvalidRequest
    }
}

/// The one `x-amz-checksum-*` header of a request that uploads bytes.
pub fn from_headers(headers: &HeaderMap) -> Result<Option<(Algorithm, Digest)>, ChecksumError> {
    let Some((algorithm, text)) = text_from_headers(headers)? else { return Ok(None) };
    let digest = decode(algorithm, text).ok_or(ChecksumError::Value { name: header_name(algorithm) })?;
    Ok(Some((algorithm, digest)))
}

/// The one `x-amz-checksum-*` header of a request about a whole multipart object, where it may be composite.
pub fn object_from_headers(headers: &HeaderMap) -> Result<Option<ObjectChecksum>, ChecksumError> {
    let Some((algorithm, text)) = text_from_headers(headers)? else { return Ok(None) };
    let checksum = ObjectChecksum::decode(algorithm, text);
    checksum.map(Some).ok_or(ChecksumError::Value { name: header_name(algorithm) })
}

fn text_from_headers(headers: &HeaderMap) -> Result<Option<(Algorithm, &str)>, ChecksumError> {
    let mut found = None;
    for (name, value) in headers {
        let name = name.as_str();
        if !name.starts_with(HEADER_PREFIX) || OTHER_HEADERS.contains(&name) {
            continue;
        }
        let algorithm = algorithm_of_header(name).ok_or(ChecksumError::UnknownAlgorithm)?;
        // Text that is no text fails where it is decoded.
        if found.replace((algorithm, value.to_str().unwrap_or("?"))).is_some() {
            return Err(ChecksumError::Several);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm_of_header(header_name(algorithm)), Some(algorithm));
            assert_eq!(algorithm_of_header(&header_name(algorithm).to_uppercase()), Some(algorithm));
            assert_eq!(algorithm_of_element(element_name(algorithm)), Some(algorithm));
        }
        for name in [
            "x-amz-checksum-",
            "x-amz-checksum-crc",
            "x-amz-checksum-algorithm",
            "crc32",
            "x-amz-checksum-é",
            "",
        ] {
            assert_eq!(algorithm_of_header(name), None, "{name}");
        }
        assert_eq!(algorithm_of_element("checksumcrc32"), None);
    }

    #[test]
    fn values_have_the_length_of_their_algorithm() {
        assert_eq!(decode(Algorithm::Crc64Nvme, "AAAAAAAAAAA="), Some(Digest::new(&[0; 8])));
        assert_eq!(encode(&Digest::new(&[0; 4])), "AAAAAA==");
        for text in ["", "AAAAAA", "AAAAAAA=", "AAAAAAAAAAA=", "!!!!!!==", "AAAAAA== ", "AAAAAA==-1"] {
            assert_eq!(decode(Algorithm::Crc32, text), None, "{text}");
        }
    }

    #[test]
    fn composite_values_carry_their_part_count() {
        let composite = ObjectChecksum::decode(Algorithm::Crc32, "AAAAAA==-10000").unwrap();
        assert_eq!(composite.part_count, Some(10_000));
        assert_eq!(composite.encode(), "AAAAAA==-10000");
        let full = ObjectChecksum::decode(Algorithm::Crc32, "AAAAAA==").unwrap();
        assert_eq!((full.part_count, full.encode().as_str()), (None, "AAAAAA=="));
        for text in
            ["AAAAAA==-", "AAAAAA==-0", "AAAAAA==-01", "AAAAAA==-10001", "AAAAAA==-x", "-1", "AAAAAA==--1"]
        {
            assert_eq!(ObjectChecksum::decode(Algorithm::Crc32, text), None, "{text}");
        }
    }

    #[test]
    fn a_request_carries_at_most_one_checksum() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in pairs {
                map.append(*name, value.parse().unwrap());
            }
            map
        };
        let crc = ("x-amz-checksum-crc32", "AAAAAA==");
        let others = [
            ("x-amz-checksum-type", "FULL_OBJECT"),
            ("x-amz-checksum-algorithm", "CRC32"),
            ("x-amz-checksum-mode", "ENABLED"),
        ];
        assert_eq!(from_headers(&headers(&others)), Ok(None));
        assert_eq!(from_headers(&headers(&[crc])), Ok(Some((Algorithm::Crc32, Digest::new(&[0; 4])))));
        assert_eq!(from_headers(&headers(&[crc, crc])), Err(ChecksumError::Several));
        assert_eq!(from_headers(&headers(&[crc, ("x-amz-checksum-sha1", "x")])), Err(ChecksumError::Several));
        assert_eq!(
            from_headers(&headers(&[("x-amz-checksum-crc16", "x")])),
            Err(ChecksumError::UnknownAlgorithm)
        );
        let error = from_headers(&headers(&[("x-amz-checksum-crc32", "x")])).unwrap_err();
        assert_eq!(error.to_string(), "Value for x-amz-checksum-crc32 header is invalid.");
        let composite = object_from_headers(&headers(&[("x-amz-checksum-crc32", "AAAAAA==-2")])).unwrap();
        assert_eq!(composite.and_then(|checksum| checksum.part_count), Some(2));
    }
}
