//! The versions of a key: how one is found, added and removed. Every operation that writes or deletes an object ends
//! here, in its own transaction.
//!
//! `Objects` has a key's newest version, unless that is a delete marker: what plain reads and listings look for, with
//! nothing else in the way. `Versions` has all others, newest first by their sequence numbers. So an overwrite in a
//! bucket with versions moves one record, and removing the newest moves the next one back. No content is touched by
//! either. `NullVersions` leads to the null version while that is in `Versions`.

mod deletion;
mod history;
mod version_id;

#[cfg(test)]
mod tests;

pub use deletion::{Deleted, Deletion, delete_current, delete_version};
pub use history::{is_among_newest, lone_marker, old_version};
pub use version_id::{NULL_VERSION, is_well_formed as is_version_id};

use crate::engine::conditions::WriteConditions;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::object_lock;
use crate::engine::{Engine, Error};
use crate::meta::keys::{self, BucketId};
use crate::meta::records::{BucketRecord, Record, VersionRecord, Versioning};
use crate::meta::{ErrorKind, Read, Step, Table, Write};
use deletion::{mark_open_uploads, remove};

/// The bucket that has this name, for who looks at its id: requests have a [`NamedBucket`].
pub fn bucket(read: &dyn Read, name: &str) -> Result<BucketRecord, Error> {
    NamedBucket::from(name).find(read)
}

/// The version that a plain GET finds.
pub fn current(read: &dyn Read, bucket: BucketId, key: &str) -> Result<Option<VersionRecord>, Error> {
    match read.get(Table::Objects, &keys::object(bucket, key))? {
        None => Ok(None),
        Some(bytes) => Ok(Some(VersionRecord::decode(&bytes)?)),
    }
}

/// What a version is called on the wire.
pub fn wire_id(version: &VersionRecord) -> &str {
    listed_id(&version.version_id)
}

/// The same from a record's own id, as listings have it.
pub fn listed_id(version_id: &Option<String>) -> &str {
    version_id.as_deref().unwrap_or(NULL_VERSION)
}

/// A version as a read finds it: an object, never a delete marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub version: VersionRecord,
    /// What the client is told as the version's id. Nothing while the bucket has never had versions.
    pub shown_id: Option<String>,
}

impl Found {
    pub fn new(bucket: &BucketRecord, version: VersionRecord) -> Found {
        let is_shown = bucket.versioning != Versioning::Never;
        Found { shown_id: is_shown.then(|| wire_id(&version).to_string()), version }
    }
}

/// The version that a read asks for: the current one, or the one of this well-formed id.
pub fn version(
    read: &dyn Read,
    bucket: &BucketRecord,
    key: &str,
    version_id: Option<&str>,
) -> Result<Found, Error> {
    if let Some(id) = version_id {
        let (_, version) = of_id(read, bucket.id, key, id)?.ok_or(Error::NoSuchVersion)?;
        if version.delete_marker {
            let marker_id = wire_id(&version).to_string();
            return Err(Error::IsDeleteMarker { marker_id, modified_ms: version.modified_ms });
        }
        return Ok(Found::new(bucket, version));
    }
    if let Some(version) = current(read, bucket.id, key)? {
        return Ok(Found::new(bucket, version));
    }
    // Only buckets with versions can have a marker, so the others need not look for one.
    match bucket.versioning {
        Versioning::Never => Err(Error::NoSuchKey),
        Versioning::Enabled | Versioning::Suspended => match newest_other(read, bucket.id, key)? {
            None => Err(Error::NoSuchKey),
            Some(marker) => Err(Error::ObjectDeleted { marker_id: wire_id(&marker).to_string() }),
        },
    }
}

/// The version of this id, current or not, if it is an object.
pub fn object_of_id(
    read: &dyn Read,
    bucket: BucketId,
    key: &str,
    id: &str,
) -> Result<Option<VersionRecord>, Error> {
    let found = of_id(read, bucket, key, id)?;
    Ok(found.map(|(_, version)| version).filter(|version| !version.delete_marker))
}

/// Where a listing goes on that has shown the version of this id, which may be gone since: with the key's versions
/// below this sequence number. `None` when the id says nothing any more: with all of them. An id that cannot be one
/// is `InvalidVersionIdMarker`.
pub fn sequence_of(read: &dyn Read, bucket: BucketId, key: &str, id: &str) -> Result<Option<u64>, Error> {
    if id != NULL_VERSION {
        return version_id::sequence(id).map(Some).ok_or(Error::InvalidVersionIdMarker);
    }
    Ok(of_id(read, bucket, key, id)?.map(|(_, version)| version.sequence))
}

