//! Printing an object into a pipe: ranges, in order, while the next ones are already on their way.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use dovetail_digest::{Algorithm, Hasher};
use futures::StreamExt as _;
use tokio_util::task::AbortOnDropHandle;

use crate::client::address::Address;
use crate::client::download::fetch::{Range, fetch};
use crate::client::download::sink::{Gathered, Sink, lock};
use crate::client::download::{GetOptions, done};
use crate::client::endpoint::Endpoint;
use crate::client::error::Error;
use crate::client::operations::requests::ObjectHead;
use crate::client::plan::{Part, Plan};
use crate::client::upload::Done;
use crate::wire::limits::Limits;

/// Ranges that are held in memory are smaller, so that several fit.
const PIPE_RANGE_LEN: u64 = 8 << 20;

/// Prints an object, and fails after its last byte if these were not the right ones. `memory_len` bounds what is held.
pub async fn get_pipe<W: io::Write + Send + 'static>(
    endpoint: &Arc<Endpoint>,
    address: &Address,
    mut output: W,
    options: &GetOptions,
    memory_len: u64,
) -> Result<Done, Error> {
    let head = endpoint.look_at(address).await?;
    endpoint.tally.add_len(head.len);
    let part_len = options.part_len.unwrap_or(PIPE_RANGE_LEN);
    let plan = Plan::new(head.len, Some(part_len), &Limits::default())?;
    endpoint.bound_by_rate(plan.part_len);
    let ahead = (memory_len / plan.part_len).clamp(1, endpoint.workers.limit_max() as u64) as usize;
    let expected = head.whole_digest();
    let algorithm = expected.map_or(Algorithm::Crc64Nvme, |(algorithm, _)| algorithm);
    let ranges = plan.parts().filter(|part| part.len > 0).map(|part| start(endpoint, address, &head, part));
    let mut arrived = futures::stream::iter(ranges).buffered(ahead);
    let mut hasher = Hasher::new(algorithm);
    while let Some(pieces) = arrived.next().await {
        let pieces = pieces.map_err(|error| Error::file("read a range", io::Error::other(error)))??;
        let written = endpoint.around.tasks.spawn_blocking(move || {
            for piece in &pieces {
                hasher.update(piece);
                output.write_all(piece)?;
            }
            Ok::<_, io::Error>((output, hasher))
        });
        let written = written.await.map_err(io::Error::other).flatten();
        (output, hasher) = written.map_err(unwritten)?;
    }
    output.flush().map_err(unwritten)?;
    let digest = hasher.finish();
    if expected.is_some_and(|(_, expected)| expected != digest) {
        let reason = "what was printed has not the object's checksum".into();
        return Err(Error::Corrupt { doing: format!("download {address}"), reason });
    }
    Ok(done(&head, Some((algorithm, digest)), expected.is_some()))
}

/// Whatever the reason is, nothing goes on from here: what was printed is printed.
fn unwritten(error: io::Error) -> Error {
    Error::Incomplete(format!("cannot write to the pipe: {error}"))
}

/// Starts fetching one range into memory.
fn start(
    endpoint: &Arc<Endpoint>,
    address: &Address,
    head: &ObjectHead,
    part: Part,
) -> AbortOnDropHandle<Result<Vec<Bytes>, Error>> {
    let range = Range {
        address: address.clone(),
        etag: head.etag.clone(),
        whole_len: head.len,
        part,
        algorithm: Algorithm::Crc64Nvme,
        expected: None,
    };
    let own = Arc::clone(endpoint);
    AbortOnDropHandle::new(endpoint.around.tasks.spawn(async move {
        let _permit = own.workers.permit().await;
        let gathered = Gathered::default();
        fetch(&own, &range, &Sink::Memory(Arc::clone(&gathered))).await?;
        own.workers.succeeded(part.len);
        let pieces = std::mem::take(&mut *lock(&gathered));
        Ok(pieces)
    }))
}
