use super::*;
use crate::blob::ErrorKind;
use crate::blob::faulty::{Call, Fault};
use crate::engine::ops::delete_bucket::delete_bucket;
use crate::engine::references;
use crate::engine::testing::{BUCKET, Fixture, pattern};
use crate::meta::keys::ContentId;
use crate::meta::records::{PartRecord, ProgressRecord, Record};

async fn left(fixture: &Fixture) -> usize {
    let mut rows = 0;
    for table in [
        Table::Parts,
        Table::Blobs,
        Table::References,
        Table::Garbage,
        Table::Inline,
        Table::Uploads,
        Table::Progress,
    ] {
        rows += fixture.keys(table).await.len();
    }
    rows
}

#[tokio::test]
async fn a_content_of_many_parts_is_taken_apart_in_steps() {
    let fixture = Fixture::new().await;
    let parts: Vec<_> = (1..=600).map(|number| (number, pattern(u64::from(number), 10))).collect();
    fixture.put_multipart("key", &parts).await;
    fixture.delete("key").await;
    let collected = run_once(&fixture.engine).await.unwrap();
    assert_eq!((collected.contents, collected.blobs, collected.failed), (1, 600, 0));
    assert_eq!(left(&fixture).await, 0);
    let blobs: Vec<_> = crate::blob::Store::list(&fixture.blobs).collect().await;
    assert!(blobs.is_empty());
    assert_eq!(run_once(&fixture.engine).await.unwrap(), Collected::default());
}

#[tokio::test]
async fn what_fails_stays_and_does_not_keep_the_rest() {
    let fixture = Fixture::new().await;
    for key in ["a", "b", "c"] {
        fixture.put_single(key, &pattern(1, 10)).await;
        fixture.delete(key).await;
    }
    fixture.blobs.nth(Call::Delete, 1, Fault::Fail(ErrorKind::Unavailable));
    fixture.blobs.nth(Call::Delete, 4, Fault::Fail(ErrorKind::Unavailable));
    let collected = run_once(&fixture.engine).await.unwrap();
    assert_eq!((collected.contents, collected.blobs, collected.failed), (3, 2, 1));
    assert_eq!(left(&fixture).await, 1);
    assert_eq!(run_once(&fixture.engine).await.unwrap().blobs, 1);
    assert_eq!(left(&fixture).await, 0);
}

#[tokio::test]
async fn uploads_of_a_deleted_bucket_are_aborted() {
    let fixture = Fixture::new().await;
    let (id, blob) = fixture.blob(b"part").await;
    fixture
        .write(move |tx| {
            let bucket = crate::engine::objects::bucket(tx, BUCKET)?.id;
            let part = PartRecord {
                len: 4,
                md5: [0; 16],
                checksum: crate::meta::records::Checksum {
                    algorithm: "CRC64NVME".into(),
                    kind: crate::meta::records::ChecksumKind::FullObject,
                    value: vec![],
                },
                extents: vec![crate::meta::records::Extent::new(id, 0, 4)],
                modified_ms: 0,
            };
            references::add_blob(tx, id, &blob);
            tx.put(Table::Parts, &keys::part(ContentId([0; 16]), 1), part.encode());
            for upload in 0..150 {
                let upload = ContentId([upload; 16]);
                tx.put(Table::Uploads, &keys::upload(bucket, "key", upload), vec![]);
                tx.put(Table::Progress, &keys::content(upload), ProgressRecord::default().encode());
            }
            Ok(())
        })
        .await;
    delete_bucket(&fixture.engine, BUCKET).await.unwrap();
    let collected = run_once(&fixture.engine).await.unwrap();
    assert_eq!((collected.buckets, collected.contents, collected.blobs), (1, 150, 1));
    assert_eq!(left(&fixture).await, 0);
}

#[tokio::test]
async fn the_job_wakes_up_for_what_a_reader_leaves_and_stops_when_told() {
    let fixture = Fixture::new().await;
    fixture.engine.start_jobs();
    fixture.put_single("key", &pattern(1, 10)).await;
    let reader = fixture.open("key", Default::default()).await.unwrap();
    fixture.delete("key").await;
    while fixture.engine.readers.claim(reader.version.body.content().unwrap()).is_some() {
        tokio::task::yield_now().await;
    }
    drop(reader);
    while left(&fixture).await > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fixture.engine.tasks.stop();
    fixture.engine.tasks.wait().await;
}
