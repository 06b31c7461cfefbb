//! The bytes of a part: a range of a file, or memory that a pipe was read into. They can be read any number of times.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest, Hasher};

use crate::client::chunks::{CHUNK_LEN, Chunks};

/// Cloning shares the bytes.
#[derive(Clone, Debug)]
pub enum Source {
    File { file: Arc<File>, path: Arc<Path>, offset: u64, len: u64 },
    Memory(Bytes),
}

impl Source {
    pub fn len(&self) -> u64 {
        match self {
            Source::File { len, .. } => *len,
            Source::Memory(bytes) => bytes.len() as u64,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `len` bytes of it, from `start` on.
    ///
    /// # Panics
    /// If it has no such bytes.
    pub fn slice(&self, start: u64, len: u64) -> Source {
        assert!(start + len <= self.len(), "bytes {start} to {} of {}", start + len, self.len());
        match self {
            Source::Memory(bytes) => Source::Memory(bytes.slice(start as usize..(start + len) as usize)),
            Source::File { file, path, offset, .. } => {
                Source::File { file: Arc::clone(file), path: Arc::clone(path), offset: offset + start, len }
            }
        }
    }

    /// All of it, if it is in memory and so little that no thread need be woken for it.
    pub fn at_hand(&self) -> Option<&Bytes> {
        match self {
            Source::Memory(bytes) if bytes.len() <= CHUNK_LEN => Some(bytes),
            _ => None,
        }
    }

    /// Reads all of it in order, in pieces of at most `piece_len` bytes and never more than a chunk, until `each`
    /// returns false. Blocks. A file that has become shorter is an `UnexpectedEof`.
    pub fn read(
        &self,
        chunks: &Chunks,
        piece_len: usize,
        mut each: impl FnMut(Bytes) -> bool,
    ) -> io::Result<()> {
        let piece_len = piece_len.clamp(1, CHUNK_LEN);
        match self {
            Source::Memory(bytes) => {
                let mut rest = bytes.clone();
                while !rest.is_empty() && each(rest.split_to(piece_len.min(rest.len()))) {}
                Ok(())
            }
            Source::File { file, offset, len, .. } => {
                let (mut at, end) = (*offset, offset + len);
                while at < end {
                    let mut chunk = chunks.take();
                    let wanted = piece_len.min((end - at) as usize);
                    file.read_exact_at(&mut chunk.memory()[..wanted], at)?;
                    at += wanted as u64;
                    if !each(chunk.freeze(wanted)) {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// One digest of all of it. Blocks.
    pub fn digest(&self, algorithm: Algorithm, chunks: &Chunks) -> io::Result<Digest> {
        let mut hasher = Hasher::new(algorithm);
        self.read(chunks, CHUNK_LEN, |bytes| {
            hasher.update(&bytes);
            true
        })?;
        Ok(hasher.finish())
    }
}
