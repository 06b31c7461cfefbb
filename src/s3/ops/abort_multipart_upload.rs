//! AbortMultipartUpload: 204, and the upload is gone.

use super::upload_part::{of_upload, upload_id};
use crate::engine;
use crate::s3::S3;
use crate::s3::conditions;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::error_code::ErrorCode;
use http::StatusCode;

pub async fn abort_multipart_upload(s3: &S3, request: Request) -> Result<Response, S3Error> {
    // A time in the future says nothing, and with any time an upload that is gone is what was wanted.
    let stated = conditions::date(request.headers(), "x-amz-if-match-initiated-time");
    let if_initiated = stated.filter(|seconds| *seconds <= request.now_ms.div_euclid(1000));
    let outcome = match upload_id(&request) {
        Ok(upload_id) => {
            let asked = engine::ops::abort_multipart_upload::AbortMultipartUpload {
                bucket: request.bucket(),
                key: request.key(),
                upload_id,
                if_initiated,
            };
            engine::ops::abort_multipart_upload::abort_multipart_upload(s3.engine(), asked)
                .await
                .map_err(of_upload(&request))
        }
        Err(error) => Err(error),
    };
    match outcome {
        Err(error) if stated.is_some() && error.code() == ErrorCode::NoSuchUpload => {}
        other => other?,
    }
    Ok(response::empty(StatusCode::NO_CONTENT))
}
