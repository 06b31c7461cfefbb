//! GetBucketLocation: the region, which `us-east-1` is too old to have a name for.

use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::response::{self, Response};

pub fn get_bucket_location(s3: &S3) -> Result<Response, S3Error> {
    let mut document = response::document("LocationConstraint");
    if s3.region() != "us-east-1" {
        document.content(s3.region());
    }
    Ok(response::xml(document))
}
