//! aws-chunked: a body in chunks, each with its own signature, or a trailer behind them all, or both.
//!
//! Which form a body has is said by `x-amz-content-sha256` (`PayloadKind`), not by `Content-Encoding`, which older
//! clients leave out. The decoder streams: it holds one line at most, and hands data on before the chunk's signature
//! is known to be right. So nothing it hands out counts until `Decoder::finish` has succeeded.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>

mod decoder;
mod encoder;
mod signing;

#[cfg(test)]
mod tests;

pub use decoder::Decoder;
pub use encoder::Encoder;

use crate::wire::error_code::ErrorCode;
use crate::wire::sigv4::Mismatch;

/// The longest line before a chunk's data: a size and a signature need 85 bytes. Bounds what is held of a line that
/// arrives in pieces.
const HEADER_LEN_MAX: usize = 1024;

/// The largest chunk. Data is never held, so this only refuses nonsense before it is read.
const CHUNK_LEN_MAX: u64 = 1 << 30;

/// What a signed chunk needs at least, unless it is the last: AWS's rule, so that signatures stay rare.
const SIGNED_CHUNK_LEN_MIN: u64 = 8192;

/// All trailer lines together: one checksum and one signature need some 200 bytes.
const TRAILERS_LEN_MAX: usize = 16 * 1024;

const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// Why a body was refused. `code`, `to_string` and `fields` are the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkedError {
    /// `x-amz-decoded-content-length` is missing or no number.
    #[error("You must provide the x-amz-decoded-content-length HTTP header.")]
    MissingDecodedLength,
    #[error("The aws-chunked request body is malformed: {0}")]
    Framing(&'static str),
    #[error(
        "The request body does not have the length specified by the x-amz-decoded-content-length HTTP header."
    )]
    DecodedLength,
    /// `chunk` counts from 1.
    #[error("Only the last chunk is allowed to have a size less than 8192 bytes")]
    ChunkTooSmall { chunk: u64, len: u64 },
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your key and signing \
         method."
    )]
    SignatureDoesNotMatch(Box<Mismatch>),
    #[error(
        "The request contained trailing data that was not well-formed or did not conform to our published schema: {0}"
    )]
    MalformedTrailer(&'static str),
    #[error("The value specified in the x-amz-trailer header is not supported")]
    TrailerNotSupported,
    #[error("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")]
    SeveralChecksums,
    #[error("Value for {name} trailing header is invalid.")]
    TrailerValue { name: &'static str },
}

impl ChunkedError {
    /// The answer's code, and with it the status.
    pub fn code(&self) -> ErrorCode {
        match self {
            ChunkedError::MissingDecodedLength => ErrorCode::MissingContentLength,
            ChunkedError::Framing(_) | ChunkedError::DecodedLength => ErrorCode::IncompleteBody,
            ChunkedError::ChunkTooSmall { .. } => ErrorCode::InvalidChunkSizeError,
            ChunkedError::SignatureDoesNotMatch(_) => ErrorCode::SignatureDoesNotMatch,
            ChunkedError::MalformedTrailer(_) => ErrorCode::MalformedTrailerError,
            ChunkedError::TrailerNotSupported
            | ChunkedError::SeveralChecksums
            | ChunkedError::TrailerValue { .. } => ErrorCode::InvalidRequest,
        }
    }

    /// The answer's further elements, in order.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        match self {
            ChunkedError::ChunkTooSmall { chunk, len } => {
                vec![("Chunk", chunk.to_string()), ("BadChunkSize", len.to_string())]
            }
            ChunkedError::SignatureDoesNotMatch(mismatch) => mismatch.fields(),
            _ => Vec::new(),
        }
    }
}

/// What is kept of a `Content-Encoding`: `aws-chunked` describes the transfer, the rest describes the object.
pub fn stored_content_encoding(header: &str) -> Option<String> {
    let codings: Vec<&str> = header
        .split(',')
        .map(str::trim_ascii)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    if codings.is_empty() { None } else { Some(codings.join(",")) }
}
