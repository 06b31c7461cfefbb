//! PutBucketOwnershipControls: who owns the objects of a bucket, and whether it has access control lists.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html>
//!
//! Nothing is rewritten. Lists and owners of objects from before are kept, and count whenever the ownership lets them.

use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error};
use crate::meta::Table;
use crate::meta::records::{Grantee, ObjectOwnership, Record};

/// What a bucket's ownership is to be.
#[derive(Clone, Debug)]
pub struct PutBucketOwnershipControls {
    pub bucket: NamedBucket,
    pub ownership: ObjectOwnership,
}

/// Every write and every decision after this one follows it. While the bucket's own list gives something to others,
/// lists cannot be disabled: `BucketAclInUse`.
pub async fn put_bucket_ownership_controls(
    engine: &Engine,
    request: PutBucketOwnershipControls,
) -> Result<(), Error> {
    engine
        .meta
        .transact(move |tx| {
            let mut bucket = request.bucket.find(tx)?;
            let names_others = bucket.lists.acl.as_ref().is_some_and(|acl| {
                acl.grants.iter().any(|grant| grant.grantee != Grantee::User(bucket.owner.clone()))
            });
            if request.ownership == ObjectOwnership::BucketOwnerEnforced && names_others {
                return Err(Error::BucketAclInUse);
            }
            bucket.lists.ownership = request.ownership;
            tx.put(Table::Buckets, request.bucket.as_bytes(), bucket.encode());
            Ok(())
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::access::acl::{AskedAcl, CannedAcl};
    use crate::engine::ops::head_bucket::head_bucket;
    use crate::engine::ops::put_bucket_acl::{PutBucketAcl, put_bucket_acl};
    use crate::engine::testing::{BUCKET, Fixture};

    #[tokio::test]
    async fn lists_are_disabled_only_when_the_buckets_own_gives_nothing_to_others() {
        let fixture = Fixture::new().await;
        let engine = &fixture.engine;
        let own = |ownership| {
            let bucket = BUCKET.to_string();
            put_bucket_ownership_controls(
                engine,
                PutBucketOwnershipControls { bucket: bucket.into(), ownership },
            )
        };
        let list = |canned| {
            let acl = AskedAcl::Canned(canned);
            put_bucket_acl(engine, PutBucketAcl { bucket: BUCKET.into(), owner: None, acl })
        };
        assert!(matches!(list(CannedAcl::PublicRead).await, Err(Error::AclsDisabled)));
        own(ObjectOwnership::ObjectWriter).await.unwrap();
        list(CannedAcl::PublicRead).await.unwrap();
        assert!(matches!(own(ObjectOwnership::BucketOwnerEnforced).await, Err(Error::BucketAclInUse)));
        own(ObjectOwnership::BucketOwnerPreferred).await.unwrap();
        list(CannedAcl::Private).await.unwrap();
        own(ObjectOwnership::BucketOwnerEnforced).await.unwrap();
        assert_eq!(
            head_bucket(engine, BUCKET).await.unwrap().lists.ownership,
            ObjectOwnership::BucketOwnerEnforced
        );
    }
}
