//! ListParts: the finished parts of an open upload.

use super::upload_part::{engine_etag, of_upload, upload_id};
use crate::engine;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::lifecycle;
use crate::s3::listing::{self, Encoding};
use crate::s3::request::Request;
use crate::s3::response::{self, ChecksumText, Response};

pub async fn list_parts(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let query = &request.query;
    let max = listing::page_len(query, "max-parts", "maxParts")?;
    let after = listing::number(query, "part-number-marker", "partNumberMarker")?.unwrap_or(0);
    let encoding = Encoding::parse(query)?;
    let id = upload_id(&request)?;
    let asked = engine::ops::list_parts::ListParts {
        bucket: request.bucket(),
        key: request.key(),
        upload_id: id,
        after: u16::try_from(after).unwrap_or(u16::MAX),
        max,
    };
    let page = engine::ops::list_parts::list_parts(s3.engine(), asked).await.map_err(of_upload(&request))?;

    let mut document = response::document("ListPartsResult");
    document
        .text("Bucket", request.bucket_name())
        .text("Key", &encoding.text(&request.key()))
        .text("UploadId", query.get("uploadId").unwrap_or(""));
    let initiator = &page.upload.initiator;
    response::write_owner(&mut document, "Initiator", initiator, s3.display_name(initiator));
    let owner = page.upload.owner.as_ref().unwrap_or(initiator);
    response::write_owner(&mut document, "Owner", owner, s3.display_name(owner));
    document
        .text("StorageClass", response::storage_class(page.upload.metadata.storage_class.as_deref()))
        .number("PartNumberMarker", after.into())
        .number("NextPartNumberMarker", page.parts.last().map_or(0, |(number, _)| (*number).into()))
        .number("MaxParts", max as u64)
        .text_optional("EncodingType", encoding.name())
        .flag("IsTruncated", page.is_truncated);
    if let Some((algorithm, kind)) = &page.upload.checksum {
        document.text("ChecksumAlgorithm", algorithm).text("ChecksumType", response::kind_name(*kind));
    }
    for (number, part) in &page.parts {
        document
            .open("Part")
            .number("PartNumber", (*number).into())
            .time("LastModified", part.modified_ms.div_euclid(1000))
            .etag("ETag", &engine_etag(part.md5).to_string())
            .number("Size", part.len);
        // Of an upload without an algorithm the parts' checksums are the gateway's own affair.
        if page.upload.checksum.is_some()
            && let Some(checksum) = ChecksumText::new(&part.checksum, None)
        {
            checksum.write(&mut document);
        }
        document.close();
    }
    let mut answer = response::xml(document);
    lifecycle::set_abort(s3, &request, answer.headers_mut(), id).await;
    Ok(answer)
}
