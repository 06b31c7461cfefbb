//! The current version of a key: how it is found, replaced and removed. Every operation that writes an object ends
//! here, in its own transaction.

use crate::engine::Error;
use crate::engine::conditions::WriteConditions;
use crate::engine::references;
use crate::meta::keys::{self, BucketId};
use crate::meta::records::{BucketRecord, ProgressRecord, Record, VersionRecord};
use crate::meta::{Read, Step, Table, Write};

/// The bucket of this name.
pub fn bucket(read: &dyn Read, name: &str) -> Result<BucketRecord, Error> {
    let bytes = read.get(Table::Buckets, name.as_bytes())?.ok_or(Error::NoSuchBucket)?;
    Ok(BucketRecord::decode(&bytes)?)
}

/// The version that a plain GET finds.
pub fn current(read: &dyn Read, bucket: BucketId, key: &str) -> Result<Option<VersionRecord>, Error> {
    match read.get(Table::Objects, &keys::object(bucket, key))? {
        None => Ok(None),
        Some(bytes) => Ok(Some(VersionRecord::decode(&bytes)?)),
    }
}

/// What a version is called that was written while its bucket had no versions.
pub const NULL_VERSION: &str = "null";

/// The version that a read asks for: the current one, or the one of this well-formed id.
pub fn version(
    read: &dyn Read,
    bucket: BucketId,
    key: &str,
    version_id: Option<&str>,
) -> Result<VersionRecord, Error> {
    let current = current(read, bucket, key)?;
    match version_id {
        None => current.ok_or(Error::NoSuchKey),
        Some(id) => current
            .filter(|version| version.version_id.as_deref().unwrap_or(NULL_VERSION) == id)
            .ok_or(Error::NoSuchVersion),
    }
}

/// Makes `version` the current one if `conditions` hold. What it replaces gives up its content; true when there was
/// something to replace, so that the collector may have work.
pub fn put_current(
    tx: &mut dyn Write,
    bucket: BucketId,
    key: &str,
    version: &VersionRecord,
    conditions: &WriteConditions,
) -> Result<bool, Error> {
    let replaced = current(tx, bucket, key)?;
    conditions.check(replaced.as_ref())?;
    if let Some(replaced) = &replaced {
        references::drop_body(tx, &replaced.body, version.modified_ms)?;
    }
    tx.put(Table::Objects, &keys::object(bucket, key), version.encode());
    Ok(replaced.is_some())
}

/// Removes the current version if `conditions` hold; true when there was one.
pub fn remove_current(
    tx: &mut dyn Write,
    bucket: BucketId,
    key: &str,
    conditions: &WriteConditions,
    now_ms: i64,
) -> Result<bool, Error> {
    let removed = current(tx, bucket, key)?;
    conditions.check(removed.as_ref())?;
    let Some(removed) = removed else { return Ok(false) };
    references::drop_body(tx, &removed.body, now_ms)?;
    tx.delete(Table::Objects, &keys::object(bucket, key));
    mark_open_uploads(tx, bucket, key)?;
    Ok(true)
}

/// Tells the key's open uploads that an object was deleted under them: a conditional Complete must find out, and the
/// deleted object leaves no other trace.
fn mark_open_uploads(tx: &mut dyn Write, bucket: BucketId, key: &str) -> Result<(), Error> {
    let mut open = Vec::new();
    let start = [&keys::object(bucket, key)[..], &[0]].concat();
    tx.scan(Table::Uploads, &start, &mut |stored, _| match keys::parse_upload(bucket, stored) {
        Some((found, id)) if found == key.as_bytes() => {
            open.push(id);
            Step::Next
        }
        _ => Step::Stop,
    })?;
    for id in open {
        let mut progress = match tx.get(Table::Progress, &keys::content(id))? {
            Some(bytes) => ProgressRecord::decode(&bytes)?,
            None => ProgressRecord::default(),
        };
        progress.key_deleted = true;
        tx.put(Table::Progress, &keys::content(id), progress.encode());
    }
    Ok(())
}
