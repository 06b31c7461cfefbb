//! The hashing thread: takes in messages, chooses streams for the lanes, hashes.
//!
//! It works greedily: whatever streams have whole blocks waiting, up to sixteen, are hashed together, as far as
//! the shortest of them goes. With more than sixteen they take turns. When fewer are ready than are sending, it
//! waits a moment for the others, because eight lanes take hardly longer than one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use super::stream::Stream;
use super::{Message, StreamId};
use crate::kernel::{Kernel, LANES_MAX};
use crate::md5;

/// Longest wait for more streams before a run: long enough for a worker to fill another chunk of 1 MiB, short
/// beside the time a lone chunk takes to hash (1.3 ms). With two workers that spend as long on a chunk as a socket
/// and a file do, it saves a fifth of all CPU time from sixteen streams on, and costs nothing below.
const FILL_WAIT: Duration = Duration::from_millis(1);

/// A stream that got no chunk for this long is not waited for: its client is slow, and waiting would only hold up
/// the others.
const SILENCE: Duration = Duration::from_millis(10);

/// Most bytes a lane hashes before messages are looked at again, so that a dropped stream's buffers are back
/// within about 2 ms even if the lanes are alone.
const RUN_MAX: usize = 1 << 20;

/// Bytes a lane hashes between two waits. Without it each of the short runs around a chunk's ends would wait.
const WAIT_EVERY: usize = 256 << 10;

/// Most messages taken in between two runs, so that hashing goes on while chunks pour in.
const MESSAGES_MAX: usize = 1024;

/// Hashes until every sender of messages is gone.
pub(super) fn run(kernel: Kernel, messages: &Receiver<Message>) {
    let mut hashing = Hashing::new(kernel);
    loop {
        for _ in 0..MESSAGES_MAX {
            match messages.try_recv() {
                Ok(message) => hashing.take(message),
                Err(TryRecvError::Empty) => break,
                // A stream holds a sender until it has its answer: nobody waits for one.
                Err(TryRecvError::Disconnected) => return,
            }
        }
        let next = if hashing.ready.is_empty() {
            messages.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            let wait = hashing.wait_for_more();
            if wait.is_zero() { Err(RecvTimeoutError::Timeout) } else { messages.recv_timeout(wait) }
        };
        match next {
            Ok(message) => hashing.take(message),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => hashing.hash(),
        }
    }
}

/// The streams of a thread. Those in `ready`, and no others, have whole blocks waiting.
struct Hashing {
    kernel: Kernel,
    streams: BTreeMap<StreamId, Stream>,
    /// Each once, the one that has waited longest in front.
    ready: VecDeque<StreamId>,
    /// When the wait for more streams began that goes on now.
    waiting_since: Option<Instant>,
    /// Bytes each lane has hashed since the last wait.
    unwaited: usize,
}

impl Hashing {
    fn new(kernel: Kernel) -> Hashing {
        let (streams, ready) = (BTreeMap::new(), VecDeque::new());
        Hashing { kernel, streams, ready, waiting_since: None, unwaited: WAIT_EVERY }
    }

    fn take(&mut self, message: Message) {
        let (id, now) = match message {
            Message::Chunk(id, _) | Message::Finish(id, _) => (id, Instant::now()),
            Message::Drop(id) => {
                self.streams.remove(&id);
                self.ready.retain(|ready| *ready != id);
                return;
            }
        };
        let stream = self.streams.entry(id).or_insert_with(|| Stream::new(now));
        let was_ready = !stream.blocks().is_empty();
        match message {
            Message::Chunk(_, chunk) => stream.push(chunk, now),
            Message::Finish(_, answer) => stream.end(answer),
            Message::Drop(_) => {}
        }
        if !was_ready && !stream.blocks().is_empty() {
            self.ready.push_back(id);
        }
    }

    /// How much longer to wait for more streams; zero when that is of no use: the lanes are full, nobody else is
    /// sending, or a ready stream has ended, so that its client waits for us.
    fn wait_for_more(&mut self) -> Duration {
        let ready = self.ready.len();
        if ready >= LANES_MAX || ready >= self.streams.len() || self.unwaited < WAIT_EVERY {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let sending = |stream: &&Stream| !stream.is_ending() && now - stream.last_chunk_at < SILENCE;
        let ending = |id: &StreamId| self.streams[id].is_ending();
        if ready >= self.streams.values().filter(sending).count() || self.ready.iter().any(ending) {
            return Duration::ZERO;
        }
        FILL_WAIT.saturating_sub(now - *self.waiting_since.get_or_insert(now))
    }

    /// One run: the streams in front, together, as far as the shortest goes.
    fn hash(&mut self) {
        let mut ids = [0; LANES_MAX];
        let mut states = [md5::START; LANES_MAX];
        let mut inputs: [&[u8]; LANES_MAX] = [&[]; LANES_MAX];
        let lanes = self.ready.len().min(LANES_MAX);
        let mut len = RUN_MAX;
        for (lane, id) in self.ready.drain(..lanes).enumerate() {
            let stream = &self.streams[&id];
            (ids[lane], states[lane], inputs[lane]) = (id, stream.state, stream.blocks());
            len = len.min(inputs[lane].len());
        }
        for input in &mut inputs[..lanes] {
            *input = &input[..len];
        }
        if self.waiting_since.take().is_some() {
            self.unwaited = 0;
        }
        self.unwaited = self.unwaited.saturating_add(len);
        self.kernel.compress(&mut states[..lanes], &inputs[..lanes]);
        for (id, state) in ids.into_iter().zip(states).take(lanes) {
            self.advance(id, state, len);
        }
    }

    /// Moves a stream past what has just been hashed: back into the queue, to wait for chunks, or out with its
    /// answer.
    fn advance(&mut self, id: StreamId, state: md5::State, len: usize) {
        let stream =
            self.streams.get_mut(&id).expect("only messages remove streams, and none came meanwhile");
        stream.consume(state, len);
        if !stream.blocks().is_empty() {
            self.ready.push_back(id);
        } else if stream.is_done() {
            let answer = self.streams.remove(&id).and_then(Stream::into_answer);
            if let Some((answer, digest)) = answer {
                // Whoever asked may have gone.
                let _ = answer.send(digest);
            }
        }
    }
}
