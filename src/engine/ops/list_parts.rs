//! ListParts: a page of the finished parts of an open upload, in the order of their numbers.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>

use crate::engine::access::acl;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::uploads::UploadName;
use crate::engine::{Engine, Error};
use crate::meta::keys::{self, UploadId};
use crate::meta::records::{PartRecord, Record, UploadRecord};
use crate::meta::{Read, Step, Table};

/// Which parts to list.
#[derive(Clone, Debug)]
pub struct ListParts {
    pub bucket: NamedBucket,
    pub key: String,
    pub upload_id: UploadId,
    /// Only parts with greater numbers.
    pub after: u16,
    /// Parts on the page.
    pub max: usize,
}

/// A page of parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartPage {
    /// It names its owner.
    pub upload: UploadRecord,
    /// Numbers and parts, ascending.
    pub parts: Vec<(u16, PartRecord)>,
    /// Exact: there is at least one more part. An empty page that was asked for is never truncated.
    pub is_truncated: bool,
}

/// An upload that is not open is `NoSuchUpload`.
pub async fn list_parts(engine: &Engine, request: ListParts) -> Result<PartPage, Error> {
    engine
        .meta
        .read(move |read| {
            let ListParts { bucket, key, upload_id, after, max } = request;
            let name = UploadName { bucket, key, id: upload_id };
            let (_, mut upload) = name.find(read)?;
            let owner = acl::owner_of_upload(&name.bucket.find(read)?, &upload).to_string();
            upload.owner = Some(owner);
            let mut page = PartPage { upload, parts: Vec::new(), is_truncated: false };
            if let Some(first) = after.checked_add(1)
                && max > 0
            {
                fill(read, upload_id, first, max, &mut page)?;
            }
            Ok(page)
        })
        .await
}

fn fill(read: &dyn Read, id: UploadId, first: u16, max: usize, page: &mut PartPage) -> Result<(), Error> {
    let mut failure = None;
    read.scan(Table::Parts, &keys::part(id, first), &mut |stored, value| {
        let Some(number) = keys::part_number(id, stored) else { return Step::Stop };
        if page.parts.len() == max {
            page.is_truncated = true;
            return Step::Stop;
        }
        match PartRecord::decode(value) {
            Ok(part) => {
                page.parts.push((number, part));
                Step::Next
            }
            Err(err) => {
                failure = Some(err);
                Step::Stop
            }
        }
    })?;
    failure.map_or(Ok(()), |err| Err(err.into()))
}
