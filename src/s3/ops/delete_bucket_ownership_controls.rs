//! DeleteBucketOwnershipControls: a bucket without the setting, in which writers own what they write and access control
//! lists count. That there was none is fine.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html>

use crate::engine;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use http::StatusCode;

pub async fn delete_bucket_ownership_controls(s3: &S3, request: Request) -> Result<Response, S3Error> {
    engine::ops::delete_bucket_ownership_controls::delete_bucket_ownership_controls(
        s3.engine(),
        request.bucket(),
    )
    .await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}
