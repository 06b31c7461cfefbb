//! Verified bytes of a version, piece by piece.
//!
//! Blobs are read in the blocks they have checksums for, at the edges of an extent too, so that no byte leaves that
//! was not compared with what arrived (invariant 5). Encrypted ones are decrypted after that, a block at a time, and what
//! was not encrypted by the content's key is as bad as damaged. What a reader holds is bounded: a page of extents, one blob's
//! record, one block (invariant 6).

use crate::blob::{self, BlobId};
use crate::engine::encryption::{BlobOpener, ContentKey};
use crate::engine::extents::{self, Place};
use crate::engine::readers::{Mark, Pin};
use crate::engine::{Engine, Error, inline};
use crate::meta::keys::{self, ContentId};
use crate::meta::records::{BLOCK_LEN, BlobRecord, Body, Extent, Record, VersionRecord};
use crate::meta::{Meta, Read, Table};
use crate::telemetry::metrics;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// Extents that are read at a time, but for the rest of a part. The parts of a range are a page away from the index,
/// and a page is small (some ten kilobytes).
const EXTENTS_PER_PAGE: usize = 64;

/// What a snapshot says about bytes to be read; not yet safe from the collector.
pub struct Prepared {
    len: u64,
    source: PreparedSource,
    key: Option<ContentKey>,
}

enum PreparedSource {
    /// Verified; all there is.
    Here(Bytes),
    Parts {
        content: ContentId,
        page: extents::Run,
        blob: Option<(BlobId, BlobRecord)>,
    },
}

/// Looks up the first page of `len` bytes from `first` on, in the same snapshot as the version. `key` is the version's,
/// if it is encrypted.
pub fn prepare(
    read: &dyn Read,
    version: &VersionRecord,
    first: u64,
    len: u64,
    key: Option<ContentKey>,
) -> Result<Prepared, Error> {
    let source = match version.body {
        _ if len == 0 => PreparedSource::Here(Bytes::new()),
        Body::Empty => return Err(no_bytes("an empty object")),
        Body::Inline(content) => {
            let stored = read
                .get(Table::Inline, &keys::content(content))?
                .ok_or_else(|| extents::damaged(content, "its bytes are missing"))?;
            let bytes = inline::decode(content, &stored, key.as_ref())?;
            match first.checked_add(len) {
                Some(end) if end <= bytes.len() as u64 => {
                    PreparedSource::Here(bytes.slice(first as usize..end as usize))
                }
                _ => return Err(extents::damaged(content, "it is shorter than its version says")),
            }
        }
        Body::Single(content) | Body::Multipart(content) => {
            let place = extents::locate(read, &version.body, first)?;
            let page = extents::run(read, content, place, len, EXTENTS_PER_PAGE)?;
            let blob = match page.extents.first() {
                None => None,
                Some(extent) => Some((extent.blob(), blob_record(read, extent.blob())?)),
            };
            PreparedSource::Parts { content, page, blob }
        }
    };
    Ok(Prepared { len, source, key })
}

/// Reads bytes of a version. They stay readable whatever happens to the version meanwhile (invariant 4).
pub struct ContentReader {
    meta: Meta,
    blobs: Arc<dyn blob::Store>,
    /// Bytes that have not been handed out.
    remaining: u64,
    source: Source,
    /// The first piece, read before anything was answered.
    first: Option<Bytes>,
    failed: bool,
    _pin: Option<Pin>,
}

enum Source {
    Here(Bytes),
    Parts(Box<Parts>),
}

struct Parts {
    content: ContentId,
    key: Option<ContentKey>,
    /// What is to be read next, in order.
    extents: VecDeque<Extent>,
    /// Where the extents after these are looked up.
    next: Place,
    /// The record of a blob that is not yet open.
    record: Option<(BlobId, BlobRecord)>,
    blob: Option<OpenBlob>,
}

struct OpenBlob {
    id: BlobId,
    record: BlobRecord,
    reader: Box<dyn blob::Reader>,
    opener: Option<BlobOpener>,
}

impl ContentReader {
    /// Takes over what was prepared from a snapshot taken after `mark`. `None` when the collector may have been
    /// faster: then everything is to be looked up again.
    pub fn new(engine: &Engine, prepared: Prepared, mark: Mark) -> Option<ContentReader> {
        let (source, pin) = match prepared.source {
            PreparedSource::Here(bytes) => (Source::Here(bytes), None),
            PreparedSource::Parts { content, page, blob } => {
                let parts = Parts {
                    content,
                    key: prepared.key,
                    extents: page.extents.into(),
                    next: page.next,
                    record: blob,
                    blob: None,
                };
                (Source::Parts(Box::new(parts)), Some(engine.readers.pin(content, mark)?))
            }
        };
        Some(ContentReader {
            meta: engine.meta.clone(),
            blobs: Arc::clone(&engine.blobs),
            remaining: prepared.len,
            source,
            first: None,
            failed: false,
            _pin: pin,
        })
    }

    /// Reads the first piece, so that what keeps an object from being read at all is known before it is answered.
    pub async fn begin(&mut self) -> Result<(), Error> {
        if self.first.is_none() {
            self.first = self.next().await.transpose()?;
        }
        Ok(())
    }

