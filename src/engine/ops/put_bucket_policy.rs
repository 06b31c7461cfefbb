//! PutBucketPolicy: who may use a bucket from now on.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>

use crate::engine::access::Policy;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error, bucket_documents};
use crate::meta::records::{PolicyRecord, PublicAccessBlockRecord};

/// A bucket's new policy.
#[derive(Clone, Debug)]
pub struct PutBucketPolicy {
    pub bucket: NamedBucket,
    /// The document as it came; [`Policy::of_bucket`] has read it.
    pub text: String,
    /// Of the document, so that nothing is parsed in the transaction.
    pub is_public: bool,
    /// Its denials are to count for the owner's root too where they are about the policy itself.
    pub owner_is_bound: bool,
}

impl PutBucketPolicy {
    /// Takes a document that was read as `policy`.
    pub fn new(bucket: NamedBucket, text: String, policy: &Policy, owner_is_bound: bool) -> PutBucketPolicy {
        PutBucketPolicy { bucket, text, is_public: policy.is_public(), owner_is_bound }
    }
}

/// When this returns, every request that begins follows the new policy, after a crash too. A public one is
/// `PublicPolicyBlocked` where the bucket's public access block says so.
pub async fn put_bucket_policy(engine: &Engine, request: PutBucketPolicy) -> Result<(), Error> {
    let PutBucketPolicy { bucket, text, is_public, owner_is_bound } = request;
    let policy = PolicyRecord { text, owner_is_bound };
    engine
        .meta
        .transact(move |tx| {
            let mut record = bucket.find(tx)?;
            let block: Option<PublicAccessBlockRecord> = bucket_documents::find(tx, record.id)?;
            if is_public && block.is_some_and(|block| block.block_public_policy) {
                return Err(Error::PublicPolicyBlocked);
            }
            bucket_documents::write(tx, &bucket, &mut record, &policy);
            Ok(())
        })
        .await
}
