//! GetBucketCors: the rules as they were set.

use crate::engine::bucket_documents;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, cors};
use crate::wire::error_code::ErrorCode;

pub async fn get_bucket_cors(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let rules = bucket_documents::get(s3.engine(), request.bucket()).await?;
    let rules = rules.ok_or(ErrorCode::NoSuchCORSConfiguration)?;
    Ok(response::xml(cors::write(&rules)))
}
