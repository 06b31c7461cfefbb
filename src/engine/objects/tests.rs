use super::deletion::MARKED_PER_DELETE_MAX;
use super::*;
use crate::engine::conditions::{ReadConditions, Tags};
use crate::engine::copy_source::Source;
use crate::engine::fsck::{FsckOptions, fsck};
use crate::engine::jobs::collector;
use crate::engine::ops::copy_object::{Copied, CopyObject, copy_object};
use crate::engine::ops::delete_bucket::delete_bucket;
use crate::engine::ops::delete_object::{DeleteObject, ObjectToDelete, delete_object};
use crate::engine::ops::get_object::{GetObject, get_object};
use crate::engine::ops::list_object_versions::{ListObjectVersions, VersionEntry, list_object_versions};
use crate::engine::ops::put_bucket_versioning::{PutBucketVersioning, put_bucket_versioning};
use crate::engine::testing::{BUCKET, Fixture, OWNER, read_all};
use crate::meta::records::ProgressRecord;

/// A bucket whose versions are being looked at.
struct Bucket(Fixture);

impl Bucket {
    async fn enabled() -> Bucket {
        let bucket = Bucket(Fixture::new().await);
        bucket.set(true).await;
        bucket
    }

    async fn set(&self, enabled: bool) {
        let request = PutBucketVersioning { bucket: BUCKET.into(), enabled };
        put_bucket_versioning(&self.0.engine, request).await.unwrap();
    }

    async fn put(&self, key: &str, bytes: &'static [u8]) -> String {
        wire_id(&self.0.put_into(BUCKET, key, bytes).await).to_string()
    }

    async fn try_delete(&self, object: ObjectToDelete) -> Result<Deleted, Error> {
        let request =
            DeleteObject { bucket: BUCKET.into(), owner: OWNER.into(), object, ..Default::default() };
        delete_object(&self.0.engine, request).await
    }

    async fn delete(&self, key: &str) -> Deleted {
        self.try_delete(ObjectToDelete { key: key.into(), ..Default::default() }).await.unwrap()
    }

    async fn delete_version(&self, key: &str, id: &str) -> Deleted {
        let object = ObjectToDelete { key: key.into(), version_id: Some(id.into()), ..Default::default() };
        self.try_delete(object).await.unwrap()
    }

    async fn get(&self, key: &str, id: Option<&str>) -> Result<Vec<u8>, Error> {
        let request = GetObject {
            bucket: BUCKET.into(),
            key: key.into(),
            version_id: id.map(str::to_string),
            ..GetObject::default()
        };
        read_all(get_object(&self.0.engine, request).await?).await
    }

    async fn copy(&self, from: &str, id: Option<&str>, to: &str) -> Result<Copied, Error> {
        let source = Source {
            bucket: BUCKET.into(),
            key: from.into(),
            version_id: id.map(str::to_string),
            conditions: ReadConditions::default(),
            customer_key: None,
            asker: None,
        };
        let request = CopyObject {
            source,
            bucket: BUCKET.into(),
            key: to.into(),
            writer: OWNER.into(),
            acl: Default::default(),
            ..CopyObject::default()
        };
        copy_object(&self.0.engine, request).await
    }

    /// The key's ids, newest first: `+` before the latest, `x` after delete markers.
    async fn ids(&self, key: &str) -> Vec<String> {
        let request = ListObjectVersions {
            bucket: BUCKET.into(),
            prefix: key.into(),
            max: 1000,
            ..ListObjectVersions::default()
        };
        let page = list_object_versions(&self.0.engine, request).await.unwrap();
        let entries = page.entries.into_iter().map(|entry| match entry {
            VersionEntry::Version { version, is_latest, .. } => {
                let latest = if is_latest { "+" } else { "" };
                let marker = if version.delete_marker { "x" } else { "" };
                format!("{latest}{}{marker}", listed_id(&version.version_id))
            }
            VersionEntry::CommonPrefix(prefix) => prefix,
        });
        entries.collect()
    }

    /// Everything fits together, and what nobody needs is gone.
    async fn check(&self) {
        collector::run_once(&self.0.engine).await.unwrap();
        let report = fsck(&self.0.engine, FsckOptions { deep: true, repair: false }).await.unwrap();
        assert_eq!(report.findings, []);
    }
}

