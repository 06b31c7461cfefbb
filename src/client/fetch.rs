//! Fetching one range of an object, until it has arrived as it should be.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest, Hasher};
use http::Method;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::client::address::Address;
use crate::client::answers::ListedPart;
use crate::client::call::Call;
use crate::client::connection::{IDLE_TIMEOUT, connection_error, watched};
use crate::client::endpoint::Endpoint;
use crate::client::error::Error;
use crate::client::part_file::PartFile;
use crate::client::plan::{Part, Plan};
use crate::client::requests::{ObjectHead, object_head};
use crate::client::source::Source;
use crate::client::tally::Meter;
use crate::wire::etag;

/// Bytes that are handed to the writer at a time: more than a piece, because waking a thread costs, and little enough to be still
/// in the processor's cache when they are written.
const WRITE_LEN: usize = 256 << 10;
/// What waits between the network and the writer, for each range, in units of [`WRITE_LEN`].
const QUEUED_WRITES: usize = 1;
/// What a range on its way into a file holds at most: one write being filled, one waiting, one being done, each a piece longer.
pub const RANGE_MEMORY_LEN: u64 = 6 * WRITE_LEN as u64;
/// Ranges are cut like the object's parts when these have such a length: not too many, and not too much to lose.
const RANGE_LEN_MIN: u64 = 4 << 20;
const RANGE_LEN_MAX: u64 = 64 << 20;

/// What the parts of an object say about ranges that are cut like them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checks {
    pub part_len: u64,
    pub algorithm: Algorithm,
    /// By part.
    pub digests: Vec<Digest>,
}

/// A range of one version, and where it goes.
#[derive(Clone, Debug)]
pub struct Range {
    pub address: Address,
    pub etag: String,
    /// The object's length.
    pub whole_len: u64,
    pub part: Part,
    pub algorithm: Algorithm,
    /// What the range's digest has to be, where that is known.
    pub expected: Option<Digest>,
}

impl Checks {
    /// `None` unless every part has the same length but the last, which a range may have, and a CRC.
    pub fn of(parts: &[ListedPart], len: u64) -> Option<Checks> {
        let part_len = parts.first()?.len;
        let (algorithm, _) = parts.first()?.checksum?;
        if !(RANGE_LEN_MIN..=RANGE_LEN_MAX).contains(&part_len) || !algorithm.is_crc() {
            return None;
        }
        let plan = Plan { len, part_len };
        if parts.len() as u64 != len.div_ceil(part_len) {
            return None;
        }
        let digests = parts.iter().zip(plan.parts()).map(|(listed, part)| {
            let checksum = listed.checksum.filter(|(other, _)| *other == algorithm);
            checksum.filter(|_| listed.len == part.len).map(|(_, digest)| digest)
        });
        Some(Checks { part_len, algorithm, digests: digests.collect::<Option<_>>()? })
    }
}

/// Where a range goes.
#[derive(Clone)]
pub enum Sink {
    File(Arc<PartFile>),
    Memory(Gathered),
}

/// Pieces in order, for what is too small for a file of its own or goes into a pipe.
pub type Gathered = Arc<Mutex<Vec<Bytes>>>;

/// Fetches a range until it has arrived whole, and hashes it on the way.
pub async fn fetch(
    endpoint: &Arc<Endpoint>,
    range: &Range,
    sink: &Sink,
) -> Result<(Digest, ObjectHead), Error> {
    let mut attempts = endpoint.attempts();
    loop {
        match fetch_once(endpoint, range, sink).await {
            Ok(fetched) => {
                endpoint.retry.succeeded();
                return Ok(fetched);
            }
            Err(error) => attempts.pause(error).await?,
        }
    }
}

async fn fetch_once(
    endpoint: &Arc<Endpoint>,
    range: &Range,
    sink: &Sink,
) -> Result<(Digest, ObjectHead), Error> {
    let part = range.part;
    let is_whole = part.len == range.whole_len;
    let doing = format!("download {} from byte {}", range.address, part.offset);
    let mut call = Call::new(&doing, Method::GET, &range.address.bucket, &range.address.key)
        .header("if-match", etag::quote(&range.etag))
        .header("x-amz-checksum-mode", "ENABLED");
    if !is_whole {
        call = call.header("range", format!("bytes={}-{}", part.offset, part.offset + part.len - 1));
    }
    let meter = Arc::new(Meter::new(&endpoint.tally, part.len));
    let mut response = endpoint.open(&call, &meter).await?;
    check_answer(&doing, range, is_whole, &response)?;
    let head = object_head(&doing, response.headers())?;
    let mut intake = Intake::start(endpoint, sink, part.offset);
    let mut hasher = Hasher::new(range.algorithm);
    let mut left = part.len;
    while left > 0 {
        let piece = watched(&doing, IDLE_TIMEOUT, &meter, response.chunk()).await?;
        let Some(piece) = piece.map_err(|error| connection_error(&doing, &error))? else {
            let reason = format!("the connection was closed {left} bytes before the end");
            return Err(Error::Connection { doing, reason });
        };
        let len = piece.len() as u64;
        left = left.checked_sub(len).ok_or_else(|| Error::malformed(&doing, "it is too long"))?;
        meter.add(len);
        hasher.update(&piece);
        let pause = endpoint.around.throttle.reserve(len);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        if !intake.take(piece).await {
            // The writer has failed, and says why below.
            break;
        }
    }
    let written = intake.finish().await;
    written.map_err(|error| Error::file(format!("write what {} holds", range.address), error))?;
    let digest = hasher.finish();
    if range.expected.is_some_and(|expected| expected != digest) {
        return Err(Error::Corrupt { doing, reason: "what arrived has not the part's checksum".into() });
    }
    meter.finish();
    Ok((digest, head))
}

