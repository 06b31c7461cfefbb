//! ListMultipartUploads: the open uploads of a bucket, by key and then by age, with common prefixes rolled up.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
//!
//! A page costs its entries (invariant 7). Upload ids begin with the time of their creation, so the order of the
//! stored keys is the order to list in, and an upload id as a marker is a place in it whether or not that upload
//! still exists: a client that aborts as it lists does not lose its place.

#[cfg(test)]
mod tests;

use crate::engine::access::acl;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::prefixes::common_prefix;
use crate::engine::{Engine, Error};
use crate::meta::keys::{self, BucketId, UploadId};
use crate::meta::records::{BucketRecord, Record, UploadRecord};
use crate::meta::{ErrorKind, Read, Step, Table};

/// Which uploads to list.
#[derive(Clone, Debug, Default)]
pub struct ListMultipartUploads {
    pub bucket: NamedBucket,
    /// Only keys that start with this.
    pub prefix: String,
    /// Keys that have this after the prefix are shown as one common prefix, up to and with it. Never empty.
    pub delimiter: Option<String>,
    /// Only uploads of greater keys. A key that is or lies in a common prefix: only what comes after that prefix.
    pub key_marker: Option<String>,
    /// With a key marker: also the uploads of that key after this one.
    pub upload_id_marker: Option<UploadId>,
    /// Uploads and common prefixes on the page, together.
    pub max: usize,
}

/// A page of uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadPage {
    pub entries: Vec<UploadEntry>,
    /// The markers of the next page, when there is one.
    pub next: Option<(String, Option<UploadId>)>,
    /// Exact: there is at least one more entry. An empty page that was asked for is never truncated.
    pub is_truncated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadEntry {
    Upload {
        key: String,
        id: UploadId,
        /// Of its metadata there is only the storage class. It names its owner.
        record: Box<UploadRecord>,
    },
    /// With its delimiter.
    CommonPrefix(String),
}

pub async fn list_multipart_uploads(
    engine: &Engine,
    request: ListMultipartUploads,
) -> Result<UploadPage, Error> {
    engine
        .meta
        .read(move |read| {
            let bucket = request.bucket.find(read)?;
            page(read, &bucket, &request)
        })
        .await
}

fn page(read: &dyn Read, record: &BucketRecord, request: &ListMultipartUploads) -> Result<UploadPage, Error> {
    let bucket = record.id;
    let mut page = UploadPage::default();
    let Some(start) = start(bucket, request).filter(|_| request.max > 0) else { return Ok(page) };
    let mut failure = None;
    read.scan(Table::Uploads, &start, &mut |stored, value| {
        let Some((key, id)) =
            keys::parse_upload(bucket, stored).filter(|(key, _)| key.starts_with(request.prefix.as_bytes()))
        else {
            return Step::Stop;
        };
        if page.entries.len() == request.max {
            page.is_truncated = true;
            return Step::Stop;
        }
        match entry(record, request, key, id, value) {
            Ok(entry) => {
                let step = match &entry {
                    UploadEntry::Upload { .. } => Step::Next,
                    UploadEntry::CommonPrefix(prefix) => {
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
            UploadEntry::Upload { key, id, .. } => (key.clone(), Some(*id)),
            UploadEntry::CommonPrefix(prefix) => (prefix.clone(), None),
        });
    }
    Ok(page)
}

/// The first stored key that may be on the page; `None` when none can be.
fn start(bucket: BucketId, request: &ListMultipartUploads) -> Option<Vec<u8>> {
    let first = keys::object(bucket, &request.prefix);
    let Some(key) = &request.key_marker else { return Some(first) };
    let after =
        match (common_prefix(&request.prefix, request.delimiter.as_deref(), key), request.upload_id_marker) {
            (Some(prefix), _) => keys::after_prefix(&keys::object(bucket, prefix))?,
            (None, Some(id)) => [&keys::upload(bucket, key, id)[..], &[0]].concat(),
            // Uploads of the key itself come behind a NUL, and no key has one.
            (None, None) => [&keys::object(bucket, key)[..], &[1]].concat(),
        };
    Some(after.max(first))
}

fn entry(
    bucket: &BucketRecord,
    request: &ListMultipartUploads,
    key: &[u8],
    id: UploadId,
    value: &[u8],
) -> Result<UploadEntry, Error> {
    let key = std::str::from_utf8(key).map_err(|err| {
        crate::meta::Error::with_source(ErrorKind::Corrupt, "cannot read the key of an upload", err)
    })?;
    if let Some(prefix) = common_prefix(&request.prefix, request.delimiter.as_deref(), key) {
        return Ok(UploadEntry::CommonPrefix(prefix.to_string()));
    }
    let record = UploadRecord::decode(value)?;
    let owner = Some(acl::owner_of_upload(bucket, &record).to_string());
    let metadata = record.metadata.listed();
    let record = Box::new(UploadRecord { metadata, owner, acl: None, lock: None, ..record });
    Ok(UploadEntry::Upload { key: key.to_string(), id, record })
}
