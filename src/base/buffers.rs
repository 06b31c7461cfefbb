//! The fixed memory that request bodies pass through (invariant 6).
//!
//! A body leases [`CHUNKS_PER_BODY`] chunks before its first byte is read: one is filled from the network while the
//! other is hashed and written. One that is encrypted leases [`CHUNKS_PER_SEALED_BODY`]: it is encrypted in its place, so
//! it is hashed before it can be written. When the budget is spent, the next body waits for its lease.

use crate::base::memory::{Piece, Pieces};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Bytes in a chunk: large enough that a write call is cheap, small enough to have many.
pub const CHUNK_LEN: usize = 1 << 20;
/// Chunks one body may hold at a time.
pub const CHUNKS_PER_BODY: usize = 2;
/// The same for a body that is encrypted, if there are as many.
pub const CHUNKS_PER_SEALED_BODY: usize = 3;
/// A budget of memory for bodies. Cloning shares it.
#[derive(Clone, Debug)]
pub struct BufferPool {
    chunks: Arc<Semaphore>,
    chunks_max: usize,
    spare: Arc<Pieces>,
}

impl BufferPool {
    /// A pool of at most `budget_len` bytes, and at least enough for one body.
    pub fn new(budget_len: usize) -> BufferPool {
        let chunks_max = (budget_len / (CHUNK_LEN * CHUNKS_PER_BODY)).max(1) * CHUNKS_PER_BODY;
        BufferPool {
            chunks: Arc::new(Semaphore::new(chunks_max)),
            chunks_max,
            spare: Arc::new(Pieces::new(CHUNK_LEN)),
        }
    }

    /// The memory for one body, or `None` when none came free within `wait`: answer SlowDown then.
    pub async fn lease(&self, wait: Duration) -> Option<Lease> {
        self.lease_chunks(CHUNKS_PER_BODY, wait).await
    }

    /// The same for a body that is encrypted.
    pub async fn lease_to_seal(&self, wait: Duration) -> Option<Lease> {
        self.lease_chunks(CHUNKS_PER_SEALED_BODY.min(self.chunks_max), wait).await
    }

    async fn lease_chunks(&self, chunks: usize, wait: Duration) -> Option<Lease> {
        let permits = u32::try_from(chunks).expect("a body has few chunks");
        let asked = Arc::clone(&self.chunks).acquire_many_owned(permits);
        let budget = tokio::time::timeout(wait, asked).await.ok()?;
        let budget = budget.expect("the semaphore is never closed");
        Some(Lease {
            turns: Arc::new(Semaphore::new(chunks)),
            budget: Arc::new(budget),
            spare: Arc::clone(&self.spare),
        })
    }

    /// Bodies that could lease memory now.
    pub fn bodies_free(&self) -> usize {
        self.chunks.available_permits() / CHUNKS_PER_BODY
    }
}

/// The right of one body to hold so many chunks. The memory goes back to the pool when the lease and all
/// its chunks are dropped.
#[derive(Debug)]
pub struct Lease {
    turns: Arc<Semaphore>,
    budget: Arc<OwnedSemaphorePermit>,
    spare: Arc<Pieces>,
}

impl Lease {
    /// An empty chunk; waits while all of this body's chunks are still being hashed or written.
    pub async fn chunk(&self) -> Chunk {
        let turn = Arc::clone(&self.turns).acquire_owned().await.expect("the semaphore is never closed");
        Chunk {
            memory: self.spare.take(),
            len: 0,
            spare: Arc::clone(&self.spare),
            _turn: turn,
            _budget: Arc::clone(&self.budget),
        }
    }
}

/// [`CHUNK_LEN`] bytes of memory that disks can write directly, being filled.
#[derive(Debug)]
pub struct Chunk {
    memory: Piece,
    len: usize,
    spare: Arc<Pieces>,
    _turn: OwnedSemaphorePermit,
    _budget: Arc<OwnedSemaphorePermit>,
}

impl Chunk {
    /// Copies as much of `bytes` as fits and returns how many bytes that was.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(CHUNK_LEN - self.len);
        self.memory[self.len..][..taken].copy_from_slice(&bytes[..taken]);
        self.len += taken;
        taken
    }

    /// What has been filled.
    pub fn filled(&mut self) -> &mut [u8] {
        &mut self.memory[..self.len]
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn is_full(&self) -> bool {
        self.len == CHUNK_LEN
    }

    /// The filled bytes, shared without copying. The memory goes back to its lease when the last clone is dropped.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }

    /// The filled bytes for others to read, and the chunk back from the last of them.
    pub fn lend(self) -> (Bytes, Lent) {
        let (back, lent) = oneshot::channel();
        (Bytes::from_owner(Borrowed { chunk: Some(self), back: Some(back) }), Lent(lent))
    }
}

