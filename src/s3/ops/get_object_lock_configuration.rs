//! GetObjectLockConfiguration: whether a bucket's versions can be locked, and what holds new ones by default.

use crate::engine;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, object_lock};
use crate::wire::error_code::ErrorCode;

pub async fn get_object_lock_configuration(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let bucket = engine::ops::head_bucket::head_bucket(s3.engine(), request.bucket_name()).await?;
    let lock = bucket.object_lock.ok_or(ErrorCode::ObjectLockConfigurationNotFoundError)?;
    Ok(response::xml(object_lock::configuration(&lock)))
}
