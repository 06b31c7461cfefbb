//! PutBucketCors: replaces the rules by which browsers let pages use a bucket.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>

use crate::engine::bucket_documents;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, cors, document};
use http::StatusCode;

pub async fn put_bucket_cors(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let bytes = document::read(&mut request, cors::DOCUMENT_LEN_MAX).await?;
    let rules = cors::parse(&bytes)?;
    bucket_documents::put(s3.engine(), request.bucket(), rules).await?;
    Ok(response::empty(StatusCode::OK))
}
