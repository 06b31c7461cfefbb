use super::*;
use crate::engine::conditions::{ReadConditions, Tags};
use crate::engine::ops::delete_bucket::delete_bucket;
use crate::engine::testing::uploads::{KEY, body, listing};
use crate::engine::testing::{BUCKET, Fixture, pattern};
use crate::meta::Table;
use dovetail_digest::digest;

const MIN: usize = 5 << 20;

fn source(key: &str) -> Source {
    Source { bucket: BUCKET.into(), key: key.to_string(), ..Source::default() }
}

async fn copy(
    fixture: &Fixture,
    id: UploadId,
    number: u16,
    source: Source,
    range: Option<(u64, u64)>,
) -> Result<CopiedPart, Error> {
    let request = UploadPartCopy {
        bucket: BUCKET.into(),
        key: KEY.to_string(),
        upload_id: id,
        part_number: number,
        source,
        range,
        customer_key: None,
    };
    upload_part_copy(&fixture.engine, request).await
}

#[tokio::test]
async fn a_copied_part_has_the_bytes_digests_and_extents_of_its_range() {
    let fixture = Fixture::new().await;
    let parts: Vec<(u16, Vec<u8>)> = [(1, 300_000), (4, 1), (5, 700_000)]
        .map(|(number, len)| (number, pattern(u64::from(number), len)))
        .into();
    let whole = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>();
    fixture.put_multipart("multi", &parts).await;
    fixture.put_single("single", &whole).await;
    fixture.put_inline("inline", &whole[..9000]).await;
    fixture.put_empty("empty").await;
    let before = fixture.stored_blobs().await.len();
    let last = whole.len() as u64 - 1;
    // Source, range, and how many blobs are written for it.
    let table = [
        ("multi", None, 0),
        ("single", None, 0),
        ("inline", None, 1),
        ("empty", None, 0),
        ("multi", Some((0, 299_999)), 0),
        ("multi", Some((300_000, 300_000)), 0),
        ("multi", Some((300_001, last)), 0),
        ("multi", Some((299_999, 300_001)), 0),
        ("multi", Some((17, 600_000)), 0),
        ("single", Some((0, last)), 0),
        ("single", Some((262_143, 262_144)), 0),
        ("inline", Some((1, 8998)), 1),
    ];
    for algorithm in [None, Some(Algorithm::Sha256), Some(Algorithm::Crc64Nvme)] {
        let kind = match algorithm {
            Some(Algorithm::Sha256) => ChecksumKind::Composite,
            _ => ChecksumKind::FullObject,
        };
        let id = fixture.create(algorithm.map(|algorithm| (algorithm, kind))).await;
        let mut written = 0;
        for (number, (key, range, blobs)) in (1..).zip(table) {
            let bytes = fixture.get(key).await.unwrap();
            let (first, last) = range.unwrap_or((0, (bytes.len() as u64).wrapping_sub(1)));
            let bytes = &bytes[first as usize..last.wrapping_add(1) as usize];
            let copied = copy(&fixture, id, number, source(key), range).await.unwrap();
            let kept = algorithm.unwrap_or(Algorithm::Crc64Nvme);
            let checksum = checksums::record(kept, ChecksumKind::FullObject, &digest(kept, bytes));
            assert_eq!(copied.md5, dovetail_digest::md5(bytes), "{key} {range:?}");
            assert_eq!(copied.checksum, algorithm.map(|_| checksum.clone()));
            let part =
                fixture.engine.meta.read(move |read| uploads::part(read, id, number)).await.unwrap().unwrap();
            assert_eq!((part.len, part.md5, part.checksum), (bytes.len() as u64, copied.md5, checksum));
            written += blobs;
        }
        assert_eq!(fixture.stored_blobs().await.len(), before + written);
        fixture.check_consistency().await;
        let request = crate::engine::ops::abort_multipart_upload::AbortMultipartUpload {
            bucket: BUCKET.into(),
            key: KEY.into(),
            upload_id: id,
            if_initiated: None,
        };
        crate::engine::ops::abort_multipart_upload::abort_multipart_upload(&fixture.engine, request)
            .await
            .unwrap();
        fixture.settle().await;
        assert_eq!(fixture.stored_blobs().await.len(), before);
    }
    assert!(fixture.get("multi").await.unwrap() == whole);
}

#[tokio::test]
async fn copied_parts_outlive_their_source_and_can_be_copied_again() {
    let fixture = Fixture::new().await;
    let bytes = pattern(1, MIN + 100_000);
    fixture.put_single("source", &bytes).await;
    let id = fixture.create(None).await;
    let range = (100_000, MIN as u64 + 99_999);
    let one = copy(&fixture, id, 1, source("source"), Some(range)).await.unwrap();
    let two = copy(&fixture, id, 2, source("source"), Some((0, 99_999))).await.unwrap();
    // The same bytes under the same number: the blob's references are exact.
    copy(&fixture, id, 1, source("source"), Some(range)).await.unwrap();
    fixture.delete("source").await;
    fixture.settle().await;
    fixture.complete(listing(id, &[(1, one.md5), (2, two.md5)])).await.unwrap();
    let whole = [&bytes[100_000..], &bytes[..100_000]].concat();
    assert!(fixture.get(KEY).await.unwrap() == whole);

    let id = fixture.create(None).await;
    let again = copy(&fixture, id, 1, source(KEY), None).await.unwrap();
    assert_eq!(again.md5, dovetail_digest::md5(&whole));
    // This takes the place of its own source.
    fixture.complete(listing(id, &[(1, again.md5)])).await.unwrap();
    fixture.settle().await;
    assert!(fixture.get(KEY).await.unwrap() == whole);
    assert_eq!(fixture.stored_blobs().await.len(), 1);
    fixture.delete(KEY).await;
    fixture.settle().await;
    assert!(fixture.stored_blobs().await.is_empty());
    assert_eq!(fixture.entries(Table::References).await, []);
}

