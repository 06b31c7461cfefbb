//! GetBucketTagging: a bucket's tags, in the order they were given.

use crate::engine::bucket_documents;
use crate::meta::records::TagsRecord;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, tags};
use crate::wire::error_code::ErrorCode;

pub async fn get_bucket_tagging(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let record: Option<TagsRecord> = bucket_documents::get(s3.engine(), request.bucket()).await?;
    let record = record.ok_or(ErrorCode::NoSuchTagSet)?;
    Ok(response::xml(tags::document(&record.tags)))
}
