//! The checksum headers of requests that write: which algorithm was chosen, and what was promised for the end.

use crate::engine::body::Claims;
use crate::meta::records::ChecksumKind;
use crate::s3::error::{S3Error, base64};
use crate::s3::request::header;
use crate::wire::checksum;
use crate::wire::error_code::ErrorCode;
use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;
use dovetail_digest::{Algorithm, Digest};
use http::HeaderMap;

/// What a request says about the bytes of its body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promised {
    /// Content-MD5.
    pub md5: Option<[u8; 16]>,
    /// The one `x-amz-checksum-*` header.
    pub checksum: Option<(Algorithm, Digest)>,
    /// The one `x-amz-checksum-*` trailer that `x-amz-trailer` announces.
    pub trailer: Option<Algorithm>,
}

impl Promised {
    /// Reads the headers of a request with a body. Anything contradictory is an error before the body is touched.
    pub fn from_headers(headers: &HeaderMap) -> Result<Promised, S3Error> {
        let checksum = checksum::from_headers(headers)?;
        let trailer = announced_trailer(headers)?;
        if checksum.is_some() && trailer.is_some() {
            return Err(checksum::ChecksumError::Several.into());
        }
        Ok(Promised { md5: content_md5(headers)?, checksum, trailer })
    }

    /// The algorithm that the client has chosen.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.checksum.map(|(algorithm, _)| algorithm).or(self.trailer)
    }

    /// `x-amz-sdk-checksum-algorithm` promises a checksum, which must then be there.
    pub fn check_sdk_algorithm(&self, headers: &HeaderMap) -> Result<(), S3Error> {
        let Some(name) = header(headers, "x-amz-sdk-checksum-algorithm") else { return Ok(()) };
        if Algorithm::from_name(&name).is_none() {
            return Err(unknown_algorithm());
        }
        if self.algorithm().is_none() {
            return Err(S3Error::invalid_request(
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer \
                 headers were found.",
            ));
        }
        Ok(())
    }
}

pub fn content_md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, S3Error> {
    let Some(text) = header(headers, "content-md5") else { return Ok(None) };
    let digest = STANDARD.decode(text.trim_ascii()).ok().and_then(|bytes| bytes.try_into().ok());
    match digest {
        Some(digest) => Ok(Some(digest)),
        None => Err(S3Error::from(ErrorCode::InvalidDigest).field("Content-MD5", text)),
    }
}

fn announced_trailer(headers: &HeaderMap) -> Result<Option<Algorithm>, S3Error> {
    let Some(names) = header(headers, "x-amz-trailer") else { return Ok(None) };
    match checksum::algorithm_of_header(names.trim_ascii()) {
        Some(algorithm) => Ok(Some(algorithm)),
        None => {
            Err(S3Error::invalid_request("The value specified in the x-amz-trailer header is not supported"))
        }
    }
}

/// Compares a whole body with what the client says it hashes to.
pub fn verify(claims: &Claims, bytes: &[u8]) -> Result<(), S3Error> {
    if let Some(claimed) = claims.md5 {
        let computed = dovetail_digest::md5(bytes);
        if computed != claimed {
            return Err(S3Error::from(ErrorCode::BadDigest)
                .field("ExpectedDigest", base64(&claimed))
                .field("CalculatedDigest", base64(&computed)));
        }
    }
    match claims.checksum {
        Some((algorithm, claimed)) if dovetail_digest::digest(algorithm, bytes) != claimed => {
            Err(crate::engine::Error::ChecksumMismatch { algorithm }.into())
        }
        _ => Ok(()),
    }
}

/// `x-amz-checksum-algorithm` and `x-amz-checksum-type` of CreateMultipartUpload: which checksum the object will
/// have. Each algorithm has its own kinds, the first being the default.
pub fn of_upload(headers: &HeaderMap) -> Result<Option<(Algorithm, ChecksumKind)>, S3Error> {
    let kind = kind(headers)?;
    let Some(algorithm) = chosen_algorithm(headers)? else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(S3Error::invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let allowed: &[ChecksumKind] = match algorithm {
        Algorithm::Crc64Nvme => &[ChecksumKind::FullObject],
        Algorithm::Crc32 | Algorithm::Crc32c => &[ChecksumKind::Composite, ChecksumKind::FullObject],
        _ => &[ChecksumKind::Composite],
    };
    match kind {
        None => Ok(Some((algorithm, allowed[0]))),
        Some(kind) if allowed.contains(&kind) => Ok(Some((algorithm, kind))),
        Some(kind) => Err(S3Error::invalid_request(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            crate::s3::response::kind_name(kind),
            algorithm.name().to_ascii_lowercase()
        ))),
    }
}

