//! PutObject: one body becomes the current version of a key.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
//!
//! The body is read first and is durable before the transaction begins (invariant 1); small ones travel in the
//! transaction itself, so that they cost one commit and no file.

#[cfg(test)]
mod tests;

use crate::base::fail_point;
use crate::base::limits::PART_LEN_MAX;
use crate::engine::access::acl::{self, AskedAcl, Owned};
use crate::engine::body::Body;
use crate::engine::conditions::WriteConditions;
use crate::engine::encryption::{self, Encryption, Sealing};
use crate::engine::ingest::{self, Place, Plan, Received};
use crate::engine::named_bucket::NamedBucket;
use crate::engine::objects::Found;
use crate::engine::{Engine, Error, checksums, inline, object_lock, objects, references, writing};
use crate::meta::keys::{self, ContentId};
use crate::meta::records::{
    self, ChecksumKind, ETag, Metadata, ObjectLock, PartRecord, Record, VersionRecord,
};
use crate::meta::{Table, Write};
use dovetail_digest::Algorithm;

/// An object to be written.
pub struct PutObject {
    pub bucket: NamedBucket,
    pub key: String,
    /// Canonical id of the requester, who will own the object unless the bucket's ownership says otherwise.
    pub writer: String,
    pub acl: AskedAcl,
    pub metadata: Metadata,
    pub body: Body,
    pub conditions: WriteConditions,
    /// What is to hold the version; `None` is the bucket's default.
    pub lock: Option<ObjectLock>,
    /// `None` leaves it to the bucket's rule.
    pub encryption: Option<Encryption>,
}

/// An object that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    pub version: VersionRecord,
    /// The version's id as a copy's client is told it: nothing while the bucket has never had versions.
    pub shown_id: Option<String>,
}

/// When this returns, the object is what every read finds, after a crash too. Refused, cut off or dropped half-way,
/// the object that was there before is untouched (invariant 8), unless the body had arrived whole: then a dropped
/// request may still be carried out.
pub async fn put_object(engine: &Engine, request: PutObject) -> Result<Put, Error> {
    let PutObject { bucket, key, writer, acl, metadata, body, conditions, lock, encryption } = request;
    if !conditions.is_empty() || acl != AskedAcl::Nothing || lock.is_some() {
        refuse_early(engine, &bucket, &key, &writer, &acl, &conditions, lock.is_some()).await?;
    }
    let sealing = encryption::for_new(engine, &bucket, encryption.as_ref()).await?;
    let algorithm = ingest::announced_or_default(&body);
    let plan = Plan { len_max: PART_LEN_MAX, inline: true, keep: algorithm };
    let content_key = sealing.as_ref().map(|sealing| &sealing.key);
    let received = ingest::receive(engine, body, plan, content_key).await?;
    let new = NewObject { bucket, key, writer, acl, metadata, conditions, lock, sealing };
    store(engine, new, algorithm, received).await
}

/// Everything about an object but its bytes.
pub(super) struct NewObject {
    pub bucket: NamedBucket,
    pub key: String,
    pub writer: String,
    pub acl: AskedAcl,
    pub metadata: Metadata,
    pub conditions: WriteConditions,
    pub lock: Option<ObjectLock>,
    pub sealing: Option<Sealing>,
}

