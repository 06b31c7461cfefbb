//! GetObjectTagging: an object's tags, by their keys.

use crate::engine;
use crate::engine::ops::get_object::GetObject;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, tags};
use crate::wire::error_code::ErrorCode;

pub async fn get_object_tagging(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let asked = GetObject {
        bucket: request.bucket(),
        key: request.key(),
        version_id: request.version_id()?,
        asker: request.asker.clone(),
        ..GetObject::default()
    };
    let found = engine::ops::head_object::find_object(s3.engine(), asked).await.map_err(of_marker)?;
    let mut answer = response::xml(tags::document(&found.version.metadata.tags));
    response::set_version_id(answer.headers_mut(), found.shown_id.as_deref());
    Ok(answer)
}

/// A delete marker has no tags, and here it makes no difference whether it was named.
pub fn of_marker(err: engine::Error) -> S3Error {
    match err {
        engine::Error::ObjectDeleted { marker_id } => S3Error::from(ErrorCode::MethodNotAllowed)
            .field("ResourceType", "DeleteMarker")
            .header(response::DELETE_MARKER, "true")
            .header(response::VERSION_ID, &marker_id),
        err => err.into(),
    }
}