/// `x-amz-checksum-algorithm`.
pub fn chosen_algorithm(headers: &HeaderMap) -> Result<Option<Algorithm>, S3Error> {
    let Some(name) = header(headers, "x-amz-checksum-algorithm") else { return Ok(None) };
    Algorithm::from_name(&name).map(Some).ok_or_else(unknown_algorithm)
}

/// `x-amz-checksum-type`.
pub fn kind(headers: &HeaderMap) -> Result<Option<ChecksumKind>, S3Error> {
    match header(headers, "x-amz-checksum-type").as_deref() {
        None => Ok(None),
        Some(name) if name.eq_ignore_ascii_case("FULL_OBJECT") => Ok(Some(ChecksumKind::FullObject)),
        Some(name) if name.eq_ignore_ascii_case("COMPOSITE") => Ok(Some(ChecksumKind::Composite)),
        Some(_) => Err(S3Error::invalid_request("Value for x-amz-checksum-type header is invalid.")),
    }
}

fn unknown_algorithm() -> S3Error {
    let names: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    S3Error::invalid_request(format!(
        "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{}]",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn code<T: std::fmt::Debug>(result: Result<T, S3Error>) -> &'static str {
        result.unwrap_err().code().as_str()
    }

    #[test]
    fn a_body_has_at_most_one_checksum_wherever_it_is() {
        let crc = ("x-amz-checksum-crc32", "AAAAAA==");
        assert_eq!(Promised::from_headers(&headers(&[crc])).unwrap().algorithm(), Some(Algorithm::Crc32));
        let trailer = ("x-amz-trailer", "X-Amz-Checksum-Sha256");
        assert_eq!(
            Promised::from_headers(&headers(&[trailer])).unwrap().algorithm(),
            Some(Algorithm::Sha256)
        );
        assert_eq!(code(Promised::from_headers(&headers(&[crc, trailer]))), "InvalidRequest");
        assert_eq!(
            code(Promised::from_headers(&headers(&[("x-amz-trailer", "x-amz-meta-a")]))),
            "InvalidRequest"
        );
        for bad in ["", "AAAA", "not base64!", "AAAAAAAAAAAAAAAAAAAAAAA="] {
            assert_eq!(
                code(Promised::from_headers(&headers(&[("content-md5", bad)]))),
                "InvalidDigest",
                "{bad}"
            );
        }
    }

    #[test]
    fn a_promised_checksum_must_be_there() {
        let sdk = ("x-amz-sdk-checksum-algorithm", "crc32");
        let check = |map: HeaderMap| Promised::from_headers(&map).unwrap().check_sdk_algorithm(&map);
        assert!(check(headers(&[sdk, ("x-amz-checksum-crc32", "AAAAAA==")])).is_ok());
        assert!(check(headers(&[])).is_ok());
        assert_eq!(code(check(headers(&[sdk]))), "InvalidRequest");
    }

    #[test]
    fn verifies_whole_bodies() {
        let bytes = b"123456789";
        let crc = Digest::new(&[0xcb, 0xf4, 0x39, 0x26]);
        let good = Claims { checksum: Some((Algorithm::Crc32, crc)), md5: Some(dovetail_digest::md5(bytes)) };
        assert!(verify(&good, bytes).is_ok());
        assert_eq!(code(verify(&good, b"12345678")), "BadDigest");
        assert_eq!(code(verify(&Claims { md5: None, ..good }, b"x")), "BadDigest");
    }

    #[test]
    fn kinds_belong_to_algorithms() {
        let of = |algorithm: &'static str, kind: &'static str| {
            let mut map = headers(&[("x-amz-checksum-algorithm", algorithm)]);
            if !kind.is_empty() {
                map.insert("x-amz-checksum-type", kind.parse().unwrap());
            }
            of_upload(&map).map(|found| found.unwrap().1)
        };
        assert_eq!(of("crc32", "").unwrap(), ChecksumKind::Composite);
        assert_eq!(of("CRC64NVME", "").unwrap(), ChecksumKind::FullObject);
        assert_eq!(of("CRC32C", "FULL_OBJECT").unwrap(), ChecksumKind::FullObject);
        assert_eq!(code(of("SHA256", "FULL_OBJECT")), "InvalidRequest");
        assert_eq!(code(of("CRC64NVME", "COMPOSITE")), "InvalidRequest");
        assert_eq!(code(of("CRC16", "")), "InvalidRequest");
        assert_eq!(code(of("CRC32", "PARTIAL")), "InvalidRequest");
        assert_eq!(code(of_upload(&headers(&[("x-amz-checksum-type", "COMPOSITE")]))), "InvalidRequest");
        assert_eq!(of_upload(&headers(&[])).unwrap(), None);
    }
}
