//! DeleteBucketPolicy: from now on only the owner uses the bucket, and whom lists let in.

use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error, bucket_documents};
use crate::meta::records::PolicyRecord;

/// When this returns, no request that begins follows the old policy. That there is none is fine.
pub async fn delete_bucket_policy(engine: &Engine, bucket: impl Into<NamedBucket>) -> Result<(), Error> {
    bucket_documents::delete::<PolicyRecord>(engine, bucket).await
}
