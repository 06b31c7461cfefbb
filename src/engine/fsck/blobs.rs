//! From parts down to the blobs in the backend.

use super::{FsckOptions, FsckReport, Problem, Rows, Slice};
use crate::blob::BlobId;
use crate::engine::encryption::content_key::TAG_LEN;
use crate::engine::{Engine, Error, reading};
use crate::meta::keys::{self, Owned};
use crate::meta::records::{BLOCK_LEN, BlobRecord, PartRecord, Record};
use crate::meta::{ErrorKind, Table};
use futures::StreamExt;
use std::collections::HashMap;

/// What is known of a blob.
#[derive(Default)]
struct Known {
    record_len: Option<u64>,
    /// Extents that name it.
    named: u64,
    /// The furthest byte that an extent names.
    end: u64,
    counted: Option<u64>,
    queued: bool,
    /// Its length in the backend.
    stored_len: Option<u64>,
}

type Blobs = HashMap<BlobId, Known>;

pub(super) async fn check(
    engine: &Engine,
    slice: Slice,
    options: FsckOptions,
    report: &mut FsckReport,
) -> Result<(), Error> {
    let mut blobs = Blobs::new();
    read_records(engine, slice, &mut blobs, report).await?;
    read_parts(engine, slice, &mut blobs, report).await?;
    read_counters_and_queue(engine, slice, &mut blobs).await?;
    read_backend(engine, slice, options, &mut blobs, report).await?;
    for (id, known) in &blobs {
        judge(*id, known, report);
    }
    if options.deep {
        for (id, known) in &blobs {
            if known.record_len.is_some() && known.record_len == known.stored_len {
                verify(engine, *id, report).await?;
            }
        }
    }
    Ok(())
}

async fn read_records(
    engine: &Engine,
    slice: Slice,
    blobs: &mut Blobs,
    report: &mut FsckReport,
) -> Result<(), Error> {
    let mut rows = Rows::of(engine, Table::Blobs);
    while let Some(page) = rows.page().await? {
        for (key, value) in page {
            let Some(id) = key[..].try_into().ok().map(BlobId) else {
                if slice.is_first() {
                    report.add(Problem::UnreadableRecord, format!("blob key {key:02x?}"));
                }
                continue;
            };
            if !slice.holds(&id.0) {
                continue;
            }
            report.blobs += 1;
            match BlobRecord::decode(&value) {
                Ok(record) => {
                    report.blobs_len += record.len;
                    if record.block_checksums.len() as u64 != record.len.div_ceil(BLOCK_LEN) * 4 {
                        let why = "it has not one checksum for each block";
                        report.add(Problem::UnreadableRecord, format!("blob {id}: {why}"));
                    }
                    let blocks = record.len.div_ceil(BLOCK_LEN);
                    if record.is_encrypted() && record.block_tags.len() as u64 != blocks * TAG_LEN as u64 {
                        let why = "it has not one tag for each block";
                        report.add(Problem::UnreadableRecord, format!("blob {id}: {why}"));
                    }
                    blobs.entry(id).or_default().record_len = Some(record.len);
                }
                Err(err) => report.add(Problem::UnreadableRecord, format!("blob {id}: {err}")),
            }
        }
    }
    Ok(())
}

/// Parts of what waits for the collector name their blobs as well.
async fn read_parts(
    engine: &Engine,
    slice: Slice,
    blobs: &mut Blobs,
    report: &mut FsckReport,
) -> Result<(), Error> {
    let mut rows = Rows::of(engine, Table::Parts);
    while let Some(page) = rows.page().await? {
        for (key, value) in page {
            let Some((content, number)) = split_part_key(&key) else { continue };
            if number == 0 {
                continue;
            }
            let part = match PartRecord::decode(&value) {
                Ok(part) => part,
                Err(err) => {
                    if slice.is_first() {
                        let subject = format!("part {number} of {content}: {err}");
                        report.add(Problem::UnreadableRecord, subject);
                    }
                    continue;
                }
            };
            if slice.is_first() {
                report.parts += 1;
                let sum = part.extents.iter().try_fold(0_u64, |sum, extent| sum.checked_add(extent.len));
                if sum != Some(part.len) || part.extents.iter().any(|extent| extent.len == 0) {
                    let why = "its extents do not add up";
                    report.add(Problem::PartDiffers, format!("part {number} of {content}: {why}"));
                }
            }
            for extent in part.extents.iter().filter(|extent| slice.holds(&extent.blob().0)) {
                let known = blobs.entry(extent.blob()).or_default();
                known.named += 1;
                known.end = known.end.max(extent.offset.saturating_add(extent.len));
            }
        }
    }
    Ok(())
}

