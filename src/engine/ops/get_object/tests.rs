use super::*;
use crate::blob::faulty::{Call, Fault};
use crate::engine::conditions::Tags;
use crate::engine::extents;
use crate::engine::jobs::collector;
use crate::engine::testing::{BUCKET, Fixture, START_MS, pattern, read_all};
use crate::meta::records::ChecksumKind;

const KIB: usize = 1 << 10;

fn from_to(first: u64, last: u64) -> PartOrRange {
    let range = RangeSpec::FromTo { first, last: Some(last) };
    PartOrRange::Range(ByteRange { range, if_range: None })
}

/// Parts of lengths that put block and part edges in odd places, with gaps in their numbers.
fn parts(count: u16) -> Vec<(u16, Vec<u8>)> {
    let len = |number: u16| if number == count { 0 } else { 700 + usize::from(number) % 13 };
    (1..=count).map(|number| (number * 3, pattern(u64::from(number), len(number)))).collect()
}

#[tokio::test]
async fn every_kind_of_object_reads_back_whole_and_in_ranges() {
    let fixture = Fixture::new().await;
    let large = pattern(1, 700 * KIB + 3);
    let small = pattern(2, 1000);
    let parts = vec![(1, pattern(3, 600 * KIB)), (7, pattern(4, 256 * KIB)), (9, pattern(5, 5))];
    let many: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    fixture.put_single("single", &large).await;
    fixture.put_inline("inline", &small).await;
    fixture.put_multipart("multipart", &parts).await;
    for (key, bytes) in [("single", &large), ("inline", &small), ("multipart", &many)] {
        assert_eq!(fixture.get(key).await.unwrap(), *bytes, "{key}");
        let len = bytes.len() as u64;
        let block = 256 * KIB as u64;
        let edges = [0, 1, 500, block - 1, block, block + 1, 600 * KIB as u64, 856 * KIB as u64, len - 1];
        for first in edges.into_iter().filter(|first| *first < len) {
            for last in edges.into_iter().filter(|last| (first..len).contains(last)) {
                let opened = fixture.open(key, from_to(first, last)).await.unwrap();
                assert_eq!(
                    (opened.first, opened.len, opened.partial),
                    (first, last - first + 1, Partial::Range)
                );
                let found = read_all(opened).await.unwrap();
                assert!(found == bytes[first as usize..=last as usize], "{key} {first}-{last}");
            }
        }
    }
    fixture.put_empty("empty").await;
    assert_eq!(fixture.get("empty").await.unwrap(), b"");
}

#[tokio::test]
async fn parts_are_read_by_position_whatever_their_numbers() {
    let fixture = Fixture::new().await;
    let parts = parts(200);
    fixture.put_multipart("key", &parts).await;
    let mut start = 0;
    for (position, (_, bytes)) in (1..).zip(&parts) {
        let opened = fixture.open("key", PartOrRange::Part(position)).await.unwrap();
        assert_eq!(opened.partial, Partial::Part { parts: Some(200) });
        assert_eq!((opened.first, opened.len), (start, bytes.len() as u64));
        assert_eq!(opened.part_checksum, None, "the object's is over all bytes");
        assert_eq!(read_all(opened).await.unwrap(), *bytes, "part {position}");
        start += bytes.len() as u64;
    }
    for wrong in [0, 201, 10_000] {
        let err = fixture.open("key", PartOrRange::Part(wrong)).await.err().unwrap();
        assert!(matches!(err, Error::InvalidPartNumber { requested, parts: 200 } if requested == wrong));
    }
}

#[tokio::test]
async fn a_range_across_many_parts_turns_pages() {
    let fixture = Fixture::new().await;
    let parts = parts(200);
    let bytes: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    fixture.put_multipart("key", &parts).await;
    assert!(fixture.get("key").await.unwrap() == bytes);
    let len = bytes.len() as u64;
    for (first, last) in
        [(0, 50_000), (44_000, 100_000), (45_103, 45_104), (90_500, len - 1), (len - 1, len - 1)]
    {
        let found = read_all(fixture.open("key", from_to(first, last)).await.unwrap()).await.unwrap();
        assert!(found == bytes[first as usize..=last as usize], "{first}-{last}");
    }
}

#[tokio::test]
async fn an_object_of_one_part_is_that_part() {
    let fixture = Fixture::new().await;
    fixture.put_inline("key", b"bytes").await;
    fixture.put_empty("empty").await;
    let opened = fixture.open("key", PartOrRange::Part(1)).await.unwrap();
    assert_eq!(opened.partial, Partial::Part { parts: None });
    assert_eq!(opened.part_checksum, opened.version.checksum);
    let opened = fixture.open("empty", PartOrRange::Part(1)).await.unwrap();
    assert_eq!(opened.partial, Partial::Whole, "no range can be named");
    fixture.put_multipart("one", &parts(1)).await;
    let opened = fixture.open("one", PartOrRange::Part(1)).await.unwrap();
    assert_eq!(opened.partial, Partial::Part { parts: Some(1) });
    assert!(opened.part_checksum.is_some() && opened.part_checksum == opened.version.checksum);
    for key in ["key", "empty"] {
        let err = fixture.open(key, PartOrRange::Part(2)).await.err().unwrap();
        assert!(matches!(err, Error::InvalidPartNumber { requested: 2, parts: 1 }));
    }
}