/// A chunk that others are reading. Its memory goes back to its lease if nobody waits for it.
#[derive(Debug)]
pub struct Lent(oneshot::Receiver<Chunk>);

impl Lent {
    /// Waits until nobody reads it any more.
    pub async fn back(self) -> Chunk {
        self.0.await.expect("whoever lets go of it last sends it back")
    }
}

/// The owner of bytes that are lent.
struct Borrowed {
    /// There until the drop.
    chunk: Option<Chunk>,
    back: Option<oneshot::Sender<Chunk>>,
}

impl AsRef<[u8]> for Borrowed {
    fn as_ref(&self) -> &[u8] {
        self.chunk.as_ref().map(Chunk::as_ref).unwrap_or_default()
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let (Some(chunk), Some(back)) = (self.chunk.take(), self.back.take()) {
            let _ = back.send(chunk);
        }
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.spare.give_back(std::mem::take(&mut self.memory));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::memory::ALIGNMENT;

    #[tokio::test]
    async fn a_body_waits_for_its_own_chunks() {
        let lease = BufferPool::new(0).lease(Duration::ZERO).await.unwrap();
        let first = lease.chunk().await.freeze();
        let _second = lease.chunk().await;
        assert!(tokio::time::timeout(Duration::from_millis(20), lease.chunk()).await.is_err());
        let clone = first.clone();
        drop(first);
        assert!(tokio::time::timeout(Duration::from_millis(20), lease.chunk()).await.is_err());
        drop(clone);
        lease.chunk().await;
    }

    #[tokio::test]
    async fn a_spent_budget_refuses_the_next_body_until_every_chunk_is_back() {
        let pool = BufferPool::new(CHUNK_LEN * CHUNKS_PER_BODY);
        let lease = pool.lease(Duration::ZERO).await.unwrap();
        let chunk = lease.chunk().await.freeze();
        drop(lease);
        assert!(pool.lease(Duration::from_millis(20)).await.is_none());
        drop(chunk);
        assert!(pool.lease(Duration::ZERO).await.is_some());
    }

    #[tokio::test]
    async fn an_encrypted_body_has_one_chunk_more_or_what_there_is() {
        let pool = BufferPool::new(CHUNK_LEN * CHUNKS_PER_BODY * 2);
        let lease = pool.lease_to_seal(Duration::ZERO).await.unwrap();
        let _chunks = [lease.chunk().await, lease.chunk().await, lease.chunk().await];
        assert!(tokio::time::timeout(Duration::from_millis(20), lease.chunk()).await.is_err());
        assert_eq!(pool.bodies_free(), 0);
        assert!(pool.lease(Duration::from_millis(20)).await.is_none());
        let small = BufferPool::new(0).lease_to_seal(Duration::ZERO).await.unwrap();
        let _chunks = [small.chunk().await, small.chunk().await];
    }

    #[tokio::test]
    async fn chunks_are_aligned_and_hold_what_was_put_in() {
        let lease = BufferPool::new(0).lease(Duration::ZERO).await.unwrap();
        let mut chunk = lease.chunk().await;
        assert_eq!(chunk.fill(b"hello"), 5);
        assert_eq!(chunk.fill(&vec![7; CHUNK_LEN]), CHUNK_LEN - 5);
        assert!(chunk.is_full());
        let mut other = lease.chunk().await;
        other.fill(b"abc");
        other.filled()[1] = b'x';
        assert_eq!(&other.freeze()[..], b"axc");
        let bytes = chunk.freeze();
        assert_eq!(bytes.as_ptr().align_offset(ALIGNMENT), 0);
        assert_eq!(&bytes[..6], b"hello\x07");
    }

    #[tokio::test]
    async fn a_lent_chunk_comes_back_when_nobody_reads_it_any_more() {
        let pool = BufferPool::new(0);
        let lease = pool.lease(Duration::ZERO).await.unwrap();
        let mut chunk = lease.chunk().await;
        chunk.fill(b"abc");
        let (bytes, lent) = chunk.lend();
        let other = bytes.clone();
        assert_eq!(&bytes[..], b"abc");
        let mut back = std::pin::pin!(lent.back());
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut back).await.is_err());
        drop(bytes);
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut back).await.is_err());
        drop(other);
        let mut chunk = back.await;
        chunk.filled()[0] = b'x';
        assert_eq!(&chunk.freeze()[..], b"xbc");
        // Nobody waits for this one.
        let (bytes, lent) = lease.chunk().await.lend();
        drop((lent, lease));
        assert_eq!(pool.bodies_free(), 0);
        drop(bytes);
        assert_eq!(pool.bodies_free(), 1);
    }
}
