use super::*;
use crate::blob::faulty::{Call, Fault};
use crate::engine::Settings;
use crate::engine::body::Claims;
use crate::engine::ops::abort_multipart_upload::{AbortMultipartUpload, abort_multipart_upload};
use crate::engine::ops::list_parts::{ListParts, PartPage, list_parts};
use crate::engine::testing::uploads::{KEY, Pieces, body, body_claiming, pieces};
use crate::engine::testing::{BUCKET, Fixture, pattern};
use crate::meta::Table;
use crate::meta::keys::ContentId;
use dovetail_digest::{Digest, digest};
use futures::future::BoxFuture;
use std::time::Duration;

async fn list(fixture: &Fixture, upload_id: UploadId, after: u16, max: usize) -> Result<PartPage, Error> {
    let request = ListParts { bucket: BUCKET.into(), key: KEY.into(), upload_id, after, max };
    list_parts(&fixture.engine, request).await
}

async fn abort(fixture: &Fixture, upload_id: UploadId, if_initiated: Option<i64>) -> Result<(), Error> {
    let request = AbortMultipartUpload { bucket: BUCKET.into(), key: KEY.into(), upload_id, if_initiated };
    abort_multipart_upload(&fixture.engine, request).await
}

/// A body of which not a byte can be read.
fn unreadable(algorithm: Option<Algorithm>) -> Body {
    let source = Pieces { pieces: [].into(), claims: Claims::default(), cut: true };
    Body { source: Box::new(source), len: Some(10), algorithm }
}

#[tokio::test]
async fn parts_are_listed_in_order_a_page_at_a_time() {
    let fixture = Fixture::new().await;
    let id = fixture.create(None).await;
    for number in [7, 1, 10_000, 3, 2] {
        let part = fixture.upload(id, number, body(pattern(u64::from(number), 100))).await.unwrap();
        assert_eq!(part.md5, dovetail_digest::md5(&pattern(u64::from(number), 100)));
        assert_eq!(part.checksum, None, "nobody asked for one");
    }
    for (after, max, numbers, is_truncated) in [
        (0, 1000, &[1, 2, 3, 7, 10_000][..], false),
        (0, 2, &[1, 2], true),
        (2, 2, &[3, 7], true),
        (7, 1, &[10_000], false),
        (0, 5, &[1, 2, 3, 7, 10_000], false),
        (10_000, 5, &[], false),
        (u16::MAX, 5, &[], false),
        (0, 0, &[], false),
    ] {
        let page = list(&fixture, id, after, max).await.unwrap();
        let found: Vec<_> = page.parts.iter().map(|(number, _)| *number).collect();
        assert_eq!((&found[..], page.is_truncated), (numbers, is_truncated), "after {after}, {max}");
    }
    fixture.settle().await;
}

