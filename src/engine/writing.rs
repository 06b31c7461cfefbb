//! The end of a write: bytes are made durable, then a commit names them (invariant 1).
//!
//! A client can be gone at any moment, and the future that serves it with it. From the first step that lasts on, a
//! write is carried on by a task of the engine's, so that it ends in a commit or in nothing.

use crate::base::buffers::Lease;
use crate::blob::BlobId;
use crate::engine::{Engine, Error};
use crate::meta::Write;
use std::future::Future;

/// Runs `tail` to its end, also when the caller is dropped while it waits. `lease` is given back only then: with a disk
/// that hangs, clients that go and come again would otherwise leave any number of tails behind; like this, they get
/// `SlowDown` once there are as many as bodies may be read at a time.
pub async fn to_the_end<T, F>(engine: &Engine, lease: Option<Lease>, tail: F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>> + Send + 'static,
    T: Send + 'static,
{
    let bounded = async move {
        let _lease = lease;
        tail.await
    };
    engine.tasks.spawn(bounded).await.unwrap_or_else(|err| Err(Error::Storage(err.into())))
}

/// Runs the transaction that names `blob`, which is finished and named by nothing yet. When it is certain that
/// nothing was committed, the blob is deleted; when it is not, the next start finds out (`jobs::unsettled`).
pub async fn commit<T, F>(engine: &Engine, blob: Option<BlobId>, job: F) -> Result<T, Error>
where
    F: FnMut(&mut dyn Write) -> Result<T, Error> + Send + 'static,
    T: Send + 'static,
{
    let outcome = engine.meta.transact(job).await;
    match (&outcome, blob) {
        (Ok(_), Some(blob)) => engine.blobs.settle(blob),
        (Err(err), Some(blob)) if is_refusal(err) => discard(engine, blob).await,
        _ => {}
    }
    outcome
}

/// Deletes a blob that no record names. A part of the tail, so that its lease bounds this too.
async fn discard(engine: &Engine, blob: BlobId) {
    if let Err(err) = engine.blobs.delete(blob).await {
        tracing::warn!(blob.id = %blob, error = %err, "cannot delete a blob that was refused, the next start or fsck will");
    }
}

/// Whether the engine itself said no: then nothing was committed. What comes from the store may have been.
fn is_refusal(err: &Error) -> bool {
    !matches!(err, Error::Unavailable(_) | Error::NoSpace(_) | Error::Storage(_))
}