#[tokio::test]
async fn an_overwrite_keeps_what_it_covers_and_a_delete_only_marks() {
    let bucket = Bucket::enabled().await;
    let first = bucket.put("key", b"first").await;
    let second = bucket.put("key", b"second").await;
    assert_eq!(bucket.get("key", None).await.unwrap(), b"second");
    assert_eq!(bucket.get("key", Some(&first)).await.unwrap(), b"first");
    assert_eq!(bucket.ids("key").await, [format!("+{second}"), first.clone()]);

    let deleted = bucket.delete("key").await;
    let marker = deleted.marker_id.clone().unwrap();
    assert!(deleted.existed);
    let err = bucket.get("key", None).await.unwrap_err();
    assert!(matches!(err, Error::ObjectDeleted { marker_id } if marker_id == marker));
    let err = bucket.get("key", Some(&marker)).await.unwrap_err();
    assert!(matches!(err, Error::IsDeleteMarker { marker_id, .. } if marker_id == marker));
    assert_eq!(bucket.ids("key").await, [format!("+{marker}x"), second.clone(), first.clone()]);
    assert!(matches!(delete_bucket(&bucket.0.engine, BUCKET).await, Err(Error::BucketNotEmpty)));
    bucket.check().await;

    // Without the marker the object is back.
    let undone = bucket.delete_version("key", &marker).await;
    assert_eq!((undone.existed, undone.marker_id), (true, Some(marker)));
    assert_eq!(bucket.get("key", None).await.unwrap(), b"second");
    // Without the newest the one before is.
    assert_eq!(bucket.delete_version("key", &second).await.marker_id, None);
    assert_eq!(bucket.get("key", None).await.unwrap(), b"first");
    assert!(!bucket.delete_version("key", &second).await.existed);
    assert!(bucket.delete_version("key", &first).await.existed);
    assert!(matches!(bucket.get("key", None).await, Err(Error::NoSuchKey)));
    assert!(matches!(bucket.get("key", Some(&first)).await, Err(Error::NoSuchVersion)));
    bucket.check().await;
    for table in [Table::Objects, Table::Versions, Table::NullVersions, Table::Inline, Table::References] {
        assert_eq!(bucket.0.keys(table).await.len(), 0, "{table:?}");
    }
    delete_bucket(&bucket.0.engine, BUCKET).await.unwrap();
}

#[tokio::test]
async fn a_marker_can_stand_where_nothing_ever_was() {
    let bucket = Bucket::enabled().await;
    let first = bucket.delete("key").await;
    assert!(!first.existed);
    let (first, second) = (first.marker_id.unwrap(), bucket.delete("key").await.marker_id.unwrap());
    assert_eq!(bucket.ids("key").await, [format!("+{second}x"), format!("{first}x")]);
    bucket.delete_version("key", &first).await;
    assert_eq!(bucket.ids("key").await, [format!("+{second}x")]);
    bucket.check().await;
}

#[tokio::test]
async fn the_null_version_is_replaced_wherever_it_is() {
    let bucket = Bucket(Fixture::new().await);
    assert_eq!(bucket.put("key", b"before").await, "null");
    bucket.set(true).await;
    assert_eq!(bucket.get("key", Some("null")).await.unwrap(), b"before");
    let kept = bucket.put("key", b"kept").await;
    assert_eq!(bucket.ids("key").await, [format!("+{kept}"), "null".into()]);
    assert_eq!(bucket.get("key", Some("null")).await.unwrap(), b"before");
    bucket.check().await;

    bucket.set(false).await;
    assert_eq!(bucket.put("key", b"suspended").await, "null");
    assert_eq!(bucket.ids("key").await, ["+null".into(), kept.clone()]);
    assert_eq!(bucket.put("key", b"again").await, "null");
    assert_eq!(bucket.ids("key").await, ["+null".into(), kept.clone()]);
    assert_eq!(bucket.0.keys(Table::Inline).await.len(), 2, "what was replaced has given up its bytes");
    bucket.check().await;

    // A delete replaces the null version by a null marker, and the next one that by another.
    for existed in [true, false] {
        let deleted = bucket.delete("key").await;
        assert_eq!((deleted.existed, deleted.marker_id.as_deref()), (existed, Some("null")));
        assert_eq!(bucket.ids("key").await, ["+nullx".into(), kept.clone()]);
        bucket.check().await;
    }
    assert!(matches!(bucket.get("key", Some("null")).await, Err(Error::IsDeleteMarker { .. })));
    bucket.set(true).await;
    let newest = bucket.put("key", b"newest").await;
    assert_eq!(bucket.ids("key").await, [format!("+{newest}"), "nullx".into(), kept.clone()]);
    bucket.set(false).await;
    bucket.put("key", b"null again").await;
    assert_eq!(bucket.ids("key").await, ["+null".into(), newest.clone(), kept.clone()]);
    assert_eq!(bucket.delete_version("key", "null").await, Deleted { existed: true, marker_id: None });
    assert_eq!(bucket.get("key", None).await.unwrap(), b"newest");
    bucket.check().await;
}