#[tokio::test]
async fn refuses_what_cannot_be_copied() {
    let fixture = Fixture::new().await;
    fixture.put_single("source", &pattern(1, 100_000)).await;
    fixture.put_empty("empty").await;
    let id = fixture.create(None).await;
    let only_if = |conditions| Source { conditions, ..source("source") };
    type Row = (Source, Option<(u64, u64)>, fn(&Error) -> bool);
    let table: [Row; 8] = [
        (source("absent"), None, |err| matches!(err, Error::NoSuchKey)),
        (Source { bucket: "absent".into(), ..source("source") }, None, |err| {
            matches!(err, Error::NoSuchBucket)
        }),
        (Source { version_id: Some("x".into()), ..source("source") }, None, |err| {
            matches!(err, Error::NoSuchVersion)
        }),
        (source("source"), Some((0, 100_000)), |err| matches!(err, Error::InvalidCopyRange { len: 100_000 })),
        (source("source"), Some((100_000, 100_001)), |err| matches!(err, Error::InvalidCopyRange { .. })),
        (source("empty"), Some((0, 0)), |err| matches!(err, Error::InvalidCopyRange { len: 0 })),
        (
            only_if(ReadConditions {
                if_match: Some(Tags::Listed(vec!["x".into()])),
                ..ReadConditions::default()
            }),
            None,
            |err| matches!(err, Error::PreconditionFailed { condition: "x-amz-copy-source-If-Match" }),
        ),
        (
            only_if(ReadConditions { if_none_match: Some(Tags::Any), ..ReadConditions::default() }),
            None,
            |err| matches!(err, Error::PreconditionFailed { condition: "x-amz-copy-source-If-None-Match" }),
        ),
    ];
    for (index, (source, range, expected)) in table.into_iter().enumerate() {
        let refused = copy(&fixture, id, 1, source, range).await.unwrap_err();
        assert!(expected(&refused), "row {index}: {refused:?}");
    }
    assert!(fixture.part_numbers(id).await.is_empty());
    let unknown = copy(&fixture, UploadId::new(1), 1, source("source"), None).await;
    assert!(matches!(unknown, Err(Error::NoSuchUpload)));
    fixture.settle().await;
}

#[tokio::test]
async fn a_bucket_that_was_deleted_takes_its_uploads_along() {
    let fixture = Fixture::new().await;
    let id = fixture.create(None).await;
    fixture.upload(id, 1, body(pattern(1, 100_000))).await.unwrap();
    delete_bucket(&fixture.engine, BUCKET).await.unwrap();
    assert!(matches!(fixture.upload(id, 2, body("late")).await, Err(Error::NoSuchBucket)));
    let bucket = crate::engine::ops::create_bucket::CreateBucket {
        name: BUCKET.into(),
        owner: "o".into(),
        ..Default::default()
    };
    crate::engine::ops::create_bucket::create_bucket(&fixture.engine, bucket).await.unwrap();
    assert!(matches!(fixture.upload(id, 2, body("late")).await, Err(Error::NoSuchUpload)));
    let refused = fixture.complete(listing(id, &[(1, dovetail_digest::md5(&pattern(1, 100_000)))])).await;
    assert!(matches!(refused, Err(Error::NoSuchUpload)));
    fixture.settle().await;
    assert!(fixture.stored_blobs().await.is_empty());
    assert_eq!(fixture.entries(Table::Uploads).await, []);
}

#[tokio::test]
async fn a_range_in_too_many_pieces_is_written_anew() {
    let fixture = Fixture::new().await;
    let pieces =
        |count: u16| (1..=count).map(|number| (number, number.to_be_bytes().to_vec())).collect::<Vec<_>>();
    fixture.put_multipart("few", &pieces(2048)).await;
    fixture.put_multipart("many", &pieces(2049)).await;
    let before = fixture.stored_blobs().await.len();
    let id = fixture.create(None).await;
    // Source, extents of the part, blobs written for it.
    for (number, (key, extents, blobs)) in (1..).zip([("few", 2048, 0), ("many", 1, 1)]) {
        let bytes = fixture.get(key).await.unwrap();
        let copied = copy(&fixture, id, number, source(key), None).await.unwrap();
        assert_eq!(copied.md5, dovetail_digest::md5(&bytes), "{key}");
        let part =
            fixture.engine.meta.read(move |read| uploads::part(read, id, number)).await.unwrap().unwrap();
        assert_eq!((part.len, part.extents.len()), (bytes.len() as u64, extents), "{key}");
        assert_eq!(fixture.stored_blobs().await.len(), before + blobs, "{key}");
    }
    fixture.check_consistency().await;
}
