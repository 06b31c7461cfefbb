//! Aborts uploads that nobody finishes, and forgets completed ones, and renames, when nobody can be waiting for their
//! answer.
//!
//! Every pass reads all open uploads, a page at a time, and so also knows how many there are. An upload is aborted
//! as a client would abort it: its parts are queued for the collector in the commit that drops it (invariant 3).

use crate::engine::uploads;
use crate::engine::{Engine, Error};
use crate::meta::keys::{self, BucketId, UploadId};
use crate::meta::records::{CompletedRecord, ProgressRecord, Record, RenameRecord};
use crate::meta::{Read, Step, Table};
use crate::telemetry::metrics;
use std::time::Duration;

/// Uploads or completed uploads that are read in one snapshot: no snapshot lives long.
const PAGE_LEN: usize = 1000;
/// Uploads aborted, or records forgotten, in one transaction: no transaction keeps others waiting for long.
const CHANGES_PER_COMMIT: usize = 128;

/// What a pass found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploads that stay open, and the bytes of their parts.
    pub open: u64,
    pub open_bytes: u64,
    /// When the oldest of them was created, Unix milliseconds.
    pub oldest_ms: Option<i64>,
    /// Uploads that were aborted, and the bytes of their parts.
    pub aborted: u64,
    pub aborted_bytes: u64,
    /// Completed uploads and renames whose answer was forgotten.
    pub forgotten: u64,
}

/// Sweeps at once and then every `sweep_interval`, until the engine's tasks are told to stop.
pub async fn run(engine: Engine) {
    while !engine.tasks.is_stopping() {
        match run_once(&engine).await {
            Ok(swept) => report(&engine, &swept),
            Err(err) => tracing::warn!(error = %err, "cannot look for expired uploads, trying again later"),
        }
        tokio::select! {
            () = engine.tasks.stopping() => return,
            () = tokio::time::sleep(engine.settings.sweep_interval) => {}
        }
    }
}

/// One pass over everything.
pub async fn run_once(engine: &Engine) -> Result<Swept, Error> {
    let mut swept = Swept::default();
    sweep_open(engine, &mut swept).await?;
    let completed_ms = |value: &[u8]| Some(CompletedRecord::decode(value).ok()?.completed_ms);
    sweep_answers(engine, Table::Completed, completed_ms, &mut swept).await?;
    let renamed_ms = |value: &[u8]| Some(RenameRecord::decode(value).ok()?.renamed_ms);
    sweep_answers(engine, Table::Renames, renamed_ms, &mut swept).await?;
    Ok(swept)
}

fn report(engine: &Engine, swept: &Swept) {
    let age_ms = swept.oldest_ms.map_or(0, |oldest| engine.clock.now_ms() - oldest).max(0);
    metrics::UPLOADS_OPEN.set(swept.open as f64, &[]);
    metrics::UPLOADS_OPEN_BYTES.set(swept.open_bytes as f64, &[]);
    metrics::UPLOADS_OPEN_OLDEST_SECONDS.set(age_ms as f64 / 1000.0, &[]);
    metrics::UPLOADS_SWEPT.add(swept.aborted, &[]);
    metrics::UPLOADS_SWEPT_BYTES.add(swept.aborted_bytes, &[]);
}

/// An open upload, as the table of uploads has it.
#[derive(Clone, Debug)]
struct OpenUpload {
    bucket: BucketId,
    key: String,
    id: UploadId,
    progress: ProgressRecord,
}

async fn sweep_open(engine: &Engine, swept: &mut Swept) -> Result<(), Error> {
    let oldest_kept_ms = since(engine, engine.settings.upload_expire_after);
    let mut from = Vec::new();
    while !engine.tasks.is_stopping() {
        let start = std::mem::take(&mut from);
        let (uploads, next) = engine.meta.read(move |read| open_page(read, &start)).await?;
        let mut expired = Vec::new();
        for upload in uploads {
            if upload.id.time_ms() < oldest_kept_ms {
                expired.push(upload);
                continue;
            }
            let time_ms = upload.id.time_ms();
            swept.open += 1;
            swept.open_bytes += upload.progress.bytes_len;
            swept.oldest_ms = Some(swept.oldest_ms.map_or(time_ms, |oldest| oldest.min(time_ms)));
        }
        for batch in expired.chunks(CHANGES_PER_COMMIT) {
            abort(engine, batch.to_vec(), swept).await?;
        }
        match next {
            Some(next) => from = next,
            None => break,
        }
    }
    Ok(())
}

