//! HeadBucket: whether a bucket exists, and whose it is.

use crate::engine::{Engine, Error};
use crate::meta::Table;
use crate::meta::records::{BucketRecord, Record};

/// The bucket of this name, or `NoSuchBucket`. Every request asks this first, so it is answered from memory when it can
/// be.
pub async fn head_bucket(engine: &Engine, name: &str) -> Result<BucketRecord, Error> {
    let found = engine.meta.get(Table::Buckets, name.as_bytes().to_vec()).await?;
    Ok(BucketRecord::decode(&found.ok_or(Error::NoSuchBucket)?)?)
}
