//! GetBucketOwnershipControls: who owns the objects of a bucket. A bucket has an answer unless it was deleted.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html>

use super::put_bucket_ownership_controls::OWNERSHIPS;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::error_code::ErrorCode;

pub fn get_bucket_ownership_controls(request: &Request) -> Result<Response, S3Error> {
    let ownership = request.bucket_record()?.lists.ownership;
    let named = OWNERSHIPS.iter().find(|(_, known)| *known == ownership);
    let (name, _) = named.ok_or(ErrorCode::OwnershipControlsNotFoundError)?;
    let mut document = response::document("OwnershipControls");
    document.open("Rule").text("ObjectOwnership", name).close();
    Ok(response::xml(document))
}