pub(super) fn split_part_key(key: &[u8]) -> Option<(keys::ContentId, u16)> {
    let id = keys::ContentId(*key.first_chunk::<16>()?);
    Some((id, keys::part_number(id, key)?))
}

async fn read_counters_and_queue(engine: &Engine, slice: Slice, blobs: &mut Blobs) -> Result<(), Error> {
    let mut rows = Rows::of(engine, Table::References);
    while let Some(page) = rows.page().await? {
        for (key, value) in page {
            if let (Some(Owned::Blob(id)), Ok(count)) = (keys::parse_references(&key), value[..].try_into())
                && slice.holds(&id.0)
            {
                blobs.entry(id).or_default().counted = Some(u64::from_be_bytes(count));
            }
        }
    }
    let mut rows = Rows::of(engine, Table::Garbage);
    while let Some(page) = rows.page().await? {
        for (key, _) in page {
            if let Some((_, Owned::Blob(id))) = keys::parse_garbage(&key)
                && slice.holds(&id.0)
            {
                blobs.entry(id).or_default().queued = true;
            }
        }
    }
    Ok(())
}

/// Compares with what is stored, and deletes what nothing names if that is asked for.
async fn read_backend(
    engine: &Engine,
    slice: Slice,
    options: FsckOptions,
    blobs: &mut Blobs,
    report: &mut FsckReport,
) -> Result<(), Error> {
    let mut stored = engine.blobs.list();
    let mut orphans = Vec::new();
    while let Some(entry) = stored.next().await {
        let entry = entry?;
        if !slice.holds(&entry.id.0) {
            continue;
        }
        match blobs.get_mut(&entry.id) {
            Some(known) => known.stored_len = Some(entry.len),
            None => orphans.push(entry),
        }
    }
    drop(stored);
    for entry in orphans {
        let subject = format!("blob {} of {} bytes", entry.id, entry.len);
        if options.repair {
            engine.blobs.delete(entry.id).await?;
            report.add_repaired(Problem::BlobOrphaned, subject);
        } else {
            report.add_orphan(entry.len, subject);
        }
    }
    Ok(())
}

fn judge(id: BlobId, known: &Known, report: &mut FsckReport) {
    let Some(len) = known.record_len else {
        if known.named > 0 {
            report.add_of_blob(Problem::BlobRecordMissing, id, format!("blob {id}"));
        } else if known.counted.is_some() {
            report.add(Problem::CountDiffers, format!("blob {id} has a counter and no record"));
        }
        if known.named > 0 && known.queued {
            report.add(Problem::QueuedInUse, format!("blob {id}"));
        }
        return;
    };
    if known.queued {
        report.add(Problem::QueuedInUse, format!("blob {id}"));
    }
    if known.named == 0 {
        report.add(Problem::BlobUnnamed, format!("blob {id} of {len} bytes"));
    } else if known.counted.map_or(known.named > 1, |count| count <= 1 || count != known.named) {
        let counted = known.counted.unwrap_or(1);
        report.add(Problem::CountDiffers, format!("blob {id} has {} references, not {counted}", known.named));
    }
    if known.end > len {
        report.add(Problem::PartDiffers, format!("blob {id} ends at {len}, a part at {}", known.end));
    }
    match known.stored_len {
        None => report.add_of_blob(Problem::BlobMissing, id, format!("blob {id} of {len} bytes")),
        Some(stored) if stored != len => {
            let subject = format!("blob {id} has {stored} bytes, not {len}");
            report.add_of_blob(Problem::BlobDiffers, id, subject);
        }
        Some(_) => {}
    }
}

/// Reads a blob and compares every block.
async fn verify(engine: &Engine, id: BlobId, report: &mut FsckReport) -> Result<(), Error> {
    let record = engine.meta.read(move |read| {
        let gone = || crate::meta::Error::new(ErrorKind::Corrupt, format!("the record of blob {id} is gone"));
        let bytes = read.get(Table::Blobs, &keys::blob(id))?.ok_or_else(gone)?;
        Ok::<_, Error>(BlobRecord::decode(&bytes)?)
    });
    let record = record.await?;
    let reader = engine.blobs.open(id).await?;
    for index in 0..record.len.div_ceil(BLOCK_LEN) {
        match reading::read_block(&*reader, id, &record, index).await {
            Ok(block) => report.verified_len += block.len() as u64,
            Err(Error::Storage(err)) => report.add_of_blob(Problem::BlobCorrupt, id, err),
            Err(err) => return Err(err),
        }
    }
    Ok(())
}
