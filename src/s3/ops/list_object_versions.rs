//! ListObjectVersions of buckets that have never had versioning: every object is its own null version, the latest.

use super::list_objects::{Listing, write_version};
use crate::engine::ops::list_objects::{ListAfter, ListEntry};
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};

const NULL_VERSION: &str = "null";

pub async fn list_object_versions(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let listing = Listing::parse(&request)?;
    let key_marker = request.query.get("key-marker").unwrap_or("");
    let version_marker = request.query.get("version-id-marker").unwrap_or("");
    if !version_marker.is_empty() && key_marker.is_empty() {
        return Err(S3Error::argument(
            "version-id-marker",
            version_marker,
            "A version-id marker cannot be specified without a key marker.",
        ));
    }
    if !version_marker.is_empty() && version_marker != NULL_VERSION {
        return Err(S3Error::argument("version-id-marker", version_marker, "Invalid version id specified"));
    }
    // A key has one version, so after it means after the key.
    let after = (!key_marker.is_empty()).then(|| ListAfter::Key(key_marker.to_owned()));
    let page = listing.page(s3, &request, after).await?;

    let mut document = response::document("ListVersionsResult");
    listing.write_head(&mut document, &request);
    document.text("KeyMarker", &listing.encoding.text(key_marker)).text("VersionIdMarker", version_marker);
    match &page.next {
        Some(ListAfter::Key(key)) => {
            document
                .text("NextKeyMarker", &listing.encoding.text(key))
                .text("NextVersionIdMarker", NULL_VERSION);
        }
        Some(ListAfter::Prefix(prefix)) => {
            document.text("NextKeyMarker", &listing.encoding.text(prefix));
        }
        None => {}
    }
    listing.write_limits(&mut document, page.is_truncated);
    for entry in &page.entries {
        if let ListEntry::Object { key, version } = entry {
            document.open("Version").text("Key", &listing.encoding.text(key));
            document.text("VersionId", NULL_VERSION).flag("IsLatest", true);
            write_version(&mut document, s3, version, true);
            document.close();
        }
    }
    listing.write_common_prefixes(&mut document, &page);
    Ok(response::xml(document))
}
