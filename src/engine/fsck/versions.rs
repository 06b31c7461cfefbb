//! Whether every version is where it belongs: an object in `Objects` only when it is its key's newest, all else in
//! `Versions` at its own sequence number, and `NullVersions` leads to every null version there and nowhere else.

use super::{Buckets, FsckReport, Problem, Rows, contents};
use crate::engine::objects::{self, wire_id};
use crate::engine::{Engine, Error};
use crate::meta::keys::{self, BucketId};
use crate::meta::records::{Record, VersionRecord};
use crate::meta::{Read, Table};

pub(super) async fn check(engine: &Engine, buckets: &Buckets, report: &mut FsckReport) -> Result<(), Error> {
    check_table(engine, Table::Objects, buckets, report, |_, _, value| {
        let is_marker = VersionRecord::decode(value).is_ok_and(|version| version.delete_marker);
        Ok(is_marker.then(|| "a delete marker in the place of an object".to_string()))
    })
    .await?;
    check_table(engine, Table::Versions, buckets, report, check_version).await?;
    check_table(engine, Table::NullVersions, buckets, report, check_null).await
}

/// What is wrong with a row: given its bucket and stored key, and its value.
type Judge = fn(&dyn Read, (BucketId, &[u8]), &[u8]) -> Result<Option<String>, Error>;

/// Reports what `why` finds wrong with a row of a bucket. Records that cannot be read are reported by `contents`.
async fn check_table(
    engine: &Engine,
    table: Table,
    buckets: &Buckets,
    report: &mut FsckReport,
    why: Judge,
) -> Result<(), Error> {
    let mut rows = Rows::of(engine, table);
    while let Some(page) = rows.page().await? {
        let found = engine.meta.read(move |read| {
            let mut found = Vec::new();
            for (stored, value) in page {
                let Some((bucket, _)) = stored.split_first_chunk::<8>() else { continue };
                if let Some(why) = why(read, (BucketId(*bucket), &stored), &value)? {
                    found.push((stored, why));
                }
            }
            Ok::<_, Error>(found)
        });
        for (stored, why) in found.await? {
            let (_, name) = contents::name(buckets, table, &stored);
            report.add(Problem::VersionMisplaced, format!("object {name}: {why}"));
        }
    }
    Ok(())
}

fn check_version(
    read: &dyn Read,
    (bucket, stored): (BucketId, &[u8]),
    value: &[u8],
) -> Result<Option<String>, Error> {
    let Some((key, sequence)) = parse(bucket, stored) else {
        return Ok(Some("its key cannot be read".to_string()));
    };
    let Ok(version) = VersionRecord::decode(value) else { return Ok(None) };
    let id = wire_id(&version);
    if version.sequence != sequence {
        return Ok(Some(format!("version {id} is number {}, not {sequence}", version.sequence)));
    }
    if version.version_id.is_none() && objects::null_sequence(read, bucket, key)? != Some(sequence) {
        return Ok(Some("nothing leads to its null version".to_string()));
    }
    let newest = objects::newest(read, bucket, key)?;
    Ok(match newest {
        Some(newest) if newest.sequence > sequence => None,
        // The newest itself: as an object it would be in the other table.
        Some(newest) if newest == version && version.delete_marker => None,
        _ => Some(format!("version {id} is newer than the current one")),
    })
}

fn check_null(
    read: &dyn Read,
    (bucket, stored): (BucketId, &[u8]),
    _: &[u8],
) -> Result<Option<String>, Error> {
    let key = keys::object_key(bucket, stored).and_then(|key| std::str::from_utf8(key).ok());
    let Some(key) = key else { return Ok(Some("its key cannot be read".to_string())) };
    let version = match objects::null_sequence(read, bucket, key)? {
        None => None,
        Some(sequence) => read.get(Table::Versions, &keys::version(bucket, key, sequence))?,
    };
    let leads = match version {
        None => false,
        Some(bytes) => VersionRecord::decode(&bytes).is_ok_and(|version| version.version_id.is_none()),
    };
    Ok((!leads).then(|| "its null version is not where it should be".to_string()))
}

fn parse(bucket: BucketId, stored: &[u8]) -> Option<(&str, u64)> {
    let (key, sequence) = keys::parse_version(bucket, stored)?;
    Some((std::str::from_utf8(key).ok()?, sequence))
}