#[tokio::test]
async fn takes_the_checksums_that_the_upload_was_created_for() {
    use Algorithm::{Crc32, Crc32c, Crc64Nvme, Sha256};
    use ChecksumKind::{Composite, FullObject};
    // Upload, what the part announces, whether it is taken, what is told, what is kept.
    let table = [
        (Some((Sha256, Composite)), Some(Sha256), true, Some(Sha256), Sha256),
        (Some((Sha256, Composite)), Some(Crc32), false, None, Sha256),
        (Some((Sha256, Composite)), None, false, None, Sha256),
        (Some((Crc32, FullObject)), Some(Crc32), true, Some(Crc32), Crc32),
        (Some((Crc32, FullObject)), Some(Crc32c), false, None, Crc32),
        (Some((Crc32, FullObject)), None, true, Some(Crc32), Crc32),
        (None, None, true, None, Crc64Nvme),
        (None, Some(Sha256), true, Some(Sha256), Crc64Nvme),
        (None, Some(Crc64Nvme), true, Some(Crc64Nvme), Crc64Nvme),
    ];
    let fixture = Fixture::new().await;
    let bytes = pattern(1, 70_000);
    for (created, announced, taken, told, kept) in table {
        let id = fixture.create(created).await;
        if !taken {
            let refused = fixture.upload(id, 1, unreadable(announced)).await.unwrap_err();
            assert!(
                matches!(refused, Error::ChecksumAlgorithmMismatch { expected, actual } if expected == kept && actual == announced),
                "{created:?} {announced:?}: {refused:?}"
            );
            continue;
        }
        let sent = match announced {
            None => body(bytes.clone()),
            Some(algorithm) => body_claiming(bytes.clone(), algorithm, digest(algorithm, &bytes)),
        };
        let part = fixture.upload(id, 1, sent).await.unwrap();
        let of = |algorithm| checksums::record(algorithm, FullObject, &digest(algorithm, &bytes));
        assert_eq!(part.checksum, told.map(of), "{created:?} {announced:?}");
        assert_eq!(list(&fixture, id, 0, 1).await.unwrap().parts[0].1.checksum, of(kept));
        if let Some(algorithm) = announced {
            let wrong =
                body_claiming(bytes.clone(), algorithm, Digest::new(&vec![0; algorithm.digest_len()]));
            let refused = fixture.upload(id, 2, wrong).await.unwrap_err();
            assert!(matches!(refused, Error::ChecksumMismatch { algorithm: of } if of == algorithm));
        }
        assert_eq!(fixture.part_numbers(id).await, [1]);
    }
    fixture.settle().await;
}

#[tokio::test]
async fn a_part_that_comes_again_replaces_the_earlier_one_and_a_broken_one_does_not() {
    let fixture = Fixture::new().await;
    let id = fixture.create(None).await;
    fixture.upload(id, 1, body(pattern(1, 300_000))).await.unwrap();
    fixture.upload(id, 1, body(pattern(2, 200_000))).await.unwrap();
    let cut =
        Pieces { pieces: pieces(pattern(3, 150_000).into(), 7000), claims: Claims::default(), cut: true };
    let cut = Body { source: Box::new(cut), len: Some(300_000), algorithm: None };
    assert!(matches!(fixture.upload(id, 1, cut).await, Err(Error::Body(_))));
    let part = list(&fixture, id, 0, 9).await.unwrap().parts.remove(0).1;
    assert_eq!((part.len, part.md5), (200_000, dovetail_digest::md5(&pattern(2, 200_000))));
    fixture.settle().await;
    assert_eq!(fixture.stored_blobs().await.len(), 1);
}

#[tokio::test]
async fn uploads_that_are_not_open_take_no_part_and_no_byte() {
    let fixture = Fixture::new().await;
    let id = fixture.create(None).await;
    let elsewhere = fixture.create_at("another key", None).await.unwrap();
    abort(&fixture, id, None).await.unwrap();
    for unknown in [id, elsewhere, ContentId::new(7)] {
        let refused = fixture.upload(unknown, 1, unreadable(None)).await;
        assert!(matches!(refused, Err(Error::NoSuchUpload)), "{refused:?}");
        assert!(matches!(list(&fixture, unknown, 0, 1).await, Err(Error::NoSuchUpload)));
        assert!(matches!(abort(&fixture, unknown, None).await, Err(Error::NoSuchUpload)));
    }
    fixture.settle().await;
}

#[tokio::test]
async fn a_part_in_flight_when_its_upload_is_aborted_leaves_nothing() {
    let fixture = Fixture::new().await;
    let id = fixture.create(None).await;
    fixture.upload(id, 1, body(pattern(1, 100_000))).await.unwrap();
    let racing = fixture.upload(id, 2, body(pattern(2, 1 << 20)));
    let aborting = async {
        // The part has been let in and is on its way.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        abort(&fixture, id, None).await
    };
    let (part, aborted) = tokio::join!(racing, aborting);
    aborted.unwrap();
    assert!(matches!(part, Err(Error::NoSuchUpload)), "{part:?}");
    fixture.settle().await;
    assert!(fixture.stored_blobs().await.is_empty());
    for table in [Table::Uploads, Table::Progress, Table::Parts] {
        assert_eq!(fixture.entries(table).await, [], "{table:?}");
    }
}

