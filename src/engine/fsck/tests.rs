use super::*;
use crate::blob::{BlobId, Store as _};
use crate::engine::encryption::{self, ContentKey, Encryption, Keyring};
use crate::engine::jobs::collector;
use crate::engine::ops::create_bucket::{CreateBucket, create_bucket};
use crate::engine::ops::delete_object::{DeleteObject, ObjectToDelete, delete_object};
use crate::engine::ops::put_bucket_versioning::{PutBucketVersioning, put_bucket_versioning};
use crate::engine::references;
use crate::engine::testing::{BUCKET, Fixture, pattern};
use crate::meta::keys::ContentId;
use crate::meta::records::{
    BlobRecord, Body, EncryptionRecord, PartRecord, ProgressRecord, UploadRecord, VersionRecord,
};
use crate::meta::{Read, Write};

const DEEP: FsckOptions = FsckOptions { deep: true, repair: false };

async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    fill(&fixture).await;
    fixture
}

/// An object of each kind, a copy, an upload, and something that waits for the collector.
async fn fill(fixture: &Fixture) {
    fixture.put_empty("empty").await;
    fixture.put_inline("inline", b"small").await;
    fixture.put_single("single", &pattern(1, 300_000)).await;
    let copied = fixture.put_single("copied", &pattern(2, 1000)).await;
    let parts: Vec<_> = (1..=130).map(|number| (number * 2, pattern(u64::from(number), 30))).collect();
    fixture.put_multipart("multipart", &parts).await;
    fixture.put_multipart("waiting", &parts[..3]).await;
    fixture.delete("waiting").await;
    with_versions(fixture).await;
    fixture
        .write(move |tx| {
            let bucket = crate::engine::objects::bucket(tx, BUCKET)?.id;
            references::share_body(tx, &copied.body)?;
            tx.put(Table::Objects, &keys::object(bucket, "copy"), copied.encode());
            // Its one part is a copy of the copied object's.
            let upload = ContentId([9; 16]);
            let record = UploadRecord {
                initiator: "x".into(),
                metadata: Default::default(),
                checksum: None,
                acl: None,
                owner: None,
                lock: None,
                found: None,
                encryption: None,
            };
            let progress = ProgressRecord { changes: 1, parts: 1, bytes_len: 1000, key_deleted: false };
            let part = part(tx, copied.body.content().unwrap(), 1);
            references::share_extents(tx, &part.extents)?;
            tx.put(Table::Uploads, &keys::upload(bucket, "upload", upload), record.encode());
            tx.put(Table::Progress, &keys::content(upload), progress.encode());
            tx.put(Table::Parts, &keys::part(upload, 3), part.encode());
            Ok(())
        })
        .await;
}

/// A bucket with old versions, the null version among them, and a key that ends in a delete marker.
async fn with_versions(fixture: &Fixture) {
    let name = "versioned".to_string();
    let bucket = CreateBucket { name: name.clone(), owner: "owner".into(), ..CreateBucket::default() };
    create_bucket(&fixture.engine, bucket).await.unwrap();
    let put = async |key: &str, bytes: &'static [u8]| fixture.put_into("versioned", key, bytes).await;
    put("versioned", b"null").await;
    let enable = PutBucketVersioning { bucket: name.as_str().into(), enabled: true };
    put_bucket_versioning(&fixture.engine, enable).await.unwrap();
    put("versioned", b"second").await;
    put("versioned", b"third").await;
    put("deleted", b"covered").await;
    let object = ObjectToDelete { key: "deleted".into(), ..ObjectToDelete::default() };
    let delete = DeleteObject { bucket: name.into(), owner: "owner".into(), object, ..Default::default() };
    assert!(delete_object(&fixture.engine, delete).await.unwrap().marker_id.is_some());
}

fn part(read: &dyn Read, content: ContentId, number: u16) -> PartRecord {
    PartRecord::decode(&read.get(Table::Parts, &keys::part(content, number)).unwrap().unwrap()).unwrap()
}

