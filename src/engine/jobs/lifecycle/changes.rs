//! The changes of a sweep: each proposal is judged again, by the rules and the version that the transaction finds.

use super::Swept;
use super::pages::{Proposal, Seen};
use crate::engine::lifecycle::{self, Day, Noncurrent};
use crate::engine::objects::{self, Deletion};
use crate::engine::{Error, bucket_documents, uploads};
use crate::meta::Write;
use crate::meta::keys::{BucketId, UploadId};
use crate::meta::records::{BucketRecord, LifecycleRecord, VersionRecord};

/// A transaction that carries out the rules of one bucket.
struct Changes<'t> {
    tx: &'t mut dyn Write,
    bucket: BucketRecord,
    rules: LifecycleRecord,
    day: Day,
    now_ms: i64,
    swept: Swept,
}

/// Makes those changes that are due. Nothing, when the bucket is another one by now or has no rules any more.
pub(super) fn make(
    tx: &mut dyn Write,
    name: &str,
    id: BucketId,
    proposals: &[Proposal],
    day: Day,
    now_ms: i64,
) -> Result<Swept, Error> {
    let bucket = match objects::bucket(tx, name) {
        Ok(bucket) if bucket.id == id => bucket,
        Ok(_) | Err(Error::NoSuchBucket) => return Ok(Swept::default()),
        Err(err) => return Err(err),
    };
    let Some(rules) = bucket_documents::find(tx, id)? else { return Ok(Swept::default()) };
    let mut changes = Changes { tx, bucket, rules, day, now_ms, swept: Swept::default() };
    for proposal in proposals {
        match proposal {
            Proposal::Object { key } => changes.object(key)?,
            Proposal::Version { key, sequence, seen } => changes.version(key, *sequence, *seen)?,
            Proposal::Marker { key } => changes.marker(key)?,
            Proposal::Upload { key, id } => changes.upload(key, *id)?,
        }
    }
    Ok(changes.swept)
}

