//! CompleteMultipartUpload: an upload's parts become an object, without a byte being moved.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
//!
//! Reading and checking up to 10,000 parts would hold up every other commit, so it is done on a snapshot
//! ([`assembly`]), outside the transaction. The transaction then finds out from the upload's counter of changes
//! whether the snapshot still holds; if not, everything starts over. It writes the version, an index of where the
//! parts begin, and the answer for clients that ask again; the part records stay where they are, and only parts
//! that were not listed are dropped: few of them at once, many by the collector.
//!
//! Of two Completes at once, one commits; the other finds the upload completed, with its own list, and gets the same
//! answer. So does a client that lost its answer and repeats the request.

mod assembly;
#[cfg(test)]
mod tests;

use crate::base::fail_point;
use crate::engine::access::acl;
use crate::engine::conditions::WriteConditions;
use crate::engine::encryption::{self, CustomerKey, Keyring};
use crate::engine::named_bucket::NamedBucket;
use crate::engine::uploads::{self, UploadName};
use crate::engine::{Engine, Error, objects, references};
use crate::meta::keys::{self, Owned, UploadId};
use crate::meta::records::{
    Body, Checksum, ChecksumKind, CompletedRecord, ETag, EncryptionMethod, EncryptionRecord, FoundVersion,
    ProgressRecord, Record, UploadRecord, VersionRecord,
};
use crate::meta::{Table, Write};
use assembly::{Assembly, Found};
use dovetail_digest::{Algorithm, Digest};
use std::sync::Arc;

/// Snapshots that may turn out to be outdated, because parts keep coming, before the whole work is done inside a
/// transaction, where nothing can come in between. Keeps a stubborn client from making Complete run for ever.
const SNAPSHOTS_MAX: usize = 8;

/// Parts that are dropped in Complete's own transaction.
const DROPPED_AT_ONCE_MAX: usize = 64;

/// A part as the client lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPart {
    pub number: u16,
    /// With or without quotes.
    pub etag: String,
    pub checksum: Option<(Algorithm, Digest)>,
}

/// An upload to be completed.
#[derive(Clone, Debug)]
pub struct CompleteMultipartUpload {
    pub bucket: NamedBucket,
    pub key: String,
    pub upload_id: UploadId,
    pub parts: Vec<ListedPart>,
    /// What the client expects of the whole object; a composite one without `-N`.
    pub checksum: Option<(Algorithm, Digest)>,
    pub checksum_kind: Option<ChecksumKind>,
    /// How many bytes the client expects the object to have.
    pub size: Option<u64>,
    pub conditions: WriteConditions,
    /// May come with it, and is the upload's then; must, where the upload has a checksum algorithm and is encrypted with one.
    pub customer_key: Option<CustomerKey>,
}

/// A completed upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    pub etag: ETag,
    pub checksum: Checksum,
    pub len: u64,
    pub version_id: Option<String>,
    pub encryption: Option<EncryptionRecord>,
}

/// When this returns, the object is what every read finds, after a crash too, and the upload is not listed any more.
/// After an error the upload and all its parts are as they were, and another list may be tried; after one of
/// `Unavailable`, `NoSpace` and `Storage` the upload may also have been completed, and repeating the request tells.
pub async fn complete_multipart_upload(
    engine: &Engine,
    request: CompleteMultipartUpload,
) -> Result<Completed, Error> {
    let request = Arc::new(request);
    let completed = match on_snapshots(engine, &request).await? {
        Some(completed) => completed,
        None => in_one_go(engine, &request).await?,
    };
    fail_point::reach("engine::complete_multipart_upload::after_commit");
    engine.wake_collector();
    Ok(completed)
}

/// `None` when a part came in between every time.
async fn on_snapshots(
    engine: &Engine,
    request: &Arc<CompleteMultipartUpload>,
) -> Result<Option<Completed>, Error> {
    for _ in 0..SNAPSHOTS_MAX {
        let (asked, keyring) = (Arc::clone(request), Arc::clone(&engine.settings.keyring));
        let assembly = match engine.meta.read(move |read| assembly::find(read, &asked, &keyring)).await? {
            Found::Completed(completed) => return Ok(Some(*completed)),
            Found::Open(assembly) => assembly,
        };
        fail_point::reach("engine::complete_multipart_upload::before_commit");
        let (asked, now_ms) = (Arc::clone(request), engine.clock.now_ms());
        let committed = engine.meta.transact(move |tx| match still_holds(tx, &asked, &assembly)? {
            true => seal(tx, &asked, &assembly, now_ms).map(Some),
            false => Ok(None),
        });
        if let Some(completed) = committed.await? {
            return Ok(Some(completed));
        }
    }
    Ok(None)
}

async fn in_one_go(engine: &Engine, request: &Arc<CompleteMultipartUpload>) -> Result<Completed, Error> {
    let (asked, now_ms) = (Arc::clone(request), engine.clock.now_ms());
    let keyring = Arc::clone(&engine.settings.keyring);
    engine
        .meta
        .transact(move |tx| match assembly::find(tx, &asked, &keyring)? {
            Found::Completed(completed) => Ok(*completed),
            Found::Open(assembly) => seal(tx, &asked, &assembly, now_ms),
        })
        .await
}

