use super::*;
use crate::base::limits::PART_LEN_MIN;
use crate::engine::access::lists::JudgedTags;
use crate::engine::conditions::Tags;
use crate::engine::jobs::collector::run_once;
use crate::engine::ops::abort_multipart_upload::{AbortMultipartUpload, abort_multipart_upload};
use crate::engine::ops::get_object::PartOrRange;
use crate::engine::testing::uploads::{KEY, body, body_claiming, letters, listing};
use crate::engine::testing::{BUCKET, Fixture, pattern};
use crate::meta::records::{ContentIndex, PARTS_PER_INDEX_ENTRY, PartRecord};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dovetail_digest::digest;

const PARTS: [&[u8; 1]; 3] = [b"A", b"B", b"C"];

/// An upload of three parts of 5 MiB of A, B and C, and a request that completes it.
async fn abc(
    fixture: &Fixture,
    checksum: Option<(Algorithm, ChecksumKind)>,
) -> (UploadId, CompleteMultipartUpload) {
    let id = fixture.create(checksum).await;
    let mut parts = Vec::new();
    for (number, letter) in (1..).zip(PARTS) {
        let bytes = letters(letter[0]);
        let body = match checksum {
            None => body(bytes),
            Some((algorithm, _)) => body_claiming(bytes.clone(), algorithm, digest(algorithm, &bytes)),
        };
        parts.push((number, fixture.upload(id, number, body).await.unwrap().md5));
    }
    let mut request = listing(id, &parts);
    if let Some((algorithm, _)) = checksum {
        name_checksums(&mut request, algorithm);
    }
    (id, request)
}

fn name_checksums(request: &mut CompleteMultipartUpload, algorithm: Algorithm) {
    for (part, letter) in request.parts.iter_mut().zip(PARTS) {
        part.checksum = Some((algorithm, digest(algorithm, &letters(letter[0]))));
    }
}

/// An upload with these parts, of a few bytes each but for those that are to be large.
async fn upload_of(fixture: &Fixture, parts: &[(u16, usize)]) -> (UploadId, Vec<(u16, [u8; 16])>) {
    let id = fixture.create(None).await;
    let mut listed = Vec::new();
    for (number, len) in parts {
        let part = fixture.upload(id, *number, body(pattern(u64::from(*number), *len))).await.unwrap();
        listed.push((*number, part.md5));
    }
    (id, listed)
}

async fn abort(fixture: &Fixture, upload_id: UploadId) -> Result<(), Error> {
    let (bucket, key) = (BUCKET.to_string(), KEY.to_string());
    let request = AbortMultipartUpload { bucket: bucket.into(), key, upload_id, if_initiated: None };
    abort_multipart_upload(&fixture.engine, request).await
}

const MIN: usize = PART_LEN_MIN as usize;

#[tokio::test]
async fn three_parts_have_the_etag_and_checksums_that_aws_gives_them() {
    use Algorithm::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
    use ChecksumKind::{Composite, FullObject};
    let fixture = Fixture::new().await;
    let whole = PARTS.iter().flat_map(|letter| letters(letter[0])).collect::<Vec<u8>>();
    for (created, algorithm, kind, value) in [
        (Some((Sha256, Composite)), "SHA256", Composite, "uWBwpe1dxI4Vw8Gf0X9ynOdw/SS6VBzfWm9giiv1sf4="),
        (Some((Sha1, Composite)), "SHA1", Composite, "sizjvY4eud3MrcHdZM3cQ/ol39o="),
        (Some((Crc64Nvme, FullObject)), "CRC64NVME", FullObject, "i+6LR0y3eFo="),
        (Some((Crc32, FullObject)), "CRC32", FullObject, "WgDhBQ=="),
        (Some((Crc32c, FullObject)), "CRC32C", FullObject, "xU+Krw=="),
        (None, "CRC64NVME", FullObject, "i+6LR0y3eFo="),
    ] {
        let (id, mut request) = abc(&fixture, created).await;
        request.checksum =
            created.map(|(algorithm, _)| (algorithm, Digest::new(&STANDARD.decode(value).unwrap())));
        request.checksum_kind = Some(kind);
        request.size = Some(whole.len() as u64);
        let completed = fixture.complete(request).await.unwrap();
        assert_eq!(completed.etag.to_string(), "b2add96cc9702bbf4efb0ccdfc6b7747-3");
        assert_eq!(completed.len, whole.len() as u64);
        let checksum = &completed.checksum;
        assert_eq!((checksum.algorithm.as_str(), checksum.kind), (algorithm, kind));
        assert_eq!(STANDARD.encode(&checksum.value), value, "{algorithm}");
        assert!(fixture.get(KEY).await.unwrap() == whole);
        assert_eq!(fixture.part_numbers(id).await, [1, 2, 3]);
    }
    fixture.settle().await;
    assert_eq!(fixture.stored_blobs().await.len(), 3, "what was overwritten is gone");
    assert_eq!(fixture.entries(Table::Uploads).await, []);
    assert_eq!(fixture.entries(Table::Progress).await, []);
}

