//! A part as the body of a request: read, hashed and sent in one pass.
//!
//! A thread that may block reads and hashes a piece while the one before it is on its way to the network. The channel
//! between them holds one piece, so a connection that is slow stops the reading.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest, Hasher};
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

use crate::base::tasks::Tasks;
use crate::client::chunks::{CHUNK_LEN, Chunks};
use crate::client::source::Source;
use crate::client::tally::Meter;
use crate::client::throttle::Throttle;
use crate::wire::aws_chunked::Encoder;
use crate::wire::sigv4::PayloadKind;

/// What the sender and whoever waits for the answer both see.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The digest of all bytes, once they have been read.
    pub digest: OnceLock<Digest>,
    /// Why the bytes could not be read: no fault of the network, and no reason to try again.
    pub failure: OnceLock<io::Error>,
}

/// A body of known length.
pub struct SendBody {
    pieces: mpsc::Receiver<Vec<Bytes>>,
    queue: VecDeque<Bytes>,
    left: u64,
    meter: Arc<Meter>,
}

/// How the bytes are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// As they are.
    Plain,
    /// aws-chunked, with this digest behind them.
    Trailer(Algorithm),
}

/// What a body needs from its surroundings.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub chunks: Chunks,
    pub throttle: Arc<Throttle>,
    pub tasks: Tasks,
    /// Pieces of at most this many bytes, less than a chunk when the rate is limited.
    pub piece_len: usize,
}

/// The length of such a body, for its `Content-Length`.
pub fn framed_len(framing: Framing, len: u64, piece_len: usize) -> u64 {
    match framing {
        Framing::Plain => len,
        Framing::Trailer(algorithm) => {
            Encoder::encoded_len(PayloadKind::UnsignedChunksTrailer, len, piece_len as u64, Some(algorithm))
        }
    }
}

/// Starts reading.
pub fn send_body(
    source: Source,
    framing: Framing,
    around: &Surroundings,
    meter: Arc<Meter>,
) -> (SendBody, Arc<Outcome>) {
    let outcome = Arc::new(Outcome::default());
    let (sender, pieces) = mpsc::channel(1);
    let mut body = SendBody {
        pieces,
        queue: VecDeque::new(),
        left: framed_len(framing, source.len(), around.piece_len),
        meter,
    };
    if let (Some(bytes), Framing::Plain, false) = (source.at_hand(), framing, around.throttle.is_limited()) {
        body.queue.extend((!bytes.is_empty()).then(|| bytes.clone()));
        return (body, outcome);
    }
    let reader = Reader { source, framing, around: around.clone(), outcome: Arc::clone(&outcome) };
    around.tasks.spawn_blocking(move || reader.run(&sender));
    (body, outcome)
}

struct Reader {
    source: Source,
    framing: Framing,
    around: Surroundings,
    outcome: Arc<Outcome>,
}

impl Reader {
    fn run(self, sender: &mpsc::Sender<Vec<Bytes>>) {
        let mut encoder = match self.framing {
            Framing::Plain => None,
            Framing::Trailer(algorithm) => {
                let encoder = Encoder::new(PayloadKind::UnsignedChunksTrailer, None);
                Some((encoder, algorithm, Hasher::new(algorithm)))
            }
        };
        let piece_len = self.around.piece_len.min(CHUNK_LEN);
        let read = self.source.read(&self.around.chunks, piece_len, |bytes| {
            let pause = self.around.throttle.reserve(bytes.len() as u64);
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
            let piece = match &mut encoder {
                None => vec![bytes],
                Some((encoder, _, hasher)) => {
                    hasher.update(&bytes);
                    encoder.chunk(bytes).into()
                }
            };
            // Nobody listens any more: the request ended early.
            sender.blocking_send(piece).is_ok()
        });
        if let Err(error) = read {
            let _ = self.outcome.failure.set(error);
            return;
        }
        if let Some((encoder, algorithm, hasher)) = encoder {
            let digest = hasher.finish();
            let _ = self.outcome.digest.set(digest);
            let _ = sender.blocking_send(vec![encoder.finish(Some((algorithm, &digest)))]);
        }
    }
}

impl http_body::Body for SendBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if let Some(bytes) = self.queue.pop_front() {
                self.left = self.left.saturating_sub(bytes.len() as u64);
                self.meter.add(bytes.len() as u64);
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            match self.pieces.poll_recv(context) {
                Poll::Ready(Some(piece)) => self.queue.extend(piece),
                Poll::Ready(None) if self.left == 0 => return Poll::Ready(None),
                // The reader has left word why.
                Poll::Ready(None) => {
                    return Poll::Ready(Some(Err(io::Error::other("the bytes could not be read"))));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tally::Tally;
    use http_body_util::BodyExt as _;

    fn around(piece_len: usize) -> Surroundings {
        Surroundings {
            chunks: Chunks::default(),
            throttle: Arc::new(Throttle::new(None)),
            tasks: Tasks::new(),
            piece_len,
        }
    }

    async fn collect(source: &Source, framing: Framing, piece_len: usize) -> (Bytes, u64, Arc<Outcome>) {
        let tally = Arc::new(Tally::silent());
        let meter = Arc::new(Meter::new(&tally, source.len()));
        let (body, outcome) = send_body(source.clone(), framing, &around(piece_len), meter);
        let declared = http_body::Body::size_hint(&body).exact().unwrap();
        let bytes = body.collect().await.unwrap().to_bytes();
        assert_eq!(tally.snapshot().moved_len, source.len(), "framing is not counted");
        (bytes, declared, outcome)
    }

    #[tokio::test]
    async fn sends_as_many_bytes_as_it_declared_and_hashes_them() {
        for len in [0usize, 1, 999, 1000, 1001, 300_000] {
            let bytes: Bytes = (0..len).map(|at| at as u8).collect();
            let source = Source::Memory(bytes.clone());
            let (sent, declared, _) = collect(&source, Framing::Plain, 1000).await;
            assert_eq!((sent.clone(), declared), (bytes.clone(), len as u64));
            let framing = Framing::Trailer(Algorithm::Crc64Nvme);
            let (sent, declared, outcome) = collect(&source, framing, 1000).await;
            assert_eq!(sent.len() as u64, declared, "{len}");
            let digest = dovetail_digest::digest(Algorithm::Crc64Nvme, &bytes);
            assert_eq!(outcome.digest.get(), Some(&digest));
        }
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_ends_the_body_with_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("short");
        std::fs::write(&path, [7; 100]).unwrap();
        let file = Arc::new(std::fs::File::open(&path).unwrap());
        let source = Source::File { file, path: path.into(), offset: 50, len: 100 };
        let meter = Arc::new(Meter::new(&Arc::new(Tally::silent()), 100));
        let (body, outcome) = send_body(source, Framing::Plain, &around(10), meter);
        assert!(body.collect().await.is_err());
        assert_eq!(outcome.failure.get().unwrap().kind(), io::ErrorKind::UnexpectedEof);
    }
}
