//! DeleteBucketCors: from now on no page may use the bucket. That none could is fine.

use crate::engine::bucket_documents;
use crate::meta::records::CorsRecord;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use http::StatusCode;

pub async fn delete_bucket_cors(s3: &S3, request: Request) -> Result<Response, S3Error> {
    bucket_documents::delete::<CorsRecord>(s3.engine(), request.bucket()).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}
