//! How a key's object or one of its versions goes: for good, or under a delete marker.

use super::{Place, current, displace, name, of_id, put_other, take_other, uncover, wire_id};
use crate::engine::Error;
use crate::engine::object_lock::{self, Unlocked};
use crate::engine::references;
use crate::meta::keys::{self, BucketId};
use crate::meta::records::{
    Body, BucketRecord, ETag, Metadata, ProgressRecord, Record, VersionRecord, Versioning,
};
use crate::meta::{Step, Table, Write};

/// What a delete did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// There was an object, or the version that was named. Deleting what is absent is fine.
    pub existed: bool,
    /// The id of the delete marker that was added or, where an id was given, removed.
    pub marker_id: Option<String>,
}

/// Who deletes, when, and what has to be true of the object or version that goes, if there is one.
pub struct Deletion<'a> {
    /// Canonical id; owns the delete marker.
    pub owner: &'a str,
    /// As of the transaction.
    pub now_ms: i64,
    /// Whoever deletes may bypass governance mode, and wants to.
    pub bypass_governance: bool,
    pub check: &'a dyn Fn(Option<&VersionRecord>) -> Result<(), Error>,
}

/// Deletes an object: for good in a bucket without versions, otherwise with a marker that covers it, or that stands
/// where there never was one.
pub fn delete_current(
    tx: &mut dyn Write,
    bucket: &BucketRecord,
    key: &str,
    deletion: &Deletion<'_>,
) -> Result<Deleted, Error> {
    let covered = current(tx, bucket.id, key)?;
    (deletion.check)(covered.as_ref())?;
    let marker = match bucket.versioning {
        Versioning::Never => None,
        Versioning::Enabled | Versioning::Suspended => {
            let mut marker = marker(deletion);
            name(tx, bucket, key, covered.as_ref(), &mut marker)?;
            Some(marker)
        }
    };
    displace(tx, bucket, key, covered.as_ref(), deletion.now_ms)?;
    if covered.is_some() {
        tx.delete(Table::Objects, &keys::object(bucket.id, key));
        mark_open_uploads(tx, bucket.id, key)?;
    }
    if let Some(marker) = &marker {
        put_other(tx, bucket.id, key, marker);
    }
    let marker_id = marker.map(|marker| wire_id(&marker).to_string());
    Ok(Deleted { existed: covered.is_some(), marker_id })
}

/// Removes a version for good, or is `ObjectLocked`. When it was the newest, the next one becomes current.
pub fn delete_version(
    tx: &mut dyn Write,
    bucket: &BucketRecord,
    key: &str,
    id: &str,
    deletion: &Deletion<'_>,
) -> Result<Deleted, Error> {
    let found = of_id(tx, bucket.id, key, id)?;
    let object = found.as_ref().map(|(_, version)| version).filter(|version| !version.delete_marker);
    (deletion.check)(object)?;
    let Some((place, version)) = found else { return Ok(Deleted::default()) };
    let unlocked = object_lock::unlocked(&version, deletion.now_ms, deletion.bypass_governance)?;
    remove(tx, bucket.id, key, place, &unlocked, deletion.now_ms)?;
    if place == Place::Objects {
        mark_open_uploads(tx, bucket.id, key)?;
    }
    uncover(tx, bucket.id, key)?;
    let marker_id = version.delete_marker.then(|| wire_id(&version).to_string());
    Ok(Deleted { existed: true, marker_id })
}

/// The one way in which a version goes for good, and with it, when no other refers to it, its content.
pub(super) fn remove(
    tx: &mut dyn Write,
    bucket: BucketId,
    key: &str,
    place: Place,
    unlocked: &Unlocked<'_>,
    now_ms: i64,
) -> Result<(), Error> {
    references::drop_body(tx, unlocked, now_ms)?;
    match place {
        Place::Objects => tx.delete(Table::Objects, &keys::object(bucket, key)),
        Place::Versions => take_other(tx, bucket, key, unlocked.version()),
    }
    Ok(())
}

fn marker(deletion: &Deletion<'_>) -> VersionRecord {
    VersionRecord {
        version_id: None,
        modified_ms: deletion.now_ms,
        len: 0,
        etag: ETag { md5: [0; 16], parts: None },
        checksum: None,
        body: Body::Empty,
        metadata: Metadata::default(),
        owner: deletion.owner.to_string(),
        delete_marker: true,
        sequence: 0,
        acl: None,
        lock: None,
        encryption: None,
    }
}

/// Open uploads of a key that are told of a delete. Nobody has as many in good faith, and a transaction that wrote to
/// any number of them would keep all others waiting.
pub(super) const MARKED_PER_DELETE_MAX: usize = 64;

/// Tells the key's open uploads that an object was deleted under them: a conditional Complete must find out, and the
/// deleted object may leave no other trace. The oldest of very many: a delete is one short transaction.
pub(super) fn mark_open_uploads(tx: &mut dyn Write, bucket: BucketId, key: &str) -> Result<(), Error> {
    let mut open = Vec::new();
    let start = [&keys::object(bucket, key)[..], &[0]].concat();
    tx.scan(Table::Uploads, &start, &mut |stored, _| match keys::parse_upload(bucket, stored) {
        Some((found, id)) if found == key.as_bytes() => {
            open.push(id);
            if open.len() < MARKED_PER_DELETE_MAX { Step::Next } else { Step::Stop }
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
