//! PutObjectLockConfiguration: makes a bucket's versions lockable, and says what holds new ones by default.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html>
//!
//! There is no way back: the configuration can be replaced and never removed. Versions that are there already are held
//! by nothing until somebody says so.

use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error};
use crate::meta::Table;
use crate::meta::records::{BucketLock, Record, Versioning};

#[derive(Clone, Debug)]
pub struct PutObjectLockConfiguration {
    pub bucket: NamedBucket,
    pub lock: BucketLock,
}

/// Every version that is written by a commit after this one follows it. `VersioningNotEnabled` in a bucket whose
/// overwrites would remove what they replace.
pub async fn put_object_lock_configuration(
    engine: &Engine,
    request: PutObjectLockConfiguration,
) -> Result<(), Error> {
    engine
        .meta
        .transact(move |tx| {
            let mut bucket = request.bucket.find(tx)?;
            if bucket.versioning != Versioning::Enabled {
                return Err(Error::VersioningNotEnabled);
            }
            bucket.object_lock = Some(request.lock);
            tx.put(Table::Buckets, request.bucket.as_bytes(), bucket.encode());
            Ok(())
        })
        .await
}
