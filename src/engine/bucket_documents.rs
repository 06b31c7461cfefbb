//! The configuration documents of buckets. What may stand in one is checked by the front end that takes it; what it
//! does is up to whoever reads it. They go with their bucket, in the transaction of `ops::delete_bucket`.

use crate::engine::named_bucket::NamedBucket;
use crate::engine::ops::head_bucket::head_bucket;
use crate::engine::{Engine, Error};
use crate::meta::keys::{self, BucketId};
use crate::meta::records::{BucketDocument, Record};
use crate::meta::{Read, Table, Write};

/// A bucket's document of this kind, if it has one.
pub async fn get<D: BucketDocument>(
    engine: &Engine,
    bucket: impl Into<NamedBucket>,
) -> Result<Option<D>, Error> {
    let bucket = bucket.into();
    engine
        .meta
        .read(move |read| {
            let id = bucket.find(read)?.id;
            find(read, id)
        })
        .await
}

/// The same as [`get`], without a thread's wake-up if memory holds it: for what every request asks.
pub async fn look_up<D: BucketDocument>(engine: &Engine, bucket: &str) -> Result<Option<D>, Error> {
    let id = head_bucket(engine, bucket).await?.id;
    let found = engine.meta.get(Table::BucketDocuments, keys::bucket_document(id, D::KIND)).await?;
    Ok(found.map(|bytes| <D as Record>::decode(&bytes)).transpose()?)
}

/// Replaces a bucket's document. When this returns, every later request follows the new one, after a crash too.
pub async fn put<D: BucketDocument>(
    engine: &Engine,
    bucket: impl Into<NamedBucket>,
    document: D,
) -> Result<(), Error> {
    let bucket = bucket.into();
    engine
        .meta
        .transact(move |tx| {
            let id = bucket.find(tx)?.id;
            write(tx, id, &document);
            Ok(())
        })
        .await
}

/// Removes a bucket's document of the kind `D`. That there is none is fine.
pub async fn delete<D: BucketDocument>(engine: &Engine, bucket: impl Into<NamedBucket>) -> Result<(), Error> {
    let bucket = bucket.into();
    engine
        .meta
        .transact(move |tx| {
            let id = bucket.find(tx)?.id;
            remove::<D>(tx, id);
            Ok(())
        })
        .await
}

/// The same as [`get`] in a read or a transaction that has more to do.
pub fn find<D: BucketDocument>(read: &dyn Read, bucket: BucketId) -> Result<Option<D>, Error> {
    match read.get(Table::BucketDocuments, &keys::bucket_document(bucket, D::KIND))? {
        None => Ok(None),
        Some(bytes) => Ok(Some(<D as Record>::decode(&bytes)?)),
    }
}

/// The same as [`put`] in a transaction that has more to do.
pub fn write<D: BucketDocument>(tx: &mut dyn Write, bucket: BucketId, document: &D) {
    tx.put(Table::BucketDocuments, &keys::bucket_document(bucket, D::KIND), Record::encode(document));
}

/// The same as [`delete`] in a transaction that has more to do.
pub fn remove<D: BucketDocument>(tx: &mut dyn Write, bucket: BucketId) {
    tx.delete(Table::BucketDocuments, &keys::bucket_document(bucket, D::KIND));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ops::create_bucket::{CreateBucket, create_bucket};
    use crate::engine::ops::delete_bucket::delete_bucket;
    use crate::engine::testing::{BUCKET, Fixture, OWNER};
    use crate::meta::records::{CorsRecord, TagsRecord};

    fn tags(value: &str) -> TagsRecord {
        TagsRecord { tags: vec![("key".into(), value.into())] }
    }

    #[tokio::test]
    async fn a_bucket_has_one_document_of_each_kind() {
        let Fixture { engine, .. } = &Fixture::new().await;
        assert_eq!(get::<TagsRecord>(engine, BUCKET).await.unwrap(), None);
        put(engine, BUCKET, tags("a")).await.unwrap();
        put(engine, BUCKET, CorsRecord::default()).await.unwrap();
        put(engine, BUCKET, tags("b")).await.unwrap();
        assert_eq!(get(engine, BUCKET).await.unwrap(), Some(tags("b")));
        delete::<TagsRecord>(engine, BUCKET).await.unwrap();
        delete::<TagsRecord>(engine, BUCKET).await.unwrap();
        assert_eq!(get::<TagsRecord>(engine, BUCKET).await.unwrap(), None);
        assert_eq!(get(engine, BUCKET).await.unwrap(), Some(CorsRecord::default()));
        assert!(matches!(put(engine, "missing", tags("a")).await, Err(Error::NoSuchBucket)));
        assert!(matches!(get::<TagsRecord>(engine, "missing").await, Err(Error::NoSuchBucket)));
    }

    #[tokio::test]
    async fn a_bucket_made_again_has_none_of_the_old_ones() {
        let fixture = Fixture::new().await;
        put(&fixture.engine, BUCKET, tags("a")).await.unwrap();
        delete_bucket(&fixture.engine, BUCKET).await.unwrap();
        assert!(fixture.keys(Table::BucketDocuments).await.is_empty());
        let again = CreateBucket { name: BUCKET.into(), owner: OWNER.into(), ..CreateBucket::default() };
        create_bucket(&fixture.engine, again).await.unwrap();
        assert_eq!(get::<TagsRecord>(&fixture.engine, BUCKET).await.unwrap(), None);
    }
}
