//! UploadPartCopy: bytes of an object become a part of an open upload, by reference.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>
//!
//! The part is made of slices of the source's extents, and no byte is written. A part's ETag is the MD5 of its bytes,
//! though: unless the range is exactly one part of the source, they are read once. What is read is pinned
//! (invariant 4) until the commit has shared its blobs. Only the bytes of inline objects are copied, and those that are
//! encrypted at either end: every content has a key of its own.

#[cfg(test)]
mod tests;

use crate::base::buffers::Lease;
use crate::base::fail_point;
use crate::base::limits::{PART_LEN_MAX, PART_NUMBER_MAX};
use crate::engine::body::{self, Claims};
use crate::engine::copy_source::Source;
use crate::engine::encryption::{self, CustomerKey, Keyring, Sealing};
use crate::engine::ingest::{self, Plan};
use crate::engine::named_bucket::NamedBucket;
use crate::engine::ops::upload_part::commit_part;
use crate::engine::reading::{self, ContentReader, Prepared};
use crate::engine::uploads::{self, UploadName};
use crate::engine::{Engine, Error, checksums, extents, objects, references, writing};
use crate::meta::Read;
use crate::meta::keys::UploadId;
use crate::meta::records::{
    Body, Checksum, ChecksumKind, EncryptionRecord, Extent, PartRecord, VersionRecord,
};
use async_trait::async_trait;
use bytes::Bytes;
use dovetail_digest::{Algorithm, Hasher};
use std::sync::Arc;

/// A part to be copied.
#[derive(Clone, Debug)]
pub struct UploadPartCopy {
    pub bucket: NamedBucket,
    pub key: String,
    pub upload_id: UploadId,
    /// From 1 to 10,000.
    pub part_number: u16,
    pub source: Source,
    /// First and last byte of the source; both inclusive, the first not after the last.
    pub range: Option<(u64, u64)>,
    /// As the upload was created with.
    pub customer_key: Option<CustomerKey>,
}

/// A part that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedPart {
    /// The part's ETag.
    pub md5: [u8; 16],
    pub modified_ms: i64,
    /// What to tell the client: that of the upload's algorithm.
    pub checksum: Option<Checksum>,
    /// The id of the version that was copied from, as the client is told it: nothing while its bucket has never had
    /// versions.
    pub source_id: Option<String>,
    /// The upload's.
    pub encryption: Option<EncryptionRecord>,
}

/// When this returns, the part is as good as an uploaded one, whatever becomes of its source. A range that is not in
/// the source is `InvalidCopyRange`; more than a part may have are `CopySourceTooLarge`, or `EntityTooLarge` when it
/// is the range.
///
/// # Panics
/// If the part number is none.
pub async fn upload_part_copy(engine: &Engine, request: UploadPartCopy) -> Result<CopiedPart, Error> {
    let number = request.part_number;
    assert!((1..=PART_NUMBER_MAX).contains(&number), "{number} is no part number");
    let request = Arc::new(request);
    let now_ms = engine.clock.now_ms();
    let (mut found, reader) = loop {
        let mark = engine.readers.mark();
        let (asked, keyring) = (Arc::clone(&request), Arc::clone(&engine.settings.keyring));
        let (found, prepared) = engine.meta.read(move |read| find(read, &asked, &keyring, now_ms)).await?;
        // Each turn that fails means that the collector got on with its work, so this ends.
        if let Some(reader) = ContentReader::new(engine, prepared, mark) {
            break (found, reader);
        }
    };
    match found.extents.take() {
        Some(extents) => copy_extents(engine, &request, found, extents, reader).await,
        None => copy_bytes(engine, &request, found, reader).await,
    }
}

/// What one snapshot says about upload and source.
struct Found {
    /// The algorithm of the part's checksum, and whether the client is told.
    algorithm: Algorithm,
    shown: bool,
    source_id: Option<String>,
    len: u64,
    /// What the part can be made of without a byte being written; `None` when it cannot.
    extents: Option<Vec<Extent>>,
    /// MD5 and checksum, when the bytes are those of one part of the source.
    known: Option<([u8; 16], Checksum)>,
    /// Of the part.
    sealing: Option<Sealing>,
}