/// The object of this key, its bucket and its content.
fn object(read: &dyn Read, key: &str) -> (BucketId, VersionRecord, ContentId) {
    let bucket = crate::engine::objects::bucket(read, BUCKET).unwrap().id;
    let version = crate::engine::objects::current(read, bucket, key).unwrap().unwrap();
    let content = version.body.content().unwrap();
    (bucket, version, content)
}

fn blob_of(read: &dyn Read, key: &str) -> BlobId {
    part(read, object(read, key).2, 1).extents[0].blob()
}

/// The bucket with versions, and the current version of this key there.
fn versioned(read: &dyn Read, key: &str) -> (BucketId, VersionRecord) {
    let bucket = crate::engine::objects::bucket(read, "versioned").unwrap().id;
    (bucket, crate::engine::objects::current(read, bucket, key).unwrap().unwrap())
}

fn kinds(report: &FsckReport) -> Vec<Problem> {
    report.findings.iter().map(|finding| finding.problem).collect()
}

#[tokio::test]
async fn a_whole_store_is_clean_before_and_after_collection() {
    let fixture = fixture().await;
    let report = fsck(&fixture.engine, DEEP).await.unwrap();
    assert_eq!(report.findings, []);
    assert!(report.is_clean());
    let counts = (report.buckets, report.objects, report.uploads, report.parts, report.blobs, report.queued);
    assert_eq!(counts, (2, 10, 1, 136, 135, 1));
    assert_eq!(report.verified_len, report.blobs_len);
    collector::run_once(&fixture.engine).await.unwrap();
    let report = fsck(&fixture.engine, DEEP).await.unwrap();
    assert_eq!((report.findings, report.queued, report.blobs), (vec![], 0, 132));
}

#[tokio::test]
async fn stores_on_disk_are_clean_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let folder = directory.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    };
    let meta = crate::meta::rocksdb::RocksDb::open(&folder("meta"), Default::default()).unwrap();
    let blobs =
        crate::blob::local::Local::open(&folder("blobs"), &folder("tmp"), Default::default()).unwrap();
    let fixture = Fixture::over(Meta::new(meta), std::sync::Arc::new(blobs)).await;
    fill(&fixture).await;
    collector::run_once(&fixture.engine).await.unwrap();
    fixture.delete("multipart").await;
    collector::run_once(&fixture.engine).await.unwrap();
    let report = fsck(&fixture.engine, DEEP).await.unwrap();
    assert_eq!((report.findings, report.queued, report.blobs), (vec![], 0, 2));
    assert_eq!(fixture.get("single").await.unwrap(), pattern(1, 300_000));
    assert_eq!(fixture.get("copy").await.unwrap(), pattern(2, 1000));
}

fn some_encryption() -> EncryptionRecord {
    let keyring = Keyring::new(&[[1; 32]], &Default::default());
    encryption::seal(&keyring, &Encryption::S3, ContentKey::random()).unwrap().record
}

type Damage = fn(&mut dyn Write);

