//! PutBucketLifecycleConfiguration: replaces a bucket's rules. They are carried out from the next sweep on, on what is
//! there already too.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>

use crate::engine::bucket_documents;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, document, lifecycle};
use http::StatusCode;

pub async fn put_bucket_lifecycle_configuration(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let minimum = lifecycle::minimum_from_header(request.headers())?;
    let bytes = document::read(&mut request, lifecycle::DOCUMENT_LEN_MAX).await?;
    let rules = lifecycle::parse(&bytes, minimum)?;
    bucket_documents::put(s3.engine(), request.bucket(), rules).await?;
    let mut answer = response::empty(StatusCode::OK);
    lifecycle::set_minimum(answer.headers_mut(), minimum);
    Ok(answer)
}
