//! PutBucketAccelerateConfiguration: there is nothing to accelerate with, so it can only be off.

use super::settings::enumerated;
use crate::engine::bucket_documents;
use crate::meta::records::AccelerateRecord;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, document};
use crate::wire::error_code::ErrorCode;
use http::StatusCode;

pub async fn put_bucket_accelerate_configuration(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let bytes = document::read(&mut request, document::LEN_MAX).await?;
    let status = enumerated(&bytes, "AccelerateConfiguration", "Status", &["Enabled", "Suspended"])?;
    if request.bucket_name().contains('.') {
        return Err(S3Error::invalid_request(
            "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names",
        ));
    }
    if status == "Enabled" {
        return Err(S3Error::new(ErrorCode::NotImplemented, "Transfer acceleration is not implemented"));
    }
    bucket_documents::put(s3.engine(), request.bucket(), AccelerateRecord {}).await?;
    Ok(response::empty(StatusCode::OK))
}