fn find(
    read: &dyn Read,
    request: &UploadPartCopy,
    keyring: &Keyring,
    now_ms: i64,
) -> Result<(Found, Prepared), Error> {
    let (_, upload) = request.name().find(read)?;
    let own = uploads::checksum(&upload)?;
    let algorithm = own.map_or(checksums::DEFAULT, |(algorithm, _)| algorithm);
    let sealing = encryption::for_part(keyring, upload.encryption, request.customer_key.as_ref())?;
    let source = request.source.find(read, now_ms)?;
    let key = request.source.open(&source, keyring)?;
    let objects::Found { version, shown_id: source_id } = source;
    let (first, len) = bounds(request.range, version.len)?;
    let is_plain = sealing.is_none() && key.is_none();
    let known = same_part(read, &version, first, len)?
        .filter(|part| is_plain && part.checksum.algorithm == algorithm.name())
        .map(|part| (part.md5, part.checksum));
    let prepared = reading::prepare(read, &version, first, len, key)?;
    let extents = match version.body {
        Body::Single(_) | Body::Multipart(_) if len > 0 && is_plain => {
            extents::slice(read, &version.body, first, len)?
        }
        _ => None,
    };
    let shown = own.is_some();
    Ok((Found { algorithm, shown, source_id, len, extents, known, sealing }, prepared))
}

/// First byte and length of what is to be copied.
fn bounds(range: Option<(u64, u64)>, len: u64) -> Result<(u64, u64), Error> {
    match range {
        None if len > PART_LEN_MAX => Err(Error::CopySourceTooLarge { len }),
        None => Ok((0, len)),
        Some((first, last)) if first > last || last >= len => Err(Error::InvalidCopyRange { len }),
        Some((first, last)) if last - first >= PART_LEN_MAX => {
            Err(Error::EntityTooLarge { len: last - first + 1, max: PART_LEN_MAX })
        }
        Some((first, last)) => Ok((first, last - first + 1)),
    }
}

/// The part of the source that is exactly these bytes, if one is.
fn same_part(
    read: &dyn Read,
    version: &VersionRecord,
    first: u64,
    len: u64,
) -> Result<Option<PartRecord>, Error> {
    let (Body::Single(content) | Body::Multipart(content)) = version.body else { return Ok(None) };
    if len == 0 {
        return Ok(None);
    }
    let place = extents::locate(read, &version.body, first)?;
    let mut skip = place.skip;
    let mut same = None;
    extents::scan_parts(read, content, place.number, &mut |_, part| {
        if skip >= part.len {
            skip -= part.len;
            return true;
        }
        same = (skip == 0 && part.len == len).then_some(part);
        false
    })?;
    Ok(same)
}

/// Commits slices of the source's extents as a part. `reader` keeps the source's parts where they are meanwhile.
async fn copy_extents(
    engine: &Engine,
    request: &UploadPartCopy,
    found: Found,
    extents: Vec<Extent>,
    mut reader: ContentReader,
) -> Result<CopiedPart, Error> {
    let lease = engine.lease_body_memory().await?;
    let (md5, checksum) = match found.known.clone() {
        Some(known) => known,
        None => hash(engine, &lease, &mut reader, found.algorithm).await?,
    };
    let modified_ms = engine.clock.now_ms();
    let source_id = found.source_id.clone();
    let told = found.shown.then(|| checksum.clone());
    let (name, number) = (request.name(), request.part_number);
    let tail = {
        let engine = engine.clone();
        async move {
            let _pinned = reader;
            fail_point::reach("engine::upload_part::before_commit");
            let replaced = engine
                .meta
                .transact(move |tx| {
                    name.check(tx)?;
                    // The pin keeps the source's parts, and with them its blobs, as they were found. Shared before
                    // an earlier part gives up its blobs, which may be the very same ones.
                    references::share_extents(tx, &extents)?;
                    let (checksum, extents) = (checksum.clone(), extents.clone());
                    let part = PartRecord { len: found.len, md5, checksum, extents, modified_ms };
                    uploads::put_part(tx, name.id, number, &part)
                })
                .await?;
            fail_point::reach("engine::upload_part::after_commit");
            if replaced {
                engine.wake_collector();
            }
            Ok(())
        }
    };
    // Not for the commit's sake: the pin has to outlast it, also when the client is gone.
    writing::to_the_end(engine, Some(lease), tail).await?;
    Ok(CopiedPart { md5, modified_ms, checksum: told, source_id, encryption: None })
}

