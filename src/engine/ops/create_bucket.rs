//! CreateBucket: takes a name.

use crate::engine::{Engine, Error};
use crate::meta::Table;
use crate::meta::keys::BucketId;
use crate::meta::records::{BucketRecord, Record, Versioning};

/// A bucket to be made.
#[derive(Clone, Debug)]
pub struct CreateBucket {
    pub name: String,
    /// Canonical id of who asks and will own it.
    pub owner: String,
}

/// When this returns, the name is the owner's. Of several at once exactly one succeeds; the others, and everybody
/// later, get `BucketAlreadyExists` with the owner.
pub async fn create_bucket(engine: &Engine, request: CreateBucket) -> Result<(), Error> {
    let record = BucketRecord {
        id: BucketId::random(),
        owner: request.owner,
        created_ms: engine.clock.now_ms(),
        versioning: Versioning::Never,
    };
    engine
        .meta
        .transact(move |tx| {
            if let Some(bytes) = tx.get(Table::Buckets, request.name.as_bytes())? {
                let owner = BucketRecord::decode(&bytes)?.owner;
                return Err(Error::BucketAlreadyExists { owner });
            }
            tx.put(Table::Buckets, request.name.as_bytes(), record.encode());
            Ok(())
        })
        .await
}
