//! DeleteObject: removes the current object of a key.
//!
//! The bytes stay until `jobs::collector` finds nobody reading them.

use crate::base::fail_point;
use crate::engine::conditions::WriteConditions;
use crate::engine::objects::{self, NULL_VERSION};
use crate::engine::{Engine, Error};
use crate::meta::Write;
use crate::meta::keys::BucketId;

#[derive(Clone, Debug, Default)]
pub struct DeleteObject {
    pub bucket: String,
    pub key: String,
    /// Wire form, well-formed.
    pub version_id: Option<String>,
    pub conditions: WriteConditions,
    /// As in [`ObjectToDelete`].
    pub if_size: Option<u64>,
    /// As in [`ObjectToDelete`].
    pub if_modified: Option<i64>,
}

/// One of many objects to delete.
#[derive(Clone, Debug, Default)]
pub struct ObjectToDelete {
    pub key: String,
    /// Wire form, well-formed.
    pub version_id: Option<String>,
    pub conditions: WriteConditions,
    /// `x-amz-if-match-size`: the object has this many bytes, or is absent.
    pub if_size: Option<u64>,
    /// `x-amz-if-match-last-modified-time`, Unix seconds: the object was last modified then, or is absent.
    pub if_modified: Option<i64>,
}

/// What a delete did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// There was an object. Deleting one that is absent is fine.
    pub existed: bool,
}

/// When this returns, no read and no listing finds the object, after a crash either.
pub async fn delete_object(engine: &Engine, request: DeleteObject) -> Result<Deleted, Error> {
    let now_ms = engine.clock.now_ms();
    let DeleteObject { bucket, key, version_id, conditions, if_size, if_modified } = request;
    let object = ObjectToDelete { key, version_id, conditions, if_size, if_modified };
    let deleted = engine
        .meta
        .transact(move |tx| {
            let bucket = objects::bucket(tx, &bucket)?.id;
            delete_one(tx, bucket, &object, now_ms)
        })
        .await?;
    fail_point::reach("engine::delete_object::after_commit");
    engine.wake_collector();
    Ok(deleted)
}

/// Deletes one object in a transaction. `PreconditionFailed` and `NoSuchKey` leave the transaction as it was.
pub(super) fn delete_one(
    tx: &mut dyn Write,
    bucket: BucketId,
    object: &ObjectToDelete,
    now_ms: i64,
) -> Result<Deleted, Error> {
    // While buckets have no versions, only the null version can exist.
    if object.version_id.as_deref().is_some_and(|id| id != NULL_VERSION) {
        return Ok(Deleted { existed: false });
    }
    if object.if_size.is_some() || object.if_modified.is_some() {
        check_size_and_time(tx, bucket, object)?;
    }
    let existed = objects::remove_current(tx, bucket, &object.key, &object.conditions, now_ms)?;
    Ok(Deleted { existed })
}

fn check_size_and_time(tx: &dyn Write, bucket: BucketId, object: &ObjectToDelete) -> Result<(), Error> {
    let Some(version) = objects::current(tx, bucket, &object.key)? else { return Ok(()) };
    if object.if_size.is_some_and(|len| len != version.len) {
        return Err(Error::PreconditionFailed { condition: "x-amz-if-match-size" });
    }
    if object.if_modified.is_some_and(|seconds| seconds != version.modified_ms.div_euclid(1000)) {
        return Err(Error::PreconditionFailed { condition: "x-amz-if-match-last-modified-time" });
    }
    Ok(())
}
