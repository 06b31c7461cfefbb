//! ListObjectVersions: every version and delete marker of a bucket, by key and then newest first, with common
//! prefixes rolled up.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>
//!
//! Two tables are read side by side: a key's current object is in one and comes first, all else is in the other. A
//! page costs its entries (invariant 7).

mod rows;
#[cfg(test)]
mod tests;

use crate::engine::access::acl;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::prefixes::common_prefix;
use crate::engine::{Engine, Error, objects};
use crate::meta::keys::{self, BucketId};
use crate::meta::records::{BucketRecord, ListedVersion};
use crate::meta::{ErrorKind, Read, Table};
use rows::Rows;

/// Which versions to list.
#[derive(Clone, Debug, Default)]
pub struct ListObjectVersions {
    pub bucket: NamedBucket,
    /// Only keys that start with this.
    pub prefix: String,
    /// Keys that have this after the prefix are shown as one common prefix, up to and with it. Never empty.
    pub delimiter: Option<String>,
    /// Only versions of greater keys. A key that is or lies in a common prefix: only what comes after that prefix.
    pub key_marker: Option<String>,
    /// With a key marker: also that key's versions older than this one, whether or not it still exists.
    pub version_id_marker: Option<String>,
    /// Versions and common prefixes on the page, together.
    pub max: usize,
}

/// A page of versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionPage {
    pub entries: Vec<VersionEntry>,
    /// Key and version id to go on after, when there is a next page. A common prefix has no version id.
    pub next: Option<(String, Option<String>)>,
    /// Exact: there is at least one more entry. An empty page that was asked for is never truncated.
    pub is_truncated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionEntry {
    /// An object or a delete marker.
    Version {
        key: String,
        version: ListedVersion,
        /// It is the key's newest.
        is_latest: bool,
    },
    /// With its delimiter.
    CommonPrefix(String),
}

/// `InvalidVersionIdMarker` when the marker is not an id that Dovetail can have given out.
pub async fn list_object_versions(
    engine: &Engine,
    request: ListObjectVersions,
) -> Result<VersionPage, Error> {
    engine
        .meta
        .read(move |read| {
            let bucket = request.bucket.find(read)?;
            page(read, &bucket, &request)
        })
        .await
}

fn page(read: &dyn Read, record: &BucketRecord, request: &ListObjectVersions) -> Result<VersionPage, Error> {
    let bucket = record.id;
    let mut page = VersionPage::default();
    let Some(start) = start(read, bucket, request)?.filter(|_| request.max > 0) else { return Ok(page) };
    let prefix = request.prefix.as_bytes();
    let mut objects = Rows::new(read, Table::Objects, bucket, prefix, start.objects);
    let mut others = Rows::new(read, Table::Versions, bucket, prefix, start.versions);
    // The key whose newest version has been passed.
    let mut begun = start.begun;
    loop {
        let from = match (objects.peek()?, others.peek()?) {
            (None, None) => return Ok(page),
            (Some(object), Some(other)) if object.key <= other.key => &mut objects,
            (Some(_), None) => &mut objects,
            (_, Some(_)) => &mut others,
        };
        if page.entries.len() == request.max {
            page.is_truncated = true;
            page.next = page.entries.last().map(marker);
            return Ok(page);
        }
        let row = from.take()?.expect("a row was looked at");
        let key = String::from_utf8(row.key).map_err(|err| {
            crate::meta::Error::with_source(ErrorKind::Corrupt, "cannot read the key of a version", err)
        })?;
        if let Some(common) = common_prefix(&request.prefix, request.delimiter.as_deref(), &key) {
            page.entries.push(VersionEntry::CommonPrefix(common.to_string()));
            let after = keys::after_prefix(&keys::object(bucket, common));
            objects.seek(after.as_deref());
            others.seek(after.as_deref());
            continue;
        }
        let mut version = ListedVersion::decode(&row.value)?;
        acl::show_owner(record, &mut version);
        let is_latest = begun.as_ref() != Some(&key);
        begun = Some(key.clone());
        page.entries.push(VersionEntry::Version { key, version, is_latest });
    }
}

fn marker(entry: &VersionEntry) -> (String, Option<String>) {
    match entry {
        VersionEntry::Version { key, version, .. } => {
            (key.clone(), Some(objects::listed_id(&version.version_id).to_string()))
        }
        VersionEntry::CommonPrefix(prefix) => (prefix.clone(), None),
    }
}

/// Where a page begins.
struct Start {
    /// The first stored keys of both tables that may be on the page.
    objects: Vec<u8>,
    versions: Vec<u8>,
    /// A key that the page begins amid the versions of.
    begun: Option<String>,
}

/// `None` when nothing can be on the page.
fn start(read: &dyn Read, bucket: BucketId, request: &ListObjectVersions) -> Result<Option<Start>, Error> {
    let first = keys::object(bucket, &request.prefix);
    let Some(key) = &request.key_marker else {
        return Ok(Some(Start { objects: first.clone(), versions: first, begun: None }));
    };
    let mut start = match common_prefix(&request.prefix, request.delimiter.as_deref(), key) {
        Some(common) => match keys::after_prefix(&keys::object(bucket, common)) {
            None => return Ok(None),
            Some(after) => Start { objects: after.clone(), versions: after, begun: None },
        },
        None => match &request.version_id_marker {
            None => after_key(bucket, key),
            Some(id) => after_version(read, bucket, key, id)?,
        },
    };
    start.versions = start.versions.max(first.clone());
    start.objects = start.objects.max(first);
    Ok(Some(start))
}

fn after_key(bucket: BucketId, key: &str) -> Start {
    let stored = keys::object(bucket, key);
    // Versions of the key itself come behind a NUL, and no key has one.
    Start { objects: [&stored[..], &[0]].concat(), versions: [&stored[..], &[1]].concat(), begun: None }
}

fn after_version(read: &dyn Read, bucket: BucketId, key: &str, id: &str) -> Result<Start, Error> {
    // A null version that is gone leaves no trace of where it was. Showing a version twice does less harm than
    // leaving one out, which a client that empties a bucket would then keep for ever.
    let Some(sequence) = objects::sequence_of(read, bucket, key, id)? else {
        let stored = keys::object(bucket, key);
        return Ok(Start { objects: stored.clone(), versions: stored, begun: None });
    };
    let mut start = after_key(bucket, key);
    start.versions = [&keys::version(bucket, key, sequence)[..], &[0]].concat();
    // What was listed may have been removed since: then an older version can be the newest by now.
    match objects::newest(read, bucket, key)? {
        Some(newest) if newest.sequence < sequence => start.objects = keys::object(bucket, key),
        _ => start.begun = Some(key.to_string()),
    }
    Ok(start)
}