/// Reads the bytes once, through leased memory like a body's (invariant 6).
async fn hash(
    engine: &Engine,
    lease: &Lease,
    reader: &mut ContentReader,
    algorithm: Algorithm,
) -> Result<([u8; 16], Checksum), Error> {
    let mut md5 = engine.lanes.stream();
    let mut hasher = Hasher::new(algorithm);
    let mut chunk = lease.chunk().await;
    while let Some(piece) = reader.next().await {
        let piece = piece?;
        hasher.update(&piece);
        let mut rest = &piece[..];
        while !rest.is_empty() {
            let taken = chunk.fill(rest);
            rest = &rest[taken..];
            if chunk.is_full() {
                md5.update(chunk.freeze());
                chunk = lease.chunk().await;
            }
        }
    }
    md5.update(chunk.freeze());
    let checksum = checksums::record(algorithm, ChecksumKind::FullObject, &hasher.finish());
    Ok((md5.finish().await, checksum))
}

/// Stores the bytes of an inline object, none, those of too many pieces, or what is to be encrypted or decrypted, as if
/// they had been uploaded.
async fn copy_bytes(
    engine: &Engine,
    request: &UploadPartCopy,
    found: Found,
    reader: ContentReader,
) -> Result<CopiedPart, Error> {
    let body = copied(reader, found.len);
    let plan = Plan { len_max: PART_LEN_MAX, inline: false, keep: found.algorithm };
    let key = found.sealing.as_ref().map(|sealing| &sealing.key);
    let mut received = ingest::receive(engine, body, plan, key).await.map_err(as_read)?;
    let lease = received.take_lease();
    let (name, number) = (request.name(), request.part_number);
    let checksum = checksums::record(found.algorithm, ChecksumKind::FullObject, &received.checksum);
    let (told, source_id) = (found.shown.then(|| checksum.clone()), found.source_id);
    let sealing = found.sealing;
    let tail = {
        let engine = engine.clone();
        async move {
            let (len, md5) = (received.len, encryption::etag(sealing.as_ref(), received.md5));
            let place = received.finish().await?;
            let modified_ms = engine.clock.now_ms();
            let part = PartRecord { len, md5, checksum, extents: place.extents(), modified_ms };
            commit_part(&engine, name, number, part, place).await?;
            let encryption = sealing.map(|sealing| sealing.record);
            Ok(CopiedPart { md5, modified_ms, checksum: told, source_id, encryption })
        }
    };
    writing::to_the_end(engine, lease, tail).await
}

/// Bytes of an object as a body.
pub(super) fn copied(reader: ContentReader, len: u64) -> body::Body {
    body::Body { source: Box::new(Copied { reader }), len: Some(len), algorithm: None }
}

struct Copied {
    reader: ContentReader,
}

#[async_trait]
impl body::Source for Copied {
    async fn next(&mut self) -> Result<Option<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.reader.next().await.transpose()?)
    }

    fn claims(&self) -> Claims {
        Claims::default()
    }
}

/// The reader's own error again: no client's body has failed.
pub(super) fn as_read(err: Error) -> Error {
    match err {
        Error::Body(source) => match source.downcast::<Error>() {
            Ok(err) => *err,
            Err(source) => Error::Storage(source),
        },
        other => other,
    }
}

impl UploadPartCopy {
    fn name(&self) -> UploadName {
        UploadName { bucket: self.bucket.clone(), key: self.key.clone(), id: self.upload_id }
    }
}
