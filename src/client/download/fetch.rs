//! Fetching one range of an object, until it has arrived as it should be.

use std::sync::Arc;

use dovetail_digest::{Algorithm, Digest, Hasher};
use http::Method;

use crate::client::address::Address;
use crate::client::answers::ListedPart;
use crate::client::download::part_file::PartFile;
use crate::client::download::sink::{Intake, Sink};
use crate::client::endpoint::Endpoint;
use crate::client::endpoint::call::Call;
use crate::client::endpoint::connection::{IDLE_TIMEOUT, connection_error, watched};
use crate::client::error::Error;
use crate::client::operations::requests::{ObjectHead, object_of_len};
use crate::client::plan::{Part, Plan};
use crate::client::source::Source;
use crate::client::tally::Meter;
use crate::wire::etag;

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
    let mut call = Call::about(&doing, Method::GET, &range.address)
        .header("if-match", etag::quote(&range.etag))
        .header("x-amz-checksum-mode", "ENABLED");
    if !is_whole {
        call = call.header("range", format!("bytes={}-{}", part.offset, part.offset + part.len - 1));
    }
    let meter = Arc::new(Meter::new(&endpoint.tally, part.len));
    let response = endpoint.open(&call, &meter).await?;
    check_answer(&doing, range, is_whole, &response)?;
    // A proxy may leave the length out, and send what comes in pieces; the bytes are counted all the same.
    let head = object_of_len(&doing, response.headers(), range.whole_len)?;
    let around = &endpoint.around;
    let mut intake = Intake::start(sink, part.offset, &endpoint.write_chunks, &around.tasks);
    let received = receive(endpoint, range, &doing, response, &meter, &mut intake).await;
    // Also after a failure: what this attempt writes must not come after what the next one does.
    let written = intake.finish().await.map_err(|error| write_error(range, error));
    let digest = received?;
    written?;
    if range.expected.is_some_and(|expected| expected != digest) {
        return Err(Error::Corrupt { doing, reason: "what arrived has not the part's checksum".into() });
    }
    meter.finish();
    Ok((digest, head))
}

/// Hashes what arrives and hands it on, until it is as much as was asked for.
async fn receive(
    endpoint: &Endpoint,
    range: &Range,
    doing: &str,
    mut response: reqwest::Response,
    meter: &Meter,
    intake: &mut Intake,
) -> Result<Digest, Error> {
    let mut hasher = Hasher::new(range.algorithm);
    let mut left = range.part.len;
    while left > 0 {
        let piece = watched(doing, IDLE_TIMEOUT, meter, response.chunk()).await?;
        let Some(piece) = piece.map_err(|error| connection_error(doing, &error))? else {
            let reason = format!("the connection was closed {left} bytes before the end");
            return Err(Error::Connection { doing: doing.to_owned(), reason });
        };
        let len = piece.len() as u64;
        left = left.checked_sub(len).ok_or_else(|| Error::malformed(doing, "it is too long"))?;
        meter.add(len);
        hasher.update(&piece);
        let pause = endpoint.around.throttle.reserve(len);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        intake.take(piece).await.map_err(|error| write_error(range, error))?;
    }
    // Where a length was told, it was the right one.
    if response.content_length().is_none() {
        let more = watched(doing, IDLE_TIMEOUT, meter, response.chunk()).await?;
        if more.map_err(|error| connection_error(doing, &error))?.is_some() {
            return Err(Error::malformed(doing, "it is too long"));
        }
    }
    Ok(hasher.finish())
}

fn write_error(range: &Range, error: std::io::Error) -> Error {
    Error::file(format!("write what {} holds", range.address), error)
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