#[tokio::test]
async fn refuses_lists_that_do_not_fit_in_the_order_of_the_rules_and_stays_usable() {
    let fixture = Fixture::new().await;
    let (id, parts) = upload_of(&fixture, &[(1, MIN), (2, 10), (5, MIN), (9, 20)]).await;
    let [one, two, five, nine] = parts[..] else { unreachable!("four were uploaded") };
    type Row<'a> = (&'a [(u16, [u8; 16])], fn(&Error) -> bool);
    let table: [Row<'_>; 10] = [
        (&[], |err| matches!(err, Error::NoParts)),
        (&[two, one], |err| matches!(err, Error::InvalidPartOrder)),
        (&[one, one], |err| matches!(err, Error::InvalidPartOrder)),
        // The order is judged before the parts.
        (&[(8, [0; 16]), (3, [0; 16])], |err| matches!(err, Error::InvalidPartOrder)),
        (&[one, (3, [0; 16])], |err| matches!(err, Error::InvalidPart { part_number: 3, .. })),
        (&[one, (10, [0; 16])], |err| matches!(err, Error::InvalidPart { part_number: 10, .. })),
        (&[one, (5, two.1)], |err| matches!(err, Error::InvalidPart { part_number: 5, .. })),
        // Wrong parts are told before small ones, the first of them.
        (&[one, two, (5, [1; 16]), (9, [1; 16])], |err| {
            matches!(err, Error::InvalidPart { part_number: 5, .. })
        }),
        (&[one, two, five], |err| matches!(err, Error::EntityTooSmall { part_number: 2, len: 10, .. })),
        (&[two, nine], |err| matches!(err, Error::EntityTooSmall { part_number: 2, len: 10, .. })),
    ];
    for (index, (listed, expected)) in table.iter().enumerate() {
        let refused = fixture.complete(listing(id, listed)).await.unwrap_err();
        assert!(expected(&refused), "row {index}: {refused:?}");
    }
    let unreadable = CompleteMultipartUpload {
        parts: vec![ListedPart { number: 1, etag: "no MD5".into(), checksum: None }],
        ..listing(id, &[])
    };
    let refused = fixture.complete(unreadable).await.unwrap_err();
    assert!(matches!(refused, Error::InvalidPart { part_number: 1, .. }));

    let mut request = listing(id, &[one, five, nine]);
    request.parts[0].etag = format!("\"{}\"", request.parts[0].etag);
    let completed = fixture.complete(request).await.unwrap();
    assert_eq!((completed.etag.parts, completed.len), (Some(3), 2 * PART_LEN_MIN + 20));
    assert_eq!(fixture.part_numbers(id).await, [1, 5, 9], "what was not listed is dropped");
    fixture.settle().await;
    assert_eq!(fixture.stored_blobs().await.len(), 3);
}