/// Whether the upload is open and has the parts that were assembled.
fn still_holds(
    tx: &dyn Write,
    request: &CompleteMultipartUpload,
    assembly: &Assembly,
) -> Result<bool, Error> {
    match request.name().check(tx) {
        Ok(bucket) if bucket == assembly.bucket => {}
        Ok(_) | Err(Error::NoSuchUpload | Error::NoSuchBucket) => return Ok(false),
        Err(err) => return Err(err),
    }
    Ok(uploads::progress(tx, request.upload_id)?.changes == assembly.changes)
}

/// Makes the assembled parts the current object of the key.
fn seal(
    tx: &mut dyn Write,
    request: &CompleteMultipartUpload,
    assembly: &Assembly,
    now_ms: i64,
) -> Result<Completed, Error> {
    let progress = uploads::progress(tx, request.upload_id)?;
    check_conditions(tx, request, assembly, &progress)?;
    let id = request.upload_id;
    // The bucket's versioning and ownership are what they are now, not what they were when the upload was created.
    let bucket = request.bucket.find(tx)?;
    let version = VersionRecord {
        version_id: None,
        modified_ms: now_ms,
        len: assembly.len,
        etag: assembly.etag,
        checksum: Some(assembly.checksum.clone()),
        body: Body::Multipart(id),
        metadata: assembly.upload.metadata.clone(),
        owner: acl::owner_of_upload(&bucket, &assembly.upload).to_string(),
        delete_marker: false,
        sequence: 0,
        acl: assembly.upload.acl.clone(),
        lock: assembly.upload.lock.clone(),
        encryption: assembly.upload.encryption.clone(),
    };
    let version = objects::put_current(tx, &bucket, &request.key, &version, &request.conditions)?.version;
    put_index(tx, id, assembly, now_ms)?;
    uploads::close(tx, assembly.bucket, &request.key, id);
    let record = CompletedRecord {
        bucket: assembly.bucket,
        key: request.key.clone(),
        part_list: assembly.part_list,
        etag: assembly.etag,
        checksum: assembly.checksum.clone(),
        version_id: version.version_id.clone(),
        completed_ms: now_ms,
    };
    tx.put(Table::Completed, &keys::content(id), record.encode());
    Ok(Completed { version_id: version.version_id, ..assembly.completed() })
}

/// A condition has to hold now, and must not have come to hold only after the upload was created: the client decided
/// on what it saw then.
fn check_conditions(
    tx: &dyn Write,
    request: &CompleteMultipartUpload,
    assembly: &Assembly,
    progress: &ProgressRecord,
) -> Result<(), Error> {
    let conditions = &request.conditions;
    if conditions.is_empty() && conditions.judged_tags.is_none() {
        return Ok(());
    }
    let current = objects::current(tx, assembly.bucket, &request.key)?;
    conditions.check(current.as_ref())?;
    if conditions.is_empty() {
        return Ok(());
    }
    let replaced = match &assembly.upload.found {
        Some(found) => FoundVersion::of(current.as_ref()) != *found,
        None => current.is_some_and(|version| version.modified_ms > request.upload_id.time_ms()),
    };
    if progress.key_deleted || replaced {
        let condition = if conditions.if_match.is_some() { "If-Match" } else { "If-None-Match" };
        return Err(Error::ConditionalRequestConflict { condition });
    }
    Ok(())
}

/// Writes the index. The parts that the client did not list go at once when they are few; many would keep every other
/// commit waiting, so they are marked as no part of the content, and left to the collector.
fn put_index(tx: &mut dyn Write, id: UploadId, assembly: &Assembly, now_ms: i64) -> Result<(), Error> {
    let mut index = assembly.index.clone();
    if assembly.unlisted.len() <= DROPPED_AT_ONCE_MAX {
        drop_unlisted(tx, id, &assembly.unlisted, now_ms)?;
    } else {
        index.set_unlisted(&assembly.unlisted);
        references::queue(tx, &Owned::Unlisted(id), now_ms);
    }
    tx.put(Table::Parts, &keys::part(id, 0), index.encode());
    Ok(())
}

fn drop_unlisted(tx: &mut dyn Write, id: UploadId, unlisted: &[u16], now_ms: i64) -> Result<(), Error> {
    for &number in unlisted {
        if let Some(part) = uploads::part(tx, id, number)? {
            references::drop_part(tx, &part, now_ms)?;
        }
        tx.delete(Table::Parts, &keys::part(id, number));
    }
    Ok(())
}

impl CompleteMultipartUpload {
    /// The key of an upload that its client's key encrypts. AWS wants it again only where the upload was created with a
    /// checksum algorithm, and so do we, though nothing here is done with it.
    fn check_own_key(&self, keyring: &Keyring, upload: &UploadRecord) -> Result<(), Error> {
        let encryption = upload.encryption.as_ref();
        let is_customers = encryption.is_some_and(|record| record.method == EncryptionMethod::Customer);
        if is_customers && upload.checksum.is_some() && self.customer_key.is_none() {
            return Err(Error::UploadKeyMissing);
        }
        self.check_key(keyring, encryption)
    }

    /// A client's key that comes with the request is the object's.
    fn check_key(&self, keyring: &Keyring, record: Option<&EncryptionRecord>) -> Result<(), Error> {
        match &self.customer_key {
            None => Ok(()),
            Some(key) => encryption::check(keyring, record, Some(key)).map_err(encryption::of_upload),
        }
    }

    fn name(&self) -> UploadName {
        UploadName { bucket: self.bucket.clone(), key: self.key.clone(), id: self.upload_id }
    }
}
