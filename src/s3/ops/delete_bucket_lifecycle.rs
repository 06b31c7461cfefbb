//! DeleteBucketLifecycle: from now on nothing of the bucket ends by itself. That there were no rules is fine.

use crate::engine::bucket_documents;
use crate::meta::records::LifecycleRecord;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use http::StatusCode;

pub async fn delete_bucket_lifecycle(s3: &S3, request: Request) -> Result<Response, S3Error> {
    bucket_documents::delete::<LifecycleRecord>(s3.engine(), request.bucket()).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}
