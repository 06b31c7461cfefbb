//! Blobs in this process's memory: for tests, and for trying things out. Nothing survives the process.

use crate::blob::{BlobEntry, BlobId, Error, ErrorKind, Reader, Store, Writer};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What all blobs may take together unless something else is asked for: a store in memory must end before the memory.
const LEN_MAX_DEFAULT: u64 = 1 << 30;

/// Blobs in memory, at most a given number of bytes of them.
pub struct Memory {
    blobs: Arc<Blobs>,
}

struct Blobs {
    len_max: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    finished: HashMap<BlobId, Bytes>,
    /// Bytes of finished blobs, and of what unfinished ones hold or have reserved.
    len: u64,
}

impl Memory {
    pub fn new() -> Memory {
        Memory::with_len_max(LEN_MAX_DEFAULT)
    }

    /// A store that answers [`ErrorKind::NoSpace`] beyond `len_max` bytes.
    pub fn with_len_max(len_max: u64) -> Memory {
        Memory { blobs: Arc::new(Blobs { len_max, state: Mutex::default() }) }
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new()
    }
}

#[async_trait]
impl Store for Memory {
    async fn create(&self, id: BlobId, len: Option<u64>) -> Result<Box<dyn Writer>, Error> {
        let reserved = len.unwrap_or(0);
        self.blobs.reserve(id, reserved)?;
        Ok(Box::new(MemoryWriter {
            id,
            len_declared: len,
            reserved,
            bytes: Vec::new(),
            blobs: Arc::clone(&self.blobs),
        }))
    }

    async fn open(&self, id: BlobId) -> Result<Box<dyn Reader>, Error> {
        match self.blobs.lock().finished.get(&id) {
            Some(bytes) => Ok(Box::new(MemoryReader { id, bytes: bytes.clone() })),
            None => Err(Error::new(ErrorKind::Missing, format!("there is no blob {id}"))),
        }
    }

    async fn delete(&self, id: BlobId) -> Result<(), Error> {
        let mut state = self.blobs.lock();
        if let Some(bytes) = state.finished.remove(&id) {
            state.len -= bytes.len() as u64;
        }
        Ok(())
    }

    fn list(&self) -> BoxStream<'_, Result<BlobEntry, Error>> {
        let entry = |(id, bytes): (&BlobId, &Bytes)| Ok(BlobEntry { id: *id, len: bytes.len() as u64 });
        let entries: Vec<_> = self.blobs.lock().finished.iter().map(entry).collect();
        stream::iter(entries).boxed()
    }

    /// Nothing to do: an earlier process took its memory with it.
    async fn sweep_unfinished(&self) -> Result<(), Error> {
        Ok(())
    }

    fn settle(&self, _: BlobId) {}

    async fn unsettled(&self) -> Result<Vec<BlobId>, Error> {
        Ok(Vec::new())
    }

    async fn check(&self) -> Result<(), Error> {
        if self.blobs.lock().len >= self.blobs.len_max {
            return Err(Error::new(ErrorKind::NoSpace, "the store in memory is full"));
        }
        Ok(())
    }
}

impl Blobs {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserve(&self, id: BlobId, len: u64) -> Result<(), Error> {
        let mut state = self.lock();
        if len > self.len_max - state.len {
            let message =
                format!("blob {id} needs {len} bytes of {} free in memory", self.len_max - state.len);
            return Err(Error::new(ErrorKind::NoSpace, message));
        }
        state.len += len;
        Ok(())
    }
}

struct MemoryWriter {
    id: BlobId,
    len_declared: Option<u64>,
    /// Bytes counted in [`State::len`] for this writer; given back when it is dropped.
    reserved: u64,
    bytes: Vec<u8>,
    blobs: Arc<Blobs>,
}

impl MemoryWriter {
    fn wrong_len(&self, len: u64) -> Error {
        let declared = self.len_declared.unwrap_or(len);
        let message = format!("blob {} was declared with {declared} bytes and got {len}", self.id);
        Error::new(ErrorKind::Corrupt, message)
    }
}

#[async_trait]
impl Writer for MemoryWriter {
    /// Copies: the caller's buffers are few and are needed again.
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        let len = (self.bytes.len() + bytes.len()) as u64;
        if self.len_declared.is_some_and(|declared| len > declared) {
            return Err(self.wrong_len(len));
        }
        if len > self.reserved {
            self.blobs.reserve(self.id, len - self.reserved)?;
            self.reserved = len;
        }
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), Error> {
        let len = self.bytes.len() as u64;
        if self.len_declared.is_some_and(|declared| declared != len) {
            return Err(self.wrong_len(len));
        }
        let bytes = Bytes::from(std::mem::take(&mut self.bytes).into_boxed_slice());
        self.blobs.lock().finished.insert(self.id, bytes);
        // What was reserved now belongs to the blob.
        self.reserved = 0;
        Ok(())
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        self.blobs.lock().len -= self.reserved;
    }
}

struct MemoryReader {
    id: BlobId,
    bytes: Bytes,
}

#[async_trait]
impl Reader for MemoryReader {
    async fn read(&self, offset: u64, len: usize) -> Result<Bytes, Error> {
        let range = usize::try_from(offset).ok().and_then(|start| Some(start..start.checked_add(len)?));
        match range.filter(|range| range.end <= self.bytes.len()) {
            Some(range) => Ok(self.bytes.slice(range)),
            None => {
                let message = format!(
                    "blob {} ends at {}, before the {len} bytes at {offset}",
                    self.id,
                    self.bytes.len()
                );
                Err(Error::new(ErrorKind::Corrupt, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn conforms() {
        crate::blob::conformance::run_all(async || Arc::new(Memory::new()) as Arc<dyn Store>).await;
    }

    #[tokio::test]
    async fn refuses_what_does_not_fit_and_gives_back_what_was_dropped() {
        let store = Memory::with_len_max(10);
        let refused = store.create(BlobId::random(), Some(11)).await.err().unwrap();
        assert_eq!(refused.kind, ErrorKind::NoSpace);

        let mut writer = store.create(BlobId::random(), None).await.unwrap();
        writer.write(Bytes::from_static(b"0123456789")).await.unwrap();
        assert_eq!(writer.write(Bytes::from_static(b"x")).await.unwrap_err().kind, ErrorKind::NoSpace);
        assert_eq!(store.check().await.unwrap_err().kind, ErrorKind::NoSpace);
        drop(writer);
        store.check().await.unwrap();

        let id = BlobId::random();
        let mut writer = store.create(id, Some(10)).await.unwrap();
        writer.write(Bytes::from_static(b"0123456789")).await.unwrap();
        writer.finish().await.unwrap();
        assert!(store.create(BlobId::random(), Some(1)).await.is_err());
        store.delete(id).await.unwrap();
        store.create(BlobId::random(), Some(10)).await.unwrap();
    }
}
