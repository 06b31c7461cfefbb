use super::*;
use crate::engine::objects;
use crate::engine::testing::{BUCKET, Fixture};
use crate::meta::records::{Record as _, VersionRecord};

const KEYS: &[&str] = &[
    "a",
    "a/",
    "a/1",
    "a/2",
    "a/b/1",
    "a0",
    "b",
    "b--1",
    "b--2",
    "c/1",
    "d\u{1}",
    "z/\u{10ffff}",
    "é/1",
    "é/2",
];

async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    for key in KEYS {
        fixture.put_empty(key).await;
    }
    fixture
}

fn request(prefix: &str, delimiter: &str, after: Option<ListAfter>, max: usize) -> ListObjects {
    ListObjects {
        bucket: BUCKET.into(),
        prefix: prefix.to_string(),
        delimiter: (!delimiter.is_empty()).then(|| delimiter.to_string()),
        after,
        max,
    }
}

fn key(key: &str) -> Option<ListAfter> {
    Some(ListAfter::Key(key.to_string()))
}

fn prefix(prefix: &str) -> Option<ListAfter> {
    Some(ListAfter::Prefix(prefix.to_string()))
}

/// Common prefixes are marked with `*`.
fn shown(page: &ObjectPage) -> Vec<String> {
    let show = |entry: &ListEntry| match entry {
        ListEntry::Object { key, .. } => key.clone(),
        ListEntry::CommonPrefix(prefix) => format!("{prefix}*"),
    };
    page.entries.iter().map(show).collect()
}

#[tokio::test]
async fn lists_in_byte_order_with_prefixes_rolled_up() {
    let fixture = fixture().await;
    // Prefix, delimiter, after, entries.
    let table: &[(&str, &str, Option<ListAfter>, &[&str])] = &[
        ("", "", None, KEYS),
        ("a/", "", None, &["a/", "a/1", "a/2", "a/b/1"]),
        ("nothing", "", None, &[]),
        ("", "/", None, &["a", "a/*", "a0", "b", "b--1", "b--2", "c/*", "d\u{1}", "z/*", "é/*"]),
        ("a/", "/", None, &["a/", "a/1", "a/2", "a/b/*"]),
        ("a", "/", None, &["a", "a/*", "a0"]),
        (
            "",
            "--",
            None,
            &[
                "a",
                "a/",
                "a/1",
                "a/2",
                "a/b/1",
                "a0",
                "b",
                "b--*",
                "c/1",
                "d\u{1}",
                "z/\u{10ffff}",
                "é/1",
                "é/2",
            ],
        ),
        ("b-", "-", None, &["b--*"]),
        ("é", "/", None, &["é/*"]),
        // A marker is exclusive and need not exist.
        ("", "", key("b"), &["b--1", "b--2", "c/1", "d\u{1}", "z/\u{10ffff}", "é/1", "é/2"]),
        ("", "", key("b--15"), &["b--2", "c/1", "d\u{1}", "z/\u{10ffff}", "é/1", "é/2"]),
        ("", "", key("é/2"), &[]),
        ("a/", "", key("a/1"), &["a/2", "a/b/1"]),
        // Before and behind the prefix.
        ("a/", "", key("A"), &["a/", "a/1", "a/2", "a/b/1"]),
        ("a/", "", key("b"), &[]),
        // A marker equal to or inside a common prefix skips it; one before it does not.
        ("", "/", key("a"), &["a/*", "a0", "b", "b--1", "b--2", "c/*", "d\u{1}", "z/*", "é/*"]),
        ("", "/", key("a/"), &["a0", "b", "b--1", "b--2", "c/*", "d\u{1}", "z/*", "é/*"]),
        ("", "/", key("a/1"), &["a0", "b", "b--1", "b--2", "c/*", "d\u{1}", "z/*", "é/*"]),
        ("", "/", key("z/"), &["é/*"]),
        ("", "/", key("é/"), &[]),
        ("a/", "/", key("a/b/0"), &[]),
        ("a/", "/", key("a/1"), &["a/2", "a/b/*"]),
        // Without the delimiter the same marker is only a key.
        (
            "",
            "",
            key("a/"),
            &[
                "a/1",
                "a/2",
                "a/b/1",
                "a0",
                "b",
                "b--1",
                "b--2",
                "c/1",
                "d\u{1}",
                "z/\u{10ffff}",
                "é/1",
                "é/2",
            ],
        ),
        // After a prefix.
        ("", "/", prefix("a/"), &["a0", "b", "b--1", "b--2", "c/*", "d\u{1}", "z/*", "é/*"]),
        ("", "/", prefix("z/"), &["é/*"]),
        ("", "/", prefix("é/"), &[]),
    ];
    for (prefix, delimiter, after, expected) in table {
        let page =
            list_objects(&fixture.engine, request(prefix, delimiter, after.clone(), 1000)).await.unwrap();
        assert_eq!(shown(&page), *expected, "prefix {prefix:?} delimiter {delimiter:?} after {after:?}");
        assert!(!page.is_truncated && page.next.is_none());
    }
}

