//! From versions and uploads down to their parts.

use super::{Buckets, FsckReport, Problem, Rows, Slice};
use crate::engine::encryption::content_key::INLINE_OVERHEAD_LEN;
use crate::engine::{Engine, Error, extents, inline, uploads};
use crate::meta::keys::{self, BucketId, ContentId, Owned};
use crate::meta::records::{
    BlobRecord, Body, IndexEntry, PARTS_PER_INDEX_ENTRY, Record, UploadRecord, VersionRecord,
};
use crate::meta::{Read, Table};
use std::collections::HashMap;

/// What names a content.
#[derive(Default)]
struct Named {
    versions: u64,
    upload: bool,
    queued: bool,
    counted: Option<u64>,
    /// The length that was checked, and whether as encrypted bytes, so that copies do not have the parts read again.
    checked: Option<(u64, bool)>,
}

type Contents = HashMap<ContentId, Named>;

pub(super) async fn check(
    engine: &Engine,
    slice: Slice,
    buckets: &Buckets,
    report: &mut FsckReport,
) -> Result<(), Error> {
    let mut contents = Contents::new();
    for table in [Table::Objects, Table::Versions] {
        check_versions(engine, table, slice, buckets, &mut contents, report).await?;
    }
    check_uploads(engine, slice, buckets, &mut contents, report).await?;
    read_queue(engine, slice, &mut contents).await?;
    read_counters(engine, slice, &mut contents, report).await?;
    for (id, named) in &contents {
        judge(*id, named, report);
    }
    find_unnamed(engine, Table::Parts, slice, &contents, report).await?;
    find_unnamed(engine, Table::Inline, slice, &contents, report).await?;
    find_unnamed(engine, Table::Progress, slice, &contents, report).await
}

async fn check_versions(
    engine: &Engine,
    table: Table,
    slice: Slice,
    buckets: &Buckets,
    contents: &mut Contents,
    report: &mut FsckReport,
) -> Result<(), Error> {
    let mut rows = Rows::of(engine, table);
    while let Some(page) = rows.page().await? {
        for (stored, value) in page {
            let (bucket, name) = name(buckets, table, &stored);
            let version = match VersionRecord::decode(&value) {
                Ok(version) => version,
                Err(err) => {
                    if slice.is_first() {
                        report.add(Problem::UnreadableRecord, format!("object {name}: {err}"));
                    }
                    continue;
                }
            };
            let mine = version.body.content().map_or(slice.is_first(), |content| slice.holds(&content.0));
            if !mine {
                continue;
            }
            report.objects += u64::from(!version.delete_marker);
            report.objects_len += version.len;
            if bucket.is_none() {
                report.add(Problem::NoBucket, format!("of object {name}"));
            }
            check_version(engine, &name, version, contents, report).await?;
        }
    }
    Ok(())
}

/// Bucket and key for messages, and the bucket if it exists.
pub(super) fn name(buckets: &Buckets, table: Table, stored: &[u8]) -> (Option<String>, String) {
    let Some((id, key)) = stored.split_first_chunk::<8>() else {
        return (None, format!("{stored:02x?}"));
    };
    let key = match (table, keys::parse_version(BucketId(*id), stored)) {
        (Table::Versions, Some((key, _))) => key,
        _ => key,
    };
    (buckets.name(BucketId(*id)), shown(buckets, BucketId(*id), key))
}

/// Bucket and key for messages.
pub(super) fn shown(buckets: &Buckets, bucket: BucketId, key: &[u8]) -> String {
    let bucket = buckets.name(bucket);
    format!("{}/{}", bucket.as_deref().unwrap_or("?"), String::from_utf8_lossy(key).escape_debug())
}

async fn check_version(
    engine: &Engine,
    name: &str,
    version: VersionRecord,
    contents: &mut Contents,
    report: &mut FsckReport,
) -> Result<(), Error> {
    let Some(content) = version.body.content() else {
        if version.len != 0 {
            report.add(Problem::ContentMissing, format!("object {name} of {} bytes has none", version.len));
        }
        return Ok(());
    };
    let named = contents.entry(content).or_default();
    named.versions += 1;
    let said = (version.len, version.encryption.is_some());
    if named.checked == Some(said) {
        return Ok(());
    }
    named.checked = Some(said);
    let problem = engine.meta.read(move |read| check_body(read, &version)).await?;
    if let Some((problem, why)) = problem {
        report.add(problem, format!("object {name}, content {content}: {why}"));
    }
    Ok(())
}

