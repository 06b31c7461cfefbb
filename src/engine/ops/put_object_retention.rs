//! PutObjectRetention: until when a version cannot be removed.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectRetention.html>

use crate::engine::access::lists::Asker;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::objects::{self, Found};
use crate::engine::{Engine, Error, object_lock};
use crate::meta::records::Retention;

#[derive(Clone, Debug)]
pub struct PutObjectRetention {
    pub bucket: NamedBucket,
    pub key: String,
    /// Wire form, well-formed.
    pub version_id: Option<String>,
    /// `None` ends it.
    pub retention: Option<Retention>,
    /// The requester may bypass governance mode, and wants to.
    pub bypass_governance: bool,
    /// Judged on the version that is found, where its tags have a say.
    pub asker: Option<Asker>,
}

/// When this returns, the version is held like this, after a crash too. `ObjectLocked` when that would cut a retention
/// short, `RetentionInThePast` when it would hold nothing.
pub async fn put_object_retention(engine: &Engine, request: PutObjectRetention) -> Result<Found, Error> {
    let clock = engine.clock.clone();
    engine
        .meta
        .transact(move |tx| {
            let now_ms = clock.now_ms();
            let bucket = request.bucket.find(tx)?;
            object_lock::check_enabled(&bucket)?;
            if request.retention.is_some_and(|retention| retention.until_ms <= now_ms) {
                return Err(Error::RetentionInThePast);
            }
            objects::amend(tx, &bucket, &request.key, request.version_id.as_deref(), |version| {
                if let Some(asker) = &request.asker {
                    asker.check(&bucket, version)?;
                }
                let lock = version.lock.get_or_insert_default();
                object_lock::check_change(
                    lock.retention,
                    request.retention,
                    now_ms,
                    request.bypass_governance,
                )?;
                lock.retention = request.retention;
                Ok(())
            })
        })
        .await
}
