//! RenameObject: an object gets another key in its bucket, at once and whole: whoever looks sees it under the one key or
//! under the other, never under both or none. The record moves as it is, time and ETag included; no byte does.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_RenameObject.html>
//!
//! AWS has it for directory buckets, which know no versions; here it is refused where a bucket has had some.

use crate::base::fail_point;
use crate::engine::access::lists::{Asker, JudgedTags};
use crate::engine::conditions::{ReadConditions, Tags};
use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error, objects};
use crate::meta::records::{Record, RenameRecord, Versioning};
use crate::meta::{Table, Write, keys};
use sha2::{Digest as _, Sha256};

#[derive(Clone, Debug, Default)]
pub struct RenameObject {
    pub bucket: NamedBucket,
    /// The key that the object has.
    pub source: String,
    pub source_conditions: ReadConditions,
    /// The key that it gets.
    pub key: String,
    /// On the object that is replaced, if there is one.
    pub conditions: ReadConditions,
    /// Makes a repeat harmless: within `complete_repeat_window` it does nothing more.
    pub token: Option<String>,
    /// Judged on the source that is found, where its list or its tags have a say.
    pub asker: Option<Asker>,
    /// The same of what is replaced.
    pub judged_tags: Option<JudgedTags>,
}

/// When this returns, the object has its new key, after a crash too. `NoSuchKey` is about the source.
pub async fn rename_object(engine: &Engine, request: RenameObject) -> Result<(), Error> {
    let now_ms = engine.clock.now_ms();
    engine.meta.transact(move |tx| rename(tx, &request, now_ms)).await?;
    fail_point::reach("engine::rename_object::after_commit");
    engine.wake_collector();
    Ok(())
}

fn rename(tx: &mut dyn Write, request: &RenameObject, now_ms: i64) -> Result<(), Error> {
    let bucket = request.bucket.find(tx)?;
    let token = request.token.as_deref().map(|token| keys::rename(bucket.id, token));
    if let Some(stored) = &token
        && let Some(done) = tx.get(Table::Renames, stored)?
    {
        return match RenameRecord::decode(&done)?.request == request.fingerprint() {
            true => Ok(()),
            false => Err(Error::IdempotencyParameterMismatch),
        };
    }
    if bucket.versioning != Versioning::Never {
        return Err(Error::RenameWithVersions);
    }
    if request.source == request.key {
        return Err(Error::RenameOntoItself);
    }
    let source = objects::current(tx, bucket.id, &request.source)?.ok_or(Error::NoSuchKey)?;
    if let Some(asker) = &request.asker {
        asker.check(&bucket, &source)?;
    }
    request.source_conditions.check_rename_source(&source, now_ms)?;
    let covered = objects::current(tx, bucket.id, &request.key)?;
    if let Some(judged) = &request.judged_tags {
        judged.check(covered.as_ref())?;
    }
    request.conditions.check_rename_destination(covered.as_ref(), now_ms)?;
    objects::move_current(tx, &bucket, &request.source, &request.key, now_ms)?;
    if let Some(stored) = token {
        let record = RenameRecord { request: request.fingerprint(), renamed_ms: now_ms };
        tx.put(Table::Renames, &stored, record.encode());
    }
    Ok(())
}

