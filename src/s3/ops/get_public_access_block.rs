//! GetPublicAccessBlock: what is blocked in this bucket.

use crate::engine::bucket_documents;
use crate::meta::records::PublicAccessBlockRecord;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::error_code::ErrorCode;

pub async fn get_public_access_block(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let block = bucket_documents::get(s3.engine(), request.bucket()).await?;
    let block: PublicAccessBlockRecord = block.ok_or(ErrorCode::NoSuchPublicAccessBlockConfiguration)?;
    let mut document = response::document("PublicAccessBlockConfiguration");
    document
        .flag("BlockPublicAcls", block.block_public_acls)
        .flag("IgnorePublicAcls", block.ignore_public_acls)
        .flag("BlockPublicPolicy", block.block_public_policy)
        .flag("RestrictPublicBuckets", block.restrict_public_buckets);
    Ok(response::xml(document))
}