#[tokio::test]
async fn the_part_of_a_composite_object_has_its_own_checksum() {
    let fixture = Fixture::new().await;
    let mut version = fixture.put_multipart("key", &parts(3)).await;
    version.checksum.as_mut().unwrap().kind = ChecksumKind::Composite;
    let body = version.body;
    fixture
        .write(move |tx| {
            let bucket = objects::bucket(tx, BUCKET)?;
            crate::engine::references::share_body(tx, &body)?;
            objects::put_current(tx, &bucket, "key", &version, &Default::default())
        })
        .await;
    let opened = fixture.open("key", PartOrRange::Part(2)).await.unwrap();
    let checksum = opened.part_checksum.clone().unwrap();
    assert_eq!(checksum.kind, ChecksumKind::Composite);
    let bytes = read_all(opened).await.unwrap();
    let expected = dovetail_digest::digest(dovetail_digest::Algorithm::Crc64Nvme, &bytes);
    assert_eq!(checksum.value, expected.as_bytes());
}

#[tokio::test]
async fn refusals_come_in_order() {
    let fixture = Fixture::new().await;
    fixture.put_inline("key", b"bytes").await;
    let fails = ReadConditions { if_match: Some(Tags::Listed(vec!["other".into()])), ..Default::default() };
    let outside = from_to(5, 9);
    let request =
        |bucket: &str, key: &str, version_id: Option<&str>, conditions: &ReadConditions| GetObject {
            bucket: bucket.into(),
            key: key.into(),
            version_id: version_id.map(str::to_string),
            conditions: conditions.clone(),
            part: outside.clone(),
            customer_key: None,
            asker: None,
        };
    let none = ReadConditions::default();
    let ask = async |request: GetObject| {
        let head = crate::engine::ops::head_object::head_object(&fixture.engine, request.clone()).await;
        let get = get_object(&fixture.engine, request).await.err().unwrap();
        assert_eq!(head.err().unwrap().to_string(), get.to_string(), "HEAD and GET agree");
        get
    };
    assert!(matches!(ask(request("none", "key", None, &fails)).await, Error::NoSuchBucket));
    assert!(matches!(ask(request(BUCKET, "none", None, &fails)).await, Error::NoSuchKey));
    assert!(matches!(ask(request(BUCKET, "key", Some("1234"), &fails)).await, Error::NoSuchVersion));
    assert!(matches!(ask(request(BUCKET, "none", Some("null"), &fails)).await, Error::NoSuchVersion));
    assert!(matches!(
        ask(request(BUCKET, "key", Some("null"), &fails)).await,
        Error::PreconditionFailed { condition: "If-Match" }
    ));
    assert!(matches!(ask(request(BUCKET, "key", None, &none)).await, Error::InvalidRange { len: 5 }));
}

#[tokio::test]
async fn a_range_counts_only_while_if_range_holds() {
    let fixture = Fixture::new().await;
    let version = fixture.put_inline("key", b"bytes").await;
    let tag = version.etag.to_string();
    let seconds = START_MS / 1000;
    for (if_range, expected) in [
        (IfRange::ETag(tag.clone()), Partial::Range),
        (IfRange::ETag(format!("W/{tag}")), Partial::Whole),
        (IfRange::ETag("other".into()), Partial::Whole),
        (IfRange::Date(seconds), Partial::Range),
        (IfRange::Date(seconds - 1), Partial::Whole),
    ] {
        let range = RangeSpec::Suffix(2);
        let asked = PartOrRange::Range(ByteRange { range, if_range: Some(if_range.clone()) });
        assert_eq!(fixture.open("key", asked).await.unwrap().partial, expected, "{if_range:?}");
    }
}

/// Invariant 4.
#[tokio::test]
async fn a_reader_keeps_its_bytes_while_they_are_deleted_and_collected() {
    let fixture = Fixture::new().await;
    let large = pattern(1, 900 * KIB);
    let parts: Vec<_> = (1..=150).map(|number| (number, pattern(u64::from(number), 100))).collect();
    fixture.put_single("single", &large).await;
    fixture.put_multipart("multipart", &parts).await;
    fixture.put_inline("inline", b"small").await;
    let single = fixture.open("single", PartOrRange::Whole).await.unwrap();
    let multipart = fixture.open("multipart", PartOrRange::Whole).await.unwrap();
    let inline = fixture.open("inline", PartOrRange::Whole).await.unwrap();
    fixture.put_inline("single", b"overwritten").await;
    fixture.delete("multipart").await;
    fixture.delete("inline").await;
    let collected = collector::run_once(&fixture.engine).await.unwrap();
    assert_eq!((collected.contents, collected.in_use), (0, 2));
    assert!(read_all(single).await.unwrap() == large);
    let bytes: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    assert!(read_all(multipart).await.unwrap() == bytes);
    assert_eq!(read_all(inline).await.unwrap(), b"small");
    let collected = collector::run_once(&fixture.engine).await.unwrap();
    assert_eq!((collected.contents, collected.blobs, collected.in_use), (2, 151, 0));
    assert!(matches!(fixture.get("multipart").await, Err(Error::NoSuchKey)));
    assert_eq!(fixture.get("single").await.unwrap(), b"overwritten");
}

