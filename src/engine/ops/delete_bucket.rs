//! DeleteBucket: gives a name back.
//!
//! Open uploads do not keep a bucket. There may be any number of them, so aborting them is left to `jobs::collector`;
//! nobody can reach them meanwhile, since a bucket made again under the name has another id.

use crate::engine::{Engine, Error, objects, references};
use crate::meta::keys::{self, BucketId, Owned};
use crate::meta::{Read, Step, Table, Write};

/// When this returns, the bucket, its configuration and its open uploads are gone. `BucketNotEmpty` while it has an
/// object or a version.
pub async fn delete_bucket(engine: &Engine, name: &str) -> Result<(), Error> {
    let name = name.to_string();
    let now_ms = engine.clock.now_ms();
    engine
        .meta
        .transact(move |tx| {
            let bucket = objects::bucket(tx, &name)?.id;
            if holds_any(tx, Table::Objects, bucket)? || holds_any(tx, Table::Versions, bucket)? {
                return Err(Error::BucketNotEmpty);
            }
            delete_documents(tx, bucket)?;
            references::queue(tx, &Owned::Bucket(bucket), now_ms);
            tx.delete(Table::Buckets, name.as_bytes());
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

/// A bucket has at most one document of each kind, so these are few.
fn delete_documents(tx: &mut dyn Write, bucket: BucketId) -> Result<(), Error> {
    let mut documents = Vec::new();
    tx.scan(Table::BucketDocuments, &keys::bucket_start(bucket), &mut |stored, _| {
        if keys::object_key(bucket, stored).is_none() {
            return Step::Stop;
        }
        documents.push(stored.to_vec());
        Step::Next
    })?;
    for document in documents {
        tx.delete(Table::BucketDocuments, &document);
    }
    Ok(())
}
