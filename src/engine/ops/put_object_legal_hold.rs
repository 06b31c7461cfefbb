//! PutObjectLegalHold: a hold without an end, put on a version and taken off again.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLegalHold.html>

use crate::engine::access::lists::Asker;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::objects::{self, Found};
use crate::engine::{Engine, Error, object_lock};

#[derive(Clone, Debug)]
pub struct PutObjectLegalHold {
    pub bucket: NamedBucket,
    pub key: String,
    /// Wire form, well-formed.
    pub version_id: Option<String>,
    pub is_held: bool,
    /// Judged on the version that is found, where its tags have a say.
    pub asker: Option<Asker>,
}

/// When this returns, the version is held or not, after a crash too. Its retention is another matter and stays.
pub async fn put_object_legal_hold(engine: &Engine, request: PutObjectLegalHold) -> Result<Found, Error> {
    engine
        .meta
        .transact(move |tx| {
            let bucket = request.bucket.find(tx)?;
            object_lock::check_enabled(&bucket)?;
            objects::amend(tx, &bucket, &request.key, request.version_id.as_deref(), |version| {
                if let Some(asker) = &request.asker {
                    asker.check(&bucket, version)?;
                }
                version.lock.get_or_insert_default().legal_hold = Some(request.is_held);
                Ok(())
            })
        })
        .await
}
