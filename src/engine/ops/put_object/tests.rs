use super::*;
use crate::blob::ErrorKind;
use crate::blob::faulty::{Call, Fault};
use crate::engine::body::Claims;
use crate::engine::conditions::Tags;
use crate::engine::testing::uploads::{Pieces, body, body_claiming, pieces};
use crate::engine::testing::{Fixture, pattern};
use dovetail_digest::{Algorithm, Digest, digest};
use std::collections::BTreeSet;

fn any() -> WriteConditions {
    WriteConditions::default()
}

#[tokio::test]
async fn what_was_put_is_what_is_read_and_its_predecessor_goes() {
    let fixture = Fixture::new().await;
    for (round, len) in [0, 10, 65_536, 65_537, 3 << 20, 5, 0].into_iter().enumerate() {
        let bytes = pattern(round as u64, len);
        let put = fixture.put("k", body(bytes.clone()), any()).await.unwrap().version;
        assert_eq!((put.len, put.etag.md5, put.etag.parts), (len as u64, dovetail_digest::md5(&bytes), None));
        let checksum = put.checksum.unwrap();
        assert_eq!((checksum.algorithm.as_str(), checksum.kind), ("CRC64NVME", ChecksumKind::FullObject));
        assert_eq!(checksum.value, digest(Algorithm::Crc64Nvme, &bytes).as_bytes());
        assert!(fixture.get("k").await.unwrap() == bytes);
        crate::engine::jobs::collector::run_once(&fixture.engine).await.unwrap();
        assert_eq!(fixture.entries(Table::Inline).await.len(), usize::from((1..=65_536).contains(&len)));
        assert_eq!(fixture.stored_blobs().await.len(), usize::from(len > 65_536));
    }
    fixture.settle().await;
}

#[tokio::test]
async fn a_refused_body_leaves_the_old_object() {
    let fixture = Fixture::new().await;
    fixture.put("k", body("old"), any()).await.unwrap();
    for len in [10, 200_000] {
        let cut =
            Pieces { pieces: pieces(pattern(1, len).into(), 7000), claims: Claims::default(), cut: true };
        let cut = Body { source: Box::new(cut), len: None, algorithm: None };
        assert!(matches!(fixture.put("k", cut, any()).await, Err(Error::Body(_))));
        let wrong = body_claiming(pattern(1, len), Algorithm::Crc32, Digest::new(&[0; 4]));
        let refused = fixture.put("k", wrong, any()).await;
        assert!(matches!(refused, Err(Error::ChecksumMismatch { algorithm: Algorithm::Crc32 })));
    }
    assert_eq!(fixture.get("k").await.unwrap(), b"old");
    fixture.settle().await;
}

#[tokio::test]
async fn conditions_are_judged_before_the_body_and_again_in_the_commit() {
    let fixture = Fixture::new().await;
    let absent = WriteConditions { if_none_match: Some(Tags::Any), ..WriteConditions::default() };
    let is = |etag: &str| WriteConditions {
        if_match: Some(Tags::Listed(vec![etag.to_string()])),
        ..WriteConditions::default()
    };
    assert!(matches!(fixture.put("k", body("a"), is("x")).await, Err(Error::NoSuchKey)));
    let etag = fixture.put("k", body("a"), absent.clone()).await.unwrap().version.etag.to_string();
    // Not a byte of this body can be read.
    let broken = Pieces { pieces: [].into(), claims: Claims::default(), cut: true };
    let broken = Body { source: Box::new(broken), len: Some(100), algorithm: None };
    let refused = fixture.put("k", broken, absent.clone()).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed { condition: "If-None-Match" })), "{refused:?}");
    let refused = fixture.put("k", body("b"), is("x")).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed { condition: "If-Match" })), "{refused:?}");
    fixture.put("k", body("b"), is(&etag)).await.unwrap();

    let racing = (0..8).map(|n| fixture.put("raced", body(pattern(n, 100_000)), absent.clone()));
    let outcomes = futures::future::join_all(racing).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(Error::PreconditionFailed { .. }))));
    fixture.settle().await;
}

#[tokio::test]
async fn a_backend_that_fails_is_told_and_leaves_nothing() {
    let fixture = Fixture::new().await;
    for (call, kind) in [
        (Call::Create, ErrorKind::NoSpace),
        (Call::Write, ErrorKind::Io),
        (Call::Finish, ErrorKind::Unavailable),
    ] {
        fixture.blobs.nth(call, fixture.blobs.calls(call) + 1, Fault::Fail(kind));
        let refused = fixture.put("k", body(pattern(1, 300_000)), any()).await.unwrap_err();
        let fits = match kind {
            ErrorKind::NoSpace => matches!(refused, Error::NoSpace(_)),
            ErrorKind::Unavailable => matches!(refused, Error::Unavailable(_)),
            _ => matches!(refused, Error::Storage(_)),
        };
        assert!(fits, "{call:?}: {refused:?}");
        assert_eq!(fixture.stored_blobs().await, BTreeSet::new());
    }
    fixture.put("k", body(pattern(1, 300_000)), any()).await.unwrap();
    fixture.settle().await;
}