/// Invariant 5.
#[tokio::test]
async fn a_damaged_block_is_an_error_and_never_the_end() {
    let fixture = Fixture::new().await;
    fixture.put_single("key", &pattern(1, 900 * KIB)).await;
    let mut opened = fixture.open("key", PartOrRange::Whole).await.unwrap();
    fixture.blobs.nth(Call::Read, 2, Fault::Corrupt);
    let first = opened.reader.next().await.unwrap().unwrap();
    let second = opened.reader.next().await.unwrap().unwrap();
    assert_eq!(first.len() + second.len(), 512 * KIB);
    assert!(matches!(opened.reader.next().await, Some(Err(Error::Storage(_)))));
    assert!(matches!(opened.reader.next().await, Some(Err(Error::Storage(_)))), "not an end either");
    // Bytes of the block that the range does not even want are checked too.
    fixture.blobs.nth(Call::Read, 1, Fault::Corrupt);
    assert!(matches!(fixture.open("key", from_to(0, 0)).await, Err(Error::Storage(_))));
    assert!(fixture.open("key", from_to(0, 0)).await.is_ok());
}

#[tokio::test]
async fn what_is_missing_is_an_error_and_never_the_end() {
    let fixture = Fixture::new().await;
    let version = fixture.put_multipart("key", &parts(100)).await;
    let content = version.body.content().unwrap();
    fixture
        .write(move |tx| {
            tx.delete(crate::meta::Table::Parts, &crate::meta::keys::part(content, 270));
            Ok(())
        })
        .await;
    let opened = fixture.open("key", PartOrRange::Whole).await.unwrap();
    assert!(matches!(read_all(opened).await, Err(Error::Storage(_))));
    fixture.blobs.nth(Call::Open, 1, Fault::Fail(crate::blob::ErrorKind::Unavailable));
    assert!(matches!(fixture.open("key", PartOrRange::Whole).await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn a_range_in_the_middle_of_ten_thousand_parts_reads_few_records() {
    let fixture = Fixture::new().await;
    let bytes = pattern(1, 16);
    let parts: Vec<_> = (1..=10_000).map(|number| (number, bytes.clone())).collect();
    let version = fixture.put_multipart("key", &parts).await;
    let found = fixture.engine.meta.read(move |read| {
        let place = extents::locate(read, &version.body, 16 * 5_000 + 3)?;
        let content = version.body.content().unwrap();
        let run = extents::run(read, content, place, 10, 64)?;
        Ok::<_, Error>((place, run))
    });
    let (place, run) = found.await.unwrap();
    assert!(place.number > 5_000 - 64 && place.number <= 5_001);
    assert_eq!((run.extents.len(), run.len), (1, 10));
    assert_eq!(run.extents[0].offset, 3);
    let opened = fixture.open("key", from_to(80_003, 80_012)).await.unwrap();
    assert_eq!(read_all(opened).await.unwrap(), bytes[3..13]);
}

/// Invariant 4, with all that can happen at once: every read is of one version, whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reads_overwrites_and_collection_get_along() {
    let fixture = Arc::new(Fixture::new().await);
    fixture.put_single("key", &pattern(0, 1000)).await;
    let tasks = &fixture.engine.tasks;
    let is_done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut running = Vec::new();
    for _ in 0..3 {
        let (fixture, is_done) = (Arc::clone(&fixture), Arc::clone(&is_done));
        running.push(tasks.spawn(async move {
            while !is_done.load(std::sync::atomic::Ordering::SeqCst) {
                let opened = fixture.open("key", PartOrRange::Whole).await.unwrap();
                let md5 = opened.version.etag.md5;
                assert_eq!(dovetail_digest::md5(&read_all(opened).await.unwrap()), md5);
                tokio::task::yield_now().await;
            }
        }));
    }
    {
        let (fixture, is_done) = (Arc::clone(&fixture), Arc::clone(&is_done));
        running.push(tasks.spawn(async move {
            while !is_done.load(std::sync::atomic::Ordering::SeqCst) {
                collector::run_once(&fixture.engine).await.unwrap();
                tokio::task::yield_now().await;
            }
        }));
    }
    for seed in 1..300 {
        fixture.put_single("key", &pattern(seed, 1000)).await;
    }
    is_done.store(true, std::sync::atomic::Ordering::SeqCst);
    for task in running {
        task.await.unwrap();
    }
    collector::run_once(&fixture.engine).await.unwrap();
    assert_eq!(fixture.keys(crate::meta::Table::Blobs).await.len(), 1);
    assert_eq!(fixture.get("key").await.unwrap(), pattern(299, 1000));
}
