//! DeleteBucketPolicy: from now on nobody is let in by it. That there is none is fine.

use crate::engine;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use http::StatusCode;

pub async fn delete_bucket_policy(s3: &S3, request: Request) -> Result<Response, S3Error> {
    engine::ops::delete_bucket_policy::delete_bucket_policy(s3.engine(), request.bucket()).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}
