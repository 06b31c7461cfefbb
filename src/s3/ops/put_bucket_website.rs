//! PutBucketWebsite: keeps what a website would be served by. Nothing is served from it.

use crate::engine::bucket_documents;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, document, website};
use http::StatusCode;

pub async fn put_bucket_website(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let bytes = document::read(&mut request, website::DOCUMENT_LEN_MAX).await?;
    let website = website::parse(&bytes)?;
    bucket_documents::put(s3.engine(), request.bucket(), website).await?;
    Ok(response::empty(StatusCode::OK))
}