#[tokio::test]
async fn versions_follow_commits_though_the_clock_goes_back() {
    let bucket = Bucket::enabled().await;
    let mut ids = Vec::new();
    for ms in [0, 1, -3_600_000, 0, 1_800_000, 7_200_000] {
        bucket.0.engine.clock.advance(ms);
        ids.push(bucket.put("key", b"x").await);
        let marker = bucket.delete("key").await.marker_id.unwrap();
        ids.push(format!("{marker}x"));
    }
    ids.reverse();
    ids[0].insert(0, '+');
    assert_eq!(bucket.ids("key").await, ids);
    bucket.check().await;
}

#[tokio::test]
async fn conditions_are_judged_on_what_a_plain_read_finds() {
    let bucket = Bucket::enabled().await;
    let none_there = || WriteConditions { if_none_match: Some(Tags::Any), ..Default::default() };
    let one_there = || WriteConditions { if_match: Some(Tags::Any), ..Default::default() };
    let first = bucket.put("key", b"first").await;
    let put = async |conditions| bucket.0.put_if(BUCKET, "key", b"second", conditions).await;
    assert!(matches!(put(none_there()).await, Err(Error::PreconditionFailed { .. })));
    let marker = bucket.delete("key").await.marker_id.unwrap();
    assert!(matches!(put(one_there()).await, Err(Error::NoSuchKey)));
    let object = ObjectToDelete { key: "key".into(), conditions: one_there(), ..Default::default() };
    assert!(matches!(bucket.try_delete(object.clone()).await, Err(Error::NoSuchKey)));
    assert_eq!(bucket.ids("key").await, [format!("+{marker}x"), first.clone()], "no second marker");
    let second = wire_id(&put(none_there()).await.unwrap()).to_string();
    assert_eq!(bucket.ids("key").await, [format!("+{second}"), format!("{marker}x"), first.clone()]);
    // Of a version that is named, its own size counts.
    let sized = ObjectToDelete { version_id: Some(first), if_size: Some(6), key: "key".into(), ..object };
    assert!(matches!(bucket.try_delete(sized.clone()).await, Err(Error::PreconditionFailed { .. })));
    assert!(bucket.try_delete(ObjectToDelete { if_size: Some(5), ..sized }).await.unwrap().existed);
    bucket.check().await;
}

#[tokio::test]
async fn an_old_version_can_be_brought_back_by_a_copy() {
    let bucket = Bucket::enabled().await;
    let first = bucket.put("key", b"first").await;
    let second = bucket.put("key", b"second").await;
    assert!(matches!(bucket.copy("key", Some(&second), "key").await, Err(Error::CopyOntoItself)));
    let copied = bucket.copy("key", Some(&first), "key").await.unwrap();
    assert_eq!(copied.source_id.as_deref(), Some(first.as_str()));
    assert_eq!(bucket.get("key", None).await.unwrap(), b"first");
    assert_eq!(bucket.ids("key").await, [format!("+{}", copied.shown_id.unwrap()), second, first.clone()]);
    bucket.check().await;

    let marker = bucket.delete("key").await.marker_id.unwrap();
    assert!(matches!(bucket.copy("key", None, "to").await, Err(Error::ObjectDeleted { .. })));
    assert!(matches!(bucket.copy("key", Some(&marker), "to").await, Err(Error::IsDeleteMarker { .. })));
    assert!(matches!(bucket.copy("key", Some("null"), "to").await, Err(Error::NoSuchVersion)));
    bucket.set(false).await;
    let copied = bucket.copy("key", Some(&first), "to").await.unwrap();
    assert_eq!((copied.version.version_id, copied.shown_id.as_deref()), (None, Some("null")));
    bucket.delete_version("key", &first).await;
    bucket.check().await;
    assert_eq!(bucket.get("to", None).await.unwrap(), b"first");
}

