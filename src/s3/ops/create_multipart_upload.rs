//! CreateMultipartUpload: everything about the object but its bytes.

use crate::engine;
use crate::s3::S3;
use crate::s3::acl::{self, Of};
use crate::s3::checksums;
use crate::s3::encryption;
use crate::s3::error::S3Error;
use crate::s3::lifecycle;
use crate::s3::metadata;
use crate::s3::object_lock;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use http::header::HeaderName;

const CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("x-amz-checksum-algorithm");

pub async fn create_multipart_upload(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let headers = request.headers();
    metadata::refuse_unsupported(headers)?;
    let acl = acl::of_request(s3, &request, Of::Object).await?;
    let metadata = metadata::from_headers(headers)?;
    let checksum = checksums::of_upload(headers)?;
    let encryption = encryption::of_new_object(headers, s3.may_bring_keys(&request.parts))?;
    let asked = engine::ops::create_multipart_upload::CreateMultipartUpload {
        bucket: request.bucket(),
        key: request.key(),
        initiator: request.writer(),
        acl,
        metadata,
        checksum,
        lock: object_lock::from_headers(headers, request.now_ms)?,
        encryption,
    };
    let created = engine::ops::create_multipart_upload::create_multipart_upload(s3.engine(), asked).await?;

    let mut document = response::document("InitiateMultipartUploadResult");
    document
        .text("Bucket", request.bucket_name())
        .text("Key", &request.key())
        .text("UploadId", &created.id.to_string());
    let mut answer = response::xml(document);
    encryption::set_of_new(answer.headers_mut(), created.encryption.as_ref(), headers);
    if let Some((algorithm, kind)) = checksum {
        response::set(answer.headers_mut(), CHECKSUM_ALGORITHM, algorithm.name());
        response::set(answer.headers_mut(), response::CHECKSUM_TYPE, response::kind_name(kind));
    }
    lifecycle::set_abort(s3, &request, answer.headers_mut(), created.id).await;
    Ok(answer)
}