#[tokio::test]
async fn finds_each_kind_of_damage_in_the_records() {
    let damages: &[(&str, Damage, &[Problem])] = &[
        (
            "inline bytes lost",
            |tx| {
                let (_, _, content) = object(tx, "inline");
                tx.delete(Table::Inline, &keys::content(content));
            },
            &[Problem::ContentMissing],
        ),
        (
            "inline bytes turned",
            |tx| {
                let (_, _, content) = object(tx, "inline");
                tx.put(Table::Inline, &keys::content(content), b"\0\0\0\0small".to_vec());
            },
            &[Problem::ContentDiffers],
        ),
        (
            "part lost",
            |tx| {
                let (_, _, content) = object(tx, "single");
                tx.delete(Table::Parts, &keys::part(content, 1));
            },
            &[Problem::ContentMissing, Problem::BlobUnnamed],
        ),
        (
            "part in the middle lost",
            |tx| {
                let (_, _, content) = object(tx, "multipart");
                tx.delete(Table::Parts, &keys::part(content, 100));
            },
            &[Problem::ContentDiffers, Problem::BlobUnnamed],
        ),
        (
            "index lost",
            |tx| {
                let (_, _, content) = object(tx, "multipart");
                tx.delete(Table::Parts, &keys::part(content, 0));
            },
            &[Problem::ContentMissing],
        ),
        (
            "index wrong",
            |tx| {
                let (_, _, content) = object(tx, "multipart");
                let mut index = crate::engine::extents::index(tx, content).unwrap();
                index.entries[1].offset += 1;
                tx.put(Table::Parts, &keys::part(content, 0), index.encode());
            },
            &[Problem::ContentDiffers],
        ),
        (
            "length wrong",
            |tx| {
                let (bucket, mut version, _) = object(tx, "single");
                version.len += 1;
                tx.put(Table::Objects, &keys::object(bucket, "single"), version.encode());
            },
            &[Problem::ContentDiffers],
        ),
        (
            "blob that is encrypted where its object is not",
            |tx| {
                let (_, _, content) = object(tx, "single");
                let blob = part(tx, content, 1).extents[0].blob();
                let stored = tx.get(Table::Blobs, &keys::blob(blob)).unwrap().unwrap();
                let mut record = BlobRecord::decode(&stored).unwrap();
                record.block_tags = vec![0; record.block_checksums.len() * 4];
                tx.put(Table::Blobs, &keys::blob(blob), record.encode());
            },
            &[Problem::ContentDiffers],
        ),
        (
            "objects and an upload that are encrypted where their blobs are not",
            |tx| {
                for key in ["multipart", "copied"] {
                    let (bucket, mut version, _) = object(tx, key);
                    version.encryption = Some(some_encryption());
                    tx.put(Table::Objects, &keys::object(bucket, key), version.encode());
                }
                let (bucket, _, _) = object(tx, "single");
                let key = keys::upload(bucket, "upload", ContentId([9; 16]));
                let mut upload =
                    UploadRecord::decode(&tx.get(Table::Uploads, &key).unwrap().unwrap()).unwrap();
                upload.encryption = Some(some_encryption());
                tx.put(Table::Uploads, &key, upload.encode());
            },
            &[Problem::ContentDiffers, Problem::ContentDiffers, Problem::ContentDiffers],
        ),
        (
            "extent outside its blob",
            |tx| {
                let (_, _, content) = object(tx, "single");
                let mut part = part(tx, content, 1);
                part.extents[0].offset = 1;
                tx.put(Table::Parts, &keys::part(content, 1), part.encode());
            },
            &[Problem::PartDiffers],
        ),
        (
            "extents do not add up",
            |tx| {
                let (_, _, content) = object(tx, "single");
                let mut part = part(tx, content, 1);
                part.extents[0].len -= 1;
                tx.put(Table::Parts, &keys::part(content, 1), part.encode());
            },
            &[Problem::PartDiffers],
        ),
        (
            "blob record lost",
            |tx| {
                let blob = blob_of(tx, "single");
                tx.delete(Table::Blobs, &keys::blob(blob));
            },
            &[Problem::BlobRecordMissing],
        ),
        (
            "content counter lost",
            |tx| {
                let (_, _, content) = object(tx, "copied");
                tx.delete(Table::References, &keys::references(&Owned::Content(content)));
            },
            &[Problem::CountDiffers],
        ),
        (
            "blob counter too high",
            |tx| {
                let blob = blob_of(tx, "copied");
                tx.put(
                    Table::References,
                    &keys::references(&Owned::Blob(blob)),
                    3_u64.to_be_bytes().to_vec(),
                );
            },
            &[Problem::CountDiffers],
        ),
        (
            "counter of something not shared",
            |tx| {
                let (_, _, content) = object(tx, "single");
                tx.put(
                    Table::References,
                    &keys::references(&Owned::Content(content)),
                    2_u64.to_be_bytes().to_vec(),
                );
            },
            &[Problem::CountDiffers],
        ),
        (
            "content queued in use",
            |tx| {
                let (_, _, content) = object(tx, "single");
                references::queue(tx, &Owned::Content(content), 5);
            },
            &[Problem::QueuedInUse],
        ),
        (
            "upload queued in use",
            |tx| {
                references::queue(tx, &Owned::Content(ContentId([9; 16])), 5);
            },
            &[Problem::QueuedInUse],
        ),
        (
            "blob queued in use",
            |tx| {
                let blob = blob_of(tx, "single");
                references::queue(tx, &Owned::Blob(blob), 5);
            },
            &[Problem::QueuedInUse],
        ),
        (
            "bucket queued in use",
            |tx| {
                let bucket = object(tx, "single").0;
                references::queue(tx, &Owned::Bucket(bucket), 5);
            },
            &[Problem::QueuedInUse],
        ),
        (
            "progress wrong",
            |tx| {
                let progress = ProgressRecord { changes: 1, parts: 2, bytes_len: 1000, key_deleted: false };
                tx.put(Table::Progress, &keys::content(ContentId([9; 16])), progress.encode());
            },
            &[Problem::ProgressDiffers],
        ),
        (
            "upload record lost",
            |tx| {
                let bucket = object(tx, "single").0;
                tx.delete(Table::Uploads, &keys::upload(bucket, "upload", ContentId([9; 16])));
            },
            &[Problem::ContentUnnamed, Problem::ContentUnnamed],
        ),
        (
            "object lost",
            |tx| {
                let bucket = object(tx, "inline").0;
                tx.delete(Table::Objects, &keys::object(bucket, "inline"));
            },
            &[Problem::ContentUnnamed],
        ),
        (
            "object unreadable",
            |tx| {
                let bucket = object(tx, "single").0;
                tx.put(Table::Objects, &keys::object(bucket, "empty"), vec![0xff]);
            },
            &[Problem::UnreadableRecord],
        ),
        (
            "object of no bucket",
            |tx| {
                let mut version = object(tx, "inline").1;
                (version.body, version.len) = (Body::Empty, 0);
                tx.put(Table::Objects, &keys::object(BucketId([1; 8]), "key"), version.encode());
            },
            &[Problem::NoBucket],
        ),
        (
            "object without bytes",
            |tx| {
                let (bucket, mut version, _) = object(tx, "inline");
                version.body = Body::Empty;
                tx.put(Table::Objects, &keys::object(bucket, "other"), version.encode());
            },
            &[Problem::ContentMissing],
        ),
        (
            "marker in the place of an object",
            |tx| {
                let bucket = object(tx, "inline").0;
                let (_, mut version) = versioned(tx, "versioned");
                (version.delete_marker, version.body, version.len) = (true, Body::Empty, 0);
                tx.put(Table::Objects, &keys::object(bucket, "marked"), version.encode());
            },
            &[Problem::VersionMisplaced],
        ),
        (
            "null version lost",
            |tx| {
                let (bucket, _) = versioned(tx, "versioned");
                tx.delete(Table::NullVersions, &keys::object(bucket, "versioned"));
            },
            &[Problem::VersionMisplaced],
        ),
        (
            "null version that is none",
            |tx| {
                let (bucket, version) = versioned(tx, "versioned");
                tx.put(
                    Table::NullVersions,
                    &keys::object(bucket, "x"),
                    version.sequence.to_be_bytes().into(),
                );
            },
            &[Problem::VersionMisplaced],
        ),
        (
            "current object lost under a marker's place",
            |tx| {
                let (bucket, version) = versioned(tx, "versioned");
                tx.delete(Table::Objects, &keys::object(bucket, "versioned"));
                tx.delete(Table::Inline, &keys::content(version.body.content().unwrap()));
            },
            &[Problem::VersionMisplaced],
        ),
        (
            "version under another number",
            |tx| {
                let (bucket, mut version) = versioned(tx, "versioned");
                (version.body, version.len, version.sequence) = (Body::Empty, 0, 7);
                tx.put(Table::Versions, &keys::version(bucket, "versioned", 8), version.encode());
            },
            &[Problem::VersionMisplaced],
        ),
        (
            "queue entry unreadable",
            |tx| {
                tx.put(Table::Garbage, b"nonsense", vec![]);
            },
            &[Problem::UnreadableRecord],
        ),
    ];
    for (what, damage, expected) in damages {
        let fixture = fixture().await;
        let damage = *damage;
        fixture
            .write(move |tx| {
                damage(tx);
                Ok(())
            })
            .await;
        let report = fsck(&fixture.engine, FsckOptions { repair: true, ..DEEP }).await.unwrap();
        assert_eq!(kinds(&report), *expected, "{what}: {:?}", report.findings);
        assert!(!report.is_clean() && !report.is_sound(), "{what}");
    }
}

