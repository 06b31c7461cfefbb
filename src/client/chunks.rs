//! Memory for bytes on their way, used again: fresh memory costs a page fault for every 4 KiB.
//!
//! Nothing is bounded here. A part in flight holds at most [`CHUNKS_PER_PART`] chunks, and the number of parts in
//! flight is bounded by `workers`.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Bytes in a chunk: small enough to be hashed and sent while it is still in the processor's cache.
pub const CHUNK_LEN: usize = 256 * 1024;

/// What one part holds at a time: one being read, one waiting, one being sent.
pub const CHUNKS_PER_PART: usize = 3;

/// Chunks that are free. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Chunks {
    chunk_len: usize,
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Default for Chunks {
    fn default() -> Chunks {
        Chunks::new(CHUNK_LEN)
    }
}

impl Chunks {
    /// A pool of chunks of another length than [`CHUNK_LEN`].
    pub fn new(chunk_len: usize) -> Chunks {
        Chunks { chunk_len, free: Arc::default() }
    }

    /// A chunk, which holds anything.
    pub fn take(&self) -> Chunk {
        let memory = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Chunk { memory: memory.unwrap_or_else(|| vec![0; self.chunk_len]), len: 0, home: self.clone() }
    }
}

/// Memory that returns to its pool when the last view of it is dropped.
#[derive(Debug)]
pub struct Chunk {
    memory: Vec<u8>,
    len: usize,
    home: Chunks,
}

impl Chunk {
    pub fn memory(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    /// The first `len` bytes, to be read from now on.
    pub fn freeze(mut self, len: usize) -> Bytes {
        self.len = len;
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        self.home.free.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}
