//! PutBucketPolicy: who may use a bucket from now on.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>

use crate::engine;
use crate::engine::access::{DOCUMENT_LEN_MAX, MalformedPolicy, Policy};
use crate::engine::ops::put_bucket_policy::PutBucketPolicy;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, document};
use crate::wire::error_code::ErrorCode;
use http::StatusCode;

/// So much is read, so that a policy that is too long is told so.
const READ_LEN_MAX: usize = 4 * DOCUMENT_LEN_MAX;

pub async fn put_bucket_policy(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let bytes = document::read(&mut request, READ_LEN_MAX).await?;
    let policy = Policy::of_bucket(&bytes, request.bucket_name())?;
    let text = String::from_utf8(bytes.into()).map_err(|_| ErrorCode::MalformedPolicy)?;
    let owner_is_bound = request
        .header("x-amz-confirm-remove-self-bucket-access")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let asked = PutBucketPolicy::new(request.bucket(), text, &policy, owner_is_bound);
    engine::ops::put_bucket_policy::put_bucket_policy(s3.engine(), asked).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

impl From<MalformedPolicy> for S3Error {
    fn from(err: MalformedPolicy) -> S3Error {
        S3Error::new(ErrorCode::MalformedPolicy, err.0)
    }
}
