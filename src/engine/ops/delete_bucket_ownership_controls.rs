//! DeleteBucketOwnershipControls: a bucket without the setting, in which writers own what they write and access control
//! lists count.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html>

use super::put_bucket_ownership_controls::{PutBucketOwnershipControls, put_bucket_ownership_controls};
use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error};
use crate::meta::records::ObjectOwnership;

/// Deleting what is not there is fine.
pub async fn delete_bucket_ownership_controls(
    engine: &Engine,
    bucket: impl Into<NamedBucket>,
) -> Result<(), Error> {
    let request = PutBucketOwnershipControls { bucket: bucket.into(), ownership: ObjectOwnership::Unset };
    put_bucket_ownership_controls(engine, request).await
}
