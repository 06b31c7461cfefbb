use super::*;
use crate::blob::faulty::Call;
use crate::engine::conditions::{ReadConditions, Tags};
use crate::engine::jobs::collector;
use crate::engine::testing::{BUCKET, Fixture, OWNER, pattern};
use crate::meta::Table;

fn copy(from: &str, to: &str) -> CopyObject {
    CopyObject {
        source: Source { bucket: BUCKET.into(), key: from.into(), ..Source::default() },
        bucket: BUCKET.into(),
        key: to.into(),
        writer: "copier".into(),
        ..CopyObject::default()
    }
}

#[tokio::test]
async fn either_side_can_go_and_the_other_stays() {
    for (deleted, kept) in [("from", "to"), ("to", "from")] {
        let fixture = Fixture::new().await;
        let bytes = pattern(1, 300_000);
        for kind in 0..4 {
            let bytes = match kind {
                0 => fixture.put_single("from", &bytes).await.len as usize,
                1 => fixture.put_inline("from", &bytes[..100]).await.len as usize,
                2 => fixture.put_multipart("from", &[(1, bytes.clone()), (5, vec![])]).await.len as usize,
                _ => fixture.put_empty("from").await.len as usize,
            }
            .min(bytes.len());
            let created = fixture.blobs.calls(Call::Create);
            copy_object(&fixture.engine, copy("from", "to")).await.unwrap();
            assert_eq!(fixture.blobs.calls(Call::Create), created, "no byte is moved");
            fixture.delete(deleted).await;
            collector::run_once(&fixture.engine).await.unwrap();
            assert_eq!(fixture.get(kept).await.unwrap(), pattern(1, 300_000)[..bytes], "kind {kind}");
            fixture.delete(kept).await;
            collector::run_once(&fixture.engine).await.unwrap();
            for table in [Table::Parts, Table::Blobs, Table::References, Table::Garbage, Table::Inline] {
                assert_eq!(fixture.keys(table).await, Vec::<Vec<u8>>::new(), "{table:?} of kind {kind}");
            }
        }
    }
}

#[tokio::test]
async fn keeps_what_is_the_sources_and_takes_what_is_the_requests() {
    let fixture = Fixture::new().await;
    let source = fixture.put_multipart("from", &[(1, pattern(1, 10)), (2, pattern(2, 10))]).await;
    fixture.engine.clock().advance(5_000);
    let mut request = copy("from", "to");
    request.storage_class = Some("STANDARD_IA".into());
    request.tags = Some(vec![("a".into(), "b".into())]);
    request.website_redirect = Some("/elsewhere".into());
    let copied = copy_object(&fixture.engine, request).await.unwrap().version;
    assert_eq!((copied.etag, copied.checksum, copied.len), (source.etag, source.checksum, source.len));
    assert_eq!(copied.modified_ms, source.modified_ms + 5_000);
    assert_eq!(copied.owner, OWNER, "the bucket owns what is in it");
    assert_eq!(copied.metadata.storage_class.as_deref(), Some("STANDARD_IA"));
    let mut again = copy("to", "third");
    again.metadata = CopyMetadata::Keep;
    let again = copy_object(&fixture.engine, again).await.unwrap().version;
    assert_eq!(again.metadata.tags, [("a".to_string(), "b".to_string())]);
    assert_eq!((again.metadata.storage_class, again.metadata.headers), (None, vec![]), "never copied");
}

#[tokio::test]
async fn another_algorithm_is_computed_from_the_bytes() {
    let fixture = Fixture::new().await;
    let bytes = pattern(3, 700_000);
    fixture.put_single("from", &bytes).await;
    let mut request = copy("from", "to");
    request.algorithm = Some(Algorithm::Sha256);
    let checksum = copy_object(&fixture.engine, request).await.unwrap().version.checksum.unwrap();
    assert_eq!((checksum.algorithm.as_str(), checksum.kind), ("SHA256", ChecksumKind::FullObject));
    assert_eq!(checksum.value, dovetail_digest::digest(Algorithm::Sha256, &bytes).as_bytes());
    let opens = fixture.blobs.calls(Call::Open);
    let mut request = copy("from", "to");
    request.algorithm = Some(Algorithm::Crc64Nvme);
    copy_object(&fixture.engine, request).await.unwrap();
    assert_eq!(fixture.blobs.calls(Call::Open), opens, "the source has it already");
}

#[tokio::test]
async fn onto_itself_only_to_change_something() {
    let fixture = Fixture::new().await;
    fixture.put_single("key", &pattern(1, 100)).await;
    let mut request = copy("key", "key");
    assert!(matches!(copy_object(&fixture.engine, request.clone()).await, Err(Error::CopyOntoItself)));
    request.changes_something = true;
    copy_object(&fixture.engine, request).await.unwrap();
    collector::run_once(&fixture.engine).await.unwrap();
    assert_eq!(fixture.get("key").await.unwrap(), pattern(1, 100));
    assert!(fixture.keys(Table::References).await.is_empty(), "there is one reference again");
}

#[tokio::test]
async fn conditions_of_both_sides_are_judged() {
    let fixture = Fixture::new().await;
    fixture.put_inline("from", b"1").await;
    fixture.put_inline("to", b"2").await;
    let mut request = copy("from", "to");
    request.source.conditions = ReadConditions { if_none_match: Some(Tags::Any), ..Default::default() };
    let err = copy_object(&fixture.engine, request).await.unwrap_err();
    assert!(matches!(err, Error::PreconditionFailed { condition: "x-amz-copy-source-If-None-Match" }));
    let mut request = copy("from", "to");
    request.conditions = WriteConditions { if_none_match: Some(Tags::Any), ..Default::default() };
    let err = copy_object(&fixture.engine, request).await.unwrap_err();
    assert!(matches!(err, Error::PreconditionFailed { condition: "If-None-Match" }));
    assert_eq!(fixture.get("to").await.unwrap(), b"2");
    assert!(matches!(copy_object(&fixture.engine, copy("none", "to")).await, Err(Error::NoSuchKey)));
}

#[tokio::test]
async fn refuses_sources_that_are_too_large() {
    let fixture = Fixture::new().await;
    let mut version = fixture.put_inline("from", b"1").await;
    version.len = PART_LEN_MAX + 1;
    version.body = Body::Empty;
    fixture
        .write(move |tx| {
            let bucket = objects::bucket(tx, BUCKET)?;
            objects::put_current(tx, &bucket, "from", &version, &WriteConditions::default())
        })
        .await;
    let err = copy_object(&fixture.engine, copy("from", "to")).await.unwrap_err();
    assert!(matches!(err, Error::CopySourceTooLarge { len } if len == PART_LEN_MAX + 1));
}
