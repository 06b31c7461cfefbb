//! CopyObject: another object with the same bytes. No byte is moved: both refer to one content. That is so when the copy
//! is encrypted otherwise, too: its record has the content's key wrapped by another one. Only between encrypted and not
//! encrypted are the bytes written anew.
//!
//! AWS writes a new single-part object and so gives a copy of a multipart object another ETag. Here the copy keeps
//! the source's ETag and checksum, a composite one too; clients compare a copy with its source by these.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>

use super::get_object::{GetObject, Opened, get_object};
use super::put_object::{NewObject, Put, store};
use super::upload_part_copy::{as_read, copied};
use crate::base::fail_point;
use crate::base::limits::PART_LEN_MAX;
use crate::engine::access::acl::{self, AskedAcl, Owned};
use crate::engine::conditions::WriteConditions;
use crate::engine::copy_source::Source;
use crate::engine::encryption::{self, ContentKey, Encryption, Keyring};
use crate::engine::ingest::{self, Plan};
use crate::engine::named_bucket::NamedBucket;
use crate::engine::objects::Found;
use crate::engine::{Engine, Error, checksums, objects, references};
use crate::meta::Write;
use crate::meta::records::{Body, Checksum, ChecksumKind, Metadata, ObjectLock, VersionRecord};
use dovetail_digest::{Algorithm, Hasher};
use std::sync::Arc;

/// The system header that a copy never takes from its source.
const WEBSITE_REDIRECT: &str = "x-amz-website-redirect-location";

#[derive(Clone, Debug, Default)]
pub struct CopyObject {
    pub source: Source,
    pub bucket: NamedBucket,
    pub key: String,
    /// Canonical id of who asks, and will own the copy unless the bucket's ownership says otherwise.
    pub writer: String,
    /// Of the copy; the source's is never copied.
    pub acl: AskedAcl,
    pub metadata: CopyMetadata,
    /// Never taken from the source; `None` is STANDARD.
    pub storage_class: Option<String>,
    /// `None` takes the source's.
    pub tags: Option<Vec<(String, String)>>,
    /// `x-amz-website-redirect-location`, never taken from the source.
    pub website_redirect: Option<String>,
    /// The algorithm the copy's checksum is to have; `None` keeps the source's.
    pub algorithm: Option<Algorithm>,
    pub conditions: WriteConditions,
    /// Never taken from the source; `None` is the bucket's default.
    pub lock: Option<ObjectLock>,
    /// Never taken from the source. `None` leaves it to the bucket's rule.
    pub encryption: Option<Encryption>,
    /// The request asks for something that makes a copy of an object onto itself worth while.
    pub changes_something: bool,
}

/// What a copy takes over besides the bytes.
#[derive(Clone, Debug, Default)]
pub enum CopyMetadata {
    /// The source's headers and user metadata.
    #[default]
    Keep,
    /// These instead; storage class and tags are taken from the request's own fields.
    Replace(Metadata),
}

#[derive(Clone, Debug)]
pub struct Copied {
    pub version: VersionRecord,
    /// The copy's version id as the client is told it: nothing while the bucket has never had versions.
    pub shown_id: Option<String>,
    /// The same of the version that was copied.
    pub source_id: Option<String>,
}

/// A checksum that was computed for these bytes.
struct Computed {
    body: Body,
    checksum: Checksum,
}

/// When this returns, the copy is there, and no delete or overwrite of its source touches it.
pub async fn copy_object(engine: &Engine, mut request: CopyObject) -> Result<Copied, Error> {
    request.encryption = encryption::wanted(engine, &request.bucket, request.encryption.as_ref()).await?;
    // The rule of the bucket counts as a change, as it does on AWS.
    request.changes_something |= request.encryption.is_some();
    let request = Arc::new(request);
    let mut computed = None;
    loop {
        match commit(engine, &request, computed.take().map(Arc::new)).await? {
            Outcome::Copied(copied) => {
                fail_point::reach("engine::copy_object::after_commit");
                engine.wake_collector();
                return Ok(*copied);
            }
            // The source has no such checksum, or was replaced while it was computed.
            Outcome::Lacks(algorithm) => {
                computed = Some(compute(engine, &request.source, algorithm).await?);
            }
            Outcome::OtherBytes => return rewrite(engine, &request).await,
        }
    }
}

enum Outcome {
    Copied(Box<Copied>),
    /// Nothing was written: this checksum has to be computed first.
    Lacks(Algorithm),
    /// Nothing was written: the copy's bytes are encrypted and the source's are not, or the other way round.
    OtherBytes,
}

async fn commit(
    engine: &Engine,
    request: &Arc<CopyObject>,
    computed: Option<Arc<Computed>>,
) -> Result<Outcome, Error> {
    let (request, keyring) = (Arc::clone(request), Arc::clone(&engine.settings.keyring));
    let now_ms = engine.clock.now_ms();
    engine.meta.transact(move |tx| copy(tx, &request, &keyring, computed.as_deref(), now_ms)).await
}

