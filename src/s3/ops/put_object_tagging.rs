//! PutObjectTagging: replaces an object's tags.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>

use super::get_object_tagging::of_marker;
use crate::engine;
use crate::engine::ops::put_object_tagging::PutObjectTagging;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, authorize, document, tags};
use http::StatusCode;

pub async fn put_object_tagging(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let version_id = request.version_id()?;
    let bytes = document::read(&mut request, tags::DOCUMENT_LEN_MAX).await?;
    let tags = tags::of_object(&bytes)?;
    let asker = authorize::tags(s3, &request, &tags).await?;
    let asked = PutObjectTagging { bucket: request.bucket(), key: request.key(), version_id, tags, asker };
    let found =
        engine::ops::put_object_tagging::put_object_tagging(s3.engine(), asked).await.map_err(of_marker)?;
    let mut answer = response::empty(StatusCode::OK);
    response::set_version_id(answer.headers_mut(), found.shown_id.as_deref());
    Ok(answer)
}
