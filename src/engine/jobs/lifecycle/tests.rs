use super::*;
use crate::engine::fsck::{FsckOptions, fsck};
use crate::engine::objects;
use crate::engine::ops::create_bucket::{CreateBucket, create_bucket};
use crate::engine::ops::delete_bucket::delete_bucket;
use crate::engine::ops::delete_object::{DeleteObject, ObjectToDelete, delete_object};
use crate::engine::ops::list_object_versions::{ListObjectVersions, VersionEntry, list_object_versions};
use crate::engine::ops::put_bucket_versioning::{PutBucketVersioning, put_bucket_versioning};
use crate::engine::ops::put_object_legal_hold::{PutObjectLegalHold, put_object_legal_hold};
use crate::engine::ops::put_object_tagging::{PutObjectTagging, put_object_tagging};
use crate::engine::testing::uploads::body;
use crate::engine::testing::{BUCKET, Fixture, OWNER, pattern};
use crate::meta::records::{
    Expiration, LifecycleFilter, LifecycleRule, NoncurrentExpiration, Transition, TransitionTime,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn rule(prefix: &str) -> LifecycleRule {
    let filter = LifecycleFilter { prefix: Some(prefix.into()), ..LifecycleFilter::default() };
    LifecycleRule { id: prefix.into(), enabled: true, filter, ..LifecycleRule::default() }
}

fn expires(prefix: &str, days: u32) -> LifecycleRule {
    LifecycleRule { expiration: Some(Expiration::Days(days)), ..rule(prefix) }
}

fn old_expire(prefix: &str, days: u32, newer_kept: Option<u32>) -> LifecycleRule {
    let noncurrent_expiration = Some(NoncurrentExpiration { days, newer_kept });
    LifecycleRule { noncurrent_expiration, ..rule(prefix) }
}

/// A bucket whose rules a test carries out.
struct Bucket(Fixture);

impl Bucket {
    async fn new(rules: Vec<LifecycleRule>) -> Bucket {
        let bucket = Bucket(Fixture::new().await);
        bucket.set(rules).await;
        bucket
    }

    async fn with_versions(rules: Vec<LifecycleRule>) -> Bucket {
        let bucket = Bucket::new(rules).await;
        bucket.set_versioning(true).await;
        bucket
    }

    async fn set(&self, rules: Vec<LifecycleRule>) {
        let record = LifecycleRecord { rules, ..LifecycleRecord::default() };
        bucket_documents::put(&self.0.engine, BUCKET, record).await.unwrap();
    }

    async fn set_versioning(&self, enabled: bool) {
        let request = PutBucketVersioning { bucket: BUCKET.into(), enabled };
        put_bucket_versioning(&self.0.engine, request).await.unwrap();
    }

    fn advance(&self, ms: i64) {
        self.0.engine.clock.advance(ms);
    }

    async fn put(&self, key: &str, bytes: &'static [u8]) -> String {
        objects::wire_id(&self.0.put_into(BUCKET, key, bytes).await).to_string()
    }

    async fn delete(&self, key: &str) {
        let object = ObjectToDelete { key: key.into(), ..Default::default() };
        let request =
            DeleteObject { bucket: BUCKET.into(), owner: OWNER.into(), object, ..Default::default() };
        delete_object(&self.0.engine, request).await.unwrap();
    }

    async fn hold(&self, key: &str, version_id: Option<&str>, is_held: bool) {
        let (bucket, key, version_id) = (BUCKET.into(), key.into(), version_id.map(str::to_string));
        let request = PutObjectLegalHold { bucket, key, version_id, is_held, asker: None };
        put_object_legal_hold(&self.0.engine, request).await.unwrap();
    }

    async fn sweep(&self) -> Swept {
        run_once(&self.0.engine).await.unwrap()
    }

    /// Keys and ids in the order of a listing: `+` before the latest, `x` after delete markers.
    async fn listed(&self) -> Vec<String> {
        let request = ListObjectVersions { bucket: BUCKET.into(), max: 100_000, ..Default::default() };
        let page = list_object_versions(&self.0.engine, request).await.unwrap();
        let entries = page.entries.into_iter().map(|entry| match entry {
            VersionEntry::Version { key, version, is_latest, .. } => {
                let latest = if is_latest { "+" } else { "" };
                let marker = if version.delete_marker { "x" } else { "" };
                format!("{latest}{key} {}{marker}", objects::listed_id(&version.version_id))
            }
            VersionEntry::CommonPrefix(prefix) => prefix,
        });
        entries.collect()
    }

    /// Everything fits together, and what nobody needs is gone.
    async fn check(&self) {
        super::super::collector::run_once(&self.0.engine).await.unwrap();
        let report = fsck(&self.0.engine, FsckOptions { deep: true, repair: false }).await.unwrap();
        assert_eq!(report.findings, []);
    }
}

#[tokio::test]
async fn objects_go_at_the_midnight_after_their_days() {
    let bucket = Bucket::new(vec![expires("logs/", 2), expires("tmp/", 1)]).await;
    let start_ms = bucket.0.engine.clock.now_ms();
    for key in ["a", "logs/1", "logs/2", "m", "tmp/1", "z"] {
        bucket.put(key, b"bytes").await;
    }
    bucket.0.put_single("logs/large", &pattern(1, 300_000)).await;
    let swept = bucket.sweep().await;
    // The rest is passed over.
    assert_eq!(swept, Swept { buckets: 1, seen: 4, ..Swept::default() });

    let midnight_ms = start_ms - start_ms.rem_euclid(DAY_MS) + 2 * DAY_MS;
    bucket.advance(midnight_ms - start_ms - 1);
    assert_eq!(bucket.sweep().await.changes(), 0);
    bucket.advance(1);
    let swept = bucket.sweep().await;
    assert_eq!((swept.expired_objects, swept.freed_bytes), (1, 5));
    bucket.advance(DAY_MS);
    let swept = bucket.sweep().await;
    assert_eq!((swept.expired_objects, swept.freed_bytes), (3, 300_010));
    assert_eq!(bucket.listed().await, ["+a null", "+m null", "+z null"]);
    assert_eq!(bucket.sweep().await.changes(), 0);
    bucket.check().await;
    assert!(bucket.0.stored_blobs().await.is_empty());
}

#[tokio::test]
async fn a_date_is_for_everything_from_then_on() {
    let bucket = Bucket::new(vec![]).await;
    let date_ms = bucket.0.engine.clock.now_ms() + DAY_MS;
    bucket.set(vec![LifecycleRule { expiration: Some(Expiration::Date(date_ms)), ..rule("") }]).await;
    bucket.put("key", b"bytes").await;
    assert_eq!(bucket.sweep().await.changes(), 0);
    bucket.advance(DAY_MS);
    bucket.put("new", b"bytes").await;
    assert_eq!(bucket.sweep().await.expired_objects, 2);
    assert!(bucket.listed().await.is_empty());
    bucket.check().await;
}

#[tokio::test]
async fn with_versions_an_expired_object_is_covered_and_old_ones_go_later() {
    let all = LifecycleRule { expiration: Some(Expiration::Days(1)), ..old_expire("", 2, None) };
    let bucket = Bucket::with_versions(vec![all]).await;
    let (one, two) = (bucket.put("key", b"one").await, bucket.put("key", b"two").await);
    bucket.advance(2 * DAY_MS);
    let swept = bucket.sweep().await;
    assert_eq!((swept.expired_objects, swept.expired_versions, swept.freed_bytes), (1, 0, 0));
    let listed = bucket.listed().await;
    assert!(listed[0].starts_with("+key ") && listed[0].ends_with('x'), "{listed:?}");
    assert_eq!(listed[1..], [format!("key {two}"), format!("key {one}")]);

    // The first was covered a day before the second.
    bucket.advance(DAY_MS);
    let swept = bucket.sweep().await;
    assert_eq!((swept.expired_versions, swept.freed_bytes), (1, 3));
    assert_eq!(bucket.listed().await, [listed[0].clone(), format!("key {two}")]);
    bucket.advance(2 * DAY_MS);
    let swept = bucket.sweep().await;
    // Without the last version the marker covers nothing. It is found by the next sweep.
    assert_eq!((swept.expired_versions, swept.expired_markers), (1, 0));
    assert_eq!(bucket.sweep().await.expired_markers, 1);
    assert!(bucket.listed().await.is_empty());
    bucket.check().await;
}

#[tokio::test]
async fn while_versioning_is_suspended_a_marker_replaces_the_null_version() {
    let bucket = Bucket::with_versions(vec![expires("", 1)]).await;
    let old = bucket.put("key", b"old").await;
    bucket.set_versioning(false).await;
    bucket.put("key", b"null").await;
    bucket.advance(2 * DAY_MS);
    let swept = bucket.sweep().await;
    assert_eq!((swept.expired_objects, swept.freed_bytes), (1, 4));
    assert_eq!(bucket.listed().await, ["+key nullx".to_string(), format!("key {old}")]);
    assert_eq!(bucket.sweep().await.changes(), 0, "a marker that covers something stays");
    bucket.check().await;
}

#[tokio::test]
async fn so_many_newer_ones_stay_however_old_they_are() {
    let bucket = Bucket::with_versions(vec![old_expire("a", 1, Some(2)), old_expire("b", 1, Some(2))]).await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(bucket.put("a", b"bytes").await);
        bucket.put("b", b"bytes").await;
    }
    // A delete marker that is the newest version does not count, one that is not does.
    bucket.delete("b").await;
    bucket.advance(3 * DAY_MS);
    let swept = bucket.sweep().await;
    assert_eq!((swept.seen, swept.expired_versions), (5 + 7, 3 + 4));
    let listed = bucket.listed().await;
    let kept: Vec<_> = ids.iter().rev().take(3).map(String::as_str).collect();
    assert_eq!(listed[..3], [format!("+a {}", kept[0]), format!("a {}", kept[1]), format!("a {}", kept[2])]);
    assert_eq!(listed.len(), 6);
    bucket.put("b", b"bytes").await;
    bucket.advance(3 * DAY_MS);
    assert_eq!(bucket.sweep().await.expired_versions, 1);
    bucket.check().await;
}

