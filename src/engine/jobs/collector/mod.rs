//! Takes apart what nothing refers to any more.
//!
//! Commits queue what they drop (invariant 3); this job goes through the queue, oldest first. A content gives up its
//! parts in transactions of bounded size, which queue the blobs that nothing names any more; a blob is deleted from
//! the backend before its entry goes, so that a crash repeats a deletion rather than forgetting it; a deleted
//! bucket's uploads are aborted. A content that somebody reads stays until they are done (invariant 4).

mod contents;
#[cfg(test)]
mod tests;

use crate::base::fail_point;
use crate::blob::BlobId;
use crate::engine::{Engine, Error, uploads};
use crate::meta::keys::{self, BucketId, Owned};
use crate::meta::{ErrorKind, Step, Table, Write};
use crate::telemetry::metrics;
use contents::{collect_content, collect_unlisted};
use futures::stream::{self, StreamExt};
use std::ops::AddAssign;
use std::time::Duration;

/// Queue entries that are looked at together.
const ENTRIES_PER_PAGE: usize = 256;
/// Uploads of a deleted bucket that are aborted in one transaction.
const UPLOADS_PER_COMMIT: usize = 64;
/// Contents or blobs that are worked on at once: enough to share commits and to hide a remote backend's latency.
const AT_ONCE: usize = 8;

/// Between two passes when nobody calls.
const IDLE_PAUSE: Duration = Duration::from_secs(5);
/// Between two passes at least, so that a burst of deletes is collected in few passes.
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// After a pass in which something failed; doubled each time, up to the last.
const FAILURE_PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
/// How much older than the last pass an entry may be that it has not seen: commits take time, clocks are set back.
const LATE_MS: i64 = 60_000;
/// Passes between two that look at the queue from its very beginning. The others begin where the last one left
/// something, because the deleted entries of a long queue cost time to pass over until the store is compacted.
const PASSES_PER_FULL_PASS: u32 = 100;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    pub contents: u64,
    pub blobs: u64,
    pub buckets: u64,
    /// Entries that stay because they are being read.
    pub in_use: u64,
    /// Entries that stay because something failed.
    pub failed: u64,
}

impl Collected {
    fn has_done_something(&self) -> bool {
        self.contents + self.blobs + self.buckets > 0
    }
}

impl AddAssign for Collected {
    fn add_assign(&mut self, other: Collected) {
        self.contents += other.contents;
        self.blobs += other.blobs;
        self.buckets += other.buckets;
        self.in_use += other.in_use;
        self.failed += other.failed;
    }
}

/// Collects until the engine's tasks are told to stop.
pub async fn run(engine: Engine) {
    let mut from = Vec::new();
    let mut failures = 0;
    let mut passes: u32 = 0;
    while !engine.tasks.is_stopping() {
        if passes.is_multiple_of(PASSES_PER_FULL_PASS) {
            from.clear();
        }
        passes = passes.wrapping_add(1);
        let started_ms = engine.clock.now_ms();
        let failed = match pass(&engine, &from).await {
            Ok(outcome) => {
                let recent = keys::garbage_start(started_ms - LATE_MS);
                from = outcome.oldest_left.map_or(recent.clone(), |left| left.min(recent));
                outcome.collected.failed > 0
            }
            Err(err) => {
                tracing::warn!(error = %err, "cannot collect what was deleted, trying again");
                true
            }
        };
        failures = if failed { failures + 1 } else { 0 };
        if !pause(&engine, failures).await {
            return;
        }
    }
}

/// Waits for work or for time; false when the engine is stopping.
async fn pause(engine: &Engine, failures: u32) -> bool {
    let work = async {
        if failures > 0 {
            let [first, last] = FAILURE_PAUSES;
            tokio::time::sleep((first * 2_u32.pow(failures.min(10) - 1)).min(last)).await;
        } else {
            tokio::time::sleep(BUSY_PAUSE).await;
            let _ = tokio::time::timeout(IDLE_PAUSE, engine.collector.notified()).await;
        }
    };
    tokio::select! {
        () = engine.tasks.stopping() => false,
        () = work => true,
    }
}

/// Collects until nothing is left that can go.
pub async fn run_once(engine: &Engine) -> Result<Collected, Error> {
    let mut all = Collected::default();
    loop {
        let collected = pass(engine, &[]).await?.collected;
        // What stays is counted as of the last pass.
        all = Collected { in_use: 0, failed: 0, ..all };
        all += collected;
        if !collected.has_done_something() || engine.tasks.is_stopping() {
            return Ok(all);
        }
    }
}

#[derive(Default)]
struct Pass {
    collected: Collected,
    oldest_left: Option<Vec<u8>>,
    first_failure: Option<Error>,
}

impl Pass {
    fn add(&mut self, outcome: Outcome) {
        let key = match outcome {
            Outcome::Done(collected) => return self.collected += collected,
            Outcome::InUse(key) => {
                self.collected.in_use += 1;
                key
            }
            Outcome::Failed(key, err) => {
                self.collected.failed += 1;
                self.first_failure.get_or_insert(err);
                key
            }
        };
        self.oldest_left = Some(self.oldest_left.take().map_or(key.clone(), |left| left.min(key)));
    }
}

