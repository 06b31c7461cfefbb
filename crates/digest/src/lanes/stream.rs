//! What the hashing thread keeps of one stream: the chunks that wait, and how they are cut into blocks.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::{Buf, Bytes};
use tokio::sync::oneshot;

use crate::md5::{self, BLOCK, State};

/// One stream: the state after what is hashed, and what is not hashed yet, in order: the carried bytes, then the
/// chunks.
///
/// Chunks end anywhere and a kernel takes whole blocks. The bytes around a cut are carried over into a block of
/// their own; everything else is hashed where it lies.
pub(super) struct Stream {
    pub(super) state: State,
    /// Bytes taken in, hashed or not.
    len: u64,
    /// Bytes that fill no block of a chunk: fewer than a block, or one whole block, or the padded end (one or two).
    carried: [u8; 2 * BLOCK],
    /// The part of `carried` that is not hashed.
    carried_from: usize,
    carried_to: usize,
    /// None is empty.
    chunks: VecDeque<Bytes>,
    /// When the last chunk came: a stream that has been silent is not waited for.
    pub(super) last_chunk_at: Instant,
    /// Where the digest goes; set once the stream's end is known.
    answer: Option<oneshot::Sender<[u8; 16]>>,
    /// Whether the padded end has been put into `carried`: nothing follows.
    padded: bool,
}

impl Stream {
    pub(super) fn new(now: Instant) -> Stream {
        Stream {
            state: md5::START,
            len: 0,
            carried: [0; 2 * BLOCK],
            carried_from: 0,
            carried_to: 0,
            chunks: VecDeque::new(),
            last_chunk_at: now,
            answer: None,
            padded: false,
        }
    }

    pub(super) fn push(&mut self, chunk: Bytes, now: Instant) {
        self.len = self.len.wrapping_add(chunk.len() as u64);
        self.last_chunk_at = now;
        self.chunks.push_back(chunk);
        self.carry();
    }

    pub(super) fn end(&mut self, answer: oneshot::Sender<[u8; 16]>) {
        self.answer = Some(answer);
        self.carry();
    }

    /// Whether no chunk will follow: somebody waits for the digest.
    pub(super) fn is_ending(&self) -> bool {
        self.answer.is_some()
    }

    /// The next whole blocks that lie together; empty while the stream waits for bytes, or is done.
    pub(super) fn blocks(&self) -> &[u8] {
        let carried = &self.carried[self.carried_from..self.carried_to];
        match self.chunks.front() {
            _ if carried.len() >= BLOCK => carried,
            Some(chunk) if carried.is_empty() => &chunk[..chunk.len() / BLOCK * BLOCK],
            _ => &[],
        }
    }

    /// Notes that the first `len` bytes of [`blocks`](Stream::blocks) are in `state`; a chunk that is used up is
    /// dropped at once.
    pub(super) fn consume(&mut self, state: State, len: usize) {
        self.state = state;
        if self.carried_from < self.carried_to {
            self.carried_from += len;
        } else {
            self.take_front(len);
        }
        self.carry();
    }

    /// The place for the digest and the digest, when all is hashed.
    pub(super) fn into_answer(self) -> Option<(oneshot::Sender<[u8; 16]>, [u8; 16])> {
        self.answer.map(|answer| (answer, md5::digest_of(self.state)))
    }

    /// Whether all is hashed, the padded end too.
    pub(super) fn is_done(&self) -> bool {
        self.padded && self.carried_from == self.carried_to
    }

    /// Makes [`blocks`](Stream::blocks) something if there is enough for it: fills the carried block from the
    /// chunks, starts one with what a chunk has left, or makes the padded end.
    fn carry(&mut self) {
        if self.carried_from == self.carried_to {
            (self.carried_from, self.carried_to) = (0, 0);
        }
        while self.blocks().is_empty() && !self.padded {
            if let Some(chunk) = self.chunks.front() {
                let len = chunk.len().min(BLOCK - self.carried_to);
                self.carried[self.carried_to..self.carried_to + len].copy_from_slice(&chunk[..len]);
                self.carried_to += len;
                self.take_front(len);
            } else if self.is_ending() {
                (self.carried, self.carried_to) = md5::pad(&self.carried[..self.carried_to], self.len);
                self.padded = true;
            } else {
                return;
            }
        }
    }

    fn take_front(&mut self, len: usize) {
        if let Some(chunk) = self.chunks.front_mut() {
            chunk.advance(len);
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
        }
    }
}
