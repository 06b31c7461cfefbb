//! Who refers to what, and when it may go: the one place with the rules about order.
//!
//! - A version refers to a content, a part to the blobs of its extents. One reference is not written down; a second
//!   one makes a counter. So the common case costs nothing, and a counter is never forgotten.
//! - Dropping the last reference queues the thing for the collector, in the same commit (invariant 3). Nothing else
//!   ever queues, and nothing but `jobs::collector` deletes.
//! - A blob is named by a record only after it is durable (invariant 1): [`add_blob`] takes a blob that
//!   `ingest` has finished.

use crate::blob::BlobId;
use crate::engine::Error;
use crate::engine::object_lock::Unlocked;
use crate::meta::keys::{self, Owned};
use crate::meta::records::{BlobRecord, Body, Extent, PartRecord, Record};
use crate::meta::{ErrorKind, Read, Table, Write};

/// Records a finished blob; its first reference is the part that the same transaction writes.
pub fn add_blob(tx: &mut dyn Write, id: BlobId, record: &BlobRecord) {
    tx.put(Table::Blobs, &keys::blob(id), record.encode());
}

/// One more part refers to the blobs of `extents`, which the caller has just read in this transaction, or found in a
/// content that it keeps pinned.
pub fn share_extents(tx: &mut dyn Write, extents: &[Extent]) -> Result<(), Error> {
    extents.iter().try_for_each(|extent| share(tx, &Owned::Blob(extent.blob())))
}

/// One more version refers to `body`, which the caller has just read in this transaction.
pub fn share_body(tx: &mut dyn Write, body: &Body) -> Result<(), Error> {
    body.content().map_or(Ok(()), |content| share(tx, &Owned::Content(content)))
}

/// A version that nothing holds is gone: its content goes too when it was the last one.
pub fn drop_body(tx: &mut dyn Write, unlocked: &Unlocked<'_>, now_ms: i64) -> Result<(), Error> {
    let body = &unlocked.version().body;
    let Some(content) = body.content() else { return Ok(()) };
    if !drop_one(tx, &Owned::Content(content))? {
        return Ok(());
    }
    match body {
        // Readers have the bytes of an inline object whole before their first byte leaves, so nobody needs these.
        Body::Inline(_) => tx.delete(Table::Inline, &keys::content(content)),
        Body::Single(_) | Body::Multipart(_) => queue(tx, &Owned::Content(content), now_ms),
        Body::Empty => {}
    }
    Ok(())
}

/// A part is gone or was replaced: its blobs go too when it was the last to name them.
pub fn drop_part(tx: &mut dyn Write, part: &PartRecord, now_ms: i64) -> Result<(), Error> {
    for extent in &part.extents {
        let blob = Owned::Blob(extent.blob());
        if drop_one(tx, &blob)? {
            tx.delete(Table::Blobs, &keys::blob(extent.blob()));
            queue(tx, &blob, now_ms);
        }
    }
    Ok(())
}

/// Queues for the collector what nothing refers to any more: a content, or an upload that was aborted, whose parts
/// give up their blobs in steps of bounded size; or a bucket, whose uploads are aborted.
pub fn queue(tx: &mut dyn Write, owned: &Owned, now_ms: i64) {
    tx.put(Table::Garbage, &keys::garbage(now_ms, owned), Vec::new());
}

/// How many records refer to `owned`, given that at least one does.
pub fn count(read: &dyn Read, owned: &Owned) -> Result<u64, Error> {
    match read.get(Table::References, &keys::references(owned))? {
        None => Ok(1),
        Some(bytes) => {
            let bytes = bytes[..].try_into().map_err(|_| {
                crate::meta::Error::new(
                    ErrorKind::Corrupt,
                    format!("cannot read the reference count of {owned:?}"),
                )
            })?;
            Ok(u64::from_be_bytes(bytes))
        }
    }
}

fn share(tx: &mut dyn Write, owned: &Owned) -> Result<(), Error> {
    let count = count(tx, owned)? + 1;
    tx.put(Table::References, &keys::references(owned), count.to_be_bytes().to_vec());
    Ok(())
}

/// Takes one reference away; true when it was the last.
fn drop_one(tx: &mut dyn Write, owned: &Owned) -> Result<bool, Error> {
    let key = keys::references(owned);
    match count(tx, owned)? {
        0 | 1 => {
            tx.delete(Table::References, &key);
            Ok(true)
        }
        2 => {
            tx.delete(Table::References, &key);
            Ok(false)
        }
        more => {
            tx.put(Table::References, &key, (more - 1).to_be_bytes().to_vec());
            Ok(false)
        }
    }
}
