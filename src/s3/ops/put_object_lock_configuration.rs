//! PutObjectLockConfiguration: makes a bucket's versions lockable, for good.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html>

use crate::engine;
use crate::engine::ops::put_object_lock_configuration::PutObjectLockConfiguration;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, document, object_lock};
use http::StatusCode;

pub async fn put_object_lock_configuration(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let bytes = document::read(&mut request, object_lock::DOCUMENT_LEN_MAX).await?;
    let lock = object_lock::parse_configuration(&bytes)?;
    let asked = PutObjectLockConfiguration { bucket: request.bucket(), lock };
    engine::ops::put_object_lock_configuration::put_object_lock_configuration(s3.engine(), asked).await?;
    Ok(response::empty(StatusCode::OK))
}
