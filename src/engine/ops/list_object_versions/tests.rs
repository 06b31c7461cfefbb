use super::*;
use crate::engine::conditions::WriteConditions;
use crate::engine::ops::delete_object::{DeleteObject, ObjectToDelete, delete_object};
use crate::engine::ops::put_bucket_versioning::{PutBucketVersioning, put_bucket_versioning};
use crate::engine::testing::{BUCKET, Fixture, OWNER};
use crate::meta::Step;

async fn versioning(fixture: &Fixture, enabled: bool) {
    let request = PutBucketVersioning { bucket: BUCKET.into(), enabled };
    put_bucket_versioning(&fixture.engine, request).await.unwrap();
}

async fn delete(fixture: &Fixture, key: &str, id: Option<&str>) {
    let object =
        ObjectToDelete { key: key.into(), version_id: id.map(str::to_string), ..ObjectToDelete::default() };
    let request = DeleteObject { bucket: BUCKET.into(), owner: OWNER.into(), object, ..Default::default() };
    delete_object(&fixture.engine, request).await.unwrap();
}

/// Keys with a null version alone, with several versions, with a marker on top and with markers alone.
async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    for key in ["a", "dir/1", "z"] {
        fixture.put_into(BUCKET, key, b"null").await;
    }
    versioning(&fixture, true).await;
    for key in ["a", "a", "a/b", "dir/1", "dir/2", "dir/2", "m"] {
        fixture.put_into(BUCKET, key, b"version").await;
    }
    for key in ["a/b", "dir/2", "none", "none"] {
        delete(&fixture, key, None).await;
    }
    versioning(&fixture, false).await;
    fixture.put_into(BUCKET, "m", b"null").await;
    delete(&fixture, "dir/1", None).await;
    fixture
}

fn request(prefix: &str, delimiter: &str, max: usize) -> ListObjectVersions {
    ListObjectVersions {
        bucket: BUCKET.into(),
        prefix: prefix.into(),
        delimiter: (!delimiter.is_empty()).then(|| delimiter.to_string()),
        max,
        ..ListObjectVersions::default()
    }
}

async fn all(fixture: &Fixture, mut request: ListObjectVersions) -> Vec<VersionEntry> {
    let mut entries = Vec::new();
    loop {
        let page = list_object_versions(&fixture.engine, request.clone()).await.unwrap();
        assert_eq!(page.is_truncated, page.next.is_some());
        assert!(page.entries.len() == request.max || !page.is_truncated);
        entries.extend(page.entries);
        let Some((key, id)) = page.next else { return entries };
        (request.key_marker, request.version_id_marker) = (Some(key), id);
    }
}

/// Key or prefix; `+` before the latest version, `x` after markers, `0` after null versions.
fn words(entries: &[VersionEntry]) -> Vec<String> {
    let word = |entry: &VersionEntry| match entry {
        VersionEntry::CommonPrefix(prefix) => format!("({prefix})"),
        VersionEntry::Version { key, version, is_latest } => {
            let latest = if *is_latest { "+" } else { "" };
            let marker = if version.delete_marker { "x" } else { "" };
            let null = if version.version_id.is_none() { "0" } else { "" };
            format!("{latest}{key}{marker}{null}")
        }
    };
    entries.iter().map(word).collect()
}

#[tokio::test]
async fn versions_and_markers_come_by_key_and_newest_first() {
    let fixture = fixture().await;
    let expected = [
        "+a", "a", "a0", "+a/bx", "a/b", "+dir/1x0", "dir/1", "+dir/2x", "dir/2", "dir/2", "+m0", "m",
        "+nonex", "nonex", "+z0",
    ];
    for max in 1..=16 {
        let entries = all(&fixture, request("", "", max)).await;
        assert_eq!(words(&entries), expected, "pages of {max}");
    }
    for max in 1..=8 {
        let entries = all(&fixture, request("", "/", max)).await;
        let rolled = ["+a", "a", "a0", "(a/)", "(dir/)", "+m0", "m", "+nonex", "nonex", "+z0"];
        assert_eq!(words(&entries), rolled, "pages of {max}");
    }
    assert_eq!(words(&all(&fixture, request("dir/1", "/", 1)).await), ["+dir/1x0", "dir/1"]);
    assert_eq!(words(&all(&fixture, request("b", "", 1)).await), [""; 0]);
    assert_eq!(all(&fixture, request("", "", 0)).await, []);
}

