//! Memory for bytes on their way, used again: fresh memory costs a page fault for every 4 KiB.
//!
//! Nothing is bounded here. A part in flight holds at most [`CHUNKS_PER_PART`] chunks, and the number of parts in
//! flight is bounded by `workers`.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Bytes in a chunk: small enough to be hashed and sent while it is still in the processor's cache.
pub const CHUNK_LEN: usize = 256 * 1024;

/// Memory is aligned to this, as direct I/O wants it.
pub const ALIGNMENT: usize = 4096;

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
        let memory = memory.unwrap_or_else(|| vec![0; self.chunk_len + ALIGNMENT]);
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        Chunk { memory, start, room: self.chunk_len, len: 0, home: self.clone() }
    }
}

/// Memory that returns to its pool when the last view of it is dropped.
#[derive(Debug)]
pub struct Chunk {
    memory: Vec<u8>,
    /// Where the aligned bytes begin, and how many they are.
    start: usize,
    room: usize,
    /// Bytes of these that mean something.
    len: usize,
    home: Chunks,
}

impl Chunk {
    pub fn memory(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.room]
    }

    /// Appends as much of `bytes` as there is room for; how many bytes that was.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room - self.len);
        let at = self.start + self.len;
        self.memory[at..at + taken].copy_from_slice(&bytes[..taken]);
        self.len += taken;
        taken
    }

    pub fn is_full(&self) -> bool {
        self.len == self.room
    }

    /// What was filled in, to be read from now on.
    pub fn filled(self) -> Bytes {
        Bytes::from_owner(self)
    }

    /// The first `len` bytes, to be read from now on.
    pub fn freeze(mut self, len: usize) -> Bytes {
        self.len = len;
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        self.home.free.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_aligned_filled_and_used_again() {
        let chunks = Chunks::new(10);
        let mut chunk = chunks.take();
        assert_eq!(chunk.memory().as_ptr().align_offset(ALIGNMENT), 0);
        assert_eq!((chunk.fill(b"1234567"), chunk.is_full()), (7, false));
        assert_eq!((chunk.fill(b"89abcd"), chunk.is_full()), (3, true));
        assert_eq!(chunk.fill(b"e"), 0);
        let bytes = chunk.filled();
        assert_eq!(&bytes[..], b"123456789a");
        let first = bytes.as_ptr();
        drop(bytes);
        let mut again = chunks.take();
        assert_eq!(again.memory().as_ptr(), first);
        assert_eq!(&again.freeze(2)[..], b"12");
    }
}
