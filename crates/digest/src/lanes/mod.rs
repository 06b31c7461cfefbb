//! The MD5 of many streams, hashed side by side by one thread.
//!
//! A stream's user hands chunks over and goes on; the thread takes whatever chunks wait, of as many streams as the
//! processor has lanes, and hashes them together ([`hashing`]). What belongs to one stream, chunks of any length
//! cut into blocks, is in [`stream`].
//!
//! The queue between them has no bound of its own: its users' buffers come from pools of fixed size, so that a
//! full pool, not this queue, makes a client wait.

mod hashing;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::kernel::Kernel;

/// Names a stream between its user and the thread; never used twice.
type StreamId = u64;

/// What a stream's user tells the thread. A stream begins with the first message that names it.
enum Message {
    Chunk(StreamId, Bytes),
    Finish(StreamId, oneshot::Sender<[u8; 16]>),
    /// The user is gone: the stream's chunks and its answer are of no use any more.
    Drop(StreamId),
}

/// A handle to a thread that hashes many MD5 streams side by side.
///
/// The thread ends when the last handle and the last stream are dropped.
#[derive(Clone, Debug)]
pub struct Md5Lanes {
    messages: Sender<Message>,
    next_id: Arc<AtomicU64>,
}

impl Md5Lanes {
    /// Starts the thread, with the fastest instructions this processor has.
    ///
    /// # Panics
    /// If the operating system refuses another thread.
    pub fn start() -> Md5Lanes {
        start(Kernel::detect()).0
    }

    /// A new stream that has seen nothing.
    pub fn stream(&self) -> Md5Stream {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        Md5Stream { messages: self.messages.clone(), id, known: false }
    }
}

fn start(kernel: Kernel) -> (Md5Lanes, JoinHandle<()>) {
    let (messages, received) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("md5-lanes".to_owned())
        .spawn(move || hashing::run(kernel, &received))
        .expect("the system has room for one more thread");
    (Md5Lanes { messages, next_id: Arc::default() }, thread)
}

/// One MD5 stream among those of its thread.
///
/// Dropped before it is finished (or while [`finish`](Md5Stream::finish) waits), its chunks are dropped within a
/// few milliseconds and the stream is forgotten.
#[derive(Debug)]
pub struct Md5Stream {
    messages: Sender<Message>,
    id: StreamId,
    /// Whether the thread has heard of this stream and not yet forgotten it.
    known: bool,
}

impl Md5Stream {
    /// Takes in the next bytes. Never waits: the chunk is queued, and dropped as soon as it is hashed, so that its
    /// buffer goes back to the pool it came from.
    ///
    /// Chunks of some hundred KiB are best; single bytes work, slowly.
    pub fn update(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.send(Message::Chunk(self.id, bytes));
        }
    }

    /// The digest of everything taken in, once it is hashed.
    pub async fn finish(mut self) -> [u8; 16] {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Finish(self.id, answer));
        let digest = answered.await.expect("the hashing thread answers before it forgets a stream");
        self.known = false;
        digest
    }

    fn send(&mut self, message: Message) {
        self.known = true;
        // The thread goes on while a sender lives, so only a panic of its own can have ended it.
        self.messages.send(message).expect("the hashing thread lives as long as its streams");
    }
}

impl Drop for Md5Stream {
    fn drop(&mut self) {
        if self.known {
            // Nobody to tell is as good.
            let _ = self.messages.send(Message::Drop(self.id));
        }
    }
}
