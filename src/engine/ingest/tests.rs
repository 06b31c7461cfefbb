use super::*;
use crate::base::buffers::CHUNKS_PER_BODY;
use crate::blob::Store as _;
use crate::engine::Settings;
use crate::engine::body::Claims;
use crate::engine::testing::uploads::{Pieces, pieces};
use crate::engine::testing::{Fixture, pattern};
use dovetail_digest::digest;
use std::time::Duration;

const KEEP: Algorithm = Algorithm::Crc32c;
const PLAN: Plan = Plan { len_max: 4 << 20, inline: true, keep: KEEP };

fn body(bytes: &[u8], piece_len: usize, len: Option<u64>, claims: Claims, cut: bool) -> Body {
    let pieces = pieces(bytes.to_vec().into(), piece_len);
    Body {
        source: Box::new(Pieces { pieces, claims, cut }),
        len,
        algorithm: claims.checksum.map(|(algorithm, _)| algorithm),
    }
}

async fn stored(fixture: &Fixture, place: &Place) -> Vec<u8> {
    match place {
        Place::Empty => Vec::new(),
        Place::Inline(bytes) => bytes.to_vec(),
        Place::Blob(id, record) => {
            let reader = fixture.blobs.open(*id).await.unwrap();
            let bytes = reader.read(0, record.len as usize).await.unwrap();
            for (index, block) in bytes.chunks(BLOCK_LEN as usize).enumerate() {
                assert_eq!(record.block_checksum(index as u64), Some(dovetail_digest::crc32c(block)));
            }
            assert_eq!(record.block_checksum(record.len.div_ceil(BLOCK_LEN)), None);
            bytes.to_vec()
        }
    }
}

#[tokio::test]
async fn keeps_bodies_of_every_length_whole_wherever_they_go() {
    let fixture = Fixture::new().await;
    let inline_max = fixture.engine.settings.inline_len_max as usize;
    let chunk = CHUNK_LEN;
    let lens =
        [0, 1, 1000, inline_max - 1, inline_max, inline_max + 1, chunk - 1, chunk, chunk + 1, 3 * chunk + 17];
    for len in lens {
        let bytes = pattern(len as u64, len);
        for (declared, piece_len, inline) in
            [(true, 70_000, true), (false, 70_000, true), (false, 999, false), (true, 2 << 20, false)]
        {
            let declared = declared.then_some(len as u64);
            let body = body(&bytes, piece_len, declared, Claims::default(), false);
            let received = receive(&fixture.engine, body, Plan { inline, ..PLAN }, None).await.unwrap();
            assert_eq!(received.len, len as u64);
            assert_eq!(received.md5, dovetail_digest::md5(&bytes));
            assert_eq!(received.checksum, digest(KEEP, &bytes));
            assert_eq!(received.announced, None);
            let place = received.finish().await.unwrap();
            match &place {
                Place::Empty => assert_eq!(len, 0),
                Place::Inline(_) => assert!(inline && len <= inline_max),
                Place::Blob(..) => assert!(!inline || len > inline_max),
            }
            assert!(stored(&fixture, &place).await == bytes, "{len} bytes, {declared:?}, {piece_len}");
        }
    }
}

#[tokio::test]
async fn verifies_what_the_client_claims_and_keeps_what_was_asked_for() {
    let fixture = Fixture::new().await;
    for len in [100, 300_000] {
        let bytes = pattern(1, len);
        let md5 = Some(dovetail_digest::md5(&bytes));
        for algorithm in [KEEP, Algorithm::Sha256] {
            let right = digest(algorithm, &bytes);
            let claims = Claims { md5, checksum: Some((algorithm, right)) };
            let received =
                receive(&fixture.engine, body(&bytes, 999, None, claims, false), PLAN, None).await.unwrap();
            assert_eq!(received.checksum, digest(KEEP, &bytes));
            assert_eq!(received.announced, Some((algorithm, right)));
        }
    }
}

/// Bytes sent, declared length, claims, whether the connection is cut.
type Refused = (usize, Option<u64>, Claims, bool, fn(&Error) -> bool);

#[tokio::test]
async fn refuses_what_does_not_fit_and_leaves_nothing() {
    let fixture = Fixture::new().await;
    let none = Claims::default();
    let md5 = Claims { md5: Some([1; 16]), checksum: None };
    let checksum = |algorithm: Algorithm| Claims {
        md5: None,
        checksum: Some((algorithm, Digest::new(&vec![1; algorithm.digest_len()]))),
    };
    let mut cases: Vec<Refused> = vec![
        (5 << 20, None, none, false, |err| matches!(err, Error::EntityTooLarge { max: 4_194_304, .. })),
        (0, Some(5 << 20), none, false, |err| matches!(err, Error::EntityTooLarge { len: 5_242_880, .. })),
    ];
    for len in [10, 200_000, 2_200_000] {
        cases.push((len, Some(len as u64 + 1), none, false, |err| matches!(err, Error::BodyLen { .. })));
        cases.push((len, Some(len as u64 - 1), none, false, |err| matches!(err, Error::BodyLen { .. })));
        cases.push((len, Some(len as u64 + 100_000), none, true, |err| matches!(err, Error::Body(_))));
        cases.push((len, None, none, true, |err| matches!(err, Error::Body(_))));
        cases.push((len, None, md5, false, |err| matches!(err, Error::Md5Mismatch { .. })));
        for algorithm in [KEEP, Algorithm::Sha1] {
            cases.push((len, None, checksum(algorithm), false, |err| {
                matches!(err, Error::ChecksumMismatch { algorithm: KEEP | Algorithm::Sha1 })
            }));
        }
    }
    let free = fixture.engine.buffers.bodies_free();
    for (index, (len, declared, claims, cut, expected)) in cases.into_iter().enumerate() {
        let body = body(&pattern(2, len), 50_000, declared, claims, cut);
        let refused = receive(&fixture.engine, body, PLAN, None).await.err().expect("refused");
        assert!(expected(&refused), "case {index}: {refused:?}");
        assert!(fixture.stored_blobs().await.is_empty());
    }
    // The lanes let go of a dropped stream's chunks within milliseconds.
    let all_back = async {
        while fixture.engine.buffers.bodies_free() < free {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), all_back).await.expect("all memory comes back");
}

#[tokio::test]
async fn a_large_body_without_memory_is_told_to_slow_down_and_a_small_one_is_not() {
    let settings = Settings {
        body_memory_len: CHUNK_LEN * CHUNKS_PER_BODY,
        body_memory_wait: Duration::from_millis(10),
        ..Settings::default()
    };
    let fixture = Fixture::with(settings).await;
    let _taken = fixture.engine.buffers.lease(Duration::ZERO).await.unwrap();
    let send = async |len: usize| {
        let body = body(&pattern(3, len), 50_000, Some(len as u64), Claims::default(), false);
        receive(&fixture.engine, body, PLAN, None).await.map(|received| received.len)
    };
    assert!(matches!(send(100_000).await, Err(Error::SlowDown)));
    assert_eq!(send(1000).await.unwrap(), 1000);
}
