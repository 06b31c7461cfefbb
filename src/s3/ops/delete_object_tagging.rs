//! DeleteObjectTagging: takes all tags off an object.

use super::get_object_tagging::of_marker;
use crate::engine;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use http::StatusCode;

pub async fn delete_object_tagging(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let (bucket, key, version_id) = (request.bucket(), request.key(), request.version_id()?);
    let delete = engine::ops::delete_object_tagging::delete_object_tagging;
    let found = delete(s3.engine(), bucket, key, version_id, request.asker).await.map_err(of_marker)?;
    let mut answer = response::empty(StatusCode::NO_CONTENT);
    response::set_version_id(answer.headers_mut(), found.shown_id.as_deref());
    Ok(answer)
}