/// Goes through the queue once, from this key on. What fails stays and does not keep the rest.
async fn pass(engine: &Engine, from: &[u8]) -> Result<Pass, Error> {
    let mut pass = Pass::default();
    let mut from = from.to_vec();
    while !engine.tasks.is_stopping() {
        let entries = page(engine, from).await?;
        let Some(last) = entries.last() else { break };
        from = [&last.key[..], &[0]].concat();
        collect(engine, entries).await?.into_iter().for_each(|outcome| pass.add(outcome));
    }
    metrics::GARBAGE_QUEUED.set((pass.collected.in_use + pass.collected.failed) as f64, &[]);
    if let Some(err) = &pass.first_failure {
        let failed = pass.collected.failed;
        tracing::warn!(failed, error = %err, "some of what was deleted cannot be collected, trying again");
    }
    Ok(pass)
}

/// An entry of the queue.
struct Entry {
    key: Vec<u8>,
    owned: Owned,
}

/// What became of an entry. What stays is named by its key.
enum Outcome {
    Done(Collected),
    InUse(Vec<u8>),
    Failed(Vec<u8>, Error),
}

async fn page(engine: &Engine, from: Vec<u8>) -> Result<Vec<Entry>, Error> {
    engine
        .meta
        .read(move |read| {
            let mut entries = Vec::new();
            read.scan(Table::Garbage, &from, &mut |stored, _| {
                match keys::parse_garbage(stored) {
                    Some((_, owned)) => entries.push(Entry { key: stored.to_vec(), owned }),
                    None => {
                        tracing::error!(key = ?stored, "an entry of the collector's queue cannot be read")
                    }
                }
                if entries.len() < ENTRIES_PER_PAGE { Step::Next } else { Step::Stop }
            })?;
            Ok(entries)
        })
        .await
}

async fn collect(engine: &Engine, entries: Vec<Entry>) -> Result<Vec<Outcome>, Error> {
    let mut blobs = Vec::new();
    let mut others = Vec::new();
    for Entry { key, owned } in entries {
        match owned {
            Owned::Blob(id) => blobs.push((key, id)),
            Owned::Content(_) | Owned::Bucket(_) | Owned::Unlisted(_) => others.push((key, owned)),
        }
    }
    let mut outcomes: Vec<Outcome> = stream::iter(others)
        .map(|(key, owned)| async move {
            match owned {
                Owned::Content(id) => match engine.readers.claim(id) {
                    Some(claim) => settle(collect_content(engine, &key, claim).await, key),
                    None => Outcome::InUse(key),
                },
                Owned::Bucket(id) => settle(collect_bucket(engine, &key, id).await, key),
                Owned::Unlisted(id) => settle(collect_unlisted(engine, &key, id).await, key),
                Owned::Blob(_) => unreachable!("blobs were put aside"),
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    outcomes.extend(collect_blobs(engine, blobs).await?);
    Ok(outcomes)
}

fn settle(result: Result<Collected, Error>, key: Vec<u8>) -> Outcome {
    match result {
        Ok(collected) => Outcome::Done(collected),
        Err(err) => Outcome::Failed(key, err),
    }
}

/// Aborts the uploads that were open when a bucket was deleted. Nothing can open another one.
async fn collect_bucket(engine: &Engine, key: &[u8], id: BucketId) -> Result<Collected, Error> {
    loop {
        let (key, now_ms) = (key.to_vec(), engine.clock.now_ms());
        let is_empty = engine
            .meta
            .transact(move |tx| {
                let is_empty = drop_uploads(tx, id, now_ms)?;
                if is_empty {
                    tx.delete(Table::Garbage, &key);
                }
                Ok::<_, Error>(is_empty)
            })
            .await?;
        if is_empty {
            return Ok(Collected { buckets: 1, ..Collected::default() });
        }
    }
}

/// Aborts the first uploads of a bucket; true when none are left.
fn drop_uploads(tx: &mut dyn Write, bucket: BucketId, now_ms: i64) -> Result<bool, Error> {
    let mut found = Vec::new();
    let mut is_empty = true;
    tx.scan(Table::Uploads, &keys::bucket_start(bucket), &mut |stored, _| {
        let Some((key, id)) = keys::parse_upload(bucket, stored) else { return Step::Stop };
        if found.len() == UPLOADS_PER_COMMIT {
            is_empty = false;
            return Step::Stop;
        }
        found.push((key.to_vec(), id));
        Step::Next
    })?;
    for (key, id) in found {
        let key = String::from_utf8(key).map_err(|err| {
            crate::meta::Error::with_source(
                ErrorKind::Corrupt,
                format!("cannot read the key of upload {id}"),
                err,
            )
        })?;
        uploads::drop_upload(tx, bucket, &key, id, now_ms);
    }
    Ok(is_empty)
}

/// Deletes blobs, then their entries, in this order: what is deleted twice was deleted.
async fn collect_blobs(engine: &Engine, blobs: Vec<(Vec<u8>, BlobId)>) -> Result<Vec<Outcome>, Error> {
    if blobs.is_empty() {
        return Ok(Vec::new());
    }
    fail_point::reach("engine::collector::before_blob_delete");
    let results: Vec<_> = stream::iter(blobs)
        .map(|(key, id)| async move { (key, engine.blobs.delete(id).await) })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    fail_point::reach("engine::collector::after_blob_delete");
    let mut outcomes = Vec::new();
    let mut deleted = Vec::new();
    for (key, result) in results {
        match result {
            Ok(()) => deleted.push(key),
            Err(err) => outcomes.push(Outcome::Failed(key, err.into())),
        }
    }
    let blobs = deleted.len() as u64;
    engine
        .meta
        .transact(move |tx| {
            deleted.iter().for_each(|key| tx.delete(Table::Garbage, key));
            Ok::<_, Error>(())
        })
        .await?;
    metrics::BLOBS_DELETED.add(blobs, &[]);
    outcomes.push(Outcome::Done(Collected { blobs, ..Collected::default() }));
    Ok(outcomes)
}
