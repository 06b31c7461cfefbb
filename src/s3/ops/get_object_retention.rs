//! GetObjectRetention: until when a version cannot be removed.

use super::get_object_legal_hold::lock_of;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, object_lock};
use crate::wire::error_code::ErrorCode;

pub async fn get_object_retention(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let lock = lock_of(s3, &request).await?;
    let retention = lock.retention.ok_or(ErrorCode::NoSuchObjectLockConfiguration)?;
    Ok(response::xml(object_lock::retention(&retention)))
}