/// What is wrong with the bytes of a version, as far as metadata tells.
fn check_body(read: &dyn Read, version: &VersionRecord) -> Result<Option<(Problem, String)>, Error> {
    let len = version.len;
    let missing = |what: &str| Ok(Some((Problem::ContentMissing, what.to_string())));
    let differs = |what: String| Ok(Some((Problem::ContentDiffers, what)));
    match version.body {
        Body::Empty => Ok(None),
        Body::Inline(content) => match read.get(Table::Inline, &keys::content(content))? {
            None => missing("its inline bytes are missing"),
            Some(value) => match inline::verify(content, &value) {
                Err(err) => differs(err.to_string()),
                Ok(bytes) if bytes.len() as u64 != inline_len(version) => {
                    differs(format!("{} inline bytes, not {}", bytes.len(), inline_len(version)))
                }
                Ok(_) => Ok(None),
            },
        },
        Body::Single(content) => match sums(read, content) {
            Err(err) => differs(err.to_string()),
            Ok(parts) if parts.count == 0 => missing("its part is missing"),
            Ok(parts) if (parts.first, parts.count, parts.len) != (Some(1), 1, len) => {
                differs(format!("{} parts of {} bytes, not part 1 of {len}", parts.count, parts.len))
            }
            Ok(_) => match unlike(read, content, version.encryption.is_some())? {
                Some(why) => differs(why),
                None => Ok(None),
            },
        },
        Body::Multipart(content) => {
            let index = match extents::index(read, content) {
                Ok(index) => index,
                Err(err) => return missing(&err.to_string()),
            };
            let parts = match sums(read, content) {
                Ok(parts) => parts,
                Err(err) => return differs(err.to_string()),
            };
            if (parts.count, parts.len) != (u64::from(index.parts), len) {
                return differs(format!(
                    "{} parts of {} bytes, not {} of {len}",
                    parts.count, parts.len, index.parts
                ));
            }
            if parts.entries != index.entries {
                return differs("its index does not lead to its parts".to_string());
            }
            if let Some(count) = version.etag.parts.filter(|count| *count != index.parts) {
                return differs(format!("its ETag says {count} parts"));
            }
            match unlike(read, content, version.encryption.is_some())? {
                Some(why) => differs(why),
                None => Ok(None),
            }
        }
    }
}