/// The key's newest version, object or marker.
pub fn newest(read: &dyn Read, bucket: BucketId, key: &str) -> Result<Option<VersionRecord>, Error> {
    match current(read, bucket, key)? {
        Some(version) => Ok(Some(version)),
        None => newest_other(read, bucket, key),
    }
}

/// A version that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// As it was given, with its id and place in the order of versions.
    pub version: VersionRecord,
    /// Something was replaced for good, so that the collector may have work.
    pub replaced: bool,
}

/// Makes `version` the current one if `conditions` hold, which are judged on the object it covers. What was there
/// stays as an old version or gives up its content, as the bucket's versioning says now.
pub fn put_current(
    tx: &mut dyn Write,
    bucket: &BucketRecord,
    key: &str,
    version: &VersionRecord,
    conditions: &WriteConditions,
) -> Result<Stored, Error> {
    let covered = current(tx, bucket.id, key)?;
    conditions.check(covered.as_ref())?;
    let mut version = version.clone();
    version.lock = object_lock::of_new_version(bucket, version.lock, version.modified_ms)?;
    name(tx, bucket, key, covered.as_ref(), &mut version)?;
    let replaced = displace(tx, bucket, key, covered.as_ref(), version.modified_ms)?;
    tx.put(Table::Objects, &keys::object(bucket.id, key), version.encode());
    Ok(Stored { version, replaced })
}

/// Gives the current object of a key another key, where it takes the place of what is there. Nothing of the record
/// changes and no content is touched, unless the other key's object gives its up. For buckets that never had versions:
/// nobody says what would become of them.
///
/// # Panics
/// If the bucket has had versions.
pub fn move_current(
    tx: &mut dyn Write,
    bucket: &BucketRecord,
    from: &str,
    to: &str,
    now_ms: i64,
) -> Result<(), Error> {
    assert!(bucket.versioning == Versioning::Never, "versions are not moved");
    let version = current(tx, bucket.id, from)?.ok_or(Error::NoSuchKey)?;
    let covered = current(tx, bucket.id, to)?;
    displace(tx, bucket, to, covered.as_ref(), now_ms)?;
    tx.put(Table::Objects, &keys::object(bucket.id, to), version.encode());
    tx.delete(Table::Objects, &keys::object(bucket.id, from));
    // The object keeps its time, so that a conditional Complete of either key can only learn of it this way.
    mark_open_uploads(tx, bucket.id, from)?;
    mark_open_uploads(tx, bucket.id, to)
}

/// Changes the version that a read of this id would find, wherever that is kept: anything but its id, its place in the
/// order and its body.
pub fn amend(
    tx: &mut dyn Write,
    bucket: &BucketRecord,
    key: &str,
    version_id: Option<&str>,
    change: impl FnOnce(&mut VersionRecord) -> Result<(), Error>,
) -> Result<Found, Error> {
    let mut found = version(tx, bucket, key, version_id)?;
    let version = &mut found.version;
    change(version)?;
    let current = current(tx, bucket.id, key)?;
    if current.is_some_and(|current| current.version_id == version.version_id) {
        tx.put(Table::Objects, &keys::object(bucket.id, key), version.encode());
    } else {
        put_other(tx, bucket.id, key, version);
    }
    Ok(found)
}

/// The tags of the version that a read of this id would find; `None` where it would find none.
pub async fn tags(
    engine: &Engine,
    bucket: &BucketRecord,
    key: &str,
    version_id: Option<String>,
) -> Result<Option<Vec<(String, String)>>, Error> {
    let (bucket, key) = (bucket.clone(), key.to_owned());
    let found = engine.meta.read(move |read| version(read, &bucket, &key, version_id.as_deref())).await;
    match found {
        Ok(found) => Ok(Some(found.version.metadata.tags)),
        Err(
            Error::NoSuchKey
            | Error::NoSuchVersion
            | Error::ObjectDeleted { .. }
            | Error::IsDeleteMarker { .. },
        ) => Ok(None),
        Err(err) => Err(err),
    }
}

/// Where a version is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Objects,
    Versions,
}

/// The version of this id, marker or not. Costs the same however many the key has.
fn of_id(
    read: &dyn Read,
    bucket: BucketId,
    key: &str,
    id: &str,
) -> Result<Option<(Place, VersionRecord)>, Error> {
    if let Some(version) = current(read, bucket, key)?.filter(|version| wire_id(version) == id) {
        return Ok(Some((Place::Objects, version)));
    }
    let sequence = match id {
        NULL_VERSION => null_sequence(read, bucket, key)?,
        id => version_id::sequence(id),
    };
    let Some(sequence) = sequence else { return Ok(None) };
    let Some(bytes) = read.get(Table::Versions, &keys::version(bucket, key, sequence))? else {
        return Ok(None);
    };
    let version = VersionRecord::decode(&bytes)?;
    Ok((wire_id(&version) == id).then_some((Place::Versions, version)))
}

