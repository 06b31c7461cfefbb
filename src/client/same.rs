//! Whether a local file has the bytes of an object, by whatever the server tells of it: a checksum of the whole or an ETag that is an
//! MD5, checksums of its parts, or the ETag that joined parts have, as most clients leave it.

use std::sync::Arc;

use dovetail_digest::Algorithm;

use crate::base::limits::PART_NUMBER_MAX;
use crate::client::address::Address;
use crate::client::answers::ListedPart;
use crate::client::endpoint::Endpoint;
use crate::client::error::Error;
use crate::client::operations::multipart::composite_etag;
use crate::client::operations::requests::{ObjectHead, is_encrypted};
use crate::client::plan::{Part, Plan};
use crate::client::source::Source;

/// How long the parts are that clients make, in MiB: AWS's SDKs and aws-cli (8), rclone (5), s3cmd (15), MinIO's (16, as ours), s5cmd
/// (50), and what people set instead.
const USUAL_PART_LENS_MIB: [u64; 10] = [8, 16, 5, 15, 50, 10, 32, 64, 100, 128];

/// False also when nothing is told that could be compared. `source` is the whole file.
pub async fn has_bytes_of(
    endpoint: &Arc<Endpoint>,
    address: &Address,
    head: &ObjectHead,
    source: &Source,
    doing: &str,
) -> Result<bool, Error> {
    if source.len() != head.len {
        return Ok(false);
    }
    if let Some((algorithm, expected)) = head.whole_digest() {
        return Ok(endpoint.digest(source, algorithm, doing).await? == expected);
    }
    let Some(count) = part_count(&head.etag) else { return Ok(false) };
    let listed = endpoint.object_parts(address, &head.etag).await?;
    let listed = if lens_fit(&listed, count, head.len) { listed } else { Vec::new() };
    if !listed.is_empty() && listed.iter().all(|part| part.checksum.is_some()) {
        return has_parts(endpoint, &listed, source, doing).await;
    }
    if is_encrypted(&head.headers) {
        return Ok(false);
    }
    let cuts = match listed.is_empty() {
        true => usual_cuts(head.len, count).map(|plan| plan.parts().collect()).collect(),
        false => vec![parts_of(&listed)],
    };
    for cut in cuts {
        if etag_of(endpoint, cut, source, doing).await?.as_ref() == Some(&head.etag) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Of how many parts the object is made whose ETag this is.
fn part_count(etag: &str) -> Option<u64> {
    let count: u64 = etag.rsplit_once('-')?.1.parse().ok()?;
    (1..=u64::from(PART_NUMBER_MAX)).contains(&count).then_some(count)
}

fn lens_fit(listed: &[ListedPart], count: u64, len: u64) -> bool {
    listed.len() as u64 == count && listed.iter().map(|part| part.len).sum::<u64>() == len
}

/// The ways to cut `len` bytes into `count` parts that a client may have taken.
fn usual_cuts(len: u64, count: u64) -> impl Iterator<Item = Plan> {
    let plans = USUAL_PART_LENS_MIB.into_iter().map(move |mib| Plan { len, part_len: mib << 20 });
    plans.filter(move |plan| plan.len.div_ceil(plan.part_len) == count)
}

fn parts_of(listed: &[ListedPart]) -> Vec<Part> {
    let mut offset = 0;
    let part = |listed: &ListedPart| {
        let part = Part { number: listed.number, offset, len: listed.len };
        offset += listed.len;
        part
    };
    listed.iter().map(part).collect()
}

async fn has_parts(
    endpoint: &Endpoint,
    listed: &[ListedPart],
    source: &Source,
    doing: &str,
) -> Result<bool, Error> {
    for (part, listed) in parts_of(listed).into_iter().zip(listed) {
        let Some((algorithm, expected)) = listed.checksum else { return Ok(false) };
        if endpoint.digest(&source.slice(part.offset, part.len), algorithm, doing).await? != expected {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The ETag that the file would have if it was sent in these parts.
async fn etag_of(
    endpoint: &Endpoint,
    cut: Vec<Part>,
    source: &Source,
    doing: &str,
) -> Result<Option<String>, Error> {
    let mut etags = Vec::new();
    for part in cut {
        let digest = endpoint.digest(&source.slice(part.offset, part.len), Algorithm::Md5, doing).await?;
        etags.push(digest.to_hex());
    }
    Ok(composite_etag(etags.iter().map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_of_joined_parts_says_how_many() {
        for (etag, count) in [
            ("5d41402abc4b2a76b9719d911017c592-13", Some(13)),
            ("5d41402abc4b2a76b9719d911017c592", None),
            ("x-0", None),
            ("x-10001", None),
            ("x-", None),
            ("x-y", None),
        ] {
            assert_eq!(part_count(etag), count, "{etag}");
        }
    }

    #[test]
    fn only_cuts_of_so_many_parts_are_tried() {
        let lens = |mib: u64, count| -> Vec<u64> {
            usual_cuts(mib << 20, count).map(|plan| plan.part_len >> 20).collect()
        };
        assert_eq!(lens(200, 25), [8]);
        assert_eq!(lens(200, 13), [16]);
        assert_eq!(lens(200, 14), [15]);
        assert_eq!(lens(200, 2), [100, 128]);
        assert_eq!(lens(200, 3), [] as [u64; 0]);
    }
}
