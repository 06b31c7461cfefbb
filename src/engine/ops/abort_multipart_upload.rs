//! AbortMultipartUpload: drops an upload and everything that only it refers to.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>
//!
//! Taking the parts apart and deleting their blobs is left to `jobs::collector`, so that readers of a copied part
//! are not disturbed (invariant 4); they are queued for it in the commit that drops the upload (invariant 3).

use crate::base::fail_point;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::uploads::{self, UploadName};
use crate::engine::{Engine, Error};
use crate::meta::keys::UploadId;

/// An upload to be dropped.
#[derive(Clone, Debug)]
pub struct AbortMultipartUpload {
    pub bucket: NamedBucket,
    pub key: String,
    pub upload_id: UploadId,
    /// `x-amz-if-match-initiated-time`, Unix seconds: only an upload that was created then. A time in the future is
    /// ignored.
    pub if_initiated: Option<i64>,
}

/// When this returns, no listing shows the upload and no part gets into it any more, after a crash either. An unknown
/// upload is `NoSuchUpload`, or fine when the time of its creation was asked for.
pub async fn abort_multipart_upload(engine: &Engine, request: AbortMultipartUpload) -> Result<(), Error> {
    let AbortMultipartUpload { bucket, key, upload_id, if_initiated } = request;
    let name = UploadName { bucket, key, id: upload_id };
    let now_ms = engine.clock.now_ms();
    engine
        .meta
        .transact(move |tx| {
            let bucket = match name.check(tx) {
                Err(Error::NoSuchUpload) if if_initiated.is_some() => return Ok::<(), Error>(()),
                found => found?,
            };
            check_initiated(name.id, if_initiated, now_ms)?;
            uploads::drop_upload(tx, bucket, &name.key, name.id, now_ms);
            Ok(())
        })
        .await?;
    fail_point::reach("engine::abort_multipart_upload::after_commit");
    engine.wake_collector();
    Ok(())
}

fn check_initiated(id: UploadId, expected: Option<i64>, now_ms: i64) -> Result<(), Error> {
    match expected {
        Some(seconds) if seconds <= now_ms.div_euclid(1000) && seconds != id.time_ms().div_euclid(1000) => {
            Err(Error::PreconditionFailed { condition: "x-amz-if-match-initiated-time" })
        }
        _ => Ok(()),
    }
}