#[tokio::test]
async fn judges_checksums_kinds_and_sizes_by_what_the_upload_was_created_with() {
    use Algorithm::{Crc32, Crc32c, Crc64Nvme, Sha256};
    use ChecksumKind::{Composite, FullObject};
    type Change = fn(&mut CompleteMultipartUpload);
    type Check = fn(&Result<Completed, Error>) -> bool;
    type Row = (Option<(Algorithm, ChecksumKind)>, Change, Check);
    let table: [Row; 18] = [
        (
            Some((Crc32, Composite)),
            |request| request.parts[1].checksum = None,
            |result| matches!(result, Err(Error::MissingPartChecksum { algorithm: Crc32, part_number: 2 })),
        ),
        (Some((Crc32, FullObject)), |request| request.parts[1].checksum = None, |result| result.is_ok()),
        (
            Some((Crc32, Composite)),
            |request| request.parts.swap(0, 1),
            |result| matches!(result, Err(Error::InvalidPartOrder)),
        ),
        (
            Some((Crc32, Composite)),
            |request| request.parts[2].checksum = request.parts[0].checksum,
            |result| matches!(result, Err(Error::InvalidPart { part_number: 3, .. })),
        ),
        (
            Some((Crc32, FullObject)),
            |request| request.parts[2].checksum = request.parts[0].checksum,
            |result| matches!(result, Err(Error::InvalidPart { part_number: 3, .. })),
        ),
        (
            Some((Crc32, Composite)),
            |request| name_checksums(request, Crc32c),
            |result| matches!(result, Err(Error::ForeignPartChecksum { algorithm: Crc32c, part_number: 1 })),
        ),
        (
            Some((Crc32, FullObject)),
            |request| name_checksums(request, Sha256),
            |result| matches!(result, Err(Error::ForeignPartChecksum { algorithm: Sha256, part_number: 1 })),
        ),
        (
            None,
            |request| name_checksums(request, Crc32),
            |result| matches!(result, Err(Error::InvalidPart { part_number: 1, .. })),
        ),
        (None, |request| name_checksums(request, Crc64Nvme), |result| result.is_ok()),
        (
            Some((Crc32, Composite)),
            |request| request.checksum = Some((Crc32, Digest::new(&[0; 4]))),
            |result| matches!(result, Err(Error::ChecksumMismatch { algorithm: Crc32 })),
        ),
        (
            Some((Crc32, FullObject)),
            |request| request.checksum = Some((Crc32, Digest::new(&[0; 4]))),
            |result| matches!(result, Err(Error::ChecksumMismatch { algorithm: Crc32 })),
        ),
        (
            Some((Crc32, FullObject)),
            |request| request.checksum = Some((Sha256, Digest::new(&[0; 32]))),
            |result| {
                matches!(
                    result,
                    Err(Error::ChecksumAlgorithmMismatch { expected: Crc32, actual: Some(Sha256) })
                )
            },
        ),
        (None, |request| request.checksum = Some((Crc32, Digest::new(&[0; 4]))), |result| result.is_ok()),
        (
            Some((Crc32, Composite)),
            |request| request.checksum_kind = Some(FullObject),
            |result| matches!(result, Err(Error::ChecksumTypeMismatch { expected: Some(Composite) })),
        ),
        (
            Some((Crc32, FullObject)),
            |request| request.checksum_kind = Some(Composite),
            |result| matches!(result, Err(Error::ChecksumTypeMismatch { expected: Some(FullObject) })),
        ),
        (
            None,
            |request| request.checksum_kind = Some(Composite),
            |result| matches!(result, Err(Error::ChecksumTypeMismatch { expected: None })),
        ),
        (None, |request| request.checksum_kind = Some(FullObject), |result| result.is_ok()),
        (
            None,
            |request| request.size = Some(1),
            |result| matches!(result, Err(Error::ObjectSizeMismatch { claimed: 1, computed: 15_728_640 })),
        ),
    ];
    let fixture = Fixture::new().await;
    for (index, (created, change, expected)) in table.into_iter().enumerate() {
        let (_, good) = abc(&fixture, created).await;
        let mut request = good.clone();
        change(&mut request);
        let result = fixture.complete(request).await;
        assert!(expected(&result), "row {index}: {result:?}");
        if result.is_err() {
            fixture.complete(good).await.expect("a refused Complete leaves the upload as it was");
        }
    }
    let refused = fixture.create_at(KEY, Some((Sha256, FullObject))).await;
    assert!(matches!(refused, Err(Error::ChecksumKindNotAllowed { algorithm: Sha256, kind: FullObject })));
    let refused = fixture.create_at(KEY, Some((Crc64Nvme, Composite))).await;
    assert!(matches!(refused, Err(Error::ChecksumKindNotAllowed { algorithm: Crc64Nvme, kind: Composite })));
    fixture.settle().await;
}

