//! GetBucketPolicyStatus: whether the policy lets in anybody whom its author does not know.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html>

use crate::s3::S3;
use crate::s3::authorize;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::error_code::ErrorCode;

pub async fn get_bucket_policy_status(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let bucket = request.bucket_record()?;
    let access = authorize::access_of(s3, request.bucket_name(), bucket).await?;
    let is_public = access.policy_is_public().ok_or(ErrorCode::NoSuchBucketPolicy)?;
    let mut document = response::document("PolicyStatus");
    document.flag("IsPublic", is_public);
    Ok(response::xml(document))
}
