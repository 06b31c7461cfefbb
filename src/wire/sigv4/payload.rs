//! What `x-amz-content-sha256` says about a body.

use http::HeaderMap;

use super::AuthError;

/// How a body is protected and framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadKind {
    /// Plain bytes with this SHA-256, which whoever reads the body must compare.
    Sha256([u8; 32]),
    /// Plain bytes, not signed.
    Unsigned,
    /// aws-chunked, each chunk signed.
    SignedChunks,
    /// aws-chunked, each chunk and the trailers signed.
    SignedChunksTrailer,
    /// aws-chunked with trailers, not signed.
    UnsignedChunksTrailer,
}

impl PayloadKind {
    /// Reads a value of the header.
    pub fn parse(value: &str) -> Result<PayloadKind, AuthError> {
        match value {
            "UNSIGNED-PAYLOAD" => Ok(PayloadKind::Unsigned),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Ok(PayloadKind::SignedChunks),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Ok(PayloadKind::SignedChunksTrailer),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(PayloadKind::UnsignedChunksTrailer),
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
            | "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => Err(AuthError::SigV4aNotSupported),
            _ => match sha256_from_hex(value) {
                Some(digest) => Ok(PayloadKind::Sha256(digest)),
                None => Err(AuthError::InvalidContentSha256 { value: value.to_owned() }),
            },
        }
    }

    /// What a request without credentials says: it has nothing to sign with, so signed kinds are refused.
    pub fn anonymous(headers: &HeaderMap) -> Result<PayloadKind, AuthError> {
        let Some(value) = headers.get("x-amz-content-sha256") else { return Ok(PayloadKind::Unsigned) };
        let value = String::from_utf8_lossy(value.as_bytes());
        match PayloadKind::parse(&value)? {
            kind @ (PayloadKind::Unsigned | PayloadKind::UnsignedChunksTrailer) => Ok(kind),
            _ => Err(AuthError::InvalidContentSha256 { value: value.into_owned() }),
        }
    }

    /// Whether the body is framed as aws-chunked.
    pub fn is_chunked(self) -> bool {
        !matches!(self, PayloadKind::Sha256(_) | PayloadKind::Unsigned)
    }

    /// The header's value.
    pub fn to_header(self) -> String {
        match self {
            PayloadKind::Sha256(digest) => super::to_hex(&digest),
            PayloadKind::Unsigned => "UNSIGNED-PAYLOAD".into(),
            PayloadKind::SignedChunks => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".into(),
            PayloadKind::SignedChunksTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER".into(),
            PayloadKind::UnsignedChunksTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER".into(),
        }
    }
}

fn sha256_from_hex(text: &str) -> Option<[u8; 32]> {
    let text = text.as_bytes();
    if text.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |at: usize| (pair[at] as char).to_digit(16);
        *byte = (digit(0)? * 16 + digit(1)?) as u8;
    }
    Some(digest)
}
