//! GetBucketPolicy: the text as it was set.

use crate::engine::bucket_documents;
use crate::meta::records::PolicyRecord;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::error_code::ErrorCode;

pub async fn get_bucket_policy(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let policy: Option<PolicyRecord> = bucket_documents::get(s3.engine(), request.bucket()).await?;
    Ok(response::json(policy.ok_or(ErrorCode::NoSuchBucketPolicy)?.text))
}
