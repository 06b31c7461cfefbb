//! GetObjectLockConfiguration: whether a bucket's versions can be locked, and what holds new ones by default.

use crate::s3::error::S3Error;
use crate::s3::object_lock;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::error_code::ErrorCode;

pub fn get_object_lock_configuration(request: &Request) -> Result<Response, S3Error> {
    let lock = request.bucket_record()?.object_lock.as_ref();
    let lock = lock.ok_or(ErrorCode::ObjectLockConfigurationNotFoundError)?;
    Ok(response::xml(object_lock::configuration(lock)))
}
