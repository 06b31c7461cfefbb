//! Memory for bytes on their way, used again.
//!
//! Nothing is bounded here. A part in flight holds at most [`CHUNKS_PER_PART`] chunks, and the number of parts in
//! flight is bounded by `workers`.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::memory::{Piece, Pieces};

/// Bytes in a chunk: small enough to be hashed and sent while it is still in the processor's cache.
pub const CHUNK_LEN: usize = 256 * 1024;

/// What one part holds at a time: one being read, one waiting, one being sent.
pub const CHUNKS_PER_PART: usize = 3;

/// Chunks that are free. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Chunks {
    free: Arc<Pieces>,
}

impl Default for Chunks {
    fn default() -> Chunks {
        Chunks::new(CHUNK_LEN)
    }
}

impl Chunks {
    /// A pool of chunks of another length than [`CHUNK_LEN`].
    pub fn new(chunk_len: usize) -> Chunks {
        Chunks { free: Arc::new(Pieces::new(chunk_len)) }
    }

    /// A chunk, which holds anything.
    pub fn take(&self) -> Chunk {
        Chunk { memory: self.free.take(), len: 0, home: self.clone() }
    }
}

/// Memory that returns to its pool when the last view of it is dropped.
#[derive(Debug)]
pub struct Chunk {
    memory: Piece,
    /// Bytes of these that mean something.
    len: usize,
    home: Chunks,
}

impl Chunk {
    pub fn memory(&mut self) -> &mut [u8] {
        self.memory
    }

    /// Appends as much of `bytes` as there is room for; how many bytes that was.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.memory.len() - self.len);
        self.memory[self.len..][..taken].copy_from_slice(&bytes[..taken]);
        self.len += taken;
        taken
    }

    pub fn is_full(&self) -> bool {
        self.len == self.memory.len()
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
        &self.memory[..self.len]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.home.free.give_back(std::mem::take(&mut self.memory));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::memory::ALIGNMENT;

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
