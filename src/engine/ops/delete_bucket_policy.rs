//! DeleteBucketPolicy: from now on only the owner uses the bucket, and whom lists let in.

use crate::engine::{Engine, Error, access, bucket_documents, objects};
use crate::meta::records::PolicyRecord;

/// When this returns, no request that begins follows the old policy. That there is none is fine.
pub async fn delete_bucket_policy(engine: &Engine, bucket: &str) -> Result<(), Error> {
    let bucket = bucket.to_owned();
    engine
        .meta
        .transact(move |tx| {
            let record = objects::bucket(tx, &bucket)?;
            bucket_documents::remove::<PolicyRecord>(tx, record.id);
            access::count_change(tx, &bucket, record);
            Ok(())
        })
        .await
}
