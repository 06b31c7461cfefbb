//! Open uploads: how one is found, gains parts and ends. Every operation on uploads ends here, in its own
//! transaction.
//!
//! ```text
//! (nothing) --create--> Open --complete--> Completed --repeat window--> (forgotten)
//!                       Open --abort, expiry, deletion of the bucket--> (gone)
//! ```
//!
//! An open upload has an [`UploadRecord`] and a [`ProgressRecord`]. Complete turns them into a version and a
//! `CompletedRecord`; an abort removes them and queues the parts for the collector, in the same commit
//! (invariant 3).

use crate::engine::Error;
use crate::engine::checksums;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::references;
use crate::meta::keys::{self, BucketId, Owned, UploadId};
use crate::meta::records::{ChecksumKind, PartRecord, ProgressRecord, Record, UploadRecord};
use crate::meta::{Read, Table, Write};
use dovetail_digest::Algorithm;

/// What a client calls an upload: all three have to fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadName {
    pub bucket: NamedBucket,
    pub key: String,
    pub id: UploadId,
}

impl UploadName {
    /// The bucket and the open upload. One that is unknown, of another key or of an earlier bucket of this name,
    /// aborted or completed is `NoSuchUpload`.
    pub fn find(&self, read: &dyn Read) -> Result<(BucketId, UploadRecord), Error> {
        let bucket = self.bucket.find(read)?.id;
        let bytes = read
            .get(Table::Uploads, &keys::upload(bucket, &self.key, self.id))?
            .ok_or(Error::NoSuchUpload)?;
        Ok((bucket, UploadRecord::decode(&bytes)?))
    }

    /// Like [`UploadName::find`], for who knows the record already.
    pub fn check(&self, read: &dyn Read) -> Result<BucketId, Error> {
        let bucket = self.bucket.find(read)?.id;
        let found = read.get(Table::Uploads, &keys::upload(bucket, &self.key, self.id))?;
        found.map(|_| bucket).ok_or(Error::NoSuchUpload)
    }
}

/// The algorithm and kind of an upload that was created with one.
pub fn checksum(upload: &UploadRecord) -> Result<Option<(Algorithm, ChecksumKind)>, Error> {
    match &upload.checksum {
        None => Ok(None),
        Some((name, kind)) => Ok(Some((checksums::algorithm(name)?, *kind))),
    }
}

/// How far an open upload is.
pub fn progress(read: &dyn Read, id: UploadId) -> Result<ProgressRecord, Error> {
    match read.get(Table::Progress, &keys::content(id))? {
        None => Ok(ProgressRecord::default()),
        Some(bytes) => Ok(ProgressRecord::decode(&bytes)?),
    }
}

/// A stored part; number 0 is never one.
pub fn part(read: &dyn Read, id: UploadId, number: u16) -> Result<Option<PartRecord>, Error> {
    match read.get(Table::Parts, &keys::part(id, number))? {
        None => Ok(None),
        Some(bytes) => Ok(Some(PartRecord::decode(&bytes)?)),
    }
}

/// Makes a finished part one of an open upload, in place of an earlier one of this number, whose bytes are given
/// up. True when there was an earlier one. The caller has found the upload in this transaction.
pub fn put_part(tx: &mut dyn Write, id: UploadId, number: u16, stored: &PartRecord) -> Result<bool, Error> {
    let mut progress = progress(tx, id)?;
    let replaced = part(tx, id, number)?;
    match &replaced {
        None => progress.parts += 1,
        Some(old) => {
            progress.bytes_len -= old.len;
            references::drop_part(tx, old, stored.modified_ms)?;
        }
    }
    progress.bytes_len += stored.len;
    progress.changes += 1;
    tx.put(Table::Parts, &keys::part(id, number), stored.encode());
    tx.put(Table::Progress, &keys::content(id), progress.encode());
    Ok(replaced.is_some())
}

/// Something about an open upload has changed: whoever has read it reads it again before it commits.
pub fn touch(tx: &mut dyn Write, id: UploadId) -> Result<(), Error> {
    let mut progress = progress(tx, id)?;
    progress.changes += 1;
    tx.put(Table::Progress, &keys::content(id), progress.encode());
    Ok(())
}

/// The upload is no longer open. What becomes of its parts is the caller's to say.
pub fn close(tx: &mut dyn Write, bucket: BucketId, key: &str, id: UploadId) {
    tx.delete(Table::Uploads, &keys::upload(bucket, key, id));
    tx.delete(Table::Progress, &keys::content(id));
}

/// Ends an open upload whose parts nobody wants: the collector takes them apart.
pub fn drop_upload(tx: &mut dyn Write, bucket: BucketId, key: &str, id: UploadId, now_ms: i64) {
    close(tx, bucket, key, id);
    references::queue(tx, &Owned::Content(id), now_ms);
}

/// The same for one that may have ended already: how far it was if it has not.
pub fn drop_if_open(
    tx: &mut dyn Write,
    bucket: BucketId,
    key: &str,
    id: UploadId,
    now_ms: i64,
) -> Result<Option<ProgressRecord>, Error> {
    if tx.get(Table::Uploads, &keys::upload(bucket, key, id))?.is_none() {
        return Ok(None);
    }
    let progress = progress(tx, id)?;
    drop_upload(tx, bucket, key, id, now_ms);
    Ok(Some(progress))
}
