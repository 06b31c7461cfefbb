//! DeleteObject: 204, whether the object was there or not, and whether it is gone or covered by a delete marker.

use crate::engine;
use crate::engine::conditions::WriteConditions;
use crate::engine::ops::delete_object::{DeleteObject, ObjectToDelete};
use crate::s3::S3;
use crate::s3::conditions;
use crate::s3::error::S3Error;
use crate::s3::object_lock;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use http::StatusCode;

pub async fn delete_object(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let version_id = request.version_id()?;
    // If-None-Match means nothing here.
    let if_match = conditions::tags(request.headers(), "if-match");
    if version_id.is_some() && if_match.is_some() {
        return Err(S3Error::not_implemented("If-Match"));
    }
    let if_size = match request.header("x-amz-if-match-size") {
        None => None,
        Some(text) => Some(text.trim().parse().map_err(|_| {
            S3Error::argument("x-amz-if-match-size", &text, "The size must be a number of bytes")
        })?),
    };
    // A time that cannot be read is ignored where it only saves an answer. Here it keeps an object.
    const MODIFIED: &str = "x-amz-if-match-last-modified-time";
    let if_modified = conditions::date(request.headers(), MODIFIED);
    if let (Some(text), None) = (request.header(MODIFIED), if_modified) {
        return Err(S3Error::argument(MODIFIED, &text, "The time must be a date as HTTP writes it"));
    }
    let object = ObjectToDelete {
        key: request.key(),
        version_id: version_id.clone(),
        conditions: WriteConditions {
            if_match,
            if_none_match: None,
            judged_tags: request.judged_tags().cloned(),
        },
        if_size,
        if_modified,
    };
    let asked = DeleteObject {
        bucket: request.bucket(),
        owner: request.writer(),
        object,
        bypass_governance: object_lock::bypasses_governance(&request),
    };
    let deleted = engine::ops::delete_object::delete_object(s3.engine(), asked).await?;
    let mut answer = response::empty(StatusCode::NO_CONTENT);
    let headers = answer.headers_mut();
    if deleted.marker_id.is_some() {
        response::set(headers, response::DELETE_MARKER, "true");
    }
    response::set_version_id(headers, version_id.or(deleted.marker_id).as_deref());
    Ok(answer)
}
