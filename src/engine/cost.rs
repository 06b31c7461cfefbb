//! Invariant 7, counted: what an operation reads and writes follows its answer, not what lies around it.

use crate::engine::ops::get_object::PartOrRange;
use crate::engine::ops::list_objects::{ListObjects, list_objects};
use crate::engine::ops::list_parts::{ListParts, list_parts};
use crate::engine::ops::put_bucket_versioning::{PutBucketVersioning, put_bucket_versioning};
use crate::engine::selection::{ByteRange, RangeSpec};
use crate::engine::testing::counting::{Cost, Counting, Counts};
use crate::engine::testing::uploads::{KEY, body, letters, listing};
use crate::engine::testing::{BUCKET, Fixture, read_all};
use crate::engine::{references, uploads};
use crate::meta::Meta;
use crate::meta::keys::UploadId;
use crate::meta::records::PARTS_PER_INDEX_ENTRY;
use std::sync::Arc;

/// An engine over memory, and what is read from its store.
async fn counted() -> (Fixture, Arc<Counts>) {
    let (store, counts) = Counting::new(crate::meta::memory::Memory::new());
    let fixture = Fixture::over(Meta::new(store), Arc::new(crate::blob::memory::Memory::new())).await;
    (fixture, counts)
}

/// The cost of what `work` does.
async fn cost<T>(counts: &Counts, work: impl Future<Output = T>) -> (T, Cost) {
    let before = counts.so_far();
    let result = work.await;
    (result, counts.so_far() - before)
}

/// An open upload of `count` parts of 5 MiB, all of them one blob.
async fn upload_of(fixture: &Fixture, count: u16) -> (UploadId, Vec<(u16, [u8; 16])>) {
    let id = fixture.create(None).await;
    let md5 = fixture.upload(id, 1, body(letters(b'x'))).await.unwrap().md5;
    fixture
        .write(move |tx| {
            let first = uploads::part(tx, id, 1)?.expect("it was just uploaded");
            for number in 2..=count {
                references::share_extents(tx, &first.extents)?;
                uploads::put_part(tx, id, number, &first)?;
            }
            Ok(())
        })
        .await;
    (id, (1..=count).map(|number| (number, md5)).collect())
}

#[tokio::test]
async fn a_page_of_keys_does_not_read_the_versions_and_markers_that_it_skips() {
    let (fixture, counts) = counted().await;
    let enable = PutBucketVersioning { bucket: BUCKET.into(), enabled: true };
    put_bucket_versioning(&fixture.engine, enable).await.unwrap();
    for key in 0..60 {
        let key = format!("{key:02}");
        for _ in 0..20 {
            fixture.put_into(BUCKET, &key, b"x").await;
        }
        if key.as_str() < "50" {
            fixture.delete(&key).await;
        }
    }
    let request =
        ListObjects { bucket: BUCKET.into(), prefix: String::new(), delimiter: None, after: None, max: 5 };
    // The 1,000 versions and 50 markers before the first key that is there cost nothing.
    let (page, cost) = cost(&counts, list_objects(&fixture.engine, request)).await;
    assert_eq!(page.unwrap().entries.len(), 5);
    assert_eq!(cost, Cost { gets: 1, seeks: 1, entries: 6, writes: 0 });
}

#[tokio::test]
async fn a_page_of_common_prefixes_costs_a_seek_for_each() {
    let (fixture, counts) = counted().await;
    for prefix in 0..20 {
        for key in 0..50 {
            fixture.put_empty(&format!("{prefix:02}/{key:02}")).await;
        }
    }
    let request = ListObjects {
        bucket: BUCKET.into(),
        prefix: String::new(),
        delimiter: Some("/".into()),
        after: None,
        max: 10,
    };
    let (page, cost) = cost(&counts, list_objects(&fixture.engine, request)).await;
    assert_eq!(page.unwrap().entries.len(), 10);
    assert_eq!(cost, Cost { gets: 1, seeks: 11, entries: 11, writes: 0 });
}

#[tokio::test]
async fn parts_cost_their_page_complete_its_list_and_a_range_the_parts_around_it() {
    let (fixture, counts) = counted().await;
    let (id, parts) = upload_of(&fixture, 10_000).await;
    let request = ListParts { bucket: BUCKET.into(), key: KEY.into(), upload_id: id, after: 5_000, max: 10 };
    let (page, spent) = cost(&counts, list_parts(&fixture.engine, request)).await;
    assert_eq!(page.unwrap().parts.len(), 10);
    assert!(spent.seeks == 1 && spent.entries <= 11 && spent.gets <= 3, "{spent:?}");

    // Each part is read once, outside the transaction, and no part is written.
    let (completed, spent) = cost(&counts, fixture.complete(listing(id, &parts))).await;
    completed.unwrap();
    assert_eq!(spent.entries, 10_000, "{spent:?}");
    assert!(spent.gets <= 12 && spent.seeks <= 3 && spent.writes <= 6, "{spent:?}");

    let first = 7_000 * (5 << 20) + 17;
    let range = RangeSpec::FromTo { first, last: Some(first + 99) };
    let range = PartOrRange::Range(ByteRange { range, if_range: None });
    let (opened, spent) = cost(&counts, fixture.open(KEY, range)).await;
    let around = PARTS_PER_INDEX_ENTRY as u64;
    assert!(spent.gets <= 5 && spent.seeks == 1 && spent.entries <= around + 1, "{spent:?}");
    let (bytes, spent) = cost(&counts, read_all(opened.unwrap())).await;
    assert_eq!(bytes.unwrap(), [b'x'; 100]);
    assert_eq!(spent, Cost { gets: 0, seeks: 0, entries: 0, writes: 0 });
}