#[tokio::test]
async fn a_repeat_gets_the_same_answer_while_the_object_is_there() {
    let fixture = Fixture::new().await;
    let (id, parts) = upload_of(&fixture, &[(1, MIN), (2, 10)]).await;
    let first = fixture.complete(listing(id, &parts)).await.unwrap();
    let modified_ms = fixture.open(KEY, Default::default()).await.unwrap().version.modified_ms;
    fixture.engine.clock.advance(1000);
    assert_eq!(fixture.complete(listing(id, &parts)).await.unwrap(), first);
    let version = fixture.open(KEY, Default::default()).await.unwrap().version;
    assert_eq!(version.modified_ms, modified_ms, "nothing was written again");

    for other in [&parts[..1], &[], &[parts[0], (2, [0; 16])], &[parts[0], (3, parts[1].1)]] {
        let refused = fixture.complete(listing(id, other)).await;
        assert!(matches!(refused, Err(Error::NoSuchUpload)), "{refused:?}");
    }
    let elsewhere = CompleteMultipartUpload { key: "elsewhere".into(), ..listing(id, &parts) };
    assert!(matches!(fixture.complete(elsewhere).await, Err(Error::NoSuchUpload)));
    assert!(matches!(abort(&fixture, id).await, Err(Error::NoSuchUpload)));
    assert!(matches!(fixture.upload(id, 3, body("late")).await, Err(Error::NoSuchUpload)));

    fixture.put(KEY, body("new"), WriteConditions::default()).await.unwrap();
    assert!(matches!(fixture.complete(listing(id, &parts)).await, Err(Error::NoSuchUpload)));
    assert_eq!(fixture.get(KEY).await.unwrap(), b"new");
    fixture.settle().await;
    assert!(fixture.stored_blobs().await.is_empty());
}

#[tokio::test]
async fn what_was_judged_by_tags_is_judged_again_and_is_no_condition_of_the_clients() {
    let fixture = Fixture::new().await;
    let (id, parts) = upload_of(&fixture, &[(1, 10)]).await;
    // Written after the upload was created, which is a conflict only for who makes a condition.
    fixture.engine.clock.advance(10);
    fixture.put(KEY, body("untagged"), WriteConditions::default()).await.unwrap();
    let complete = async |tags: Option<&[(&str, &str)]>| {
        let own = |tags: &[(&str, &str)]| tags.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let judged_tags = Some(JudgedTags(tags.map(own)));
        let conditions = WriteConditions { judged_tags, ..WriteConditions::default() };
        fixture.complete(CompleteMultipartUpload { conditions, ..listing(id, &parts) }).await
    };
    for other in [None, Some(&[("is", "public")][..])] {
        assert!(matches!(complete(other).await, Err(Error::JudgedOtherTags)), "{other:?}");
    }
    complete(Some(&[])).await.unwrap();
}

#[tokio::test]
async fn a_condition_that_came_to_hold_only_meanwhile_is_a_conflict() {
    let absent = || WriteConditions { if_none_match: Some(Tags::Any), ..WriteConditions::default() };
    let is = |etag: &str| WriteConditions {
        if_match: Some(Tags::Listed(vec![etag.to_string()])),
        ..WriteConditions::default()
    };
    let fixture = Fixture::new().await;
    let complete = async |id, parts: &[(u16, [u8; 16])], conditions| {
        fixture.complete(CompleteMultipartUpload { conditions, ..listing(id, parts) }).await
    };
    let put = async || {
        fixture.engine.clock.advance(10);
        let put = fixture.put(KEY, body("same"), WriteConditions::default()).await;
        fixture.engine.clock.advance(10);
        put.unwrap().version.etag.to_string()
    };

    let (id, parts) = upload_of(&fixture, &[(1, 10)]).await;
    assert!(matches!(complete(id, &parts, is("x")).await, Err(Error::NoSuchKey)));
    let etag = put().await;
    let refused = complete(id, &parts, absent()).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed { condition: "If-None-Match" })), "{refused:?}");
    let refused = complete(id, &parts, is("x")).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed { condition: "If-Match" })), "{refused:?}");
    let refused = complete(id, &parts, is(&etag)).await;
    let conflict = "If-Match";
    assert!(matches!(refused, Err(Error::ConditionalRequestConflict { condition }) if condition == conflict));
    fixture.delete(KEY).await;
    let refused = complete(id, &parts, absent()).await;
    let conflict = "If-None-Match";
    assert!(matches!(refused, Err(Error::ConditionalRequestConflict { condition }) if condition == conflict));
    // Without a condition, the last commit wins.
    complete(id, &parts, WriteConditions::default()).await.unwrap();
    fixture.delete(KEY).await;

    let (id, parts) = upload_of(&fixture, &[(1, 10)]).await;
    let first = complete(id, &parts, absent()).await.unwrap();
    // Its own object does not fail the condition of a repeat.
    assert_eq!(complete(id, &parts, absent()).await.unwrap(), first);
    let etag = put().await;
    let (id, parts) = upload_of(&fixture, &[(1, 10)]).await;
    complete(id, &parts, is(&etag)).await.unwrap();
    fixture.settle().await;
}