/// The newest of a key's versions in `Versions`.
fn newest_other(read: &dyn Read, bucket: BucketId, key: &str) -> Result<Option<VersionRecord>, Error> {
    let mut newest = None;
    read.scan(Table::Versions, &keys::versions_start(bucket, key), &mut |stored, value| {
        if keys::parse_version(bucket, stored).is_some_and(|(found, _)| found == key.as_bytes()) {
            newest = Some(VersionRecord::decode(value));
        }
        Step::Stop
    })?;
    Ok(newest.transpose()?)
}

/// The sequence number of the null version while it is in `Versions`.
pub fn null_sequence(read: &dyn Read, bucket: BucketId, key: &str) -> Result<Option<u64>, Error> {
    let Some(bytes) = read.get(Table::NullVersions, &keys::object(bucket, key))? else { return Ok(None) };
    let bytes = bytes[..].try_into().map_err(|_| {
        let step = format!("cannot read where the null version of {} is", key.escape_debug());
        crate::meta::Error::new(ErrorKind::Corrupt, step)
    })?;
    Ok(Some(u64::from_be_bytes(bytes)))
}

/// Gives a version that is about to become the newest its id and its place in the order.
fn name(
    read: &dyn Read,
    bucket: &BucketRecord,
    key: &str,
    current: Option<&VersionRecord>,
    version: &mut VersionRecord,
) -> Result<(), Error> {
    (version.version_id, version.sequence) = (None, 0);
    if bucket.versioning == Versioning::Never {
        return Ok(());
    }
    let newest = match current {
        Some(current) => current.sequence,
        None => newest_other(read, bucket.id, key)?.map_or(0, |newest| newest.sequence),
    };
    version.sequence = version_id::next_sequence(newest, version.modified_ms);
    if bucket.versioning == Versioning::Enabled {
        version.version_id = Some(version_id::new(version.sequence));
    }
    Ok(())
}

/// Makes way for a new newest version: `current` is kept as an old one, unless the new one replaces it. Without
/// versions there is only the null version, and while versioning is suspended every write replaces it, wherever it
/// is. True when a version was replaced.
fn displace(
    tx: &mut dyn Write,
    bucket: &BucketRecord,
    key: &str,
    current: Option<&VersionRecord>,
    now_ms: i64,
) -> Result<bool, Error> {
    let replaces_null = bucket.versioning != Versioning::Enabled;
    let old_null = match bucket.versioning {
        Versioning::Suspended => of_id(tx, bucket.id, key, NULL_VERSION)?,
        Versioning::Never | Versioning::Enabled => None,
    };
    let old_null = old_null.filter(|(place, _)| *place == Place::Versions).map(|(_, version)| version);
    let replaced = current.filter(|current| current.version_id.is_none() && replaces_null);
    // All is judged before anything is written: a refusal leaves the transaction as it was.
    let unlock = |version| object_lock::unlocked(version, now_ms, false);
    let (unlocked, unlocked_null) =
        (replaced.map(unlock).transpose()?, old_null.as_ref().map(unlock).transpose()?);
    match (current, &unlocked) {
        (_, Some(unlocked)) => remove(tx, bucket.id, key, Place::Objects, unlocked, now_ms)?,
        (Some(current), None) => put_other(tx, bucket.id, key, current),
        (None, None) => {}
    }
    if let Some(null) = &unlocked_null {
        remove(tx, bucket.id, key, Place::Versions, null, now_ms)?;
    }
    Ok(unlocked.is_some() || unlocked_null.is_some())
}

fn put_other(tx: &mut dyn Write, bucket: BucketId, key: &str, version: &VersionRecord) {
    tx.put(Table::Versions, &keys::version(bucket, key, version.sequence), version.encode());
    if version.version_id.is_none() {
        let sequence = version.sequence.to_be_bytes().to_vec();
        tx.put(Table::NullVersions, &keys::object(bucket, key), sequence);
    }
}

fn take_other(tx: &mut dyn Write, bucket: BucketId, key: &str, version: &VersionRecord) {
    tx.delete(Table::Versions, &keys::version(bucket, key, version.sequence));
    if version.version_id.is_none() {
        tx.delete(Table::NullVersions, &keys::object(bucket, key));
    }
}

/// After a version was removed: when the newest one left is an object, it is the current one.
fn uncover(tx: &mut dyn Write, bucket: BucketId, key: &str) -> Result<(), Error> {
    if current(tx, bucket, key)?.is_some() {
        return Ok(());
    }
    if let Some(version) = newest_other(tx, bucket, key)?.filter(|version| !version.delete_marker) {
        take_other(tx, bucket, key, &version);
        tx.put(Table::Objects, &keys::object(bucket, key), version.encode());
    }
    Ok(())
}
