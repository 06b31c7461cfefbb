//! A request's bytes as the engine takes them: pieces, and what the client claims about them.

use async_trait::async_trait;
use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest};

/// Bytes on their way in. The front end has taken its protocol's framing off and verifies its signatures.
#[async_trait]
pub trait Source: Send {
    /// The next piece, never empty; `None` at the end. An error is the front end's own and is handed back to it in
    /// `Error::Body`; nothing of the body is kept then.
    async fn next(&mut self) -> Result<Option<Bytes>, Box<dyn std::error::Error + Send + Sync>>;

    /// What the client says the bytes hash to. Asked for after the end, since some of it comes in trailers.
    fn claims(&self) -> Claims;
}

/// What a client says about a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Content-MD5.
    pub md5: Option<[u8; 16]>,
    /// The value of the one `x-amz-checksum-*` header or trailer.
    pub checksum: Option<(Algorithm, Digest)>,
}

/// A body and what is known of it before its first byte.
pub struct Body {
    pub source: Box<dyn Source>,
    /// Its length after all framing is taken off, when the client said it.
    pub len: Option<u64>,
    /// The algorithm of the checksum that the client has announced, in a header or as a trailer.
    pub algorithm: Option<Algorithm>,
}
