//! Carries out lifecycle rules: expires objects and old versions, moves them to other storage classes, and aborts
//! uploads.
//!
//! A sweep goes through the buckets that have rules, and in each through what its rules are about, a page at a time
//! ([`pages`]). A page only proposes. Each change is made in an ordinary transaction that reads the rules and the
//! version again ([`changes`]), so that what was overwritten, tagged or locked meanwhile is not touched. What it removes
//! is removed as a client would remove it, which respects object lock and versioning (invariant 3).
//!
//! Sweeps begin at midnight UTC, or at whatever multiple of `lifecycle_interval` since then. How far one is, is written
//! down with its changes, so that a restart goes on with it. One that was missed is made up for at the start. Between
//! two pages the job rests for some times as long as the page took: it is in nobody's way, and there is no hurry.

mod changes;
mod pages;
#[cfg(test)]
mod tests;

use crate::base::fail_point;
use crate::engine::lifecycle::Day;
use crate::engine::{Engine, Error, bucket_documents};
use crate::meta::keys;
use crate::meta::records::{
    BucketRecord, LifecyclePosition, LifecycleProgressRecord, LifecycleRecord, LifecycleTable, Record,
};
use crate::meta::{Read, Step, Table, Write};
use crate::telemetry::metrics;
use pages::{Cursor, Page, Proposal};
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Buckets that are looked at in one snapshot.
const BUCKETS_PER_PAGE: usize = 256;
/// Changes in one transaction, so that no transaction keeps others waiting for long.
const CHANGES_PER_COMMIT: usize = 64;
/// Pages without a change after which the position is written down all the same: what is looked at again after a
/// restart, at most.
const PAGES_PER_SAVE: u32 = 1024;
/// The rest between two pages, in times of what a page took. So a sweep has a fifth of one core at most.
const REST: u32 = 4;
/// The longest wait between two looks at the clock, which may be set, or stand still while a machine sleeps.
const WAIT_MAX: Duration = Duration::from_secs(60 * 60);
/// After a sweep that failed.
const FAILURE_PAUSE: Duration = Duration::from_secs(60);

/// What a sweep has found and done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Buckets with rules.
    pub buckets: u64,
    /// Objects, versions and uploads that were looked at.
    pub seen: u64,
    /// Current objects that are gone, or covered by a delete marker.
    pub expired_objects: u64,
    /// Old versions that were removed.
    pub expired_versions: u64,
    /// Delete markers that were removed because they covered nothing.
    pub expired_markers: u64,
    /// Objects and versions that have another storage class now.
    pub transitions: u64,
    pub aborted_uploads: u64,
    /// Of objects and versions that were removed for good, and of the parts of uploads.
    pub freed_bytes: u64,
    /// What was due and is locked, and so stays.
    pub locked: u64,
    /// Buckets that were given up because a record cannot be read.
    pub failed_buckets: u64,
}

impl AddAssign for Swept {
    fn add_assign(&mut self, other: Swept) {
        self.buckets += other.buckets;
        self.seen += other.seen;
        self.expired_objects += other.expired_objects;
        self.expired_versions += other.expired_versions;
        self.expired_markers += other.expired_markers;
        self.transitions += other.transitions;
        self.aborted_uploads += other.aborted_uploads;
        self.freed_bytes += other.freed_bytes;
        self.locked += other.locked;
        self.failed_buckets += other.failed_buckets;
    }
}

impl Swept {
    fn changes(&self) -> u64 {
        self.expired_objects
            + self.expired_versions
            + self.expired_markers
            + self.transitions
            + self.aborted_uploads
    }
}

