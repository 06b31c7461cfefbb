//! ListObjects, version 1, and what it shares with version 2.

use crate::engine;
use crate::engine::ops::list_objects::{ListAfter, ListEntry, ListObjects, ObjectPage};
use crate::meta::records::ListedVersion;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::listing::{self, Encoding};
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::xml::Writer;

pub async fn list_objects(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let listing = Listing::parse(&request)?;
    let marker = request.query.get("marker").unwrap_or("");
    let after = (!marker.is_empty()).then(|| ListAfter::Key(marker.to_owned()));
    let page = listing.page(s3, &request, after).await?;

    let mut document = response::document("ListBucketResult");
    listing.write_head(&mut document, &request);
    document.text("Marker", &listing.encoding.text(marker));
    // Without a delimiter the last key is the next marker, and clients know.
    if listing.delimiter.is_some()
        && let Some(ListAfter::Key(next) | ListAfter::Prefix(next)) = &page.next
    {
        document.text("NextMarker", &listing.encoding.text(next));
    }
    listing.write_rest(&mut document, s3, &page, true);
    Ok(response::xml(document))
}

/// The parameters of both versions.
pub struct Listing {
    pub prefix: String,
    pub delimiter: Option<String>,
    pub max: usize,
    pub encoding: Encoding,
}

impl Listing {
    pub fn parse(request: &Request) -> Result<Listing, S3Error> {
        let query = &request.query;
        Ok(Listing {
            prefix: listing::prefix(query),
            delimiter: listing::delimiter(query),
            max: listing::page_len(query, "max-keys", "maxKeys")?,
            encoding: Encoding::parse(query)?,
        })
    }

    pub async fn page(
        &self,
        s3: &S3,
        request: &Request,
        after: Option<ListAfter>,
    ) -> Result<ObjectPage, S3Error> {
        // A page for nothing is empty and, whatever the bucket holds, the last one.
        if self.max == 0 {
            return Ok(ObjectPage::default());
        }
        let asked = ListObjects {
            bucket: request.bucket(),
            prefix: self.prefix.clone(),
            delimiter: self.delimiter.clone(),
            after,
            max: self.max,
        };
        Ok(engine::ops::list_objects::list_objects(s3.engine(), asked).await?)
    }

    /// `Name` and `Prefix` come first: some clients read the document as a stream.
    pub fn write_head(&self, document: &mut Writer, request: &Request) {
        document.text("Name", request.bucket_name()).text("Prefix", &self.encoding.text(&self.prefix));
    }

    /// From `MaxKeys` on, in the order that S3 has.
    pub fn write_rest(&self, document: &mut Writer, s3: &S3, page: &ObjectPage, with_owner: bool) {
        self.write_limits(document, page.is_truncated);
        for entry in &page.entries {
            if let ListEntry::Object { key, version } = entry {
                document.open("Contents").text("Key", &self.encoding.text(key));
                write_version(document, s3, version, with_owner);
                document.close();
            }
        }
        self.write_common_prefixes(
            document,
            page.entries.iter().filter_map(|entry| match entry {
                ListEntry::CommonPrefix(prefix) => Some(prefix.as_str()),
                ListEntry::Object { .. } => None,
            }),
        );
    }

    pub fn write_limits(&self, document: &mut Writer, is_truncated: bool) {
        document.number("MaxKeys", self.max as u64);
        if let Some(delimiter) = &self.delimiter {
            document.text("Delimiter", &self.encoding.text(delimiter));
        }
        document.text_optional("EncodingType", self.encoding.name());
        document.flag("IsTruncated", is_truncated);
    }

    pub fn write_common_prefixes<'p>(&self, document: &mut Writer, prefixes: impl Iterator<Item = &'p str>) {
        for prefix in prefixes {
            document.open("CommonPrefixes").text("Prefix", &self.encoding.text(prefix)).close();
        }
    }
}

/// What a listing says about an object after its key.
pub fn write_version(document: &mut Writer, s3: &S3, version: &ListedVersion, with_owner: bool) {
    document.time("LastModified", version.modified_ms.div_euclid(1000));
    document.etag("ETag", &version.etag.to_string());
    if let Some(checksum) = &version.checksum {
        document.text("ChecksumAlgorithm", &checksum.algorithm);
        document.text("ChecksumType", response::kind_name(checksum.kind));
    }
    document.number("Size", version.len);
    document.text("StorageClass", response::storage_class(version.metadata.storage_class.as_deref()));
    if with_owner {
        response::write_owner(document, "Owner", &version.owner, s3.display_name(&version.owner));
    }
}