#[tokio::test]
async fn a_put_after_create_is_a_conflict_whatever_the_clock_says() {
    for ms in [10, 0, -10] {
        let fixture = Fixture::new().await;
        let put = async || fixture.put(KEY, body("same"), WriteConditions::default()).await.unwrap().version;
        let if_match = Some(Tags::Listed(vec![put().await.etag.to_string()]));
        let (id, parts) = upload_of(&fixture, &[(1, 10)]).await;
        fixture.engine.clock.advance(ms);
        put().await;
        let conditions = WriteConditions { if_match, ..WriteConditions::default() };
        let request = CompleteMultipartUpload { conditions, ..listing(id, &parts) };
        let refused = fixture.complete(request.clone()).await;
        assert!(matches!(refused, Err(Error::ConditionalRequestConflict { .. })), "{ms} ms: {refused:?}");
        // One that was created since decides on what is there.
        let (id, parts) = upload_of(&fixture, &[(1, 10)]).await;
        let later = CompleteMultipartUpload { upload_id: id, parts: listing(id, &parts).parts, ..request };
        fixture.complete(later).await.unwrap();
    }
}

#[tokio::test]
async fn a_repeat_does_not_take_another_uploads_object_for_its_own() {
    let fixture = Fixture::new().await;
    let (first, parts) = upload_of(&fixture, &[(1, 10)]).await;
    let (second, _) = upload_of(&fixture, &[(1, 10)]).await;
    let answers = [
        fixture.complete(listing(first, &parts)).await.unwrap(),
        fixture.complete(listing(second, &parts)).await.unwrap(),
    ];
    assert_eq!(answers[0].etag, answers[1].etag);
    assert!(matches!(fixture.complete(listing(first, &parts)).await, Err(Error::NoSuchUpload)));
    assert_eq!(fixture.complete(listing(second, &parts)).await.unwrap(), answers[1]);
    fixture.settle().await;
}

#[tokio::test]
async fn many_parts_that_are_not_listed_are_no_part_of_the_object_before_they_are_collected() {
    let fixture = Fixture::new().await;
    let sizes: Vec<_> = (1..=601).map(|number| (number, if number % 300 == 0 { MIN } else { 7 })).collect();
    let (id, parts) = upload_of(&fixture, &sizes).await;
    let listed: Vec<_> = parts.into_iter().filter(|(number, _)| number % 300 <= 1 && *number > 1).collect();
    let numbers: Vec<_> = listed.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [300, 301, 600, 601]);
    let listed = [listed[0], listed[2], listed[3]];
    fixture.complete(listing(id, &listed)).await.unwrap();
    let whole = [pattern(300, MIN), pattern(600, MIN), pattern(601, 7)].concat();
    assert!(fixture.get(KEY).await.unwrap() == whole);
    assert!(fixture.part_numbers(id).await.len() > 500, "they are still there");
    let part = fixture.open(KEY, PartOrRange::Part(2)).await.unwrap();
    assert_eq!((part.first, part.len), (MIN as u64, MIN as u64));
    drop(part);

    let collected = run_once(&fixture.engine).await.unwrap();
    assert_eq!((collected.contents, collected.blobs), (1, 598));
    assert_eq!(fixture.part_numbers(id).await, [300, 600, 601]);
    assert!(fixture.get(KEY).await.unwrap() == whole);
    fixture.settle().await;

    // A content that goes takes them along, whichever is collected first.
    let (id, parts) = upload_of(&fixture, &sizes).await;
    fixture.complete(listing(id, &parts[..1])).await.unwrap();
    fixture.delete(KEY).await;
    fixture.settle().await;
    assert!(fixture.stored_blobs().await.is_empty());
}

