//! XML that comes as a request's body: read whole, because it is small or refused, and compared with whatever hash
//! the client sent along.

use crate::engine;
use crate::s3::checksums::{self, Promised};
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::wire::error_code::ErrorCode;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Longer documents are refused, so that no client can fill the memory with one.
pub const LEN_MAX: usize = 1 << 20;
/// The same for the lists of Complete and DeleteObjects: 10,000 parts with checksums need 2 MB, 1,000 keys written
/// with references need 6 MB.
pub const LONG_LEN_MAX: usize = 8 << 20;

/// Bytes of all long documents that are being read or worked on (invariant 6): the connections that are allowed,
/// with the longest document each, would hold gigabytes.
const BUDGET_LEN: usize = 64 << 20;
/// Documents up to this long are not counted: a connection holds as much anyway.
const UNCOUNTED_LEN_MAX: usize = 64 << 10;
/// How long a document waits for its share.
const BUDGET_WAIT: Duration = Duration::from_secs(10);

/// The memory for long documents. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Semaphore>);

impl Default for Budget {
    fn default() -> Budget {
        Budget(Arc::new(Semaphore::new(BUDGET_LEN)))
    }
}

impl Budget {
    /// The share of a document of up to `len` bytes; `SlowDown` when it does not come free in time.
    async fn share(&self, len: usize) -> Result<Option<OwnedSemaphorePermit>, S3Error> {
        if len <= UNCOUNTED_LEN_MAX {
            return Ok(None);
        }
        let len = u32::try_from(len.min(BUDGET_LEN)).expect("the budget is less than 4 GiB");
        let share = tokio::time::timeout(BUDGET_WAIT, Arc::clone(&self.0).acquire_many_owned(len)).await;
        let share = share.map_err(|_| engine::Error::SlowDown)?;
        Ok(Some(share.expect("the semaphore is never closed")))
    }
}

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
    let len = body.len.and_then(|len| usize::try_from(len).ok()).unwrap_or(len_max);
    // Kept as long as the request: what is made of the document is as large.
    request.share = request.documents.share(len).await?;
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
