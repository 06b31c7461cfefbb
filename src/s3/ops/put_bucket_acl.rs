//! PutBucketAcl: replaces a bucket's access control list.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html>

use crate::engine;
use crate::engine::ops::put_bucket_acl::PutBucketAcl;
use crate::s3::S3;
use crate::s3::acl::{self, Of, Replacement};
use crate::s3::authorize;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use http::StatusCode;

pub async fn put_bucket_acl(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let Replacement { owner, acl } = acl::replacement(s3, &mut request, Of::Bucket).await?;
    authorize::list(s3, &request, &acl).await?;
    let asked = PutBucketAcl { bucket: request.bucket(), owner, acl };
    engine::ops::put_bucket_acl::put_bucket_acl(s3.engine(), asked).await?;
    Ok(response::empty(StatusCode::OK))
}