#[tokio::test]
async fn finds_what_is_wrong_with_blobs() {
    let fixture = fixture().await;
    let (single, copied) = fixture.write(|tx| Ok((blob_of(tx, "single"), blob_of(tx, "copied")))).await;
    // A blob of the same length with other bytes, and one that is gone.
    fixture.blobs.delete(single).await.unwrap();
    let mut writer = fixture.blobs.create(single, None).await.unwrap();
    writer.write(vec![0; 300_000].into()).await.unwrap();
    writer.finish().await.unwrap();
    fixture.blobs.delete(copied).await.unwrap();
    let report = fsck(&fixture.engine, FsckOptions::default()).await.unwrap();
    assert_eq!(kinds(&report), [Problem::BlobMissing]);
    let report = fsck(&fixture.engine, DEEP).await.unwrap();
    assert_eq!(kinds(&report), [Problem::BlobMissing, Problem::BlobCorrupt, Problem::BlobCorrupt]);
    let owners = |index: usize| &report.findings[index].owners.names[..];
    let upload = ContentId([9; 16]);
    let copies = ["bucket/copied", "bucket/copy", &format!("bucket/upload upload {upload}")];
    assert_eq!(owners(0), copies.map(str::to_string));
    assert_eq!(owners(1), ["bucket/single"]);
    assert!(report.findings[1].to_string().ends_with("; in it are bytes of bucket/single"));
    // A blob that was cut.
    fixture.blobs.delete(single).await.unwrap();
    let mut writer = fixture.blobs.create(single, None).await.unwrap();
    writer.write(vec![0; 299_999].into()).await.unwrap();
    writer.finish().await.unwrap();
    let mut found = kinds(&fsck(&fixture.engine, DEEP).await.unwrap());
    found.sort_by_key(|problem| *problem as u8);
    assert_eq!(found, [Problem::BlobMissing, Problem::BlobDiffers]);
}