/// Sweeps whenever it is time, until the engine's tasks are told to stop.
pub async fn run(engine: Engine) {
    // A gateway without rules writes nothing down, so this alone knows of its last sweep.
    let mut last_ms = None;
    while !engine.tasks.is_stopping() {
        let wait = match run_if_due(&engine, &mut last_ms).await {
            Ok(()) => until_next(&engine),
            Err(err) => {
                tracing::warn!(error = %err, "cannot carry out lifecycle rules, trying again later");
                FAILURE_PAUSE
            }
        };
        tokio::select! {
            () = engine.tasks.stopping() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn interval_ms(engine: &Engine) -> i64 {
    i64::try_from(engine.settings.lifecycle_interval.as_millis()).unwrap_or(i64::MAX).max(1)
}

/// The last instant at which a sweep was to begin.
fn due_ms(engine: &Engine) -> i64 {
    let now_ms = engine.clock.now_ms();
    now_ms - now_ms.rem_euclid(interval_ms(engine))
}

fn until_next(engine: &Engine) -> Duration {
    let left_ms = due_ms(engine).saturating_add(interval_ms(engine)) - engine.clock.now_ms();
    Duration::from_millis(u64::try_from(left_ms).unwrap_or(0).max(1)).min(WAIT_MAX)
}

async fn run_if_due(engine: &Engine, last_ms: &mut Option<i64>) -> Result<(), Error> {
    let progress = progress(engine).await?;
    let started_ms = progress.started_ms.max(last_ms.unwrap_or(i64::MIN));
    if progress.position.is_none() && started_ms >= due_ms(engine) {
        return Ok(());
    }
    let begun_ms = engine.clock.now_ms();
    run_once(engine).await?;
    *last_ms = Some(begun_ms);
    Ok(())
}

/// One whole sweep, or the rest of one that was not finished.
pub async fn run_once(engine: &Engine) -> Result<Swept, Error> {
    let begun = Instant::now();
    let mut sweep = Sweep::begin(engine, progress(engine).await?);
    sweep.over_buckets().await?;
    let swept = sweep.swept;
    metrics::LIFECYCLE_SWEEP_SECONDS.set(begun.elapsed().as_secs_f64(), &[]);
    let elapsed_ms = begun.elapsed().as_millis() as u64;
    if swept.changes() + swept.locked > 0 {
        tracing::info!(
            buckets = swept.buckets,
            seen = swept.seen,
            expired_objects = swept.expired_objects,
            expired_versions = swept.expired_versions,
            expired_markers = swept.expired_markers,
            transitions = swept.transitions,
            aborted_uploads = swept.aborted_uploads,
            freed_bytes = swept.freed_bytes,
            locked = swept.locked,
            elapsed_ms,
            "carried out lifecycle rules"
        );
    } else {
        tracing::debug!(buckets = swept.buckets, seen = swept.seen, elapsed_ms, "no lifecycle rule was due");
    }
    Ok(swept)
}

/// The key of the job's progress in `Jobs`.
const PROGRESS: &[u8] = b"lifecycle";

async fn progress(engine: &Engine) -> Result<LifecycleProgressRecord, Error> {
    let bytes = engine.meta.read(|read| Ok::<_, Error>(read.get(Table::Jobs, PROGRESS)?)).await?;
    Ok(bytes.map(|bytes| LifecycleProgressRecord::decode(&bytes)).transpose()?.unwrap_or_default())
}

fn save(tx: &mut dyn Write, started_ms: i64, position: Option<LifecyclePosition>) {
    tx.put(Table::Jobs, PROGRESS, LifecycleProgressRecord { started_ms, position }.encode());
}

/// A bucket with rules.
pub(super) struct Bucket {
    name: String,
    record: BucketRecord,
    rules: LifecycleRecord,
}

struct Sweep<'e> {
    engine: &'e Engine,
    started_ms: i64,
    /// It was begun by an earlier process, or by this one before something failed.
    is_resumed: bool,
    /// Where to go on after a restart.
    position: LifecyclePosition,
    pages_unsaved: u32,
    swept: Swept,
}

impl<'e> Sweep<'e> {
    fn begin(engine: &'e Engine, progress: LifecycleProgressRecord) -> Sweep<'e> {
        let is_resumed = progress.position.is_some();
        let (started_ms, position) = match progress.position {
            Some(position) => (progress.started_ms, position),
            None => (engine.clock.now_ms(), LifecyclePosition::default()),
        };
        Sweep { engine, started_ms, is_resumed, position, pages_unsaved: 0, swept: Swept::default() }
    }

    async fn over_buckets(&mut self) -> Result<(), Error> {
        let mut from = self.position.bucket.clone().into_bytes();
        let mut has_rules = false;
        while !self.engine.tasks.is_stopping() {
            let start = std::mem::take(&mut from);
            let (buckets, next) = self.engine.meta.read(move |read| buckets_page(read, &start)).await?;
            for bucket in buckets {
                if bucket.name != self.position.bucket {
                    self.position = LifecyclePosition { bucket: bucket.name.clone(), ..Default::default() };
                }
                has_rules = true;
                self.bucket(Arc::new(bucket)).await?;
            }
            match next {
                Some(next) => from = next,
                None if has_rules || self.is_resumed => return self.save(None).await,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// What cannot be read gives up its bucket and no other; a store that is away or full ends the sweep.
    async fn bucket(&mut self, bucket: Arc<Bucket>) -> Result<(), Error> {
        let before = self.swept;
        self.swept.buckets += 1;
        match self.tables(&bucket).await {
            Err(Error::Storage(source)) => {
                self.swept.failed_buckets += 1;
                tracing::error!(
                    bucket = bucket.name,
                    error = %source,
                    "cannot carry out the lifecycle rules of a bucket"
                );
            }
            outcome => outcome?,
        }
        let (changes, freed_bytes) =
            (self.swept.changes() - before.changes(), self.swept.freed_bytes - before.freed_bytes);
        if changes > 0 {
            tracing::info!(
                bucket = bucket.name,
                changes,
                freed_bytes,
                "lifecycle rules of a bucket were due"
            );
        }
        Ok(())
    }

    async fn tables(&mut self, bucket: &Arc<Bucket>) -> Result<(), Error> {
        for table in [LifecycleTable::Objects, LifecycleTable::Versions, LifecycleTable::Uploads] {
            // A sweep that goes on is beyond the tables before.
            if table < self.position.table {
                continue;
            }
            if table > self.position.table {
                (self.position.table, self.position.key) = (table, Vec::new());
            }
            self.table(bucket).await?;
        }
        Ok(())
    }

    async fn table(&mut self, bucket: &Arc<Bucket>) -> Result<(), Error> {
        let mut cursor = Some(Cursor::at(&self.position.key));
        while let Some(at) = cursor.take()
            && !self.engine.tasks.is_stopping()
        {
            self.position.key = at.key().to_vec();
            let begun = Instant::now();
            let Page { seen, proposals, next } = self.page(bucket, at).await?;
            let took = begun.elapsed();
            self.swept.seen += seen;
            metrics::LIFECYCLE_SEEN.add(seen, &[]);
            self.pages_unsaved += 1;
            for batch in proposals.chunks(CHANGES_PER_COMMIT) {
                self.change(bucket, batch.to_vec()).await?;
            }
            if self.pages_unsaved >= PAGES_PER_SAVE {
                self.save(Some(self.position.clone())).await?;
            }
            if next.is_some() {
                tokio::time::sleep(took * REST).await;
            }
            cursor = next;
        }
        Ok(())
    }

    async fn page(&self, bucket: &Arc<Bucket>, at: Cursor) -> Result<Page, Error> {
        let (bucket, table) = (Arc::clone(bucket), self.position.table);
        let (now_ms, day) = (self.engine.clock.now_ms(), day(self.engine));
        self.engine
            .meta
            .read(move |read| match table {
                LifecycleTable::Objects => pages::objects(read, &bucket, at, day, now_ms),
                LifecycleTable::Versions => pages::versions(read, &bucket, at, day, now_ms),
                LifecycleTable::Uploads => pages::uploads(read, &bucket, at, day, now_ms),
            })
            .await
    }

    /// Makes those changes that are still due, and writes down how far the sweep is, in one transaction.
    async fn change(&mut self, bucket: &Arc<Bucket>, proposals: Vec<Proposal>) -> Result<(), Error> {
        let (bucket, clock, day) = (Arc::clone(bucket), self.engine.clock.clone(), day(self.engine));
        let (started_ms, position) = (self.started_ms, self.position.clone());
        fail_point::reach("engine::lifecycle::before_commit");
        let swept = self.engine.meta.transact(move |tx| {
            let swept = changes::make(tx, &bucket.name, bucket.record.id, &proposals, day, clock.now_ms())?;
            save(tx, started_ms, Some(position.clone()));
            Ok::<_, Error>(swept)
        });
        let swept = swept.await?;
        fail_point::reach("engine::lifecycle::after_commit");
        self.pages_unsaved = 0;
        self.swept += swept;
        count(&swept);
        self.engine.wake_collector();
        Ok(())
    }

    async fn save(&mut self, position: Option<LifecyclePosition>) -> Result<(), Error> {
        let started_ms = self.started_ms;
        self.pages_unsaved = 0;
        self.engine
            .meta
            .transact(move |tx| {
                save(tx, started_ms, position.clone());
                Ok(())
            })
            .await
    }
}

fn day(engine: &Engine) -> Day {
    Day::of_ms(i64::try_from(engine.settings.lifecycle_day.as_millis()).unwrap_or(i64::MAX))
}

fn count(swept: &Swept) {
    for (action, count) in [
        ("expire_object", swept.expired_objects),
        ("expire_version", swept.expired_versions),
        ("expire_marker", swept.expired_markers),
        ("transition", swept.transitions),
        ("abort_upload", swept.aborted_uploads),
        ("skip_locked", swept.locked),
    ] {
        metrics::LIFECYCLE_ACTIONS.add(count, &[action]);
    }
    metrics::LIFECYCLE_FREED_BYTES.add(swept.freed_bytes, &[]);
}

/// The buckets with rules among the first from this name on, and where the next page begins.
fn buckets_page(read: &dyn Read, from: &[u8]) -> Result<(Vec<Bucket>, Option<Vec<u8>>), Error> {
    let mut stored = Vec::new();
    read.scan(Table::Buckets, from, &mut |name, value| {
        stored.push((name.to_vec(), BucketRecord::decode(value)));
        if stored.len() < BUCKETS_PER_PAGE { Step::Next } else { Step::Stop }
    })?;
    let next = (stored.len() == BUCKETS_PER_PAGE).then(|| {
        stored.last().map(|(name, _)| [&name[..], &[0]].concat()).expect("a full page has a last name")
    });
    let mut buckets = Vec::new();
    for (name, record) in stored {
        let (Ok(name), Ok(record)) = (String::from_utf8(name), record) else {
            tracing::error!("a bucket cannot be read, so its lifecycle rules are not carried out");
            continue;
        };
        let rules: Option<LifecycleRecord> = bucket_documents::find(read, record.id)?;
        if let Some(rules) = rules.filter(|rules| rules.rules.iter().any(|rule| rule.enabled)) {
            buckets.push(Bucket { name, record, rules });
        }
    }
    Ok((buckets, next))
}

/// Reads the key out of a stored key of a bucket; one that cannot be read is told and passed over.
fn text(key: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(key);
    if text.is_err() {
        tracing::error!(key = ?key, "a key cannot be read, so no lifecycle rule is carried out on it");
    }
    text.ok()
}

/// Whether a stored key belongs to the bucket.
fn is_of(bucket: &Bucket, stored: &[u8]) -> bool {
    keys::object_key(bucket.record.id, stored).is_some()
}
