//! The configuration documents of buckets. What may stand in one is checked by the front end that takes it; what it
//! does is up to whoever reads it. They go with their bucket, in the transaction of `ops::delete_bucket`.
//!
//! What nearly every request asks for is kept in memory, by [`crate::engine::bucket_settings`].

use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error};
use crate::meta::keys::{self, BucketId};
use crate::meta::records::{BucketDocument, BucketRecord, NO_DOCUMENTS, Record};
use crate::meta::{Read, Step, Table, Write};

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
            let mut record = bucket.find(tx)?;
            write(tx, &bucket, &mut record, &document);
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
            let mut record = bucket.find(tx)?;
            remove::<D>(tx, &bucket, &mut record);
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

/// The same as [`put`] in a transaction that has more to do. Stores the bucket's record too, with the change counted.
pub fn write<D: BucketDocument>(tx: &mut dyn Write, name: &str, bucket: &mut BucketRecord, document: &D) {
    tx.put(Table::BucketDocuments, &keys::bucket_document(bucket.id, D::KIND), Record::encode(document));
    count_change(tx, name, bucket);
}

/// The same as [`delete`] in a transaction that has more to do. Stores the bucket's record too, with the change counted.
pub fn remove<D: BucketDocument>(tx: &mut dyn Write, name: &str, bucket: &mut BucketRecord) {
    tx.delete(Table::BucketDocuments, &keys::bucket_document(bucket.id, D::KIND));
    count_change(tx, name, bucket);
}

fn count_change(tx: &mut dyn Write, name: &str, bucket: &mut BucketRecord) {
    bucket.documents_revision = bucket.documents_revision.max(NO_DOCUMENTS) + 1;
    tx.put(Table::Buckets, name.as_bytes(), bucket.encode());
}

/// The keys of a bucket's documents, at most one of each kind, and how many bytes they have together.
pub fn stored(read: &dyn Read, bucket: BucketId) -> Result<(Vec<Vec<u8>>, usize), Error> {
    let (mut stored, mut len) = (Vec::new(), 0);
    read.scan(Table::BucketDocuments, &keys::bucket_start(bucket), &mut |key, value| {
        if keys::object_key(bucket, key).is_none() {
            return Step::Stop;
        }
        stored.push(key.to_vec());
        len += value.len();
        Step::Next
    })?;
    Ok((stored, len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ops::create_bucket::{CreateBucket, create_bucket};
    use crate::engine::ops::delete_bucket::delete_bucket;
    use crate::engine::testing::{BUCKET, Fixture, OWNER};
    use crate::meta::records::{CorsRecord, CorsRule, TagsRecord};
    use std::sync::Arc;

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
    async fn settings_are_those_of_the_last_change() {
        let Fixture { engine, .. } = &Fixture::new().await;
        let bucket = NamedBucket::from(BUCKET);
        let cors = async || bucket.settings(engine).await.unwrap().cors.clone();
        assert!(cors().await.is_none());
        put(engine, BUCKET, CorsRecord::default()).await.unwrap();
        let (first, second) = (cors().await.unwrap(), cors().await.unwrap());
        assert!(Arc::ptr_eq(&first, &second), "kept");
        put(engine, BUCKET, CorsRecord { rules: vec![CorsRule::default()] }).await.unwrap();
        assert_eq!(cors().await.unwrap().rules.len(), 1);
        delete::<CorsRecord>(engine, BUCKET).await.unwrap();
        assert!(cors().await.is_none());
    }

    #[tokio::test]
    async fn a_bucket_from_before_changes_were_counted_has_its_documents() {
        let Fixture { engine, .. } = &Fixture::new().await;
        let bucket = NamedBucket::from(BUCKET);
        let has_cors = async || bucket.settings(engine).await.unwrap().cors.is_some();
        put(engine, BUCKET, CorsRecord::default()).await.unwrap();
        let forget = |tx: &mut dyn Write| {
            let record = BucketRecord { documents_revision: 0, ..NamedBucket::from(BUCKET).find(tx)? };
            tx.put(Table::Buckets, BUCKET.as_bytes(), record.encode());
            Ok::<_, Error>(())
        };
        engine.meta.transact(forget).await.unwrap();
        assert!(has_cors().await);
        delete::<CorsRecord>(engine, BUCKET).await.unwrap();
        assert!(!has_cors().await);
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
