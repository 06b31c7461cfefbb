//! OPTIONS: what a browser asks before a request to another origin. No bucket has a CORS configuration, so it is
//! always refused, without authentication, as S3 does.

use crate::engine;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::router::Target;
use crate::wire::error_code::ErrorCode;
use http::HeaderMap;
use http::header::ORIGIN;

pub async fn refusal(s3: &S3, target: &Target, headers: &HeaderMap) -> S3Error {
    if !headers.contains_key(ORIGIN) {
        return S3Error::new(
            ErrorCode::BadRequest,
            "Insufficient information. Origin request header needed.",
        );
    }
    let is_there = match &target.bucket {
        Some(bucket) => engine::ops::head_bucket::head_bucket(s3.engine(), bucket).await.is_ok(),
        None => false,
    };
    let message = match is_there {
        true => "CORSResponse: CORS is not enabled for this bucket.",
        false => "CORSResponse: Bucket not found",
    };
    let resource = if target.key.is_some() { "OBJECT" } else { "BUCKET" };
    let method = headers.get("access-control-request-method").and_then(|value| value.to_str().ok());
    S3Error::new(ErrorCode::AccessForbidden, message)
        .field("Method", method.unwrap_or(""))
        .field("ResourceType", resource)
}