#[tokio::test]
async fn markers_need_not_name_what_is_there() {
    let fixture = fixture().await;
    let after = async |key: &str, id: Option<&str>, delimiter: &str| {
        let mut request = request("", delimiter, 3);
        (request.key_marker, request.version_id_marker) = (Some(key.into()), id.map(str::to_string));
        words(&list_object_versions(&fixture.engine, request).await.unwrap().entries)
    };
    assert_eq!(after("a", None, "").await, ["+a/bx", "a/b", "+dir/1x0"]);
    assert_eq!(after("d", None, "").await, ["+dir/1x0", "dir/1", "+dir/2x"]);
    assert_eq!(after("dir/", None, "/").await, ["+m0", "m", "+nonex"]);
    assert_eq!(after("dir/1", Some("null"), "/").await, ["+m0", "m", "+nonex"]);
    assert_eq!(after("zz", None, "").await, [""; 0]);
    // A null version that is not there tells no place: everything of the key is shown.
    assert_eq!(after("a/b", Some("null"), "").await, ["+a/bx", "a/b", "+dir/1x0"]);
    let mut bad = request("", "", 1);
    (bad.key_marker, bad.version_id_marker) = (Some("a".into()), Some("1234".into()));
    assert!(matches!(list_object_versions(&fixture.engine, bad).await, Err(Error::InvalidVersionIdMarker)));
}

#[tokio::test]
async fn who_deletes_what_a_page_showed_misses_nothing() {
    for max in 1..=5 {
        let fixture = fixture().await;
        let mut request = request("", "", max);
        let mut deleted = 0;
        loop {
            let page = list_object_versions(&fixture.engine, request.clone()).await.unwrap();
            for entry in &page.entries {
                let VersionEntry::Version { key, version, .. } = entry else { panic!("{entry:?}") };
                delete(&fixture, key, Some(objects::listed_id(&version.version_id))).await;
                deleted += 1;
            }
            let Some((key, id)) = page.next else { break };
            (request.key_marker, request.version_id_marker) = (Some(key), id);
        }
        assert_eq!(deleted, 15, "pages of {max}");
        assert_eq!(fixture.keys(Table::Versions).await.len() + fixture.keys(Table::Objects).await.len(), 0);
    }
}

#[tokio::test]
async fn what_is_latest_is_judged_by_what_is_there_now() {
    let fixture = Fixture::new().await;
    versioning(&fixture, true).await;
    fixture.put_into(BUCKET, "key", b"1").await;
    delete(&fixture, "key", None).await;
    let second = fixture.put_into(BUCKET, "key", b"2").await;
    let id = second.version_id.clone().unwrap();
    delete(&fixture, "key", Some(&id)).await;
    let mut request = request("", "", 10);
    (request.key_marker, request.version_id_marker) = (Some("key".into()), Some(id));
    let page = list_object_versions(&fixture.engine, request).await.unwrap();
    assert_eq!(words(&page.entries), ["+keyx", "key"]);
}

/// Counts what a scan looks at.
struct Counting<'a> {
    inner: &'a dyn Read,
    visited: std::cell::Cell<usize>,
}

impl Read for Counting<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<bytes::Bytes>, crate::meta::Error> {
        self.inner.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Step,
    ) -> Result<(), crate::meta::Error> {
        self.inner.scan(table, from, &mut |key, value| {
            self.visited.set(self.visited.get() + 1);
            visit(key, value)
        })
    }
}

#[tokio::test]
async fn a_page_costs_its_entries_and_not_what_it_skips() {
    let fixture = Fixture::new().await;
    versioning(&fixture, true).await;
    let template = fixture.put_empty("template").await;
    fixture
        .write(move |tx| {
            let bucket = objects::bucket(tx, BUCKET)?;
            for name in 0..2000 {
                let key = format!("{:02}/{:03}", name / 100, name % 100);
                for _ in 0..3 {
                    let conditions = WriteConditions::default();
                    objects::put_current(tx, &bucket, &key, &template, &conditions)?;
                }
            }
            Ok(())
        })
        .await;
    for (prefix, delimiter, max, entries) in
        [("", "/", 15, 15), ("", "", 10, 10), ("07/", "", 1000, 300), ("", "/", 1000, 21)]
    {
        let request = request(prefix, delimiter, max);
        let counted = fixture.engine.meta.read(move |read| {
            let bucket = objects::bucket(read, BUCKET)?;
            let counting = Counting { inner: read, visited: 0.into() };
            let page = page(&counting, &bucket, &request)?;
            Ok::<_, Error>((page.entries.len(), counting.visited.get()))
        });
        let (found, visited) = counted.await.unwrap();
        assert_eq!(found, entries);
        // Both tables are read ahead by a few rows, which a common prefix skips.
        assert!(visited <= 10 * entries + 10, "{visited} rows for {entries} entries");
    }
}