#[tokio::test]
async fn orphaned_blobs_are_deleted_when_asked_for() {
    let fixture = fixture().await;
    let (orphan, _) = fixture.blob(b"never committed").await;
    let report = fsck(&fixture.engine, DEEP).await.unwrap();
    assert_eq!(kinds(&report), [Problem::BlobOrphaned]);
    assert_eq!((report.orphans, report.orphans_len), (1, 15));
    assert!(report.is_sound() && !report.is_clean());
    let report = fsck(&fixture.engine, FsckOptions { deep: false, repair: true }).await.unwrap();
    assert_eq!((kinds(&report), report.repaired, report.orphans), (vec![Problem::BlobOrphaned], 1, 0));
    assert!(report.is_clean());
    assert!(fixture.blobs.open(orphan).await.is_err());
    assert_eq!(fsck(&fixture.engine, DEEP).await.unwrap().findings, []);
}

#[tokio::test]
async fn slices_share_all_ids_among_them() {
    for ids in [0, 1, IDS_PER_SLICE, IDS_PER_SLICE + 1, IDS_PER_SLICE * 9] {
        for byte in 0..=255 {
            let holding = Slice::all(ids).filter(|slice| slice.holds(&[byte; 16])).count();
            assert_eq!(holding, 1, "{ids} ids, byte {byte}");
        }
        assert!(Slice::all(ids).next().unwrap().is_first());
    }
}