#[tokio::test]
async fn an_abort_can_ask_for_the_time_of_creation() {
    let fixture = Fixture::new().await;
    let id = fixture.create(None).await;
    let created = id.time_ms() / 1000;
    fixture.engine.clock.advance(5000);
    let refused = abort(&fixture, id, Some(created - 1)).await;
    let condition = "x-amz-if-match-initiated-time";
    assert!(matches!(refused, Err(Error::PreconditionFailed { condition: of }) if of == condition));
    abort(&fixture, id, Some(created)).await.unwrap();
    abort(&fixture, id, Some(created)).await.unwrap();
    let id = fixture.create(None).await;
    abort(&fixture, id, Some(id.time_ms() / 1000 + 100)).await.unwrap();
    assert!(matches!(abort(&fixture, id, None).await, Err(Error::NoSuchUpload)));
}

/// A store whose commits are made and then reported as lost.
struct Forgetful {
    inner: crate::meta::Meta,
    forgets: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl crate::meta::Store for Forgetful {
    fn read(&self, job: crate::meta::ReadJob) -> BoxFuture<'static, Result<(), crate::meta::Error>> {
        self.inner.store().read(job)
    }

    fn transact(&self, job: crate::meta::WriteJob) -> BoxFuture<'static, Result<(), crate::meta::Error>> {
        let (commit, forgets) = (self.inner.store().transact(job), std::sync::Arc::clone(&self.forgets));
        Box::pin(async move {
            commit.await?;
            match forgets.load(std::sync::atomic::Ordering::SeqCst) {
                true => {
                    Err(crate::meta::Error::new(crate::meta::ErrorKind::Unavailable, "the answer was lost"))
                }
                false => Ok(()),
            }
        })
    }

    fn check(&self) -> Result<(), crate::meta::Error> {
        self.inner.store().check()
    }

    fn gauges(&self) -> Vec<(&'static str, f64)> {
        self.inner.store().gauges()
    }
}

#[tokio::test]
async fn a_commit_whose_outcome_is_unknown_keeps_the_blob_that_it_may_name() {
    let mut fixture = Fixture::new().await;
    let id = fixture.create(None).await;
    let forgets = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let store = Forgetful { inner: fixture.engine.meta.clone(), forgets: std::sync::Arc::clone(&forgets) };
    fixture.engine.meta = crate::meta::Meta::new(std::sync::Arc::new(store));
    let lost = fixture.upload(id, 1, body(pattern(1, 100_000))).await;
    assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
    forgets.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(fixture.part_numbers(id).await, [1]);
    fixture.settle().await;
    assert_eq!(fixture.stored_blobs().await.len(), 1);
}

#[tokio::test]
async fn a_request_that_is_dropped_half_way_leaves_nothing_or_a_whole_part() {
    let fixture = Fixture::new().await;
    let id = fixture.create(None).await;
    for polls in 0..40 {
        let mut upload = Box::pin(fixture.upload(id, 1, body(pattern(polls, 400_000))));
        for _ in 0..polls {
            if futures::poll!(&mut upload).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    fixture.settle().await;
    assert!(fixture.stored_blobs().await.len() <= 1);
}

#[tokio::test]
async fn writes_that_outlive_their_clients_are_no_more_than_bodies_may_be_read() {
    for len in [100, 300_000] {
        let settings =
            Settings { body_memory_len: 0, body_memory_wait: Duration::ZERO, ..Settings::default() };
        let fixture = Fixture::with(settings).await;
        let id = fixture.create(None).await;
        fixture.blobs.nth(Call::Finish, 1, Fault::Hang);
        let mut client = Box::pin(fixture.upload(id, 1, body(pattern(1, len))));
        while fixture.blobs.calls(Call::Finish) == 0 {
            assert!(futures::poll!(&mut client).is_pending());
            tokio::task::yield_now().await;
        }
        drop(client);
        let refused = fixture.upload(id, 2, body(pattern(2, len))).await;
        assert!(matches!(refused, Err(Error::SlowDown)), "{refused:?}");
    }
}