/// A blob of a content that is encrypted where the content is not, or the other way round: its bytes could not be
/// read, or would leave as they lie there. A blob without a record is told with the blobs.
fn unlike(read: &dyn Read, content: ContentId, is_encrypted: bool) -> Result<Option<String>, Error> {
    let mut blobs = Vec::new();
    extents::scan_parts(read, content, 1, &mut |_, part| {
        blobs.extend(part.extents.iter().map(|extent| extent.blob()));
        true
    })?;
    for blob in blobs {
        let Some(bytes) = read.get(Table::Blobs, &keys::blob(blob))? else { continue };
        match BlobRecord::decode(&bytes) {
            Ok(record) if record.is_encrypted() != is_encrypted => {
                let state = if is_encrypted { "not encrypted" } else { "encrypted" };
                return Ok(Some(format!("its blob {blob} is {state}")));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Bytes that an inline object has in the store.
fn inline_len(version: &VersionRecord) -> u64 {
    version.len + version.encryption.as_ref().map_or(0, |_| INLINE_OVERHEAD_LEN as u64)
}

/// What the parts of a content add up to.
#[derive(Default)]
struct Sums {
    first: Option<u16>,
    count: u64,
    len: u64,
    /// The index as it should be.
    entries: Vec<IndexEntry>,
}

fn sums(read: &dyn Read, content: ContentId) -> Result<Sums, Error> {
    let mut sums = Sums::default();
    extents::scan_parts(read, content, 1, &mut |number, part| {
        if sums.count.is_multiple_of(PARTS_PER_INDEX_ENTRY as u64) {
            sums.entries.push(IndexEntry { number, offset: sums.len });
        }
        sums.first.get_or_insert(number);
        sums.count += 1;
        sums.len = sums.len.saturating_add(part.len);
        true
    })?;
    Ok(sums)
}

async fn check_uploads(
    engine: &Engine,
    slice: Slice,
    buckets: &Buckets,
    contents: &mut Contents,
    report: &mut FsckReport,
) -> Result<(), Error> {
    let mut rows = Rows::of(engine, Table::Uploads);
    while let Some(page) = rows.page().await? {
        for (stored, value) in page {
            let parsed = stored.first_chunk::<8>().and_then(|bucket| {
                keys::parse_upload(BucketId(*bucket), &stored).map(|(_, id)| (*bucket, id))
            });
            let Some((bucket, id)) = parsed else {
                if slice.is_first() {
                    report.add(Problem::UnreadableRecord, format!("upload key {stored:02x?}"));
                }
                continue;
            };
            if !slice.holds(&id.0) {
                continue;
            }
            report.uploads += 1;
            contents.entry(id).or_default().upload = true;
            match UploadRecord::decode(&value) {
                Err(err) => report.add(Problem::UnreadableRecord, format!("upload {id}: {err}")),
                Ok(upload) => {
                    let is_encrypted = upload.encryption.is_some();
                    // Parts that cannot be read are told below.
                    let unlike = engine.meta.read(move |read| unlike(read, id, is_encrypted)).await;
                    if let Ok(Some(why)) = unlike {
                        report.add(Problem::ContentDiffers, format!("upload {id}: {why}"));
                    }
                }
            }
            if buckets.name(BucketId(bucket)).is_none() {
                report.add(Problem::NoBucket, format!("of upload {id}"));
            }
            let differs = engine.meta.read(move |read| check_progress(read, id)).await?;
            if let Some(why) = differs {
                report.add(Problem::ProgressDiffers, format!("upload {id}: {why}"));
            }
        }
    }
    Ok(())
}

fn check_progress(read: &dyn Read, id: ContentId) -> Result<Option<String>, Error> {
    let (progress, parts) = match (uploads::progress(read, id), sums(read, id)) {
        (Ok(progress), Ok(parts)) => (progress, parts),
        (Err(err), _) | (_, Err(err)) => return Ok(Some(err.to_string())),
    };
    let agrees = (u64::from(progress.parts), progress.bytes_len) == (parts.count, parts.len);
    Ok((!agrees).then(|| {
        format!(
            "{} parts of {} bytes, not {} of {}",
            parts.count, parts.len, progress.parts, progress.bytes_len
        )
    }))
}

async fn read_queue(engine: &Engine, slice: Slice, contents: &mut Contents) -> Result<(), Error> {
    let mut rows = Rows::of(engine, Table::Garbage);
    while let Some(page) = rows.page().await? {
        for (key, _) in page {
            if let Some((_, Owned::Content(id))) = keys::parse_garbage(&key)
                && slice.holds(&id.0)
            {
                contents.entry(id).or_default().queued = true;
            }
        }
    }
    Ok(())
}

async fn read_counters(
    engine: &Engine,
    slice: Slice,
    contents: &mut Contents,
    report: &mut FsckReport,
) -> Result<(), Error> {
    let mut rows = Rows::of(engine, Table::References);
    while let Some(page) = rows.page().await? {
        for (key, value) in page {
            match (keys::parse_references(&key), <[u8; 8]>::try_from(&value[..])) {
                (Some(Owned::Content(id)), Ok(count)) if slice.holds(&id.0) => {
                    contents.entry(id).or_default().counted = Some(u64::from_be_bytes(count));
                }
                (Some(Owned::Content(_) | Owned::Blob(_)), Ok(_)) => {}
                _ if slice.is_first() => {
                    report.add(Problem::UnreadableRecord, format!("reference counter {key:02x?}"));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn judge(id: ContentId, named: &Named, report: &mut FsckReport) {
    if named.queued && (named.versions > 0 || named.upload) {
        report.add(Problem::QueuedInUse, format!("content {id}"));
    }
    if named.upload && named.versions > 0 {
        report.add(Problem::ContentDiffers, format!("content {id} is that of an open upload"));
    }
    // No counter stands for one reference.
    let right = named.counted.map_or(named.versions <= 1, |count| count > 1 && count == named.versions);
    if !right {
        let counted = named.counted.unwrap_or(1);
        report.add(
            Problem::CountDiffers,
            format!("content {id} has {} references, not {counted}", named.versions),
        );
    }
}

/// Finds rows of contents that nothing names, each content once.
async fn find_unnamed(
    engine: &Engine,
    table: Table,
    slice: Slice,
    contents: &Contents,
    report: &mut FsckReport,
) -> Result<(), Error> {
    let mut rows = Rows::of(engine, table);
    let mut last = None;
    while let Some(page) = rows.page().await? {
        for (key, _) in page {
            let Some(id) = key.first_chunk::<16>().map(|id| ContentId(*id)) else {
                if slice.is_first() {
                    report.add(Problem::UnreadableRecord, format!("key {key:02x?} of {table:?}"));
                }
                continue;
            };
            let is_named = contents.get(&id).is_some_and(|named| match table {
                Table::Progress => named.upload,
                Table::Inline => named.versions > 0,
                _ => named.versions > 0 || named.upload || named.queued,
            });
            if slice.holds(&id.0) && last != Some(id) && !is_named {
                report.add(Problem::ContentUnnamed, format!("content {id} in {table:?}"));
            }
            last = Some(id);
        }
    }
    Ok(())
}
