//! ListObjectVersions: every version and delete marker, by key and then newest first.

use super::list_objects::{Listing, write_version};
use crate::engine;
use crate::engine::objects::listed_id;
use crate::engine::ops::list_object_versions::{ListObjectVersions, VersionEntry, VersionPage};
use crate::meta::records::ListedVersion;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::{Request, is_version_id};
use crate::s3::response::{self, Response};
use crate::wire::xml::Writer;

pub async fn list_object_versions(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let listing = Listing::parse(&request)?;
    let key_marker = request.query.get("key-marker").unwrap_or("");
    let version_marker = version_marker(&request, key_marker)?;
    let page = page(s3, &request, &listing, key_marker, version_marker).await?;

    let mut document = response::document("ListVersionsResult");
    listing.write_head(&mut document, &request);
    document.text("KeyMarker", &listing.encoding.text(key_marker)).text("VersionIdMarker", version_marker);
    if let Some((key, version_id)) = &page.next {
        document
            .text("NextKeyMarker", &listing.encoding.text(key))
            .text_optional("NextVersionIdMarker", version_id.as_deref());
    }
    listing.write_limits(&mut document, page.is_truncated);
    for entry in &page.entries {
        if let VersionEntry::Version { key, version, is_latest } = entry {
            write_entry(&mut document, s3, (version, *is_latest), &listing.encoding.text(key));
        }
    }
    let prefixes = page.entries.iter().filter_map(|entry| match entry {
        VersionEntry::CommonPrefix(prefix) => Some(prefix.as_str()),
        VersionEntry::Version { .. } => None,
    });
    listing.write_common_prefixes(&mut document, prefixes);
    Ok(response::xml(document))
}

/// Empty when there is none.
fn version_marker<'r>(request: &'r Request, key_marker: &str) -> Result<&'r str, S3Error> {
    const NAME: &str = "version-id-marker";
    let marker = request.query.get(NAME).unwrap_or("");
    if !marker.is_empty() && key_marker.is_empty() {
        let message = "A version-id marker cannot be specified without a key marker.";
        return Err(S3Error::argument(NAME, marker, message));
    }
    if !marker.is_empty() && !is_version_id(marker) {
        return Err(S3Error::argument(NAME, marker, "Invalid version id specified"));
    }
    Ok(marker)
}

async fn page(
    s3: &S3,
    request: &Request,
    listing: &Listing,
    key_marker: &str,
    version_marker: &str,
) -> Result<VersionPage, S3Error> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let asked = ListObjectVersions {
        bucket: request.bucket(),
        prefix: listing.prefix.clone(),
        delimiter: listing.delimiter.clone(),
        key_marker: given(key_marker),
        version_id_marker: given(version_marker),
        max: listing.max,
    };
    Ok(engine::ops::list_object_versions::list_object_versions(s3.engine(), asked).await?)
}

fn write_entry(document: &mut Writer, s3: &S3, (version, is_latest): (&ListedVersion, bool), key: &str) {
    document
        .open(if version.delete_marker { "DeleteMarker" } else { "Version" })
        .text("Key", key)
        .text("VersionId", listed_id(&version.version_id))
        .flag("IsLatest", is_latest);
    if version.delete_marker {
        document.time("LastModified", version.modified_ms.div_euclid(1000));
        response::write_owner(document, "Owner", &version.owner, s3.display_name(&version.owner));
    } else {
        write_version(document, s3, version, true);
    }
    document.close();
}