#[tokio::test]
async fn delete_markers_go_that_cover_nothing() {
    let markers = LifecycleRule { expiration: Some(Expiration::DeleteMarkers(true)), ..rule("m") };
    let bucket = Bucket::with_versions(vec![markers, expires("d", 3)]).await;
    for key in ["d", "m", "mm", "other"] {
        bucket.delete(key).await;
    }
    bucket.put("mm", b"bytes").await;
    bucket.delete("mm").await;
    let swept = bucket.sweep().await;
    assert_eq!(swept.expired_markers, 1);
    bucket.advance(3 * DAY_MS);
    assert_eq!(bucket.sweep().await.expired_markers, 0);
    bucket.advance(DAY_MS);
    assert_eq!(bucket.sweep().await.expired_markers, 1);
    let listed = bucket.listed().await;
    let keys: Vec<_> = listed.iter().map(|entry| entry.split(' ').next().unwrap()).collect();
    assert_eq!(keys, ["+mm", "mm", "mm", "+other"]);
    bucket.check().await;
}

#[tokio::test]
async fn what_is_locked_stays_and_may_be_covered() {
    let all = LifecycleRule { expiration: Some(Expiration::Days(1)), ..old_expire("", 1, None) };
    let fixture = Fixture::new().await;
    delete_bucket(&fixture.engine, BUCKET).await.unwrap();
    let locked = CreateBucket {
        name: BUCKET.into(),
        owner: OWNER.into(),
        object_lock: true,
        ..CreateBucket::default()
    };
    create_bucket(&fixture.engine, locked).await.unwrap();
    let bucket = Bucket(fixture);
    bucket.set(vec![all]).await;
    let (held, free) = (bucket.put("key", b"held").await, bucket.put("key", b"free").await);
    bucket.hold("key", Some(&held), true).await;
    bucket.advance(10 * DAY_MS);
    let swept = bucket.sweep().await;
    assert_eq!((swept.expired_objects, swept.expired_versions, swept.locked), (1, 0, 1));
    bucket.advance(10 * DAY_MS);
    let swept = bucket.sweep().await;
    assert_eq!((swept.expired_versions, swept.locked), (1, 1));
    let listed = bucket.listed().await;
    assert!(listed.len() == 2 && listed[1] == format!("key {held}"), "{listed:?} {free}");
    bucket.hold("key", Some(&held), false).await;
    let swept = bucket.sweep().await;
    assert_eq!((swept.expired_versions, swept.locked), (1, 0));
    bucket.check().await;
}

