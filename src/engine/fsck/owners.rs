//! Whose bytes are in a blob that something is wrong with: from blobs up to objects and open uploads.
//!
//! An operator restores objects, not blobs. Looked for once, after everything else, and only when there is such a blob.

use super::contents;
use super::{Buckets, FsckReport, Rows, blobs};
use crate::blob::BlobId;
use crate::engine::objects::wire_id;
use crate::engine::{Engine, Error};
use crate::meta::Table;
use crate::meta::keys::{self, BucketId, ContentId};
use crate::meta::records::{PartRecord, Record, VersionRecord};
use std::collections::{HashMap, HashSet};

/// Owners that are named with a blob, of which copies can make any number.
const OWNERS_MAX: usize = 100;

/// Who has bytes in a blob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// Bucket and key, with the version or the upload where that is needed to know which.
    pub names: Vec<String>,
    pub unnamed: u64,
}

impl Owners {
    fn add(&mut self, name: &str) {
        if self.names.len() < OWNERS_MAX {
            self.names.push(name.to_string());
        } else {
            self.unnamed += 1;
        }
    }
}

/// Tells each finding about a blob who has bytes in it.
pub(super) async fn find(engine: &Engine, buckets: &Buckets, report: &mut FsckReport) -> Result<(), Error> {
    let found: HashSet<BlobId> = report.findings.iter().filter_map(|finding| finding.blob).collect();
    if found.is_empty() {
        return Ok(());
    }
    let contents = contents_with(engine, &found).await?;
    let mut owners: HashMap<BlobId, Owners> = HashMap::new();
    let mut add = |content: ContentId, name: &str| {
        for blob in contents.get(&content).into_iter().flatten() {
            owners.entry(*blob).or_default().add(name);
        }
    };
    for table in [Table::Objects, Table::Versions] {
        let mut rows = Rows::of(engine, table);
        while let Some(page) = rows.page().await? {
            for (stored, value) in page {
                let Ok(version) = VersionRecord::decode(&value) else { continue };
                let Some(content) = version.body.content() else { continue };
                let (_, name) = contents::name(buckets, table, &stored);
                match (table, &version.version_id) {
                    (Table::Objects, None) => add(content, &name),
                    _ => add(content, &format!("{name} version {}", wire_id(&version))),
                }
            }
        }
    }
    let mut rows = Rows::of(engine, Table::Uploads);
    while let Some(page) = rows.page().await? {
        for (stored, _) in page {
            let bucket = stored.first_chunk::<8>().map(|bucket| BucketId(*bucket));
            let upload = bucket.and_then(|bucket| Some((bucket, keys::parse_upload(bucket, &stored)?)));
            let Some((bucket, (key, id))) = upload else { continue };
            let name = contents::shown(buckets, bucket, key);
            add(id, &format!("{name} upload {id}"));
        }
    }
    for finding in &mut report.findings {
        let owners = finding.blob.and_then(|blob| owners.get(&blob));
        finding.owners = owners.cloned().unwrap_or_default();
    }
    Ok(())
}

/// The contents with parts in these blobs.
async fn contents_with(
    engine: &Engine,
    found: &HashSet<BlobId>,
) -> Result<HashMap<ContentId, HashSet<BlobId>>, Error> {
    let mut contents: HashMap<ContentId, HashSet<BlobId>> = HashMap::new();
    let mut rows = Rows::of(engine, Table::Parts);
    while let Some(page) = rows.page().await? {
        for (key, value) in page {
            let Some((content, 1..)) = blobs::split_part_key(&key) else { continue };
            let Ok(part) = PartRecord::decode(&value) else { continue };
            for extent in part.extents.iter().filter(|extent| found.contains(&extent.blob())) {
                contents.entry(content).or_default().insert(extent.blob());
            }
        }
    }
    Ok(contents)
}
