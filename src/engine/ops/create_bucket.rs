//! CreateBucket: takes a name.

use crate::engine::access::acl::{self, AskedAcl, CannedAcl};
use crate::engine::{Engine, Error, bucket_documents};
use crate::meta::Table;
use crate::meta::keys::BucketId;
use crate::meta::records::{
    BucketLists, BucketLock, BucketRecord, NO_DOCUMENTS, ObjectOwnership, PublicAccessBlockRecord, Record,
    TagsRecord, Versioning,
};

/// A bucket to be made.
#[derive(Clone, Debug, Default)]
pub struct CreateBucket {
    pub name: String,
    /// Canonical id of who asks and will own it.
    pub owner: String,
    pub ownership: ObjectOwnership,
    pub acl: AskedAcl,
    /// Tags that it has from the start.
    pub tags: Vec<(String, String)>,
    /// Its versions can be locked, so it keeps them from the start.
    pub object_lock: bool,
    /// Nothing can open it to everybody, until somebody who may says otherwise.
    pub blocks_public_access: bool,
}

/// When this returns, the name is the owner's. Of several at once exactly one succeeds; the others, and everybody
/// later, get `BucketAlreadyExists` with the owner.
pub async fn create_bucket(engine: &Engine, request: CreateBucket) -> Result<(), Error> {
    // Of its owner alone is what every bucket is, with lists and without.
    let asked = match request.acl {
        AskedAcl::Canned(CannedAcl::Private) => AskedAcl::Nothing,
        asked => asked,
    };
    let acl = acl::of_bucket(&request.owner, request.ownership, &asked)?;
    let mut record = BucketRecord {
        id: BucketId::random(),
        owner: request.owner,
        created_ms: engine.clock.now_ms(),
        versioning: if request.object_lock { Versioning::Enabled } else { Versioning::Never },
        object_lock: request.object_lock.then(BucketLock::default),
        lists: BucketLists { ownership: request.ownership, acl },
        documents_revision: NO_DOCUMENTS,
    };
    let tags = TagsRecord { tags: request.tags };
    engine
        .meta
        .transact(move |tx| {
            if let Some(bytes) = tx.get(Table::Buckets, request.name.as_bytes())? {
                let owner = BucketRecord::decode(&bytes)?.owner;
                return Err(Error::BucketAlreadyExists { owner });
            }
            tx.put(Table::Buckets, request.name.as_bytes(), record.encode());
            if !tags.tags.is_empty() {
                bucket_documents::write(tx, &request.name, &mut record, &tags);
            }
            if request.blocks_public_access {
                bucket_documents::write(tx, &request.name, &mut record, &PublicAccessBlockRecord::ALL);
            }
            Ok(())
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ops::delete_bucket::delete_bucket;
    use crate::engine::ops::head_bucket::head_bucket;
    use crate::engine::testing::{BUCKET, Fixture, OWNER};

    #[tokio::test]
    async fn a_name_has_one_owner_until_it_is_given_back() {
        let fixture = Fixture::new().await;
        let request = CreateBucket { name: BUCKET.into(), owner: "other".into(), ..CreateBucket::default() };
        let err = create_bucket(&fixture.engine, request.clone()).await.unwrap_err();
        assert!(matches!(err, Error::BucketAlreadyExists { owner } if owner == OWNER));
        let first = head_bucket(&fixture.engine, BUCKET).await.unwrap();
        delete_bucket(&fixture.engine, BUCKET).await.unwrap();
        assert!(matches!(head_bucket(&fixture.engine, BUCKET).await, Err(Error::NoSuchBucket)));
        create_bucket(&fixture.engine, request).await.unwrap();
        let second = head_bucket(&fixture.engine, BUCKET).await.unwrap();
        assert_eq!(second.owner, "other");
        assert_ne!(first.id, second.id, "another bucket of the same name");
    }
}