#[tokio::test]
async fn a_change_is_judged_by_what_its_transaction_finds() {
    let bucket = Bucket::with_versions(vec![expires("", 1)]).await;
    let engine = &bucket.0.engine;
    let id = engine.meta.read(|read| objects::bucket(read, BUCKET)).await.unwrap().id;
    let make = async |proposal: Proposal| {
        let now_ms = engine.clock.now_ms();
        let made = engine.meta.transact(move |tx| {
            changes::make(tx, BUCKET, id, std::slice::from_ref(&proposal), Day::REAL, now_ms)
        });
        made.await.unwrap().changes()
    };
    let object = || Proposal::Object { key: "key".into() };
    bucket.put("key", b"bytes").await;
    assert_eq!(make(object()).await, 0, "it is not old enough");
    bucket.advance(3 * DAY_MS);
    bucket.put("key", b"new").await;
    assert_eq!(make(object()).await, 0, "it was overwritten meanwhile");

    // Tagged, so that the rule does not fit any more.
    let tagged = LifecycleFilter { tags: vec![("go".into(), "yes".into())], ..LifecycleFilter::default() };
    bucket.set(vec![LifecycleRule { filter: tagged, ..expires("", 1) }]).await;
    bucket.advance(3 * DAY_MS);
    assert_eq!(make(object()).await, 0, "it has no such tag");
    let tags = vec![("go".to_string(), "yes".to_string())];
    let request =
        PutObjectTagging { bucket: BUCKET.into(), key: "key".into(), tags, ..PutObjectTagging::default() };
    put_object_tagging(engine, request).await.unwrap();
    bucket.set(vec![]).await;
    assert_eq!(make(object()).await, 0, "the rules are gone");

    // An old version that was current again in between.
    bucket.set(vec![old_expire("", 1, None)]).await;
    let sequence_of = async |age: usize| {
        let versions = bucket.0.entries(Table::Versions).await;
        keys::parse_version(id, &versions[age].0).unwrap().1
    };
    bucket.put("key", b"cover").await;
    bucket.advance(3 * DAY_MS);
    let newest = engine.meta.read(move |read| objects::current(read, id, "key")).await.unwrap().unwrap();
    let (sequence, since_ms) = (sequence_of(0).await, newest.modified_ms);
    let seen = pages::Seen { newest: newest.sequence, successor: newest.sequence, since_ms };
    let old = || Proposal::Version { key: "key".into(), sequence, seen };
    let remove = DeleteObject {
        bucket: BUCKET.into(),
        object: ObjectToDelete {
            key: "key".into(),
            version_id: newest.version_id.clone(),
            ..Default::default()
        },
        ..Default::default()
    };
    delete_object(engine, remove).await.unwrap();
    assert_eq!(make(old()).await, 0, "it is the current one");
    bucket.put("key", b"cover again").await;
    assert_eq!(make(old()).await, 0, "it was, and is old since a moment ago only");
    let another = Proposal::Version { key: "key".into(), sequence: 1, seen };
    assert_eq!(make(another).await, 0, "there is no such version");
    bucket.advance(3 * DAY_MS);
    assert_eq!(bucket.sweep().await.expired_versions, 2);
    bucket.check().await;
}

