//! GetObjectAttributes: what HeadObject says, as a document, and the parts.

use crate::base::limits::PAGE_LEN_MAX;
use crate::engine;
use crate::engine::ops::get_object_attributes::Attributes;
use crate::meta::records::{ChecksumKind, VersionRecord};
use crate::s3::S3;
use crate::s3::encryption;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, ChecksumText, Response};
use crate::wire::http_date;
use crate::wire::xml::Writer;
use http::header::LAST_MODIFIED;

/// Every attribute, in the order of the answer.
const ATTRIBUTES: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

pub async fn get_object_attributes(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let wanted = wanted(&request)?;
    let wants = |name: &str| wanted.iter().any(|wanted| wanted == name);
    let after = number(&request, "x-amz-part-number-marker").unwrap_or(0);
    let max =
        number(&request, "x-amz-max-parts").map_or(PAGE_LEN_MAX, |max| usize::from(max).min(PAGE_LEN_MAX));
    let asked = engine::ops::get_object_attributes::GetObjectAttributes {
        bucket: request.bucket(),
        key: request.key(),
        version_id: request.version_id()?,
        parts: wants("ObjectParts").then_some((after, max)),
        customer_key: encryption::customer_key(request.headers(), s3.may_bring_keys(&request.parts))?,
        asker: request.asker.clone(),
    };
    let found = engine::ops::get_object_attributes::get_object_attributes(s3.engine(), asked).await?;
    let version = &found.version;

    let mut document = response::document("GetObjectAttributesResponse");
    if wants("ETag") {
        document.text("ETag", &version.etag.to_string());
    }
    if wants("Checksum") {
        write_checksum(&mut document, version);
    }
    if wants("ObjectParts") {
        write_parts(&mut document, &found, after, max);
    }
    if wants("StorageClass") {
        document.text("StorageClass", response::storage_class(version.metadata.storage_class.as_deref()));
    }
    if wants("ObjectSize") {
        document.number("ObjectSize", version.len);
    }
    let mut answer = response::xml(document);
    let headers = answer.headers_mut();
    response::set(headers, LAST_MODIFIED, &http_date::rfc1123(version.modified_ms.div_euclid(1000)));
    response::set_version_id(headers, found.shown_id.as_deref());
    encryption::set(headers, version.encryption.as_ref(), request.headers());
    Ok(answer)
}

/// The attributes that `x-amz-object-attributes` lists.
fn wanted(request: &Request) -> Result<Vec<String>, S3Error> {
    const NAME: &str = "x-amz-object-attributes";
    let text = request.header(NAME).unwrap_or_default();
    let names: Vec<String> =
        text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        return Err(S3Error::invalid_request(format!("Missing required header for this request: {NAME}")));
    }
    match names.iter().find(|name| !ATTRIBUTES.contains(&name.as_str())) {
        Some(unknown) => Err(S3Error::argument(NAME, unknown, "Invalid attribute name specified.")),
        None => Ok(names),
    }
}

/// A header with a number; what is none is ignored, as AWS does.
fn number(request: &Request, name: &'static str) -> Option<u16> {
    request.header(name)?.trim().parse().ok()
}

/// A composite checksum stands here without its `-N`.
fn write_checksum(document: &mut Writer, version: &VersionRecord) {
    let Some(checksum) = version.checksum.as_ref().and_then(|checksum| ChecksumText::new(checksum, None))
    else {
        return;
    };
    document.open("Checksum");
    checksum.write(document);
    document.text("ChecksumType", checksum.kind).close();
}

fn write_parts(document: &mut Writer, found: &Attributes, after: u16, max: usize) {
    let Some(count) = found.parts_count else { return };
    let is_composite =
        found.version.checksum.as_ref().is_some_and(|checksum| checksum.kind == ChecksumKind::Composite);
    document
        .open("ObjectParts")
        .number("PartsCount", count.into())
        .number("PartNumberMarker", after.into())
        .number("NextPartNumberMarker", found.parts.last().map_or(0, |(number, _)| (*number).into()))
        .number("MaxParts", max as u64)
        .flag("IsTruncated", found.truncated);
    for (number, part) in &found.parts {
        document.open("Part").number("PartNumber", (*number).into()).number("Size", part.len);
        if is_composite && let Some(checksum) = ChecksumText::new(&part.checksum, None) {
            checksum.write(document);
        }
        document.close();
    }
    document.close();
}