impl RenameObject {
    /// What a repeat has to agree in. Kept in records, so its form never changes.
    fn fingerprint(&self) -> [u8; 32] {
        let tags = |tags: &Option<Tags>| match tags {
            None => None,
            Some(Tags::Any) => Some(vec!["*".to_owned()]),
            Some(Tags::Listed(tags)) => Some(tags.clone()),
        };
        let conditions = |asked: &ReadConditions| {
            let dates = (asked.if_modified_since, asked.if_unmodified_since);
            (tags(&asked.if_match), tags(&asked.if_none_match), dates)
        };
        let asked =
            (&self.source, &self.key, conditions(&self.source_conditions), conditions(&self.conditions));
        Sha256::digest(minicbor::to_vec(asked).expect("writing to memory does not fail")).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::jobs::upload_sweeper;
    use crate::engine::ops::put_bucket_versioning::{PutBucketVersioning, put_bucket_versioning};
    use crate::engine::testing::{BUCKET, Fixture, START_MS};

    fn rename(source: &str, key: &str) -> RenameObject {
        RenameObject {
            bucket: BUCKET.into(),
            source: source.into(),
            key: key.into(),
            ..RenameObject::default()
        }
    }

    #[tokio::test]
    async fn the_record_moves_and_what_it_replaces_goes() {
        let fixture = Fixture::new().await;
        let before = fixture.put_single("from", b"bytes").await;
        fixture.put_single("to", b"replaced").await;
        fixture.engine.clock.advance(60_000);
        rename_object(&fixture.engine, rename("from", "to")).await.unwrap();
        assert_eq!(fixture.get("to").await.unwrap(), b"bytes");
        assert!(matches!(fixture.get("from").await, Err(Error::NoSuchKey)));
        let bucket = fixture.write(|tx| objects::bucket(tx, BUCKET)).await.id;
        let after = fixture.write(move |tx| objects::current(tx, bucket, "to")).await.unwrap();
        assert_eq!(after, before, "time, ETag and content");
        fixture.settle().await;
        assert_eq!(fixture.stored_blobs().await.len(), 1);
    }

    #[tokio::test]
    async fn what_cannot_be_renamed_stays() {
        let fixture = Fixture::new().await;
        fixture.put_inline("a", b"a").await;
        fixture.put_inline("b", b"b").await;
        let tags = |tag: &str| Some(Tags::Listed(vec![tag.to_owned()]));
        let with = |source: ReadConditions, destination: ReadConditions, key: &str| RenameObject {
            source_conditions: source,
            conditions: destination,
            ..rename("a", key)
        };
        let none = ReadConditions::default;
        let (past, now) = (Some(START_MS / 1000 - 10), Some(START_MS / 1000));
        fixture.engine.clock.advance(1_000);
        for (request, condition) in [
            (
                with(ReadConditions { if_match: tags("x"), ..none() }, none(), "c"),
                "x-amz-rename-source-if-match",
            ),
            (
                with(ReadConditions { if_none_match: Some(Tags::Any), ..none() }, none(), "c"),
                "x-amz-rename-source-if-none-match",
            ),
            (
                with(ReadConditions { if_unmodified_since: past, ..none() }, none(), "c"),
                "x-amz-rename-source-if-unmodified-since",
            ),
            (
                with(ReadConditions { if_modified_since: now, ..none() }, none(), "c"),
                "x-amz-rename-source-if-modified-since",
            ),
            (with(none(), ReadConditions { if_match: tags("x"), ..none() }, "b"), "If-Match"),
            (with(none(), ReadConditions { if_match: Some(Tags::Any), ..none() }, "c"), "If-Match"),
            (with(none(), ReadConditions { if_none_match: Some(Tags::Any), ..none() }, "b"), "If-None-Match"),
            (
                with(none(), ReadConditions { if_unmodified_since: past, ..none() }, "b"),
                "If-Unmodified-Since",
            ),
            (with(none(), ReadConditions { if_modified_since: now, ..none() }, "b"), "If-Modified-Since"),
            (with(none(), ReadConditions { if_modified_since: past, ..none() }, "c"), "If-Modified-Since"),
        ] {
            match rename_object(&fixture.engine, request).await {
                Err(Error::PreconditionFailed { condition: found }) => assert_eq!(found, condition),
                other => panic!("{condition}: {other:?}"),
            }
        }
        assert!(matches!(rename_object(&fixture.engine, rename("x", "y")).await, Err(Error::NoSuchKey)));
        assert!(matches!(
            rename_object(&fixture.engine, rename("a", "a")).await,
            Err(Error::RenameOntoItself)
        ));
        let versions = PutBucketVersioning { bucket: BUCKET.into(), enabled: true };
        put_bucket_versioning(&fixture.engine, versions).await.unwrap();
        let refused = rename_object(&fixture.engine, rename("a", "c")).await;
        assert!(matches!(refused, Err(Error::RenameWithVersions)));
        assert_eq!(fixture.get("a").await.unwrap(), b"a");
        assert_eq!(fixture.get("b").await.unwrap(), b"b");
    }

    #[tokio::test]
    async fn a_token_makes_a_repeat_harmless_while_it_is_remembered() {
        let fixture = Fixture::new().await;
        fixture.put_inline("a", b"a").await;
        let request = RenameObject { token: Some("token".into()), ..rename("a", "b") };
        rename_object(&fixture.engine, request.clone()).await.unwrap();
        fixture.put_inline("a", b"another").await;
        rename_object(&fixture.engine, request.clone()).await.unwrap();
        assert_eq!(fixture.get("b").await.unwrap(), b"a");
        assert_eq!(fixture.get("a").await.unwrap(), b"another");
        let other = RenameObject { key: "c".into(), ..request.clone() };
        let refused = rename_object(&fixture.engine, other).await;
        assert!(matches!(refused, Err(Error::IdempotencyParameterMismatch)));
        // A refused one is not remembered.
        let early = RenameObject { token: Some("early".into()), ..rename("later", "d") };
        assert!(matches!(rename_object(&fixture.engine, early.clone()).await, Err(Error::NoSuchKey)));
        fixture.put_inline("later", b"later").await;
        rename_object(&fixture.engine, early).await.unwrap();

        fixture.engine.clock.advance(2 * 24 * 60 * 60 * 1000 + 1);
        assert_eq!(upload_sweeper::run_once(&fixture.engine).await.unwrap().forgotten, 2);
        rename_object(&fixture.engine, request).await.unwrap();
        assert_eq!(fixture.get("b").await.unwrap(), b"another");
    }
}
