//! PutObjectRetention: until when a version cannot be removed.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectRetention.html>

use super::get_object_tagging::of_marker;
use crate::engine;
use crate::engine::ops::put_object_retention::PutObjectRetention;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, document, object_lock};
use http::StatusCode;

pub async fn put_object_retention(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let version_id = request.version_id()?;
    let bytes = document::read(&mut request, object_lock::DOCUMENT_LEN_MAX).await?;
    let asked = PutObjectRetention {
        bucket: request.bucket(),
        key: request.key(),
        version_id,
        retention: object_lock::parse_retention(&bytes)?,
        bypass_governance: object_lock::bypasses_governance(&request),
        asker: request.asker,
    };
    engine::ops::put_object_retention::put_object_retention(s3.engine(), asked).await.map_err(of_marker)?;
    Ok(response::empty(StatusCode::OK))
}