impl Changes<'_> {
    fn object(&mut self, key: &str) -> Result<(), Error> {
        let Some(version) = objects::current(self.tx, self.bucket.id, key)? else { return Ok(()) };
        let due = lifecycle::expiry(&self.rules, key, &version, self.day);
        if due.is_none_or(|due| due.at_ms > self.now_ms) {
            let class = lifecycle::transition(&self.rules, key, &version, self.day, self.now_ms);
            let class = class.map(str::to_owned);
            return self.transition(key, &version, class);
        }
        let deletion = deletion(&self.bucket, self.now_ms);
        match objects::delete_current(self.tx, &self.bucket, key, &deletion) {
            Ok(deleted) => {
                self.swept.expired_objects += 1;
                // A delete marker only covers it, unless it takes the null version's place.
                if deleted.marker_id.is_none_or(|id| id == objects::wire_id(&version)) {
                    self.swept.freed_bytes += version.len;
                }
                Ok(())
            }
            Err(err) => self.unless_locked(err),
        }
    }

    fn version(&mut self, key: &str, sequence: u64, seen: Seen) -> Result<(), Error> {
        let bucket = self.bucket.id;
        let Some(version) = objects::old_version(self.tx, bucket, key, sequence)? else { return Ok(()) };
        if !self.has_stayed_covered(key, sequence, seen)? {
            return Ok(());
        }
        let newer = self.newer(key, sequence)?;
        let noncurrent = Noncurrent { version: &version, since_ms: seen.since_ms, newer };
        let due = lifecycle::noncurrent_expiry(&self.rules, key, noncurrent, self.day);
        if due.is_none_or(|at_ms| at_ms > self.now_ms) {
            let class = lifecycle::noncurrent_transition(&self.rules, key, noncurrent, self.day, self.now_ms);
            let class = class.map(str::to_owned);
            return self.transition(key, &version, class);
        }
        if self.remove(key, &version)? {
            self.swept.expired_versions += 1;
            self.swept.freed_bytes += version.len;
        }
        Ok(())
    }

    /// Whether the version has not been current since the page saw it: then either the key's newest version is still
    /// the same, or the one that covered it is still there.
    fn has_stayed_covered(&self, key: &str, sequence: u64, seen: Seen) -> Result<bool, Error> {
        let bucket = self.bucket.id;
        let newest = objects::newest(&*self.tx, bucket, key)?.map_or(sequence, |newest| newest.sequence);
        if newest == sequence {
            return Ok(false);
        }
        Ok(newest == seen.newest || objects::old_version(&*self.tx, bucket, key, seen.successor)?.is_some())
    }

    /// How many versions are newer and not current either, as far as a rule asks.
    fn newer(&self, key: &str, sequence: u64) -> Result<u32, Error> {
        let mut kept: Vec<u32> = self
            .rules
            .rules
            .iter()
            .flat_map(|rule| {
                let transitions = rule.noncurrent_transitions.iter().map(|transition| transition.newer_kept);
                transitions.chain([rule.noncurrent_expiration.and_then(|expiration| expiration.newer_kept)])
            })
            .flatten()
            .collect();
        kept.sort_unstable();
        let mut newer = 0;
        for count in kept {
            if objects::is_among_newest(&*self.tx, self.bucket.id, key, sequence, count)? {
                return Ok(newer);
            }
            newer = count;
        }
        Ok(newer)
    }

    fn marker(&mut self, key: &str) -> Result<(), Error> {
        let Some(marker) = objects::lone_marker(self.tx, self.bucket.id, key)? else { return Ok(()) };
        let due = lifecycle::marker_expiry(&self.rules, key, &marker, self.day);
        if due.is_some_and(|at_ms| at_ms <= self.now_ms) && self.remove(key, &marker)? {
            self.swept.expired_markers += 1;
        }
        Ok(())
    }

    fn upload(&mut self, key: &str, id: UploadId) -> Result<(), Error> {
        let due = lifecycle::upload_abort(&self.rules, key, id.time_ms(), self.day);
        if due.is_none_or(|due| due.at_ms > self.now_ms) {
            return Ok(());
        }
        if let Some(progress) = uploads::drop_if_open(self.tx, self.bucket.id, key, id, self.now_ms)? {
            self.swept.aborted_uploads += 1;
            self.swept.freed_bytes += progress.bytes_len;
        }
        Ok(())
    }

    fn transition(&mut self, key: &str, version: &VersionRecord, class: Option<String>) -> Result<(), Error> {
        let Some(class) = class else { return Ok(()) };
        let id = objects::wire_id(version);
        objects::amend(self.tx, &self.bucket, key, Some(id), |version| {
            version.metadata.storage_class = Some(class);
            Ok(())
        })?;
        self.swept.transitions += 1;
        Ok(())
    }

    /// Removes a version for good; false when it is locked.
    fn remove(&mut self, key: &str, version: &VersionRecord) -> Result<bool, Error> {
        let (id, deletion) = (objects::wire_id(version), deletion(&self.bucket, self.now_ms));
        match objects::delete_version(self.tx, &self.bucket, key, id, &deletion) {
            Ok(deleted) => Ok(deleted.existed),
            Err(err) => self.unless_locked(err).map(|()| false),
        }
    }

    fn unless_locked(&mut self, err: Error) -> Result<(), Error> {
        match err {
            Error::ObjectLocked => {
                self.swept.locked += 1;
                Ok(())
            }
            err => Err(err),
        }
    }
}

/// Rules delete in the name of the bucket's owner, and bypass nothing.
fn deletion(bucket: &BucketRecord, now_ms: i64) -> Deletion<'_> {
    Deletion { owner: &bucket.owner, now_ms, bypass_governance: false, check: &no_condition }
}

fn no_condition(_: Option<&VersionRecord>) -> Result<(), Error> {
    Ok(())
}