#[tokio::test]
async fn goes_through_more_than_a_page_holds() {
    let keep = old_expire("many", 1, Some(2));
    let bucket = Bucket::with_versions(vec![keep, expires("objects/", 1)]).await;
    for _ in 0..2300 {
        bucket.0.put_empty("many").await;
    }
    for number in 0..2100 {
        bucket.0.put_empty(&format!("objects/{number:04}")).await;
        bucket.0.put_empty(&format!("other/{number:04}")).await;
    }
    for number in 0..3 {
        bucket.put(&format!("many/{number}"), b"bytes").await;
        bucket.put(&format!("many/{number}"), b"bytes").await;
    }
    bucket.advance(3 * DAY_MS);
    let swept = bucket.sweep().await;
    assert_eq!((swept.expired_versions, swept.expired_objects), (2297, 2100));
    assert_eq!(swept.seen, 2100 + 2299 + 3 + 4200, "objects, old versions, and what this sweep has covered");
    assert_eq!(bucket.listed().await.len(), 3 + 6 + 4200 + 2100);
    assert_eq!(bucket.sweep().await.changes(), 0);
    bucket.check().await;
}

#[tokio::test]
async fn uploads_are_aborted_by_rules() {
    let aborts = LifecycleRule { abort_uploads_days: Some(1), ..rule("k") };
    let bucket = Bucket::new(vec![aborts]).await;
    let id = bucket.0.create(None).await;
    bucket.0.upload(id, 1, body(pattern(1, 100_000))).await.unwrap();
    bucket.0.create_at("other", None).await.unwrap();
    for _ in 0..1200 {
        bucket.0.create_at("kk", None).await.unwrap();
    }
    assert_eq!(bucket.sweep().await.changes(), 0);
    bucket.advance(2 * DAY_MS);
    let swept = bucket.sweep().await;
    assert_eq!((swept.aborted_uploads, swept.freed_bytes), (1201, 100_000));
    assert!(matches!(bucket.0.upload(id, 2, body("late")).await, Err(Error::NoSuchUpload)));
    assert_eq!(bucket.0.keys(Table::Uploads).await.len(), 1);
    bucket.0.settle().await;
}

