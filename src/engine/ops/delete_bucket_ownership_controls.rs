//! DeleteBucketOwnershipControls: a bucket without the setting, in which writers own what they write and access control
//! lists count.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html>

use super::put_bucket_ownership_controls::{PutBucketOwnershipControls, put_bucket_ownership_controls};
use crate::engine::{Engine, Error};
use crate::meta::records::ObjectOwnership;

/// Deleting what is not there is fine.
pub async fn delete_bucket_ownership_controls(engine: &Engine, bucket: &str) -> Result<(), Error> {
    let request =
        PutBucketOwnershipControls { bucket: bucket.to_string(), ownership: ObjectOwnership::Unset };
    put_bucket_ownership_controls(engine, request).await
}
