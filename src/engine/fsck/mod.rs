//! Checks that metadata and blobs agree, and with each other what must agree.
//!
//! For a gateway that does not run: nothing may change meanwhile. Orphaned blobs, which a crash can leave behind
//! (invariant 3), are deleted when that is asked for; anything else is reported and never guessed at.
//!
//! Memory is bounded: contents and blobs are looked at in slices of their random ids, and a store too large for one
//! slice is gone through several times. `versions` checks the order of versions, `contents` everything else above the parts, `blobs` everything below,
//! `owners` whose bytes are in a blob that something is wrong with.

mod blobs;
mod contents;
mod owners;
mod report;
mod versions;

#[cfg(test)]
mod tests;

pub use report::{Finding, FsckReport, Problem};

use crate::engine::{Engine, Error};
use crate::meta::keys::{self, BucketId, Owned};
use crate::meta::records::{BucketRecord, Record};
use crate::meta::{Meta, Step, Table};
use std::collections::HashMap;

/// Records that are looked at in one job of the store, so that no snapshot is held for long.
const ROWS_PER_JOB: usize = 1000;
/// Ids that are remembered at a time: about 100 MB.
const IDS_PER_SLICE: u64 = 1 << 20;

/// How thorough the check is.
#[derive(Clone, Copy, Debug, Default)]
pub struct FsckOptions {
    /// Read every blob and compare it with its checksums.
    pub deep: bool,
    /// Delete blobs that no record names.
    pub repair: bool,
}

/// Checks everything. An error means that a store could not be read, and says nothing about what it holds.
pub async fn fsck(engine: &Engine, options: FsckOptions) -> Result<FsckReport, Error> {
    let mut report = FsckReport::default();
    let buckets = buckets(engine, &mut report).await?;
    let versions = count(engine, Table::Objects).await? + count(engine, Table::Versions).await?;
    let contents = versions + count(engine, Table::Uploads).await?;
    for slice in Slice::all(contents) {
        contents::check(engine, slice, &buckets, &mut report).await?;
    }
    versions::check(engine, &buckets, &mut report).await?;
    let blobs = count(engine, Table::Blobs).await?;
    for slice in Slice::all(blobs) {
        blobs::check(engine, slice, options, &mut report).await?;
    }
    owners::find(engine, &buckets, &mut report).await?;
    Ok(report)
}

/// The buckets that exist, by id, and those that are being collected.
struct Buckets(HashMap<BucketId, Option<String>>);

impl Buckets {
    /// The name to report; `None` when there is no such bucket at all.
    fn name(&self, id: BucketId) -> Option<String> {
        self.0.get(&id).map(|name| name.clone().unwrap_or_else(|| format!("deleted bucket {id:?}")))
    }
}

async fn buckets(engine: &Engine, report: &mut FsckReport) -> Result<Buckets, Error> {
    let mut buckets = HashMap::new();
    let mut rows = Rows::of(engine, Table::Buckets);
    while let Some(page) = rows.page().await? {
        for (key, value) in page {
            let name = String::from_utf8_lossy(&key).into_owned();
            report.buckets += 1;
            match BucketRecord::decode(&value) {
                Ok(record) => {
                    buckets.insert(record.id, Some(name));
                }
                Err(err) => report.add(Problem::UnreadableRecord, format!("bucket {name}: {err}")),
            }
        }
    }
    let mut rows = Rows::of(engine, Table::Garbage);
    while let Some(page) = rows.page().await? {
        for (key, _) in page {
            report.queued += 1;
            match keys::parse_garbage(&key) {
                None => report.add(Problem::UnreadableRecord, format!("queue entry {key:02x?}")),
                Some((_, Owned::Bucket(id))) => {
                    if let Some(Some(name)) = buckets.insert(id, None) {
                        report.add(Problem::QueuedInUse, format!("bucket {name}"));
                        buckets.insert(id, Some(name));
                    }
                }
                Some(_) => {}
            }
        }
    }
    Ok(Buckets(buckets))
}

/// Those ids whose last byte leaves this remainder.
#[derive(Clone, Copy, Debug)]
struct Slice {
    index: u64,
    of: u64,
}

impl Slice {
    /// As many slices as keep each small enough.
    fn all(ids: u64) -> impl Iterator<Item = Slice> {
        let of = ids.div_ceil(IDS_PER_SLICE).clamp(1, 256);
        (0..of).map(move |index| Slice { index, of })
    }

    /// Ids end in random bytes.
    fn holds(self, id: &[u8; 16]) -> bool {
        u64::from(id[15]) % self.of == self.index
    }

    /// Whether this slice is where things are checked that belong to none.
    fn is_first(self) -> bool {
        self.index == 0
    }
}

async fn count(engine: &Engine, table: Table) -> Result<u64, Error> {
    let counted = engine.meta.read(move |read| {
        let mut rows = 0;
        read.scan(table, &[], &mut |_, _| {
            rows += 1;
            Step::Next
        })?;
        Ok::<_, Error>(rows)
    });
    counted.await
}

/// Key and value.
type Row = (Vec<u8>, Vec<u8>);

/// Goes through a table in pages.
struct Rows {
    meta: Meta,
    table: Table,
    from: Option<Vec<u8>>,
}

impl Rows {
    fn of(engine: &Engine, table: Table) -> Rows {
        Rows { meta: engine.meta.clone(), table, from: Some(Vec::new()) }
    }

    async fn page(&mut self) -> Result<Option<Vec<Row>>, Error> {
        let Some(from) = self.from.take() else { return Ok(None) };
        let table = self.table;
        let page = self.meta.read(move |read| {
            let mut rows = Vec::new();
            read.scan(table, &from, &mut |key, value| {
                rows.push((key.to_vec(), value.to_vec()));
                if rows.len() < ROWS_PER_JOB { Step::Next } else { Step::Stop }
            })?;
            Ok::<_, Error>(rows)
        });
        let page = page.await?;
        if page.len() == ROWS_PER_JOB {
            self.from = page.last().map(|(key, _)| [&key[..], &[0]].concat());
        }
        Ok((!page.is_empty()).then_some(page))
    }
}
