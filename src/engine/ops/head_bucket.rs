//! HeadBucket: whether a bucket exists, and whose it is.

use crate::engine::{Engine, Error, objects};
use crate::meta::records::BucketRecord;

/// The bucket of this name, or `NoSuchBucket`.
pub async fn head_bucket(engine: &Engine, name: &str) -> Result<BucketRecord, Error> {
    let name = name.to_string();
    engine.meta.read(move |read| objects::bucket(read, &name)).await
}
