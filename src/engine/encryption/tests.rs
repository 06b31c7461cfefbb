//! What is changed in the store is not read, and what may be shared is.

use super::*;
use crate::engine::Settings;
use crate::engine::bucket_documents;
use crate::engine::jobs::collector;
use crate::engine::testing::uploads::{KEY, body, listing};
use crate::engine::testing::{BUCKET, Fixture, pattern};
use crate::meta::Table;
use crate::meta::records::BucketEncryptionRecord;
use crate::meta::records::{BlobRecord, Extent, PartRecord, Record};
use std::sync::Arc;

/// A bucket whose rule encrypts everything.
async fn encrypting() -> Fixture {
    let keyring = Arc::new(Keyring::new(&[[1; 32]], &Default::default()));
    let fixture = Fixture::with(Settings { keyring, ..Settings::default() }).await;
    let rule = BucketEncryptionRecord { method: Some(RuleMethod::S3), ..Default::default() };
    bucket_documents::put(&fixture.engine, BUCKET, rule).await.unwrap();
    fixture
}

#[tokio::test]
async fn blocks_that_were_changed_together_with_their_checksums_are_refused() {
    let fixture = encrypting().await;
    let bytes = pattern(1, 600_000);
    for key in ["one", "two"] {
        fixture.put(key, body(bytes.clone()), Default::default()).await.unwrap();
    }
    assert_eq!(fixture.get("one").await.unwrap(), bytes);
    // The same bytes under two keys: each part is made to name the other's blob, whose checksums are right.
    fixture
        .write(|tx| {
            let mut parts = Vec::new();
            tx.scan(Table::Parts, &[], &mut |key, value| {
                parts.push((key.to_vec(), PartRecord::decode(value).unwrap()));
                crate::meta::Step::Next
            })?;
            let [(first, one), (second, two)] = &parts[..] else { panic!("two objects have two parts") };
            let swapped = |of: &PartRecord, with: &PartRecord| PartRecord {
                extents: vec![Extent::new(with.extents[0].blob(), 0, of.len)],
                ..of.clone()
            };
            tx.put(Table::Parts, first, swapped(one, two).encode());
            tx.put(Table::Parts, second, swapped(two, one).encode());
            Ok(())
        })
        .await;
    for key in ["one", "two"] {
        assert!(matches!(fixture.get(key).await, Err(Error::Storage(_))), "{key}");
    }
}

#[tokio::test]
async fn a_blob_whose_tags_are_gone_or_wrong_is_not_read_as_it_lies() {
    let changes: [fn(&mut Vec<u8>); 2] = [|tags| tags.clear(), |tags| tags[0] ^= 1];
    for change in changes {
        let fixture = encrypting().await;
        fixture.put("key", body(pattern(1, 300_000)), Default::default()).await.unwrap();
        fixture
            .write(move |tx| {
                let mut blobs = Vec::new();
                tx.scan(Table::Blobs, &[], &mut |key, value| {
                    blobs.push((key.to_vec(), BlobRecord::decode(value).unwrap()));
                    crate::meta::Step::Next
                })?;
                for (key, mut record) in blobs {
                    change(&mut record.block_tags);
                    tx.put(Table::Blobs, &key, record.encode());
                }
                Ok(())
            })
            .await;
        assert!(matches!(fixture.get("key").await, Err(Error::Storage(_))));
    }
}

#[tokio::test]
async fn a_repeated_part_is_another_blob_under_another_key() {
    let fixture = encrypting().await;
    let id = fixture.create(None).await;
    let bytes = pattern(1, 300_000);
    let first = fixture.upload(id, 1, body(bytes.clone())).await.unwrap();
    let stored = fixture.entries(Table::Blobs).await;
    let again = fixture.upload(id, 1, body(bytes.clone())).await.unwrap();
    assert_eq!(first.md5, again.md5, "the same bytes have the same ETag");
    let replaced = fixture.entries(Table::Blobs).await;
    assert_eq!((stored.len(), replaced.len()), (1, 1));
    let tags = |entries: &[(Vec<u8>, Vec<u8>)]| BlobRecord::decode(&entries[0].1).unwrap().block_tags;
    assert_ne!(stored[0].0, replaced[0].0);
    assert_ne!(tags(&stored), tags(&replaced));
    fixture.complete(listing(id, &[(1, again.md5)])).await.unwrap();
    assert_eq!(fixture.get(KEY).await.unwrap(), bytes);
    fixture.settle().await;
}

#[tokio::test]
async fn the_rule_is_the_buckets_own_and_is_registered_before_it_is_used() {
    let fixture = encrypting().await;
    assert!(registry::registered(&fixture.engine.meta).await.unwrap().is_empty(), "nothing is encrypted yet");
    fixture.put("key", body(&b"bytes"[..]), Default::default()).await.unwrap();
    let registered = registry::registered(&fixture.engine.meta).await.unwrap();
    assert_eq!(registered, [keyring::fingerprint(&[1; 32])]);
    assert!(registry::missing(&registered, &fixture.engine.settings.keyring).is_empty());
    assert_eq!(registry::missing(&registered, &Keyring::default()).len(), 1);
    let other = wanted(&fixture.engine, &"other".into(), None).await;
    assert!(matches!(other, Err(Error::NoSuchBucket)));
    collector::run_once(&fixture.engine).await.unwrap();
    let stored = fixture.entries(Table::Inline).await;
    assert_eq!(stored.len(), 1);
    assert!(!stored[0].1.windows(5).any(|window| window == b"bytes"));
}