#[tokio::test]
async fn two_completes_at_once_make_one_version_and_get_one_answer() {
    let fixture = Fixture::new().await;
    let (id, parts) = upload_of(&fixture, &[(1, MIN), (2, 10), (3, 7)]).await;
    let racing = (0..8).map(|_| fixture.complete(listing(id, &parts[..2])));
    let answers: Vec<_> = futures::future::join_all(racing).await.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    fixture.settle().await;
    assert_eq!(fixture.stored_blobs().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parts_aborts_and_completes_that_race_leave_nothing_unaccounted_for() {
    let fixture = std::sync::Arc::new(Fixture::new().await);
    for round in 0_u64..25 {
        let (id, parts) = upload_of(&fixture, &[(1, MIN), (2, 100)]).await;
        let mut tasks = Vec::new();
        for task in 0_u64..8 {
            let (fixture, parts) = (std::sync::Arc::clone(&fixture), parts.clone());
            let engine = fixture.engine.clone();
            tasks.push(engine.tasks.spawn(async move {
                match task {
                    0 | 1 => fixture.complete(listing(id, &parts)).await.map(|_| "completed"),
                    2 if round.is_multiple_of(2) => abort(&fixture, id).await.map(|()| "aborted"),
                    // Part 2 again, now and then with the same bytes, and parts that nobody lists.
                    3 | 4 => {
                        let bytes = pattern(if round.is_multiple_of(3) { 2 } else { task }, 100);
                        fixture.upload(id, 2, body(bytes)).await.map(|_| "part")
                    }
                    _ => {
                        let part = body(pattern(task, 90_000));
                        fixture.upload(id, 3 + (task % 3) as u16, part).await.map(|_| "part")
                    }
                }
            }));
        }
        let mut ends = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Ok(end) => ends.push(end),
                Err(Error::NoSuchUpload | Error::InvalidPart { part_number: 2, .. }) => {}
                Err(err) => panic!("{err:?}"),
            }
        }
        let (completed, aborted) = (ends.contains(&"completed"), ends.contains(&"aborted"));
        assert!(!(completed && aborted), "exactly one wins");
        if completed {
            let bytes = [pattern(1, MIN), pattern(2, 100)].concat();
            assert!(fixture.get(KEY).await.unwrap() == bytes);
        } else if !aborted {
            abort(&fixture, id).await.unwrap();
        }
        fixture.settle().await;
    }
}

/// Puts part records of an upload into the store, without blobs: as many as can be, quickly.
async fn upload_of_ten_thousand(fixture: &Fixture) -> (UploadId, Vec<(u16, [u8; 16])>) {
    let id = fixture.create(None).await;
    let numbers = 1..=10_000_u16;
    let parts: Vec<_> = numbers.map(|number| (number, dovetail_digest::md5(&number.to_be_bytes()))).collect();
    let stored = parts.clone();
    let (blob, record) = fixture.blob(b"any").await;
    fixture
        .write(move |tx| {
            references::add_blob(tx, blob, &record);
            for (number, md5) in &stored {
                let checksum = crate::engine::checksums::record(
                    Algorithm::Crc64Nvme,
                    ChecksumKind::FullObject,
                    &digest(Algorithm::Crc64Nvme, &number.to_be_bytes()),
                );
                let extents = vec![crate::meta::records::Extent::new(blob, 0, PART_LEN_MIN)];
                let part = PartRecord { len: PART_LEN_MIN, md5: *md5, checksum, extents, modified_ms: 0 };
                uploads::put_part(tx, id, *number, &part)?;
            }
            Ok(())
        })
        .await;
    (id, parts)
}

#[tokio::test]
async fn the_index_says_where_every_64th_part_begins() {
    let fixture = Fixture::new().await;
    let (id, parts) = upload_of_ten_thousand(&fixture).await;
    let listed: Vec<_> = parts.into_iter().filter(|(number, _)| number % 3 != 0).collect();
    let completed = fixture.complete(listing(id, &listed)).await.unwrap();
    assert_eq!(completed.len, listed.len() as u64 * PART_LEN_MIN);
    let entries = fixture.entries(Table::Parts).await;
    let (_, index) = entries.iter().find(|(key, _)| *key == keys::part(id, 0)).unwrap();
    let index = ContentIndex::decode(index).unwrap();
    assert_eq!(usize::from(index.parts), listed.len());
    assert_eq!(index.entries.len(), listed.len().div_ceil(PARTS_PER_INDEX_ENTRY));
    for (row, entry) in index.entries.iter().enumerate() {
        let position = row * PARTS_PER_INDEX_ENTRY;
        assert_eq!((entry.number, entry.offset), (listed[position].0, position as u64 * PART_LEN_MIN));
    }
    run_once(&fixture.engine).await.unwrap();
    let numbers: Vec<_> = listed.iter().map(|(number, _)| *number).collect();
    assert_eq!(fixture.part_numbers(id).await, numbers);
}

#[tokio::test]
#[ignore = "measures: run it alone, with --release and --nocapture"]
async fn ten_thousand_parts_are_joined_in_milliseconds() {
    let fixture = Fixture::new().await;
    for _ in 0..5 {
        let (id, parts) = upload_of_ten_thousand(&fixture).await;
        let request = listing(id, &parts);
        let begun = std::time::Instant::now();
        fixture.complete(request).await.unwrap();
        println!("10,000 parts completed in {:?}", begun.elapsed());
        assert!(begun.elapsed() < std::time::Duration::from_millis(50));
    }
}
