//! GetObjectLegalHold: whether a version is held, if anybody ever said so.

use super::get_object_tagging::of_marker;
use crate::engine;
use crate::engine::ops::get_object::GetObject;
use crate::meta::records::ObjectLock;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, object_lock};
use crate::wire::error_code::ErrorCode;

pub async fn get_object_legal_hold(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let lock = lock_of(s3, &request).await?;
    let is_held = lock.legal_hold.ok_or(ErrorCode::NoSuchObjectLockConfiguration)?;
    Ok(response::xml(object_lock::legal_hold(is_held)))
}

/// What holds the version that the request names.
pub async fn lock_of(s3: &S3, request: &Request) -> Result<ObjectLock, S3Error> {
    engine::object_lock::check_enabled(request.bucket_record()?)?;
    let asked = GetObject {
        bucket: request.bucket(),
        key: request.key(),
        version_id: request.version_id()?,
        asker: request.asker.clone(),
        ..GetObject::default()
    };
    let found = engine::ops::head_object::find_object(s3.engine(), asked).await.map_err(of_marker)?;
    found.version.lock.ok_or_else(|| ErrorCode::NoSuchObjectLockConfiguration.into())
}