/// A page of open uploads of all buckets, and where the next one begins.
fn open_page(read: &dyn Read, from: &[u8]) -> Result<(Vec<OpenUpload>, Option<Vec<u8>>), Error> {
    let mut stored_keys = Vec::new();
    read.scan(Table::Uploads, from, &mut |stored, _| {
        stored_keys.push(stored.to_vec());
        if stored_keys.len() < PAGE_LEN { Step::Next } else { Step::Stop }
    })?;
    let next = (stored_keys.len() == PAGE_LEN)
        .then(|| [stored_keys.last().expect("a full page has a last key"), &[0][..]].concat());
    let mut uploads = Vec::with_capacity(stored_keys.len());
    for stored in &stored_keys {
        match parse(stored) {
            Some((bucket, key, id)) => {
                uploads.push(OpenUpload { bucket, key, id, progress: uploads::progress(read, id)? });
            }
            // One damaged key is no reason to let all other uploads live for ever.
            None => tracing::error!(key = ?stored, "the key of an upload cannot be read"),
        }
    }
    Ok((uploads, next))
}

fn parse(stored: &[u8]) -> Option<(BucketId, String, UploadId)> {
    let bucket = BucketId(*stored.first_chunk()?);
    let (key, id) = keys::parse_upload(bucket, stored)?;
    Some((bucket, String::from_utf8(key.to_vec()).ok()?, id))
}

/// Aborts those that are still open.
async fn abort(engine: &Engine, expired: Vec<OpenUpload>, swept: &mut Swept) -> Result<(), Error> {
    let now_ms = engine.clock.now_ms();
    let aborted = engine
        .meta
        .transact(move |tx| {
            let mut aborted = Vec::new();
            for OpenUpload { bucket, key, id, .. } in &expired {
                let dropped = uploads::drop_if_open(tx, *bucket, key, *id, now_ms)?;
                aborted.extend(dropped.map(|progress| (*id, progress)));
            }
            Ok::<_, Error>(aborted)
        })
        .await?;
    for (id, progress) in aborted {
        tracing::info!(
            upload.id = %id,
            parts = progress.parts,
            freed_bytes = progress.bytes_len,
            "aborted an upload that was not finished in time"
        );
        swept.aborted += 1;
        swept.aborted_bytes += progress.bytes_len;
    }
    engine.wake_collector();
    Ok(())
}

/// When the record of an answer was written, Unix milliseconds; `None` if it cannot be read.
type WrittenAt = fn(&[u8]) -> Option<i64>;

/// Forgets the answers in a table that are older than `complete_repeat_window`.
async fn sweep_answers(
    engine: &Engine,
    table: Table,
    written_at: WrittenAt,
    swept: &mut Swept,
) -> Result<(), Error> {
    let oldest_kept_ms = since(engine, engine.settings.complete_repeat_window);
    let mut from = Vec::new();
    while !engine.tasks.is_stopping() {
        let start = std::mem::take(&mut from);
        let page = move |read: &dyn Read| answers_page(read, table, &start, written_at, oldest_kept_ms);
        let (expired, next) = engine.meta.read(page).await?;
        for batch in expired.chunks(CHANGES_PER_COMMIT) {
            swept.forgotten += batch.len() as u64;
            let batch = batch.to_vec();
            engine
                .meta
                .transact(move |tx| {
                    // Nothing ever changes such a record, so there is nothing to look at again.
                    batch.iter().for_each(|stored| tx.delete(table, stored));
                    Ok::<_, Error>(())
                })
                .await?;
        }
        match next {
            Some(next) => from = next,
            None => break,
        }
    }
    Ok(())
}

/// Keys, and where the page after them begins.
type AnswersPage = (Vec<Vec<u8>>, Option<Vec<u8>>);