#[tokio::test]
async fn objects_get_another_class_and_stay_what_they_are() {
    let transition = Transition { when: TransitionTime::Days(1), storage_class: "GLACIER".into() };
    let bucket = Bucket::new(vec![LifecycleRule { transitions: vec![transition], ..rule("") }]).await;
    let before = bucket.0.put_single("large", &pattern(1, 200_000)).await;
    bucket.put("small", b"bytes").await;
    bucket.advance(2 * DAY_MS);
    assert_eq!(bucket.sweep().await.transitions, 1);
    assert_eq!(bucket.sweep().await.transitions, 0);
    let after = bucket.0.engine.meta.read(|read| {
        let bucket = objects::bucket(read, BUCKET)?;
        objects::version(read, &bucket, "large", None)
    });
    let mut expected = before;
    expected.metadata.storage_class = Some("GLACIER".into());
    assert_eq!(after.await.unwrap().version, expected);
    assert_eq!(bucket.0.get("large").await.unwrap(), pattern(1, 200_000));
    bucket.check().await;
}

#[tokio::test]
async fn a_sweep_goes_on_where_it_was_and_nothing_is_written_without_rules() {
    let fixture = Fixture::new().await;
    assert_eq!(run_once(&fixture.engine).await.unwrap(), Swept::default());
    assert!(fixture.keys(Table::Jobs).await.is_empty());
    let bucket = Bucket(fixture);
    bucket.set(vec![expires("", 1)]).await;
    for key in ["a", "b", "c"] {
        bucket.put(key, b"bytes").await;
    }
    bucket.advance(2 * DAY_MS);
    let position =
        LifecyclePosition { bucket: BUCKET.into(), key: b"b".to_vec(), ..LifecyclePosition::default() };
    let at = position.clone();
    bucket
        .0
        .write(move |tx| {
            save(tx, 7, Some(at.clone()));
            Ok(())
        })
        .await;
    assert_eq!(bucket.sweep().await.expired_objects, 2);
    assert_eq!(bucket.listed().await, ["+a null"]);
    let progress = progress(&bucket.0.engine).await.unwrap();
    assert_eq!(progress, LifecycleProgressRecord { started_ms: 7, position: None });
    assert_eq!(bucket.sweep().await.expired_objects, 1, "the next one begins at the beginning");

    // A position in a table that comes later, and in a bucket that is gone.
    bucket.put("a", b"bytes").await;
    bucket.advance(2 * DAY_MS);
    for (name, table, expected) in [
        (BUCKET, LifecycleTable::Versions, 0),
        ("zzz", LifecycleTable::Objects, 0),
        ("aaa", LifecycleTable::Uploads, 1),
    ] {
        bucket
            .0
            .write(move |tx| {
                save(tx, 7, Some(LifecyclePosition { bucket: name.into(), table, key: Vec::new() }));
                Ok(())
            })
            .await;
        assert_eq!(bucket.sweep().await.expired_objects, expected, "{name}");
    }
}

