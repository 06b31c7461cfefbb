//! UploadPartCopy: a part that is a range of another object.

use super::copy_object::{COPY_SOURCE_VERSION_ID, ReadableSource, of_source, source};
use super::get_object::part_number;
use super::upload_part::{engine_etag, of_upload, upload_id};
use crate::engine;
use crate::s3::S3;
use crate::s3::encryption;
use crate::s3::error::S3Error;
use crate::s3::metadata;
use crate::s3::request::Request;
use crate::s3::response::{self, ChecksumText, Response};
use crate::wire::range::CopyRange;

const SOURCE_RANGE: &str = "x-amz-copy-source-range";

pub async fn upload_part_copy(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let part_number = part_number(request.query.get("partNumber").unwrap_or(""))?;
    let upload_id = upload_id(&request)?;
    metadata::refuse_unsupported(request.headers())?;
    let range = match request.header(SOURCE_RANGE) {
        None => None,
        Some(text) => Some(CopyRange::parse(&text).ok_or_else(|| {
            S3Error::argument(
                SOURCE_RANGE,
                &text,
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
                 zero-based offsets of the first and last bytes to copy",
            )
        })?),
    };
    let ReadableSource { source, sees_absence } = source(s3, &request, false).await?;
    let asked = engine::ops::upload_part_copy::UploadPartCopy {
        bucket: request.bucket(),
        key: request.key(),
        upload_id,
        part_number,
        source,
        range: range.map(|range| (range.first, range.last)),
        customer_key: encryption::customer_key(request.headers(), s3.may_bring_keys(&request.parts))?,
    };
    let key = asked.source.key.clone();
    let part = match engine::ops::upload_part_copy::upload_part_copy(s3.engine(), asked).await {
        Ok(part) => part,
        Err(engine::Error::InvalidCopyRange { len }) => return Err(outside(&request, range, len)),
        Err(err @ engine::Error::NoSuchUpload) => return Err(of_upload(&request)(err)),
        Err(err) => return Err(of_source(err, &key, sees_absence)),
    };

    let mut document = response::document("CopyPartResult");
    document.etag("ETag", &engine_etag(part.md5).to_string());
    document.time("LastModified", part.modified_ms.div_euclid(1000));
    if let Some(checksum) = part.checksum.as_ref().and_then(|checksum| ChecksumText::new(checksum, None)) {
        checksum.write(&mut document);
    }
    let mut answer = response::xml(document);
    encryption::set(answer.headers_mut(), part.encryption.as_ref(), request.headers());
    if let Some(id) = part.source_id {
        response::set(answer.headers_mut(), COPY_SOURCE_VERSION_ID, &id);
    }
    Ok(answer)
}

/// A range that begins past the end is another mistake than one that ends there.
fn outside(request: &Request, range: Option<CopyRange>, source_len: u64) -> S3Error {
    if range.is_some_and(|range| range.first >= source_len) {
        return S3Error::invalid_request("The specified copy range is invalid for the source object size");
    }
    let text = request.header(SOURCE_RANGE).unwrap_or_default();
    let message = format!("Range specified is not valid for source object of size: {source_len}");
    S3Error::argument(SOURCE_RANGE, &text, message)
}
