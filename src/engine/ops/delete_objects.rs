//! DeleteObjects: up to 1,000 deletes in one commit.

use super::delete_object::{Deleted, ObjectToDelete, delete_one};
use crate::engine::{Engine, Error, objects};
use crate::meta::Write;
use crate::meta::keys::BucketId;

#[derive(Clone, Debug)]
pub struct DeleteObjects {
    pub bucket: String,
    /// At most `limits::DELETE_OBJECTS_MAX`. The same key may come twice.
    pub objects: Vec<ObjectToDelete>,
}

/// One result an object, in the order of the request. A condition that fails keeps its object and no other. An `Err`
/// of the whole means that nothing was deleted, unless it is `Storage`.
pub async fn delete_objects(
    engine: &Engine,
    request: DeleteObjects,
) -> Result<Vec<Result<Deleted, Error>>, Error> {
    let now_ms = engine.clock.now_ms();
    let results = engine
        .meta
        .transact(move |tx| {
            let bucket = objects::bucket(tx, &request.bucket)?.id;
            request.objects.iter().map(|object| settle(tx, bucket, object, now_ms)).collect()
        })
        .await?;
    engine.wake_collector();
    Ok(results)
}

/// Tells apart what concerns one object from what concerns the transaction.
fn settle(
    tx: &mut dyn Write,
    bucket: BucketId,
    object: &ObjectToDelete,
    now_ms: i64,
) -> Result<Result<Deleted, Error>, Error> {
    match delete_one(tx, bucket, object, now_ms) {
        Ok(deleted) => Ok(Ok(deleted)),
        Err(err @ (Error::PreconditionFailed { .. } | Error::NoSuchKey)) => Ok(Err(err)),
        Err(err) => Err(err),
    }
}
