//! UploadPart: one body becomes a part of an open upload.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>
//!
//! Of two uploads of one part number, the one that commits last wins, whole. A part whose upload ends while it is
//! under way ends in `NoSuchUpload`, and its blob is deleted.

#[cfg(test)]
mod tests;

use crate::base::fail_point;
use crate::base::limits::{PART_LEN_MAX, PART_NUMBER_MAX};
use crate::engine::body::Body;
use crate::engine::encryption::{self, CustomerKey, Sealing};
use crate::engine::ingest::{self, Place, Plan, Received};
use crate::engine::named_bucket::NamedBucket;
use crate::engine::uploads::{self, UploadName};
use crate::engine::{Engine, Error, checksums, references, writing};
use crate::meta::keys::UploadId;
use crate::meta::records::{Checksum, ChecksumKind, EncryptionRecord, PartRecord, UploadRecord};
use dovetail_digest::Algorithm;

/// A part to be stored.
pub struct UploadPart {
    pub bucket: NamedBucket,
    pub key: String,
    pub upload_id: UploadId,
    /// From 1 to 10,000.
    pub part_number: u16,
    pub body: Body,
    /// As the upload was created with.
    pub customer_key: Option<CustomerKey>,
}

/// A part that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedPart {
    /// The part's ETag: the MD5 of its bytes, if the encryption shows it.
    pub md5: [u8; 16],
    /// What to tell the client: the checksum it announced, or that of the upload's algorithm.
    pub checksum: Option<Checksum>,
    /// The upload's.
    pub encryption: Option<EncryptionRecord>,
}

/// When this returns, the part is listed and Complete can use it, after a crash too. Refused, cut off or dropped
/// half-way, an earlier part of this number is untouched, unless the body had arrived whole: then a dropped request
/// may still be carried out. Whether the upload exists and takes this body's checksums and this key is said before the
/// body is read.
///
/// # Panics
/// If the part number is none.
pub async fn upload_part(engine: &Engine, request: UploadPart) -> Result<UploadedPart, Error> {
    let UploadPart { bucket, key, upload_id, part_number, body, customer_key } = request;
    assert!((1..=PART_NUMBER_MAX).contains(&part_number), "{part_number} is no part number");
    let name = UploadName { bucket, key, id: upload_id };
    let upload = {
        let name = name.clone();
        engine.meta.read(move |read| Ok::<_, Error>(name.find(read)?.1)).await?
    };
    let keep = part_algorithm(&upload, body.algorithm)?;
    let sealing = encryption::for_part(&engine.settings.keyring, upload.encryption, customer_key.as_ref())?;
    let shown = keep.is_some();
    let algorithm = keep.unwrap_or(checksums::DEFAULT);
    let kept = Kept { algorithm, shown };
    let plan = Plan { len_max: PART_LEN_MAX, inline: false, keep: algorithm };
    let key = sealing.as_ref().map(|sealing| &sealing.key);
    let mut received = ingest::receive(engine, body, plan, key).await?;
    let lease = received.take_lease();
    let tail = {
        let engine = engine.clone();
        async move { store(engine, name, part_number, kept, sealing, received).await }
    };
    writing::to_the_end(engine, lease, tail).await
}

/// The algorithm of a part's checksum, `None` when the upload has none of its own. An upload that was created with an
/// algorithm takes no other, and a composite one no part without.
fn part_algorithm(upload: &UploadRecord, announced: Option<Algorithm>) -> Result<Option<Algorithm>, Error> {
    let Some((expected, kind)) = uploads::checksum(upload)? else { return Ok(None) };
    match announced {
        Some(actual) if actual == expected => Ok(Some(expected)),
        None if kind == ChecksumKind::FullObject => Ok(Some(expected)),
        actual => Err(Error::ChecksumAlgorithmMismatch { expected, actual }),
    }
}

/// The checksum that is kept of a part, and whether its client is told.
struct Kept {
    algorithm: Algorithm,
    shown: bool,
}

async fn store(
    engine: Engine,
    name: UploadName,
    number: u16,
    kept: Kept,
    sealing: Option<Sealing>,
    received: Received,
) -> Result<UploadedPart, Error> {
    let Kept { algorithm, shown } = kept;
    let of = |algorithm, digest| checksums::record(algorithm, ChecksumKind::FullObject, digest);
    let checksum = of(algorithm, &received.checksum);
    let told = match &received.announced {
        Some((announced, digest)) => Some(of(*announced, digest)),
        None => shown.then(|| checksum.clone()),
    };
    let (len, md5) = (received.len, encryption::etag(sealing.as_ref(), received.md5));
    let place = received.finish().await?;
    let modified_ms = engine.clock.now_ms();
    let part = PartRecord { len, md5, checksum, extents: place.extents(), modified_ms };
    commit_part(&engine, name, number, part, place).await?;
    Ok(UploadedPart { md5, checksum: told, encryption: sealing.map(|sealing| sealing.record) })
}

/// Commits a part whose bytes are durable.
pub(super) async fn commit_part(
    engine: &Engine,
    name: UploadName,
    number: u16,
    part: PartRecord,
    place: Place,
) -> Result<(), Error> {
    fail_point::reach("engine::upload_part::before_commit");
    let replaced = writing::commit(engine, place.blob(), move |tx| {
        name.check(tx)?;
        if let Place::Blob(id, record) = &place {
            references::add_blob(tx, *id, record);
        }
        uploads::put_part(tx, name.id, number, &part)
    })
    .await?;
    fail_point::reach("engine::upload_part::after_commit");
    if replaced {
        engine.wake_collector();
    }
    Ok(())
}