fn copy(
    tx: &mut dyn Write,
    request: &CopyObject,
    keyring: &Keyring,
    computed: Option<&Computed>,
    now_ms: i64,
) -> Result<Outcome, Error> {
    let bucket = request.bucket.find(tx)?;
    let Owned { owner, acl } = acl::of_new_object(&bucket, &request.writer, &request.acl)?;
    let found = request.source.find(tx, now_ms)?;
    let key = request.source.open(&found, keyring)?;
    let Found { version: source, shown_id: source_id } = found;
    if source.len > PART_LEN_MAX {
        return Err(Error::CopySourceTooLarge { len: source.len });
    }
    let onto_itself =
        request.source.bucket.name() == request.bucket.name() && request.source.key == request.key;
    let covered = objects::current(tx, bucket.id, &request.key)?;
    // A copy of an old version onto its key brings it back.
    if onto_itself && !request.changes_something && covered.as_ref() == Some(&source) {
        return Err(Error::CopyOntoItself);
    }
    request.conditions.check(covered.as_ref())?;
    let sealing = match (key, &request.encryption) {
        (None, None) => None,
        (Some(key), Some(wanted)) => Some(encryption::seal(keyring, wanted, key)?),
        _ => return Ok(Outcome::OtherBytes),
    };
    let checksum = match (wanted(request, &source), computed) {
        (None, _) => source.checksum.clone(),
        (Some(_), Some(computed)) if computed.body == source.body => Some(computed.checksum.clone()),
        (Some(algorithm), _) => return Ok(Outcome::Lacks(algorithm)),
    };
    let version = VersionRecord {
        version_id: None,
        modified_ms: now_ms,
        len: source.len,
        etag: encryption::etag_of_copy(&source, sealing.as_ref()),
        checksum,
        body: source.body,
        metadata: metadata(request, source.metadata),
        owner,
        delete_marker: false,
        sequence: 0,
        acl,
        lock: request.lock.clone(),
        encryption: sealing.map(|sealing| sealing.record),
    };
    // Shared before the destination gives up what it had, which may be the very same content.
    references::share_body(tx, &version.body)?;
    let stored = objects::put_current(tx, &bucket, &request.key, &version, &request.conditions)?;
    let copy = Found::new(&bucket, stored.version);
    let copied = Copied { version: copy.version, shown_id: copy.shown_id, source_id };
    Ok(Outcome::Copied(Box::new(copied)))
}

/// The algorithm of a full-object checksum that the copy is to have and the source has not.
fn wanted(request: &CopyObject, source: &VersionRecord) -> Option<Algorithm> {
    match (request.algorithm, &source.checksum) {
        (None, Some(_)) => None,
        (None, None) => Some(Algorithm::Crc64Nvme),
        (Some(algorithm), Some(has))
            if has.algorithm == algorithm.name() && has.kind == ChecksumKind::FullObject =>
        {
            None
        }
        (Some(algorithm), _) => Some(algorithm),
    }
}

fn metadata(request: &CopyObject, mut source: Metadata) -> Metadata {
    let tags = request.tags.clone().unwrap_or(std::mem::take(&mut source.tags));
    source.headers.retain(|(name, _)| name != WEBSITE_REDIRECT);
    let mut metadata = match &request.metadata {
        CopyMetadata::Keep => source,
        CopyMetadata::Replace(metadata) => metadata.clone(),
    };
    metadata.tags = tags;
    metadata.storage_class = request.storage_class.clone();
    if let Some(location) = &request.website_redirect {
        metadata.headers.retain(|(name, _)| name != WEBSITE_REDIRECT);
        metadata.headers.push((WEBSITE_REDIRECT.to_string(), location.clone()));
    }
    metadata
}

/// Writes the bytes anew, as if they had been uploaded. What is read is one version, whatever becomes of the source
/// meanwhile; its conditions are judged on that.
async fn rewrite(engine: &Engine, request: &CopyObject) -> Result<Copied, Error> {
    let Opened { version: source, shown_id: source_id, len, reader, .. } =
        open_source(engine, &request.source).await?;
    request.source.conditions.check_copy_source(&source, engine.clock.now_ms())?;
    let kept = source.checksum.as_ref().and_then(|checksum| Algorithm::from_name(&checksum.algorithm));
    let algorithm = request.algorithm.or(kept).unwrap_or(checksums::DEFAULT);
    let sealing = match &request.encryption {
        None => None,
        Some(wanted) => Some(encryption::seal(&engine.settings.keyring, wanted, ContentKey::random())?),
    };
    let plan = Plan { len_max: PART_LEN_MAX, inline: true, keep: algorithm };
    let key = sealing.as_ref().map(|sealing| &sealing.key);
    let received = ingest::receive(engine, copied(reader, len), plan, key).await.map_err(as_read)?;
    let new = NewObject {
        bucket: request.bucket.clone(),
        key: request.key.clone(),
        writer: request.writer.clone(),
        acl: request.acl.clone(),
        metadata: metadata(request, source.metadata),
        conditions: request.conditions.clone(),
        lock: request.lock.clone(),
        sealing,
    };
    let Put { version, shown_id } = store(engine, new, algorithm, received).await?;
    Ok(Copied { version, shown_id, source_id })
}

async fn open_source(engine: &Engine, source: &Source) -> Result<Opened, Error> {
    let Source { bucket, key, version_id, customer_key, asker, .. } = source.clone();
    let asked = GetObject { bucket, key, version_id, customer_key, asker, ..GetObject::default() };
    get_object(engine, asked).await
}

/// Reads the source once; its conditions are judged in the transaction.
async fn compute(engine: &Engine, source: &Source, algorithm: Algorithm) -> Result<Computed, Error> {
    let mut opened = open_source(engine, source).await?;
    let mut hasher = Hasher::new(algorithm);
    while let Some(piece) = opened.reader.next().await {
        hasher.update(&piece?);
    }
    let checksum = Checksum {
        algorithm: algorithm.name().to_string(),
        kind: ChecksumKind::FullObject,
        value: hasher.finish().as_bytes().to_vec(),
    };
    Ok(Computed { body: opened.version.body, checksum })
}

#[cfg(test)]
mod tests;