/// The keys of the old ones of a page of answers.
fn answers_page(
    read: &dyn Read,
    table: Table,
    from: &[u8],
    written_at: WrittenAt,
    oldest_kept_ms: i64,
) -> Result<AnswersPage, Error> {
    let mut expired = Vec::new();
    let mut seen = 0;
    let mut next = None;
    read.scan(table, from, &mut |stored, value| {
        match written_at(value) {
            Some(written_ms) if written_ms < oldest_kept_ms => expired.push(stored.to_vec()),
            Some(_) => {}
            None => tracing::error!(?table, key = ?stored, "a kept answer cannot be read"),
        }
        seen += 1;
        if seen == PAGE_LEN {
            next = Some([stored, &[0]].concat());
        }
        if next.is_some() { Step::Stop } else { Step::Next }
    })?;
    Ok((expired, next))
}

/// The time that was so long ago, Unix milliseconds.
fn since(engine: &Engine, ago: Duration) -> i64 {
    engine.clock.now_ms().saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::uploads::{body, listing};
    use crate::engine::testing::{Fixture, pattern};

    const DAY_MS: i64 = 24 * 60 * 60 * 1000;

    #[tokio::test]
    async fn aborts_what_is_too_old_and_counts_the_rest() {
        let fixture = Fixture::new().await;
        let old = fixture.create(None).await;
        fixture.upload(old, 1, body(pattern(1, 100_000))).await.unwrap();
        fixture.engine.clock.advance(6 * DAY_MS);
        let young = fixture.create(None).await;
        fixture.upload(young, 1, body(pattern(2, 200_000))).await.unwrap();

        let swept = run_once(&fixture.engine).await.unwrap();
        let both = Swept { open: 2, open_bytes: 300_000, oldest_ms: Some(old.time_ms()), ..Swept::default() };
        assert_eq!(swept, both);
        fixture.engine.clock.advance(DAY_MS + 1);
        let swept = run_once(&fixture.engine).await.unwrap();
        let one = Swept {
            open: 1,
            open_bytes: 200_000,
            oldest_ms: Some(young.time_ms()),
            aborted: 1,
            aborted_bytes: 100_000,
            forgotten: 0,
        };
        assert_eq!(swept, one);
        assert!(matches!(fixture.upload(old, 2, body("late")).await, Err(Error::NoSuchUpload)));
        fixture.settle().await;
        assert_eq!(fixture.stored_blobs().await.len(), 1);
    }

    #[tokio::test]
    async fn goes_through_more_uploads_than_a_page_has() {
        let fixture = Fixture::new().await;
        for number in 0..PAGE_LEN + 5 {
            fixture.create_at(&format!("{number:05}"), None).await.unwrap();
        }
        assert_eq!(run_once(&fixture.engine).await.unwrap().open, PAGE_LEN as u64 + 5);
        fixture.engine.clock.advance(8 * DAY_MS);
        let swept = run_once(&fixture.engine).await.unwrap();
        assert_eq!((swept.aborted, swept.open), (PAGE_LEN as u64 + 5, 0));
        fixture.settle().await;
    }

    #[tokio::test]
    async fn forgets_the_answers_of_old_completes_and_not_their_objects() {
        let fixture = Fixture::new().await;
        let id = fixture.create(None).await;
        let md5 = fixture.upload(id, 1, body("bytes")).await.unwrap().md5;
        let request = listing(id, &[(1, md5)]);
        fixture.complete(request.clone()).await.unwrap();
        fixture.engine.clock.advance(2 * DAY_MS);
        assert_eq!(run_once(&fixture.engine).await.unwrap(), Swept::default());
        fixture.complete(request.clone()).await.expect("the window is not over");
        fixture.engine.clock.advance(1);
        assert_eq!(run_once(&fixture.engine).await.unwrap().forgotten, 1);
        assert!(matches!(fixture.complete(request).await, Err(Error::NoSuchUpload)));
        assert_eq!(fixture.get(crate::engine::testing::uploads::KEY).await.unwrap(), b"bytes");
        fixture.settle().await;
    }
}
