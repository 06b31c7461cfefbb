//! PutPublicAccessBlock and DeletePublicAccessBlock: what keeps a bucket from being opened to everybody by mistake.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error, bucket_documents};
use crate::meta::records::PublicAccessBlockRecord;

/// When this returns, every request that begins follows the new block; `None` removes it. A policy that is public
/// already stays, and what it allows is up to `restrict_public_buckets`.
pub async fn put_public_access_block(
    engine: &Engine,
    bucket: impl Into<NamedBucket>,
    block: Option<PublicAccessBlockRecord>,
) -> Result<(), Error> {
    match block {
        Some(block) => bucket_documents::put(engine, bucket, block).await,
        None => bucket_documents::delete::<PublicAccessBlockRecord>(engine, bucket).await,
    }
}
