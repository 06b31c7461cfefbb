//! DeleteObjects: up to 1,000 deletes in one commit.

use super::delete_object::{Deleted, Deleter, ObjectToDelete, delete_one};
use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error};
use crate::meta::Write;
use crate::meta::records::BucketRecord;

#[derive(Clone, Debug)]
pub struct DeleteObjects {
    pub bucket: NamedBucket,
    /// Canonical id of who asks: owns the delete markers.
    pub owner: String,
    /// At most `limits::DELETE_OBJECTS_MAX`. The same key may come twice.
    pub objects: Vec<ObjectToDelete>,
    /// The requester may bypass governance mode, and wants to. Where nothing can be locked this is no mistake, as it is for
    /// DeleteObject: tools that empty buckets always say so.
    pub bypass_governance: bool,
}

/// One result an object, in the order of the request. A condition that fails keeps its object and no other. An `Err`
/// of the whole means that nothing was deleted, unless it is `Storage`.
pub async fn delete_objects(
    engine: &Engine,
    request: DeleteObjects,
) -> Result<Vec<Result<Deleted, Error>>, Error> {
    let clock = engine.clock.clone();
    let results = engine
        .meta
        .transact(move |tx| {
            let bucket = request.bucket.find(tx)?;
            let bypass_governance = request.bypass_governance;
            let who = Deleter { owner: &request.owner, now_ms: clock.now_ms(), bypass_governance };
            let delete = |object| settle(tx, &bucket, object, &who);
            request.objects.iter().map(delete).collect()
        })
        .await?;
    engine.wake_collector();
    Ok(results)
}

/// Tells apart what concerns one object from what concerns the transaction.
fn settle(
    tx: &mut dyn Write,
    bucket: &BucketRecord,
    object: &ObjectToDelete,
    who: &Deleter<'_>,
) -> Result<Result<Deleted, Error>, Error> {
    match delete_one(tx, bucket, object, who) {
        Ok(deleted) => Ok(Ok(deleted)),
        Err(
            err @ (Error::PreconditionFailed { .. }
            | Error::NoSuchKey
            | Error::JudgedOtherTags
            | Error::ObjectLocked),
        ) => Ok(Err(err)),
        Err(err) => Err(err),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::conditions::{Tags, WriteConditions};
    use crate::engine::testing::{BUCKET, Fixture, OWNER, START_MS};
    use crate::meta::Table;

    fn object(key: &str) -> ObjectToDelete {
        ObjectToDelete { key: key.into(), ..ObjectToDelete::default() }
    }

    #[tokio::test]
    async fn each_object_is_judged_on_its_own() {
        let fixture = Fixture::new().await;
        for key in ["a", "b", "c", "d", "e", "f"] {
            fixture.put_inline(key, b"bytes").await;
        }
        let tags = |tags: Tags| WriteConditions { if_match: Some(tags), ..WriteConditions::default() };
        let other = Tags::Listed(vec!["other".into()]);
        // What to delete, whether that is allowed, and whether there was something.
        let table = [
            (object("a"), Ok(true)),
            (object("a"), Ok(false)),
            (object("never"), Ok(false)),
            (ObjectToDelete { version_id: Some("null".into()), ..object("b") }, Ok(true)),
            (ObjectToDelete { version_id: Some("1234".into()), ..object("c") }, Ok(false)),
            (ObjectToDelete { conditions: tags(other), ..object("c") }, Err("If-Match")),
            (ObjectToDelete { conditions: tags(Tags::Any), ..object("never") }, Err("")),
            (ObjectToDelete { if_size: Some(6), ..object("d") }, Err("x-amz-if-match-size")),
            (ObjectToDelete { if_size: Some(5), ..object("d") }, Ok(true)),
            (ObjectToDelete { if_size: Some(5), ..object("d") }, Ok(false)),
            (
                ObjectToDelete { if_modified: Some(START_MS / 1000 - 1), ..object("e") },
                Err("x-amz-if-match-last-modified-time"),
            ),
            (ObjectToDelete { if_modified: Some(START_MS / 1000), ..object("e") }, Ok(true)),
            (ObjectToDelete { conditions: tags(Tags::Any), ..object("f") }, Ok(true)),
        ];
        let (objects, expected): (Vec<_>, Vec<_>) = table.into_iter().unzip();
        let request =
            DeleteObjects { bucket: BUCKET.into(), owner: OWNER.into(), objects, bypass_governance: false };
        let results = delete_objects(&fixture.engine, request).await.unwrap();
        let found: Vec<_> = results
            .into_iter()
            .map(|result| match result {
                Ok(deleted) => Ok(deleted.existed),
                Err(Error::PreconditionFailed { condition }) => Err(condition),
                Err(Error::NoSuchKey) => Err(""),
                Err(err) => panic!("{err}"),
            })
            .collect();
        assert_eq!(found, expected);
        assert_eq!(fixture.keys(Table::Objects).await.len(), 1);
        assert_eq!(fixture.get("c").await.unwrap(), b"bytes");
        assert_eq!(fixture.keys(Table::Inline).await.len(), 1);
    }
}
