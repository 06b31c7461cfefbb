//! DeleteBucket: gives a name back.
//!
//! Open uploads do not keep a bucket. There may be any number of them, so aborting them is left to `jobs::collector`;
//! nobody can reach them meanwhile, since a bucket made again under the name has another id.

use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error, bucket_documents, references};
use crate::meta::keys::{self, BucketId, Owned};
use crate::meta::{Read, Step, Table};

/// When this returns, the bucket, its configuration and its open uploads are gone. `BucketNotEmpty` while it has an
/// object or a version.
pub async fn delete_bucket(engine: &Engine, bucket: impl Into<NamedBucket>) -> Result<(), Error> {
    let bucket = bucket.into();
    let now_ms = engine.clock.now_ms();
    engine
        .meta
        .transact(move |tx| {
            let id = bucket.find(tx)?.id;
            if holds_any(tx, Table::Objects, id)? || holds_any(tx, Table::Versions, id)? {
                return Err(Error::BucketNotEmpty);
            }
            for document in bucket_documents::stored(tx, id)?.0 {
                tx.delete(Table::BucketDocuments, &document);
            }
            references::queue(tx, &Owned::Bucket(id), now_ms);
            tx.delete(Table::Buckets, bucket.as_bytes());
            Ok(())
        })
        .await?;
    engine.wake_collector();
    Ok(())
}

fn holds_any(read: &dyn Read, table: Table, bucket: BucketId) -> Result<bool, Error> {
    let mut found = false;
    read.scan(table, &keys::bucket_start(bucket), &mut |stored, _| {
        found = keys::object_key(bucket, stored).is_some();
        Step::Stop
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::objects;
    use crate::engine::testing::{BUCKET, Fixture};

    #[tokio::test]
    async fn only_an_empty_bucket_goes_and_takes_its_documents_along() {
        let fixture = Fixture::new().await;
        fixture
            .write(|tx| {
                let bucket = objects::bucket(tx, BUCKET)?.id;
                tx.put(Table::BucketDocuments, &[&keys::bucket_start(bucket)[..], b"cors"].concat(), vec![1]);
                tx.put(Table::BucketDocuments, &[&[0xff; 8][..], b"cors"].concat(), vec![1]);
                Ok(())
            })
            .await;
        fixture.put_empty("key").await;
        assert!(matches!(delete_bucket(&fixture.engine, BUCKET).await, Err(Error::BucketNotEmpty)));
        assert_eq!(fixture.keys(Table::BucketDocuments).await.len(), 2);
        fixture.delete("key").await;
        delete_bucket(&fixture.engine, BUCKET).await.unwrap();
        assert_eq!(fixture.keys(Table::BucketDocuments).await.len(), 1, "the other bucket's");
        assert!(matches!(delete_bucket(&fixture.engine, BUCKET).await, Err(Error::NoSuchBucket)));
    }

    #[tokio::test]
    async fn a_bucket_with_an_old_version_is_not_empty() {
        let fixture = Fixture::new().await;
        fixture
            .write(|tx| {
                let bucket = objects::bucket(tx, BUCKET)?.id;
                tx.put(Table::Versions, &keys::version(bucket, "key", 1), vec![1]);
                Ok(())
            })
            .await;
        assert!(matches!(delete_bucket(&fixture.engine, BUCKET).await, Err(Error::BucketNotEmpty)));
    }
}
