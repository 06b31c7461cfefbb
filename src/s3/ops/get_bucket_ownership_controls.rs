//! GetBucketOwnershipControls: who owns the objects of a bucket. A bucket has an answer unless it was deleted.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html>

use super::put_bucket_ownership_controls::OWNERSHIPS;
use crate::engine::ops::head_bucket::head_bucket;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::error_code::ErrorCode;

pub async fn get_bucket_ownership_controls(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let ownership = head_bucket(s3.engine(), request.bucket_name()).await?.lists.ownership;
    let named = OWNERSHIPS.iter().find(|(_, known)| *known == ownership);
    let (name, _) = named.ok_or(ErrorCode::OwnershipControlsNotFoundError)?;
    let mut document = response::document("OwnershipControls");
    document.open("Rule").text("ObjectOwnership", name).close();
    Ok(response::xml(document))
}
