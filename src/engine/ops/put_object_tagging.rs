//! PutObjectTagging: replaces the tags of an object. Nothing else of it changes, its time and ETag neither.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>

use crate::engine::access::lists::Asker;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::objects::{self, Found};
use crate::engine::{Engine, Error};

/// Tags for an object or one of its versions.
#[derive(Clone, Debug, Default)]
pub struct PutObjectTagging {
    pub bucket: NamedBucket,
    pub key: String,
    /// Wire form, well-formed.
    pub version_id: Option<String>,
    /// All of them, in order.
    pub tags: Vec<(String, String)>,
    /// Judged on the version that is found, where its tags have a say.
    pub asker: Option<Asker>,
}

/// Returns the version as it is from now on.
pub async fn put_object_tagging(engine: &Engine, request: PutObjectTagging) -> Result<Found, Error> {
    engine
        .meta
        .transact(move |tx| {
            let bucket = request.bucket.find(tx)?;
            objects::amend(tx, &bucket, &request.key, request.version_id.as_deref(), |version| {
                if let Some(asker) = &request.asker {
                    asker.check(&bucket, version)?;
                }
                version.metadata.tags.clone_from(&request.tags);
                Ok(())
            })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{BUCKET, Fixture};

    #[tokio::test]
    async fn only_the_tags_change_and_the_bytes_stay() {
        let fixture = Fixture::new().await;
        let before = fixture.put_single("key", b"bytes").await;
        let tags = vec![("a".to_owned(), "b".to_owned())];
        let request = PutObjectTagging {
            bucket: BUCKET.into(),
            key: "key".into(),
            tags: tags.clone(),
            ..PutObjectTagging::default()
        };
        let after = put_object_tagging(&fixture.engine, request.clone()).await.unwrap().version;
        let mut expected = before;
        expected.metadata.tags = tags;
        assert_eq!(after, expected);
        let missing = PutObjectTagging { key: "missing".into(), ..request.clone() };
        assert!(matches!(put_object_tagging(&fixture.engine, missing).await, Err(Error::NoSuchKey)));
        let other = PutObjectTagging { version_id: Some("other".into()), ..request };
        assert!(matches!(put_object_tagging(&fixture.engine, other).await, Err(Error::NoSuchVersion)));
    }
}
