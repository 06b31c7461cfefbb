//! DeletePublicAccessBlock: from now on nothing is blocked. That nothing was is fine.

use crate::engine;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use http::StatusCode;

pub async fn delete_public_access_block(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let bucket = request.bucket();
    engine::ops::put_public_access_block::put_public_access_block(s3.engine(), bucket, None).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}
