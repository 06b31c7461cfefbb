use super::*;
use crate::engine::testing::{BUCKET, Fixture};
use std::collections::BTreeSet;

async fn list(fixture: &Fixture, request: ListMultipartUploads) -> UploadPage {
    let request = ListMultipartUploads { bucket: BUCKET.into(), ..request };
    list_multipart_uploads(&fixture.engine, request).await.unwrap()
}

fn names(page: &UploadPage) -> Vec<String> {
    let name = |entry: &UploadEntry| match entry {
        UploadEntry::Upload { key, .. } => key.clone(),
        UploadEntry::CommonPrefix(prefix) => format!("[{prefix}]"),
    };
    page.entries.iter().map(name).collect()
}

async fn fixture_with(keys: &[&str]) -> Fixture {
    let fixture = Fixture::new().await;
    for key in keys {
        fixture.engine.clock.advance(1);
        fixture.create_at(key, None).await.unwrap();
    }
    fixture
}

const KEYS: &[&str] = &["b", "a/x", "a", "a/y/z", "a", "c/1", "a/y", "c/2", "ä", "a"];

#[tokio::test]
async fn lists_by_key_then_by_age_with_prefixes_rolled_up() {
    let fixture = fixture_with(KEYS).await;
    let all = ["a", "a", "a", "a/x", "a/y", "a/y/z", "b", "c/1", "c/2", "ä"];
    // Prefix, delimiter, key marker, what is listed.
    type Row<'a> = (&'a str, Option<&'a str>, Option<&'a str>, &'a [&'a str]);
    let table: [Row<'_>; 12] = [
        ("", None, None, &all),
        ("", Some("/"), None, &["a", "a", "a", "[a/]", "b", "[c/]", "ä"]),
        ("a", None, None, &["a", "a", "a", "a/x", "a/y", "a/y/z"]),
        ("a/", Some("/"), None, &["a/x", "a/y", "[a/y/]"]),
        ("", None, Some("a"), &["a/x", "a/y", "a/y/z", "b", "c/1", "c/2", "ä"]),
        ("", None, Some("a/xx"), &["a/y", "a/y/z", "b", "c/1", "c/2", "ä"]),
        ("", Some("/"), Some("a/"), &["b", "[c/]", "ä"]),
        ("", Some("/"), Some("a/x"), &["b", "[c/]", "ä"]),
        ("c", Some("/"), Some("a"), &["[c/]"]),
        ("a/", None, Some("b"), &[]),
        ("", None, Some("ä"), &[]),
        ("x", None, None, &[]),
    ];
    for (prefix, delimiter, key_marker, expected) in table {
        let request = ListMultipartUploads {
            prefix: prefix.to_string(),
            delimiter: delimiter.map(str::to_string),
            key_marker: key_marker.map(str::to_string),
            max: 1000,
            ..ListMultipartUploads::default()
        };
        let page = list(&fixture, request.clone()).await;
        assert_eq!(names(&page), expected, "{request:?}");
        assert!(!page.is_truncated && page.next.is_none());
    }
    let none = list(&fixture, ListMultipartUploads::default()).await;
    assert_eq!(none, UploadPage::default(), "a page of no entries is not truncated");
}

#[tokio::test]
async fn pages_of_any_size_add_up_to_the_whole_list() {
    let fixture = fixture_with(KEYS).await;
    for delimiter in [None, Some("/".to_string())] {
        let mut request = ListMultipartUploads { delimiter, max: 1000, ..ListMultipartUploads::default() };
        let whole = list(&fixture, request.clone()).await.entries;
        for max in 1..=whole.len() + 1 {
            let mut entries = Vec::new();
            request = ListMultipartUploads { max, key_marker: None, upload_id_marker: None, ..request };
            loop {
                let page = list(&fixture, request.clone()).await;
                assert_eq!(page.is_truncated, page.next.is_some());
                assert!(page.entries.len() <= max);
                entries.extend(page.entries);
                let Some((key, id)) = page.next else { break };
                (request.key_marker, request.upload_id_marker) = (Some(key), id);
            }
            assert_eq!(entries, whole, "{max} a page");
        }
    }
}

#[tokio::test]
async fn uploads_of_one_key_and_one_moment_are_all_listed_and_a_marker_need_not_exist() {
    let fixture = fixture_with(&[]).await;
    let mut ids = BTreeSet::new();
    for _ in 0..5 {
        ids.insert(fixture.create_at("k", None).await.unwrap());
    }
    let ids: Vec<_> = ids.into_iter().collect();
    let mut request =
        ListMultipartUploads { key_marker: Some("k".into()), max: 9, ..ListMultipartUploads::default() };
    for (index, id) in ids.iter().enumerate() {
        request.upload_id_marker = Some(*id);
        let aborted = crate::engine::ops::abort_multipart_upload::AbortMultipartUpload {
            bucket: BUCKET.into(),
            key: "k".into(),
            upload_id: *id,
            if_initiated: None,
        };
        crate::engine::ops::abort_multipart_upload::abort_multipart_upload(&fixture.engine, aborted)
            .await
            .unwrap();
        let found: Vec<_> = list(&fixture, request.clone())
            .await
            .entries
            .into_iter()
            .map(|entry| match entry {
                UploadEntry::Upload { id, .. } => id,
                UploadEntry::CommonPrefix(prefix) => panic!("no prefix was asked for: {prefix}"),
            })
            .collect();
        assert_eq!(found, ids[index + 1..]);
    }
}
