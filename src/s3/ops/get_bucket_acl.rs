//! GetBucketAcl: a bucket's owner and who else may do what with it.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html>

use crate::engine::access::acl as lists;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, acl};

pub fn get_bucket_acl(s3: &S3, request: &Request) -> Result<Response, S3Error> {
    let bucket = request.bucket_record()?;
    let list = bucket.lists.acl.as_ref().filter(|_| !lists::is_disabled(bucket));
    let grants = lists::entries(&bucket.owner, list);
    Ok(response::xml(acl::write(&bucket.owner, &grants, |id| s3.display_name(id))))
}
