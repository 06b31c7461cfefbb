//! XML that comes as a request's body: read whole, because it is small or refused, and compared with whatever hash
//! the client sent along.

use crate::engine;
use crate::s3::checksums::{self, Promised};
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::wire::error_code::ErrorCode;
use bytes::{Bytes, BytesMut};

/// Longer documents are refused, so that no client can fill the memory with one.
pub const LEN_MAX: usize = 1 << 20;
/// The same for the lists of Complete and DeleteObjects: 10,000 parts with checksums need 2 MB, 1,000 keys written
/// with references need 6 MB.
pub const LONG_LEN_MAX: usize = 8 << 20;

/// Reads a document whose `x-amz-checksum-*`, if there is one, is its own. A missing body is an empty one.
pub async fn read(request: &mut Request, len_max: usize) -> Result<Bytes, S3Error> {
    let promised = Promised::from_headers(request.headers())?;
    read_promised(request, len_max, promised).await
}

/// Reads a document whose `x-amz-checksum-*` header is about something else: that of Complete is the object's.
pub async fn read_without_checksum(request: &mut Request, len_max: usize) -> Result<Bytes, S3Error> {
    let md5 = checksums::content_md5(request.headers())?;
    read_promised(request, len_max, Promised { md5, ..Promised::default() }).await
}

async fn read_promised(request: &mut Request, len_max: usize, promised: Promised) -> Result<Bytes, S3Error> {
    let mut body = request.take_body().into_body(&request.parts, promised)?;
    if body.len.is_some_and(|len| len > len_max as u64) {
        return Err(ErrorCode::MaxMessageLengthExceeded.into());
    }
    let mut whole = BytesMut::new();
    while let Some(piece) = body.source.next().await.map_err(engine::Error::Body)? {
        if whole.len() + piece.len() > len_max {
            return Err(ErrorCode::MaxMessageLengthExceeded.into());
        }
        whole.extend_from_slice(&piece);
    }
    if body.len.is_some_and(|len| len != whole.len() as u64) {
        return Err(ErrorCode::IncompleteBody.into());
    }
    // Claims are complete only now: a checksum may have come as a trailer.
    checksums::verify(&body.source.claims(), &whole)?;
    Ok(whole.freeze())
}
