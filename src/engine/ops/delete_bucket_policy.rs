//! DeleteBucketPolicy: from now on only the owner uses the bucket, and whom lists let in.

use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error, access, bucket_documents};
use crate::meta::records::PolicyRecord;

/// When this returns, no request that begins follows the old policy. That there is none is fine.
pub async fn delete_bucket_policy(engine: &Engine, bucket: impl Into<NamedBucket>) -> Result<(), Error> {
    let bucket = bucket.into();
    engine
        .meta
        .transact(move |tx| {
            let record = bucket.find(tx)?;
            bucket_documents::remove::<PolicyRecord>(tx, record.id);
            access::count_change(tx, &bucket, record);
            Ok(())
        })
        .await
}
