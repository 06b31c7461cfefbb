//! DeleteObject: removes the current object of a key, covers it with a delete marker, or removes one version for good.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>
//!
//! The bytes stay until `jobs::collector` finds nobody reading them.

use crate::base::fail_point;
use crate::engine::conditions::WriteConditions;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::objects::{self, Deletion};
use crate::engine::{Engine, Error, object_lock};
use crate::meta::Write;
use crate::meta::records::{BucketRecord, VersionRecord};

pub use crate::engine::objects::Deleted;

#[derive(Clone, Debug, Default)]
pub struct DeleteObject {
    pub bucket: NamedBucket,
    /// Canonical id of who asks: owns the delete marker.
    pub owner: String,
    pub object: ObjectToDelete,
    /// The requester may bypass governance mode, and wants to.
    pub bypass_governance: bool,
}

/// An object or version to delete. The conditions are judged on the version that is named, or else on the current
/// object; for them a delete marker is no object.
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

/// When this returns, no plain read and no listing finds the object or the version, after a crash either.
pub async fn delete_object(engine: &Engine, request: DeleteObject) -> Result<Deleted, Error> {
    let clock = engine.clock.clone();
    let DeleteObject { bucket, owner, object, bypass_governance } = request;
    let deleted = engine
        .meta
        .transact(move |tx| {
            let bucket = bucket.find(tx)?;
            object_lock::check_bypass(&bucket, bypass_governance)?;
            let who = Deleter { owner: &owner, now_ms: clock.now_ms(), bypass_governance };
            delete_one(tx, &bucket, &object, &who)
        })
        .await?;
    fail_point::reach("engine::delete_object::after_commit");
    engine.wake_collector();
    Ok(deleted)
}

/// Who deletes, and when.
pub(super) struct Deleter<'a> {
    pub owner: &'a str,
    pub now_ms: i64,
    pub bypass_governance: bool,
}

/// Deletes one object in a transaction. `PreconditionFailed`, `NoSuchKey`, `JudgedOtherTags` and `ObjectLocked` leave the
/// transaction as it was.
pub(super) fn delete_one(
    tx: &mut dyn Write,
    bucket: &BucketRecord,
    object: &ObjectToDelete,
    who: &Deleter<'_>,
) -> Result<Deleted, Error> {
    let Deleter { owner, now_ms, bypass_governance } = *who;
    let deletion = Deletion { owner, now_ms, bypass_governance, check: &|found| object.check(found) };
    match &object.version_id {
        None => objects::delete_current(tx, bucket, &object.key, &deletion),
        Some(id) => objects::delete_version(tx, bucket, &object.key, id, &deletion),
    }
}

impl ObjectToDelete {
    fn check(&self, found: Option<&VersionRecord>) -> Result<(), Error> {
        self.conditions.check_delete(found)?;
        let Some(version) = found else { return Ok(()) };
        if self.if_size.is_some_and(|len| len != version.len) {
            return Err(Error::PreconditionFailed { condition: "x-amz-if-match-size" });
        }
        if self.if_modified.is_some_and(|seconds| seconds != version.modified_ms.div_euclid(1000)) {
            return Err(Error::PreconditionFailed { condition: "x-amz-if-match-last-modified-time" });
        }
        Ok(())
    }
}