#[tokio::test]
async fn pages_of_any_length_add_up_to_the_whole_listing() {
    let fixture = fixture().await;
    for (prefix, delimiter) in [("", ""), ("", "/"), ("a/", "/"), ("a", "/"), ("", "--"), ("", "1")] {
        let whole = list_objects(&fixture.engine, request(prefix, delimiter, None, 1000)).await.unwrap();
        for max in 1..=whole.entries.len() + 1 {
            let mut found = Vec::new();
            let mut after = None;
            loop {
                let page =
                    list_objects(&fixture.engine, request(prefix, delimiter, after, max)).await.unwrap();
                found.extend(shown(&page));
                assert_eq!(page.is_truncated, page.next.is_some());
                assert_eq!(page.is_truncated, found.len() < whole.entries.len(), "exact");
                after = page.next;
                if after.is_none() {
                    break;
                }
                assert_eq!(page.entries.len(), max);
            }
            assert_eq!(found, shown(&whole), "prefix {prefix:?} delimiter {delimiter:?} max {max}");
        }
    }
}

#[tokio::test]
async fn a_page_of_no_entries_is_empty_and_not_truncated() {
    let fixture = fixture().await;
    let page = list_objects(&fixture.engine, request("", "", None, 0)).await.unwrap();
    assert_eq!(page, ObjectPage::default());
}

#[tokio::test]
async fn shows_one_bucket_only() {
    let fixture = fixture().await;
    let mut other = request("", "", None, 10);
    other.bucket = "other".into();
    assert!(matches!(list_objects(&fixture.engine, other.clone()).await, Err(Error::NoSuchBucket)));
    let bucket = crate::engine::ops::create_bucket::CreateBucket {
        name: "other".into(),
        owner: "x".into(),
        ..Default::default()
    };
    crate::engine::ops::create_bucket::create_bucket(&fixture.engine, bucket).await.unwrap();
    assert_eq!(list_objects(&fixture.engine, other).await.unwrap(), ObjectPage::default());
}

/// Counts the entries that a scan visits.
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
    fixture
        .write(|tx| {
            let bucket = objects::bucket(tx, BUCKET)?.id;
            let version = VersionRecord {
                version_id: None,
                modified_ms: 0,
                len: 0,
                etag: crate::meta::records::ETag { md5: [0; 16], parts: None },
                checksum: None,
                body: crate::meta::records::Body::Empty,
                metadata: Default::default(),
                owner: String::new(),
                delete_marker: false,
                sequence: 0,
                acl: None,
                lock: None,
                encryption: None,
            };
            for folder in 0..20 {
                for file in 0..500 {
                    tx.put(
                        Table::Objects,
                        &keys::object(bucket, &format!("{folder:02}/{file:03}")),
                        version.encode(),
                    );
                }
            }
            Ok(())
        })
        .await;
    let visited = |request: ListObjects| {
        fixture.engine.meta.read(move |read| {
            let bucket = objects::bucket(read, BUCKET)?;
            let counting = Counting { inner: read, visited: 0.into() };
            let page = page(&counting, &bucket, &request)?;
            Ok::<_, Error>((page.entries.len(), counting.visited.get()))
        })
    };
    // Entries, and keys looked at: one more tells whether the page is the last.
    assert_eq!(visited(request("", "/", None, 10)).await.unwrap(), (10, 11));
    assert_eq!(visited(request("", "/", key("04/100"), 10)).await.unwrap(), (10, 11));
    assert_eq!(visited(request("", "", key("04/100"), 10)).await.unwrap(), (10, 11));
    assert_eq!(visited(request("05/", "", None, 1000)).await.unwrap(), (500, 501));
}
