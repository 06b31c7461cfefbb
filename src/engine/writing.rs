//! The end of a write: bytes are made durable, then a commit names them (invariant 1).
//!
//! A client can be gone at any moment, and the future that serves it with it. From the first step that lasts on, a
//! write is carried on by a task of the engine's, so that it ends in a commit or in nothing.

use crate::blob::BlobId;
use crate::engine::{Engine, Error};
use crate::meta::Write;
use std::future::Future;

/// Runs `tail` to its end, also when the caller is dropped while it waits.
pub async fn to_the_end<T, F>(engine: &Engine, tail: F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>> + Send + 'static,
    T: Send + 'static,
{
    engine.tasks.spawn(tail).await.unwrap_or_else(|err| Err(Error::Storage(err.into())))
}

/// Runs the transaction that names `blob`, which is finished and named by nothing yet. When it is certain that
/// nothing was committed, the blob is deleted; when it is not, `fsck` finds out.
pub async fn commit<T, F>(engine: &Engine, blob: Option<BlobId>, job: F) -> Result<T, Error>
where
    F: FnMut(&mut dyn Write) -> Result<T, Error> + Send + 'static,
    T: Send + 'static,
{
    let outcome = engine.meta.transact(job).await;
    if let (Err(err), Some(blob)) = (&outcome, blob)
        && is_refusal(err)
    {
        discard(engine, blob);
    }
    outcome
}

/// Deletes a blob that no record names, without anybody waiting for it.
pub fn discard(engine: &Engine, blob: BlobId) {
    let blobs = std::sync::Arc::clone(&engine.blobs);
    engine.tasks.spawn(async move {
        if let Err(err) = blobs.delete(blob).await {
            tracing::warn!(blob.id = %blob, error = %err, "cannot delete a blob that was refused, fsck will");
        }
    });
}

/// Whether the engine itself said no: then nothing was committed. What comes from the store may have been.
fn is_refusal(err: &Error) -> bool {
    !matches!(err, Error::Unavailable(_) | Error::NoSpace(_) | Error::Storage(_))
}
