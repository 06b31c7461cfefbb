//! CreateMultipartUpload: opens an upload, which remembers everything about the object but its bytes.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>

use crate::base::fail_point;
use crate::engine::access::acl::{self, AskedAcl};
use crate::engine::encryption::{self, Encryption};
use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error, checksums, object_lock, objects};
use crate::meta::Table;
use crate::meta::keys::{self, ContentId, UploadId};
use crate::meta::records::{
    ChecksumKind, EncryptionRecord, FoundVersion, Metadata, ObjectLock, ProgressRecord, Record, UploadRecord,
};
use dovetail_digest::Algorithm;

/// An upload to be opened.
#[derive(Clone, Debug)]
pub struct CreateMultipartUpload {
    pub bucket: NamedBucket,
    pub key: String,
    /// Canonical id of the requester, who will own the object unless the bucket's ownership says otherwise.
    pub initiator: String,
    /// Of the object that the upload will become.
    pub acl: AskedAcl,
    /// Of the object that the upload will become.
    pub metadata: Metadata,
    /// What the client wants the parts and the object to be checked with. `None`: CRC64NVME over all bytes, of which
    /// only Complete's answer tells.
    pub checksum: Option<(Algorithm, ChecksumKind)>,
    /// What is to hold the object; `None`: the bucket's default at Complete.
    pub lock: Option<ObjectLock>,
    /// Of the object. `None` leaves it to the bucket's rule as it is now.
    pub encryption: Option<Encryption>,
}

/// An upload that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    pub id: UploadId,
    pub encryption: Option<EncryptionRecord>,
}

/// When this returns, the upload takes parts and is listed, after a crash too. An algorithm that has no checksums
/// of this kind is `ChecksumKindNotAllowed`.
pub async fn create_multipart_upload(
    engine: &Engine,
    request: CreateMultipartUpload,
) -> Result<Created, Error> {
    let CreateMultipartUpload { bucket, key, initiator, acl, metadata, checksum, lock, encryption } = request;
    if let Some((algorithm, kind)) = checksum
        && !checksums::is_allowed(algorithm, kind)
    {
        return Err(Error::ChecksumKindNotAllowed { algorithm, kind });
    }
    let sealing = encryption::for_new(engine, &bucket, encryption.as_ref()).await?;
    let encryption = sealing.map(|sealing| sealing.record);
    let id = ContentId::new(engine.clock.now_ms());
    let mut record = UploadRecord {
        initiator,
        metadata,
        checksum: checksum.map(|(algorithm, kind)| (algorithm.name().to_string(), kind)),
        acl: None,
        owner: None,
        lock,
        found: None,
        encryption: encryption.clone(),
    };
    engine
        .meta
        .transact(move |tx| {
            let bucket = bucket.find(tx)?;
            let owned = acl::of_new_object(&bucket, &record.initiator, &acl)?;
            record.owner = (owned.owner != record.initiator).then_some(owned.owner);
            record.acl = owned.acl;
            if record.lock.is_some() {
                object_lock::check_enabled(&bucket)?;
            }
            record.found = Some(FoundVersion::of(objects::current(tx, bucket.id, &key)?.as_ref()));
            tx.put(Table::Uploads, &keys::upload(bucket.id, &key, id), record.encode());
            tx.put(Table::Progress, &keys::content(id), ProgressRecord::default().encode());
            Ok::<(), Error>(())
        })
        .await?;
    fail_point::reach("engine::create_multipart_upload::after_commit");
    Ok(Created { id, encryption })
}
