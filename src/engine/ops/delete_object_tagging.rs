//! DeleteObjectTagging: takes all tags off an object.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html>

use super::put_object_tagging::{PutObjectTagging, put_object_tagging};
use crate::engine::access::lists::Asker;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::objects::Found;
use crate::engine::{Engine, Error};

/// Returns the version as it is from now on. The version's id is in its wire form, well-formed.
pub async fn delete_object_tagging(
    engine: &Engine,
    bucket: NamedBucket,
    key: String,
    version_id: Option<String>,
    asker: Option<Asker>,
) -> Result<Found, Error> {
    put_object_tagging(engine, PutObjectTagging { bucket, key, version_id, tags: Vec::new(), asker }).await
}