/// Makes what was received last, and the current version of its key. `algorithm` is that of the kept checksum.
pub(super) async fn store(
    engine: &Engine,
    new: NewObject,
    algorithm: Algorithm,
    mut received: Received,
) -> Result<Put, Error> {
    let (is_inline, lease) = (received.is_inline(), received.take_lease());
    let tail = {
        let engine = engine.clone();
        async move {
            let NewObject { bucket, key, writer, acl, metadata, conditions, lock, sealing } = new;
            let (len, md5, checksum) = (received.len, received.md5, received.checksum);
            let mut place = received.finish().await?;
            if let Some(sealing) = &sealing {
                place = place.sealed(&sealing.key);
            }
            let now_ms = engine.clock.now_ms();
            let content = ContentId::new(now_ms);
            let version = VersionRecord {
                version_id: None,
                modified_ms: now_ms,
                len,
                etag: ETag { md5: encryption::etag(sealing.as_ref(), md5), parts: None },
                checksum: Some(checksums::record(algorithm, ChecksumKind::FullObject, &checksum)),
                body: body_of(&place, content),
                metadata,
                owner: writer,
                delete_marker: false,
                sequence: 0,
                acl: None,
                lock,
                encryption: sealing.map(|sealing| sealing.record),
            };
            commit(&engine, Object { bucket, key, acl, conditions, version, place }).await
        }
    };
    // A transaction that is dropped while it waits happens as a whole or not at all: only a blob needs a task that sees
    // to it.
    if is_inline { tail.await } else { writing::to_the_end(engine, lease, tail).await }
}

/// A list or a lock that cannot be had and a condition that fails already are told before the body is sent; the transaction
/// judges again.
async fn refuse_early(
    engine: &Engine,
    bucket: &NamedBucket,
    key: &str,
    writer: &str,
    acl: &AskedAcl,
    conditions: &WriteConditions,
    asks_for_lock: bool,
) -> Result<(), Error> {
    let (bucket, key, conditions) = (bucket.clone(), key.to_string(), conditions.clone());
    let (writer, acl) = (writer.to_string(), acl.clone());
    engine
        .meta
        .read(move |read| {
            let bucket = bucket.find(read)?;
            acl::of_new_object(&bucket, &writer, &acl)?;
            if asks_for_lock {
                object_lock::check_enabled(&bucket)?;
            }
            conditions.check(objects::current(read, bucket.id, &key)?.as_ref())
        })
        .await
}

/// An object whose bytes are durable or travel with it.
struct Object {
    bucket: NamedBucket,
    key: String,
    acl: AskedAcl,
    conditions: WriteConditions,
    /// Its owner is the writer, and there is no list yet.
    version: VersionRecord,
    place: Place,
}

async fn commit(engine: &Engine, object: Object) -> Result<Put, Error> {
    fail_point::reach("engine::put_object::before_commit");
    let blob = object.place.blob();
    let (found, replaced) = writing::commit(engine, blob, move |tx| {
        let bucket = object.bucket.find(tx)?;
        let Owned { owner, acl } = acl::of_new_object(&bucket, &object.version.owner, &object.acl)?;
        let version = VersionRecord { owner, acl, ..object.version.clone() };
        put_content(tx, &version, &object.place);
        let stored = objects::put_current(tx, &bucket, &object.key, &version, &object.conditions)?;
        Ok((Found::new(&bucket, stored.version), stored.replaced))
    })
    .await?;
    fail_point::reach("engine::put_object::after_commit");
    if replaced {
        engine.wake_collector();
    }
    Ok(Put { version: found.version, shown_id: found.shown_id })
}

fn body_of(place: &Place, content: ContentId) -> records::Body {
    match place {
        Place::Empty => records::Body::Empty,
        Place::Inline(_) => records::Body::Inline(content),
        Place::Blob(..) => records::Body::Single(content),
    }
}

/// Writes what the version's body refers to.
fn put_content(tx: &mut dyn Write, version: &VersionRecord, place: &Place) {
    let Some(content) = version.body.content() else { return };
    match place {
        Place::Empty => {}
        Place::Inline(bytes) => tx.put(Table::Inline, &keys::content(content), inline::encode(bytes)),
        Place::Blob(id, record) => {
            let part = PartRecord {
                len: version.len,
                md5: version.etag.md5,
                checksum: version.checksum.clone().expect("put_object has just set it"),
                extents: place.extents(),
                modified_ms: version.modified_ms,
            };
            references::add_blob(tx, *id, record);
            tx.put(Table::Parts, &keys::part(content, 1), part.encode());
        }
    }
}
