//! UploadPart: the bytes of one part.

use super::get_object::part_number;
use crate::engine;
use crate::meta::keys::UploadId;
use crate::s3::S3;
use crate::s3::encryption;
use crate::s3::error::S3Error;
use crate::s3::metadata;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::error_code::ErrorCode;
use http::StatusCode;

pub async fn upload_part(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let part_number = part_number(request.query.get("partNumber").unwrap_or(""))?;
    let upload_id = upload_id(&request)?;
    metadata::refuse_unsupported(request.headers())?;
    let customer_key = encryption::customer_key(request.headers(), s3.may_bring_keys(&request.parts))?;
    let body = request.take_body().into_object(&request.parts)?;
    let asked = engine::ops::upload_part::UploadPart {
        bucket: request.bucket(),
        key: request.key(),
        upload_id,
        part_number,
        body,
        customer_key,
    };
    let part =
        engine::ops::upload_part::upload_part(s3.engine(), asked).await.map_err(of_upload(&request))?;

    let mut answer = response::empty(StatusCode::OK);
    let headers = answer.headers_mut();
    response::set_etag(headers, engine_etag(part.md5));
    encryption::set(headers, part.encryption.as_ref(), request.headers());
    if let Some(checksum) =
        part.checksum.as_ref().and_then(|checksum| response::ChecksumText::new(checksum, None))
    {
        checksum.set_value(headers);
    }
    Ok(answer)
}

/// A part's ETag: hexadecimal digits.
pub fn engine_etag(md5: [u8; 16]) -> crate::meta::records::ETag {
    crate::meta::records::ETag { md5, parts: None }
}

/// The upload that the request names. A text that cannot be an upload id is one that nobody was given.
pub fn upload_id(request: &Request) -> Result<UploadId, S3Error> {
    let text = request.query.get("uploadId").unwrap_or("");
    UploadId::parse(text).ok_or_else(|| S3Error::from(ErrorCode::NoSuchUpload).field("UploadId", text))
}

/// Adds the upload's id to the errors that name it.
pub fn of_upload(request: &Request) -> impl Fn(engine::Error) -> S3Error + '_ {
    |err| {
        let error = S3Error::from(err);
        let names_upload = [ErrorCode::NoSuchUpload, ErrorCode::InvalidPart, ErrorCode::InvalidPartOrder]
            .contains(&error.code());
        match request.query.get("uploadId") {
            Some(id) if names_upload => error.field("UploadId", id),
            _ => error,
        }
    }
}