/// The right bytes of the right version, or nothing.
fn check_answer(
    doing: &str,
    range: &Range,
    is_whole: bool,
    response: &reqwest::Response,
) -> Result<(), Error> {
    let header =
        |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let part = range.part;
    if etag::unquote(header("etag")) != range.etag {
        return Err(Error::malformed(doing, "it is another version of the object"));
    }
    if !is_whole {
        let expected =
            crate::wire::range::content_range(part.offset, part.offset + part.len - 1, range.whole_len);
        if response.status() != 206 || header("content-range") != expected {
            return Err(Error::malformed(doing, "it is another range than the one asked for"));
        }
    }
    if response.content_length().is_some_and(|len| len != part.len) {
        return Err(Error::malformed(doing, "it has another length than the range asked for"));
    }
    Ok(())
}

/// Takes in what arrives. A thread that may block writes a piece while the next one is filled.
enum Intake {
    File {
        filling: Vec<Bytes>,
        filling_len: usize,
        full: mpsc::Sender<Vec<Bytes>>,
        writer: JoinHandle<io::Result<()>>,
    },
    Memory(Gathered),
}

impl Intake {
    fn start(endpoint: &Endpoint, sink: &Sink, offset: u64) -> Intake {
        match sink {
            Sink::File(file) => {
                let (full, mut writes) = mpsc::channel::<Vec<Bytes>>(QUEUED_WRITES);
                let (file, mut at) = (Arc::clone(file), offset);
                let writer = endpoint.around.tasks.spawn_blocking(move || {
                    while let Some(pieces) = writes.blocking_recv() {
                        for piece in pieces {
                            file.write_all_at(&piece, at)?;
                            at += piece.len() as u64;
                        }
                    }
                    Ok(())
                });
                Intake::File { filling: Vec::new(), filling_len: 0, full, writer }
            }
            Sink::Memory(gathered) => {
                // What an attempt before this one has left.
                lock(gathered).clear();
                Intake::Memory(Arc::clone(gathered))
            }
        }
    }

    /// False once nothing more can be written.
    async fn take(&mut self, piece: Bytes) -> bool {
        match self {
            Intake::Memory(gathered) => lock(gathered).push(piece),
            Intake::File { filling, filling_len, full, .. } => {
                *filling_len += piece.len();
                filling.push(piece);
                if *filling_len >= WRITE_LEN {
                    *filling_len = 0;
                    return full.send(std::mem::take(filling)).await.is_ok();
                }
            }
        }
        true
    }

    /// Waits until all of it is written.
    async fn finish(self) -> io::Result<()> {
        match self {
            Intake::Memory(_) => Ok(()),
            Intake::File { filling, full, writer, .. } => {
                // A writer that has failed says so below.
                let _ = full.send(filling).await;
                drop(full);
                writer.await.map_err(io::Error::other).flatten()
            }
        }
    }
}

pub fn lock(gathered: &Gathered) -> MutexGuard<'_, Vec<Bytes>> {
    gathered.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the part file still holds what the journal remembers.
pub async fn is_intact(
    endpoint: &Endpoint,
    file: &PartFile,
    range: &Range,
    expected: Digest,
) -> Result<bool, Error> {
    let Part { offset, len, .. } = range.part;
    let source = Source::File { file: Arc::clone(file.file()), path: file.path().into(), offset, len };
    let doing = format!("read {}", file.path().display());
    Ok(endpoint.digest(&source, range.algorithm, &doing).await? == expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(lens: &[u64]) -> Vec<ListedPart> {
        let part = |(index, len): (usize, &u64)| ListedPart {
            number: index as u16 + 1,
            len: *len,
            etag: String::new(),
            checksum: Some((Algorithm::Crc64Nvme, Digest::new(&[index as u8; 8]))),
            modified_s: 0,
        };
        lens.iter().enumerate().map(part).collect()
    }

    #[test]
    fn ranges_are_checked_by_parts_of_one_length() {
        let mib = 1 << 20;
        let even = Checks::of(&parts(&[8 * mib, 8 * mib, mib]), 17 * mib).unwrap();
        assert_eq!((even.part_len, even.digests.len()), (8 * mib, 3));
        for (lens, len) in [
            (&[8 * mib, 6 * mib, 3 * mib][..], 17 * mib),
            (&[8 * mib, 8 * mib][..], 17 * mib),
            (&[8 * mib, 8 * mib, mib, mib][..], 18 * mib),
            (&[mib, mib][..], 2 * mib),
            (&[100 * mib, mib][..], 101 * mib),
            (&[][..], 0),
        ] {
            assert_eq!(Checks::of(&parts(lens), len), None, "{lens:?}");
        }
        let mut mixed = parts(&[8 * mib, 8 * mib]);
        mixed[1].checksum = Some((Algorithm::Crc32, Digest::new(&[0; 4])));
        assert_eq!(Checks::of(&mixed, 16 * mib), None);
        mixed[1].checksum = None;
        assert_eq!(Checks::of(&mixed, 16 * mib), None);
    }
}
