//! A key's versions other than the current one, looked at by their place in the order.

use super::{current, keys};
use crate::engine::Error;
use crate::meta::keys::BucketId;
use crate::meta::records::{Record, VersionRecord};
use crate::meta::{Read, Step, Table};

/// The version with this sequence number, if it is there and not current. A delete marker may be the newest.
pub fn old_version(
    read: &dyn Read,
    bucket: BucketId,
    key: &str,
    sequence: u64,
) -> Result<Option<VersionRecord>, Error> {
    match read.get(Table::Versions, &keys::version(bucket, key, sequence))? {
        None => Ok(None),
        Some(bytes) => Ok(Some(VersionRecord::decode(&bytes)?)),
    }
}

/// The delete marker of a key that has nothing else.
pub fn lone_marker(read: &dyn Read, bucket: BucketId, key: &str) -> Result<Option<VersionRecord>, Error> {
    if current(read, bucket, key)?.is_some() {
        return Ok(None);
    }
    let mut found = Vec::new();
    over(read, bucket, key, &mut |_, value| {
        found.push(VersionRecord::decode(value));
        if found.len() < 2 { Step::Next } else { Step::Stop }
    })?;
    match found.len() {
        1 => Ok(found.pop().transpose()?.filter(|version| version.delete_marker)),
        _ => Ok(None),
    }
}

/// Whether this version is among the newest `count` of those that are not current. Costs as many reads.
pub fn is_among_newest(
    read: &dyn Read,
    bucket: BucketId,
    key: &str,
    sequence: u64,
    count: u32,
) -> Result<bool, Error> {
    // A delete marker that is the newest version is the current one.
    let mut left = u64::from(count) + u64::from(current(read, bucket, key)?.is_none());
    let mut found = false;
    over(read, bucket, key, &mut |other, _| {
        if left == 0 {
            return Step::Stop;
        }
        left -= 1;
        found = other == sequence;
        if found { Step::Stop } else { Step::Next }
    })?;
    Ok(found)
}

/// Visits the versions in `Versions`, newest first.
fn over(
    read: &dyn Read,
    bucket: BucketId,
    key: &str,
    visit: &mut dyn FnMut(u64, &[u8]) -> Step,
) -> Result<(), Error> {
    read.scan(Table::Versions, &keys::versions_start(bucket, key), &mut |stored, value| {
        match keys::parse_version(bucket, stored) {
            Some((found, sequence)) if found == key.as_bytes() => visit(sequence, value),
            _ => Step::Stop,
        }
    })?;
    Ok(())
}
