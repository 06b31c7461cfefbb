//! PutPublicAccessBlock and DeletePublicAccessBlock: what keeps a bucket from being opened to everybody by mistake.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error, access, bucket_documents};
use crate::meta::records::PublicAccessBlockRecord;

/// When this returns, every request that begins follows the new block; `None` removes it. A policy that is public
/// already stays, and what it allows is up to `restrict_public_buckets`.
pub async fn put_public_access_block(
    engine: &Engine,
    bucket: impl Into<NamedBucket>,
    block: Option<PublicAccessBlockRecord>,
) -> Result<(), Error> {
    let bucket = bucket.into();
    engine
        .meta
        .transact(move |tx| {
            let record = bucket.find(tx)?;
            match &block {
                Some(block) => bucket_documents::write(tx, record.id, block),
                None => bucket_documents::remove::<PublicAccessBlockRecord>(tx, record.id),
            }
            access::count_change(tx, &bucket, record);
            Ok(())
        })
        .await
}
