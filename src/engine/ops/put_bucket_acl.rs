//! PutBucketAcl: replaces a bucket's access control list.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html>

use crate::engine::access::acl::{self, AskedAcl};
use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error};
use crate::meta::Table;
use crate::meta::records::Record;

/// A list for a bucket.
#[derive(Clone, Debug)]
pub struct PutBucketAcl {
    pub bucket: NamedBucket,
    /// Canonical id of the owner that the list names, if it names one. It has to be the owner.
    pub owner: Option<String>,
    pub acl: AskedAcl,
}

/// Every decision after this one follows the list. A bucket without lists is `AclsDisabled`.
pub async fn put_bucket_acl(engine: &Engine, request: PutBucketAcl) -> Result<(), Error> {
    engine
        .meta
        .transact(move |tx| {
            let mut bucket = request.bucket.find(tx)?;
            if request.owner.as_ref().is_some_and(|owner| *owner != bucket.owner) {
                return Err(Error::OwnerDiffers);
            }
            let acl = acl::of_bucket(&bucket.owner, bucket.lists.ownership, &request.acl)?;
            // Without lists this says what is so anyway, and a list from before is kept for when they come back.
            if !acl::is_disabled(&bucket) {
                bucket.lists.acl = acl;
                tx.put(Table::Buckets, request.bucket.as_bytes(), bucket.encode());
            }
            Ok(())
        })
        .await
}