    /// The next piece, never empty and at most 256 KiB; `None` after the last byte, and never before it. After an
    /// error every call is one. May be dropped at any time and called again.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        if let Some(piece) = self.first.take() {
            return Some(Ok(piece));
        }
        if self.failed {
            return Some(Err(no_bytes("a reader that has failed")));
        }
        if self.remaining == 0 {
            return None;
        }
        let piece = match &mut self.source {
            Source::Here(bytes) => Ok(bytes.split_to(bytes.len().min(BLOCK_LEN as usize))),
            Source::Parts(parts) => parts.next_piece(&self.meta, &*self.blobs, self.remaining).await,
        };
        match &piece {
            Ok(piece) => self.remaining -= piece.len() as u64,
            Err(_) => self.failed = true,
        }
        Some(piece)
    }
}

impl Parts {
    async fn next_piece(
        &mut self,
        meta: &Meta,
        blobs: &dyn blob::Store,
        remaining: u64,
    ) -> Result<Bytes, Error> {
        if self.extents.is_empty() {
            self.turn_page(meta, remaining).await?;
        }
        let extent =
            *self.extents.front().ok_or_else(|| extents::damaged(self.content, "parts are missing"))?;
        let blob = match self.blob.take().filter(|blob| blob.id == extent.blob()) {
            Some(blob) => self.blob.insert(blob),
            None => {
                let key = self.key.as_ref();
                let blob = OpenBlob::open(meta, blobs, extent.blob(), self.record.take(), key).await?;
                self.blob.insert(blob)
            }
        };
        let piece = blob.read_some(&extent).await?;
        let len = piece.len() as u64;
        if len == extent.len {
            self.extents.pop_front();
        } else {
            self.extents[0] = Extent::new(extent.blob(), extent.offset + len, extent.len - len);
        }
        Ok(piece)
    }

    async fn turn_page(&mut self, meta: &Meta, remaining: u64) -> Result<(), Error> {
        let (content, place) = (self.content, self.next);
        let page =
            meta.read(move |read| extents::run(read, content, place, remaining, EXTENTS_PER_PAGE)).await?;
        self.extents = page.extents.into();
        self.next = page.next;
        Ok(())
    }
}

impl OpenBlob {
    async fn open(
        meta: &Meta,
        blobs: &dyn blob::Store,
        id: BlobId,
        known: Option<(BlobId, BlobRecord)>,
        key: Option<&ContentKey>,
    ) -> Result<OpenBlob, Error> {
        let record = match known {
            Some((known, record)) if known == id => record,
            _ => meta.read(move |read| blob_record(read, id)).await?,
        };
        if record.is_encrypted() != key.is_some() {
            return Err(corrupt_blob(id, "it is not encrypted as its content is"));
        }
        let reader = blobs.open(id).await?;
        Ok(OpenBlob { id, record, reader, opener: key.map(|key| key.open_blob(id)) })
    }

    /// The bytes from the beginning of `extent` up to its end or that of their block, whichever comes first.
    async fn read_some(&self, extent: &Extent) -> Result<Bytes, Error> {
        let inside = extent.offset.checked_add(extent.len).is_some_and(|end| end <= self.record.len);
        if !inside || extent.len == 0 {
            return Err(self.damaged("an extent lies outside of it"));
        }
        let index = extent.offset / BLOCK_LEN;
        let stored = read_block(&*self.reader, self.id, &self.record, index).await?;
        let block = match &self.opener {
            None => stored,
            Some(opener) => self.decrypt(opener, index, &stored)?,
        };
        let skip = (extent.offset % BLOCK_LEN) as usize;
        let len = (block.len() - skip).min(usize::try_from(extent.len).unwrap_or(usize::MAX));
        Ok(block.slice(skip..skip + len))
    }

    fn decrypt(&self, opener: &BlobOpener, index: u64, stored: &[u8]) -> Result<Bytes, Error> {
        let tag = self.record.block_tag(index).ok_or_else(|| self.damaged("a block's tag is missing"))?;
        opener.open(index, stored, tag).map_err(|_| {
            metrics::CHECKSUM_MISMATCHES.add(1, &[]);
            tracing::error!(blob.id = %self.id, block = index, "a block is not what was encrypted");
            self.damaged(&format!("block {index} is not what was encrypted"))
        })
    }

    fn damaged(&self, why: &str) -> Error {
        corrupt_blob(self.id, why)
    }
}

/// One block of a blob, verified (invariant 5).
pub async fn read_block(
    reader: &dyn blob::Reader,
    id: BlobId,
    record: &BlobRecord,
    index: u64,
) -> Result<Bytes, Error> {
    let start = index * BLOCK_LEN;
    let len = record.len.saturating_sub(start).min(BLOCK_LEN);
    let expected =
        record.block_checksum(index).ok_or_else(|| corrupt_blob(id, "a block's checksum is missing"))?;
    let block = reader.read(start, len as usize).await?;
    if block.len() as u64 != len || dovetail_digest::crc32c(&block) != expected {
        metrics::CHECKSUM_MISMATCHES.add(1, &[]);
        tracing::error!(blob.id = %id, block = index, "a block does not match its checksum");
        return Err(corrupt_blob(id, &format!("block {index} does not match its checksum")));
    }
    Ok(block)
}

/// What is recorded of a blob that a part names.
fn blob_record(read: &dyn Read, id: BlobId) -> Result<BlobRecord, Error> {
    let bytes =
        read.get(Table::Blobs, &keys::blob(id))?.ok_or_else(|| corrupt_blob(id, "its record is missing"))?;
    Ok(BlobRecord::decode(&bytes)?)
}

fn corrupt_blob(id: BlobId, why: &str) -> Error {
    blob::Error::new(blob::ErrorKind::Corrupt, format!("blob {id} is damaged: {why}")).into()
}

fn no_bytes(what: &str) -> Error {
    blob::Error::new(blob::ErrorKind::Corrupt, format!("no bytes can be read from {what}")).into()
}
