//! PutBucketVersioning: whether a bucket keeps old versions from now on.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>
//!
//! Nothing is rewritten: what is there keeps its ids, and an object from before is the null version. A bucket that
//! once had versions never goes back to having none, because they stay; versioning can only be suspended.

use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error};
use crate::meta::Table;
use crate::meta::records::{Record, Versioning};

/// What a bucket's versioning is to be.
#[derive(Clone, Debug)]
pub struct PutBucketVersioning {
    pub bucket: NamedBucket,
    /// Otherwise suspended.
    pub enabled: bool,
}

/// Every write that commits after this one follows it, also one that began before. `VersioningLocked` when a bucket with
/// object lock would no longer keep its versions.
pub async fn put_bucket_versioning(engine: &Engine, request: PutBucketVersioning) -> Result<(), Error> {
    engine
        .meta
        .transact(move |tx| {
            let mut bucket = request.bucket.find(tx)?;
            if bucket.object_lock.is_some() && !request.enabled {
                return Err(Error::VersioningLocked);
            }
            bucket.versioning = if request.enabled { Versioning::Enabled } else { Versioning::Suspended };
            tx.put(Table::Buckets, request.bucket.as_bytes(), bucket.encode());
            Ok(())
        })
        .await
}
