//! PutObjectAcl: replaces the access control list of an object. Nothing else of it changes, its time and ETag neither.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html>

use crate::engine::access::acl::{self, AskedAcl};
use crate::engine::access::lists::Asker;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::objects::{self, Found};
use crate::engine::{Engine, Error};

/// A list for an object or one of its versions.
#[derive(Clone, Debug, Default)]
pub struct PutObjectAcl {
    pub bucket: NamedBucket,
    pub key: String,
    /// Wire form, well-formed.
    pub version_id: Option<String>,
    /// Canonical id of the owner that the list names, if it names one. It has to be the owner.
    pub owner: Option<String>,
    pub acl: AskedAcl,
    /// Judged on the version that is found, where its list has a say.
    pub asker: Option<Asker>,
}

/// Returns the version as it is from now on. In a bucket without lists, one that says something is `AclsDisabled`.
pub async fn put_object_acl(engine: &Engine, request: PutObjectAcl) -> Result<Found, Error> {
    engine
        .meta
        .transact(move |tx| {
            let bucket = request.bucket.find(tx)?;
            objects::amend(tx, &bucket, &request.key, request.version_id.as_deref(), |version| {
                if let Some(asker) = &request.asker {
                    asker.check(&bucket, version)?;
                }
                let owner = acl::owner_of(&bucket, version).to_string();
                if request.owner.as_ref().is_some_and(|named| *named != owner) {
                    return Err(Error::OwnerDiffers);
                }
                let acl = acl::of_object(&bucket, &owner, &request.acl)?;
                // Without lists one from before is kept for when they come back.
                if !acl::is_disabled(&bucket) {
                    version.acl = acl;
                }
                Ok(())
            })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::access::acl::CannedAcl;
    use crate::engine::ops::get_object_acl::{GetObjectAcl, get_object_acl};
    use crate::engine::ops::put_bucket_ownership_controls::{
        PutBucketOwnershipControls, put_bucket_ownership_controls,
    };
    use crate::engine::testing::{BUCKET, Fixture, OWNER};
    use crate::meta::records::{ObjectOwnership, VersionRecord};

    async fn own(fixture: &Fixture, ownership: ObjectOwnership) {
        let request = PutBucketOwnershipControls { bucket: BUCKET.into(), ownership };
        put_bucket_ownership_controls(&fixture.engine, request).await.unwrap();
    }

    fn request(acl: AskedAcl) -> PutObjectAcl {
        PutObjectAcl { bucket: BUCKET.into(), key: "key".into(), acl, ..PutObjectAcl::default() }
    }

    async fn shown(fixture: &Fixture) -> usize {
        let asked = GetObjectAcl { bucket: BUCKET.into(), key: "key".into(), ..GetObjectAcl::default() };
        get_object_acl(&fixture.engine, asked).await.unwrap().grants.len()
    }

    #[tokio::test]
    async fn only_the_list_changes_and_it_outlives_a_time_without_lists() {
        let fixture = Fixture::new().await;
        let before = fixture.put_single("key", b"bytes").await;
        let public = request(AskedAcl::Canned(CannedAcl::PublicRead));
        let refused = put_object_acl(&fixture.engine, public.clone()).await;
        assert!(matches!(refused, Err(Error::AclsDisabled)));

        own(&fixture, ObjectOwnership::ObjectWriter).await;
        let after = put_object_acl(&fixture.engine, public.clone()).await.unwrap().version;
        assert!(acl::is_public(after.acl.as_ref()));
        assert_eq!(VersionRecord { acl: None, ..after }, before);
        assert_eq!(shown(&fixture).await, 2);

        own(&fixture, ObjectOwnership::BucketOwnerEnforced).await;
        assert_eq!(shown(&fixture).await, 1);
        let nothing_new = request(AskedAcl::Canned(CannedAcl::BucketOwnerFullControl));
        put_object_acl(&fixture.engine, nothing_new).await.unwrap();
        own(&fixture, ObjectOwnership::BucketOwnerPreferred).await;
        assert_eq!(shown(&fixture).await, 2);
    }

    #[tokio::test]
    async fn the_owner_stays_who_it_is() {
        let fixture = Fixture::new().await;
        fixture.put_single("key", b"bytes").await;
        own(&fixture, ObjectOwnership::ObjectWriter).await;
        let private = || request(AskedAcl::Canned(CannedAcl::Private));
        let other = PutObjectAcl { owner: Some("other".into()), ..private() };
        assert!(matches!(put_object_acl(&fixture.engine, other).await, Err(Error::OwnerDiffers)));
        let same = PutObjectAcl { owner: Some(OWNER.into()), ..private() };
        put_object_acl(&fixture.engine, same).await.unwrap();
        let missing = PutObjectAcl { key: "missing".into(), ..private() };
        assert!(matches!(put_object_acl(&fixture.engine, missing).await, Err(Error::NoSuchKey)));
    }
}
