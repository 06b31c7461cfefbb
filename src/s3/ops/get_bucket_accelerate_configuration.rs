//! GetBucketAccelerateConfiguration: `Suspended` where somebody has said so, and nothing elsewhere, as on AWS.

use crate::engine::bucket_documents;
use crate::meta::records::AccelerateRecord;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};

pub async fn get_bucket_accelerate_configuration(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let set: Option<AccelerateRecord> = bucket_documents::get(s3.engine(), request.bucket()).await?;
    let mut document = response::document("AccelerateConfiguration");
    document.text_optional("Status", set.map(|_| "Suspended"));
    Ok(response::xml(document))
}