#[tokio::test]
async fn an_id_of_another_key_or_of_chance_finds_nothing() {
    let bucket = Bucket::enabled().await;
    let id = bucket.put("key", b"first").await;
    bucket.put("key", b"second").await;
    bucket.put("other", b"other").await;
    let same_sequence = version_id::new(version_id::sequence(&id).unwrap());
    for wrong in [same_sequence.as_str(), "null", "1234"] {
        assert!(matches!(bucket.get("key", Some(wrong)).await, Err(Error::NoSuchVersion)), "{wrong}");
        assert!(!bucket.delete_version("key", wrong).await.existed, "{wrong}");
    }
    assert!(matches!(bucket.get("other", Some(&id)).await, Err(Error::NoSuchVersion)));
    assert_eq!(bucket.ids("key").await.len(), 2);
}

#[tokio::test]
async fn a_delete_tells_a_bounded_number_of_open_uploads() {
    let fixture = Fixture::new().await;
    for _ in 0..MARKED_PER_DELETE_MAX + 6 {
        fixture.create_at("key", None).await.unwrap();
    }
    fixture.put_empty("key").await;
    fixture.delete("key").await;
    let told = fixture.entries(Table::Progress).await;
    let told = told.iter().filter(|(_, value)| ProgressRecord::decode(value).unwrap().key_deleted).count();
    assert_eq!(told, MARKED_PER_DELETE_MAX);
}

/// A locked version in a bucket that would remove it on an overwrite cannot come about by any request. Were there one
/// all the same, it would stay.
#[tokio::test]
async fn no_write_removes_a_locked_version() {
    use crate::engine::ops::delete_objects::{DeleteObjects, delete_objects};
    use crate::engine::testing::uploads::{body, listing};
    use crate::meta::records::ObjectLock;
    for suspended in [false, true] {
        let bucket = Bucket(Fixture::new().await);
        bucket.put("source", b"other").await;
        bucket.put("key", b"locked").await;
        if suspended {
            bucket.set(true).await;
            bucket.put("key", b"newer").await;
            bucket.set(false).await;
        }
        let id = bucket.0.create(None).await;
        let md5 = bucket.0.upload(id, 1, body("part")).await.unwrap().md5;
        bucket
            .0
            .write(|tx| {
                let bucket = super::bucket(tx, BUCKET)?;
                amend(tx, &bucket, "key", Some(NULL_VERSION), |version| {
                    version.lock = Some(ObjectLock { retention: None, legal_hold: Some(true) });
                    Ok(())
                })
            })
            .await;
        let before = bucket.ids("key").await;
        let object = || ObjectToDelete { key: "key".into(), ..Default::default() };
        let named = || ObjectToDelete { version_id: Some(NULL_VERSION.into()), ..object() };
        let put = bucket.0.put_if(BUCKET, "key", b"new", WriteConditions::default()).await.map(|_| ());
        let copied = bucket.copy("source", None, "key").await.map(|_| ());
        let completed = bucket.0.complete(listing(id, &[(1, md5)])).await.map(|_| ());
        let deleted = bucket.try_delete(object()).await.map(|_| ());
        let removed = bucket.try_delete(named()).await.map(|_| ());
        let objects = vec![object(), named()];
        let many =
            DeleteObjects { bucket: BUCKET.into(), owner: OWNER.into(), objects, bypass_governance: false };
        let many = delete_objects(&bucket.0.engine, many).await.unwrap().into_iter();
        let outcomes = [put, copied, completed, deleted, removed].into_iter();
        for (way, outcome) in outcomes.chain(many.map(|outcome| outcome.map(|_| ()))).enumerate() {
            assert!(matches!(outcome, Err(Error::ObjectLocked)), "{suspended} {way} {outcome:?}");
        }
        assert_eq!(bucket.ids("key").await, before);
        assert_eq!(bucket.get("key", Some(NULL_VERSION)).await.unwrap(), b"locked");
        let refused = delete_bucket(&bucket.0.engine, BUCKET).await;
        assert!(matches!(refused, Err(Error::BucketNotEmpty)));
        bucket.0.engine.tasks.wait().await;
        fsck(&bucket.0.engine, FsckOptions { deep: true, repair: true }).await.unwrap();
        bucket.check().await;
        assert_eq!(bucket.get("key", Some(NULL_VERSION)).await.unwrap(), b"locked");
    }
}
