//! GetBucketWebsite: the configuration as it was set.

use crate::engine::bucket_documents;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, website};
use crate::wire::error_code::ErrorCode;

pub async fn get_bucket_website(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let website = bucket_documents::get(s3.engine(), request.bucket()).await?;
    let website = website.ok_or(ErrorCode::NoSuchWebsiteConfiguration)?;
    Ok(response::xml(website::write(&website)))
}