#[tokio::test]
async fn a_sweep_is_due_once_in_an_interval_and_after_a_restart_that_missed_it() {
    let bucket = Bucket::new(vec![expires("", 1)]).await;
    let engine = &bucket.0.engine;
    let mut last_ms = None;
    let seen = async |last_ms: &mut Option<i64>| {
        bucket.put("key", b"bytes").await;
        let begun_ms = progress(engine).await.unwrap().started_ms;
        run_if_due(engine, last_ms).await.unwrap();
        progress(engine).await.unwrap().started_ms != begun_ms
    };
    assert!(seen(&mut last_ms).await, "the first one");
    assert!(!seen(&mut last_ms).await);
    assert!(!seen(&mut None).await, "a restart on the same day");
    let left = until_next(engine);
    assert!(left <= WAIT_MAX && left > Duration::ZERO);
    bucket.advance(due_ms(engine) + DAY_MS - engine.clock.now_ms());
    assert!(seen(&mut last_ms).await, "midnight");
    bucket.advance(10 * DAY_MS + 5);
    assert!(seen(&mut None).await, "ten were missed, one makes up for them");
    assert!(!seen(&mut None).await);
}

#[tokio::test]
async fn what_cannot_be_read_stops_its_own_bucket_only() {
    let bucket = Bucket::new(vec![expires("", 1)]).await;
    let other = CreateBucket {
        name: "later".into(),
        owner: OWNER.into(),
        object_lock: false,
        ..CreateBucket::default()
    };
    create_bucket(&bucket.0.engine, other).await.unwrap();
    let record = LifecycleRecord { rules: vec![expires("", 1)], ..LifecycleRecord::default() };
    bucket_documents::put(&bucket.0.engine, "later", record).await.unwrap();
    bucket.0.put_into("later", "key", b"bytes").await;
    bucket
        .0
        .write(|tx| {
            let id = objects::bucket(tx, BUCKET)?.id;
            tx.put(Table::Objects, &keys::object(id, "damaged"), vec![0xff]);
            Ok(())
        })
        .await;
    bucket.advance(2 * DAY_MS);
    let swept = bucket.sweep().await;
    assert_eq!((swept.failed_buckets, swept.expired_objects), (1, 1));
}
