//! ListObjects and ListObjectsV2: the current objects of a bucket in byte order, with common prefixes rolled up.
//!
//! A page costs its entries (invariant 7): the scan seeks past each common prefix and past what the marker excludes,
//! and never reads through what it does not show.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use crate::engine::access::acl;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::prefixes::common_prefix;
use crate::engine::{Engine, Error};
use crate::meta::keys::{self, BucketId};
use crate::meta::records::{BucketRecord, ListedVersion};
use crate::meta::{ErrorKind, Read, Step, Table};

/// Which objects to list.
#[derive(Clone, Debug)]
pub struct ListObjects {
    pub bucket: NamedBucket,
    /// Only keys that start with this.
    pub prefix: String,
    /// Keys that have this after the prefix are shown as one common prefix, up to and with it. Never empty.
    pub delimiter: Option<String>,
    pub after: Option<ListAfter>,
    /// Objects and common prefixes on the page, together.
    pub max: usize,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListAfter {
    /// With the first key greater than this. When the key is or lies in a common prefix, after that prefix.
    Key(String),
    /// With the first key that does not start with this, and is greater.
    Prefix(String),
}

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPage {
    /// In byte order of keys and prefixes.
    pub entries: Vec<ListEntry>,
    /// Where the next page begins, when there is one.
    pub next: Option<ListAfter>,
    /// Exact: there is at least one more entry.
    pub is_truncated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListEntry {
    Object {
        key: String,
        version: ListedVersion,
    },
    /// With its delimiter.
    CommonPrefix(String),
}

pub async fn list_objects(engine: &Engine, request: ListObjects) -> Result<ObjectPage, Error> {
    engine
        .meta
        .read(move |read| {
            let bucket = request.bucket.find(read)?;
            page(read, &bucket, &request)
        })
        .await
}

fn page(read: &dyn Read, record: &BucketRecord, request: &ListObjects) -> Result<ObjectPage, Error> {
    let bucket = record.id;
    let mut page = ObjectPage::default();
    let Some(start) = start(bucket, request) else { return Ok(page) };
    if request.max == 0 {
        return Ok(page);
    }
    let mut failure = None;
    read.scan(Table::Objects, &start, &mut |stored, value| {
        let Some(key) =
            keys::object_key(bucket, stored).filter(|key| key.starts_with(request.prefix.as_bytes()))
        else {
            return Step::Stop;
        };
        if page.entries.len() == request.max {
            page.is_truncated = true;
            return Step::Stop;
        }
        match entry(record, request, key, value) {
            Ok(entry) => {
                let step = match &entry {
                    ListEntry::Object { .. } => Step::Next,
                    ListEntry::CommonPrefix(prefix) => {
                        keys::after_prefix(&keys::object(bucket, prefix)).map_or(Step::Stop, Step::Seek)
                    }
                };
                page.entries.push(entry);
                step
            }
            Err(err) => {
                failure = Some(err);
                Step::Stop
            }
        }
    })?;
    if let Some(err) = failure {
        return Err(err);
    }
    if page.is_truncated {
        page.next = page.entries.last().map(|entry| match entry {
            ListEntry::Object { key, .. } => ListAfter::Key(key.clone()),
            ListEntry::CommonPrefix(prefix) => ListAfter::Prefix(prefix.clone()),
        });
    }
    Ok(page)
}

/// The first stored key that may be on the page; `None` when none can be.
fn start(bucket: BucketId, request: &ListObjects) -> Option<Vec<u8>> {
    let first = keys::object(bucket, &request.prefix);
    let after = match &request.after {
        None => return Some(first),
        Some(ListAfter::Prefix(prefix)) => keys::after_prefix(&keys::object(bucket, prefix))?,
        Some(ListAfter::Key(key)) => {
            match common_prefix(&request.prefix, request.delimiter.as_deref(), key) {
                Some(prefix) => keys::after_prefix(&keys::object(bucket, prefix))?,
                None => [&keys::object(bucket, key)[..], &[0]].concat(),
            }
        }
    };
    Some(after.max(first))
}

fn entry(bucket: &BucketRecord, request: &ListObjects, key: &[u8], value: &[u8]) -> Result<ListEntry, Error> {
    let key = std::str::from_utf8(key).map_err(|err| {
        crate::meta::Error::with_source(ErrorKind::Corrupt, "cannot read an object's key", err)
    })?;
    if let Some(prefix) = common_prefix(&request.prefix, request.delimiter.as_deref(), key) {
        return Ok(ListEntry::CommonPrefix(prefix.to_string()));
    }
    let mut version = ListedVersion::decode(value)?;
    acl::show_owner(bucket, &mut version);
    Ok(ListEntry::Object { key: key.to_string(), version })
}

#[cfg(test)]
mod tests;
