//! Reading from a bucket: exactly what is asked, or windows ahead of a reader that goes on where it stopped.
//!
//! A request to a bucket takes tens of milliseconds before its first byte, so reading a long blob a quarter of a
//! megabyte at a time would be slow. From the second consecutive read on, a growing window is fetched, and the next
//! one while it is used.

use super::{Bucket, units};
use crate::blob::{BlobId, Error, ErrorKind, Reader};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use object_store::ObjectStoreExt;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedSemaphorePermit};
use tokio::task::JoinHandle;

/// The first window read ahead; each next one is twice as long.
const WINDOW_LEN_FIRST: usize = 1 << 20;
/// Longer windows gain little against a request's latency, and cost memory.
const WINDOW_LEN_MAX: usize = 4 << 20;

/// A blob in the bucket. It does not keep its bytes when the blob is deleted: reads fail as Missing from then on.
pub(super) struct RemoteReader {
    bucket: Arc<Bucket>,
    id: BlobId,
    len: u64,
    ahead: Mutex<Ahead>,
}

/// What was read ahead, and how far the reader is.
struct Ahead {
    /// Where the last read ended, if there was one.
    position: Option<u64>,
    window: Window,
    window_len_next: usize,
    coming: Option<Coming>,
}

struct Window {
    offset: u64,
    bytes: Bytes,
}

/// A window on its way. Dropping it stops the request.
struct Coming {
    offset: u64,
    task: JoinHandle<Result<Bytes, Error>>,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RemoteReader {
    pub(super) fn new(bucket: Arc<Bucket>, id: BlobId, len: u64) -> RemoteReader {
        let ahead = Ahead {
            position: None,
            window: Window { offset: 0, bytes: Bytes::new() },
            window_len_next: WINDOW_LEN_FIRST,
            coming: None,
        };
        RemoteReader { bucket, id, len, ahead: Mutex::new(ahead) }
    }

    /// Reads on from what was read ahead.
    async fn read_on(&self, ahead: &mut Ahead, offset: u64, len: usize) -> Result<Bytes, Error> {
        let end = offset + len as u64;
        let mut pieces = Vec::with_capacity(2);
        let mut at = offset;
        while at < end {
            let piece = ahead.window.piece(at, end);
            if piece.is_empty() {
                self.next_window(ahead, at, (end - at) as usize).await?;
                continue;
            }
            at += piece.len() as u64;
            pieces.push(piece);
        }
        Ok(joined(pieces, len))
    }

    /// Puts the window that begins at `offset` in place and asks for the one after it. `wanted` bytes are needed now.
    async fn next_window(&self, ahead: &mut Ahead, offset: u64, wanted: usize) -> Result<(), Error> {
        // Before the next is counted: its memory may be all there is.
        ahead.window = Window { offset, bytes: Bytes::new() };
        let bytes = match &mut ahead.coming {
            Some(coming) if coming.offset == offset => {
                let result = (&mut coming.task).await;
                ahead.coming = None;
                result.map_err(|err| {
                    Error::with_source(ErrorKind::Unavailable, format!("reading blob {} ahead", self.id), err)
                })??
            }
            _ => {
                ahead.coming = None;
                let len = self.clamp(offset, ahead.window_len_next.max(wanted));
                match self.memory(len) {
                    Some(memory) => fetch(&self.bucket, self.id, offset, len, Some(memory)).await?,
                    None => fetch(&self.bucket, self.id, offset, wanted, None).await?,
                }
            }
        };
        self.ask_for(ahead, offset + bytes.len() as u64);
        ahead.window = Window { offset, bytes };
        Ok(())
    }

    /// Starts fetching the window at `offset`, if there is one and memory for it.
    fn ask_for(&self, ahead: &mut Ahead, offset: u64) {
        ahead.window_len_next = (ahead.window_len_next * 2).min(WINDOW_LEN_MAX);
        let len = self.clamp(offset, ahead.window_len_next);
        if len == 0 {
            return;
        }
        let Some(memory) = self.memory(len) else { return };
        let (bucket, id) = (Arc::clone(&self.bucket), self.id);
        let task =
            self.bucket.tasks.spawn(async move { fetch(&bucket, id, offset, len, Some(memory)).await });
        ahead.coming = Some(Coming { offset, task });
    }

    fn clamp(&self, offset: u64, len: usize) -> usize {
        usize::try_from(self.len - offset).unwrap_or(usize::MAX).min(len)
    }

    fn memory(&self, len: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.bucket.read_memory).try_acquire_many_owned(units(len)).ok()
    }
}

#[async_trait]
impl Reader for RemoteReader {
    async fn read(&self, offset: u64, len: usize) -> Result<Bytes, Error> {
        let end = offset.checked_add(len as u64).filter(|end| *end <= self.len);
        let Some(end) = end else {
            let message =
                format!("blob {} ends at {}, before the {len} bytes at {offset}", self.id, self.len);
            return Err(Error::new(ErrorKind::Corrupt, message));
        };
        if len == 0 {
            return Ok(Bytes::new());
        }
        // Reads side by side are nobody's sequence.
        let Ok(mut ahead) = self.ahead.try_lock() else {
            return fetch(&self.bucket, self.id, offset, len, None).await;
        };
        if ahead.position != Some(offset) && ahead.window.piece(offset, end).len() < len {
            ahead.coming = None;
            ahead.window_len_next = WINDOW_LEN_FIRST;
            let bytes = fetch(&self.bucket, self.id, offset, len, None).await?;
            ahead.position = Some(end);
            return Ok(bytes);
        }
        let bytes = self.read_on(&mut ahead, offset, len).await?;
        ahead.position = Some(end);
        Ok(bytes)
    }
}

impl Window {
    /// What the window holds from `offset` on, up to `end`.
    fn piece(&self, offset: u64, end: u64) -> Bytes {
        let window_end = self.offset + self.bytes.len() as u64;
        if offset < self.offset || offset >= window_end {
            return Bytes::new();
        }
        self.bytes.slice((offset - self.offset) as usize..(end.min(window_end) - self.offset) as usize)
    }
}

fn joined(mut pieces: Vec<Bytes>, len: usize) -> Bytes {
    if pieces.len() == 1 {
        return pieces.remove(0);
    }
    let mut bytes = BytesMut::with_capacity(len);
    pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
    bytes.freeze()
}

/// One range request. `memory` is given back when the last slice of the answer is dropped.
async fn fetch(
    bucket: &Bucket,
    id: BlobId,
    offset: u64,
    len: usize,
    memory: Option<OwnedSemaphorePermit>,
) -> Result<Bytes, Error> {
    let path = bucket.place(id);
    let get = bucket.objects.get_range(&path, offset..offset + len as u64);
    let bytes = bucket.bounded(format!("cannot read blob {id} at {offset}"), get).await?;
    if bytes.len() != len {
        let message = format!("blob {id} gave {} of {len} bytes at {offset}", bytes.len());
        return Err(Error::new(ErrorKind::Corrupt, message));
    }
    Ok(match memory {
        Some(memory) => Bytes::from_owner(Counted { bytes, _memory: memory }),
        None => bytes,
    })
}

struct Counted {
    bytes: Bytes,
    _memory: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
