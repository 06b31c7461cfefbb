//! Listings: pages, markers, tokens, delimiters, odd keys.

use super::*;

async fn with_keys(keys: &[&str]) -> Client {
    let client = Client::with_bucket().await;
    for key in keys {
        client.put(&format!("/bucket/{key}"), "x").await.expect(200);
    }
    client
}

#[tokio::test]
async fn version_one_pages_by_marker() {
    let client = with_keys(&["a", "b/1", "b/2", "c", "d"]).await;
    let all = client.get("/bucket").await.expect(200);
    assert_eq!(all.elements("Key"), ["a", "b/1", "b/2", "c", "d"]);
    assert_eq!((all.element("IsTruncated"), all.element("MaxKeys")), ("false".into(), "1000".into()));
    assert_eq!(all.elements("ETag")[0], "\"9dd4e461268c8034f5c8564e155c67a6\"");
    assert_eq!((all.element("Size"), all.element("StorageClass")), ("1".into(), "STANDARD".into()));
    assert_eq!(all.element("ChecksumAlgorithm"), "CRC64NVME");
    assert_eq!(all.element("DisplayName"), "ALICE");
    let text = all.text();
    let order = ["<Name>", "<Prefix>", "<Marker>", "<MaxKeys>", "<IsTruncated>", "<Contents>"];
    let places: Vec<usize> = order.iter().map(|name| text.find(name).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");

    let page = client.get("/bucket?max-keys=2").await.expect(200);
    assert_eq!(page.elements("Key"), ["a", "b/1"]);
    assert!(page.element("IsTruncated") == "true" && !page.has_element("NextMarker"));
    let page = client.get("/bucket?max-keys=2&delimiter=/").await.expect(200);
    assert_eq!(page.element("NextMarker"), "b/");
    assert_eq!(
        (page.elements("Key"), page.elements("Prefix")),
        (vec!["a".into()], vec!["".into(), "b/".into()])
    );
    for marker in ["b/", "b/1"] {
        let page = client.get(&format!("/bucket?delimiter=/&marker={marker}")).await.expect(200);
        assert_eq!(page.elements("Key"), ["c", "d"], "{marker}");
        assert!(!page.has_element("CommonPrefixes"));
    }
}

#[tokio::test]
async fn version_two_pages_by_token() {
    let client = with_keys(&["a", "b/1", "b/2", "c", "d"]).await;
    let first = client.get("/bucket?list-type=2&max-keys=2&delimiter=/").await.expect(200);
    assert_eq!(first.element("KeyCount"), "2");
    assert!(!first.has_element("Owner"));
    let token = first.element("NextContinuationToken");
    let target =
        format!("/bucket?list-type=2&max-keys=2&delimiter=/&continuation-token={token}&start-after=zzz");
    let second = client.get(&target).await.expect(200);
    assert_eq!(second.elements("Key"), ["c", "d"]);
    assert_eq!(second.element("ContinuationToken"), token);
    assert_eq!((second.element("IsTruncated"), second.element("StartAfter")), ("false".into(), "zzz".into()));
    let started =
        client.get("/bucket?list-type=2&start-after=b/1&fetch-owner=true&continuation-token=").await;
    let started = started.expect(200);
    assert_eq!(started.elements("Key"), ["b/2", "c", "d"]);
    assert!(started.has_element("Owner"));
    for bad in ["a", "b%2F1", &token[1..]] {
        let target = format!("/bucket?list-type=2&continuation-token={bad}");
        client.get(&target).await.expect_error(400, "InvalidArgument");
    }
    let none = client.get("/bucket?list-type=2&max-keys=0").await.expect(200);
    assert_eq!((none.element("IsTruncated"), none.element("KeyCount")), ("false".into(), "0".into()));
}

#[tokio::test]
async fn odd_keys_survive_a_listing() {
    let keys = [
        "%01",
        "%0A%0D%09",
        "a%20b%2Bc",
        "%3C%26%22%27%3E",
        "%F0%9F%98%80",
        "a//b",
        "a/./b",
        "%25",
        "=(),:@!~*",
    ];
    let client = with_keys(&keys).await;
    let list = client.get("/bucket?encoding-type=url").await.expect(200);
    assert_eq!(list.element("EncodingType"), "url");
    let mut expected: Vec<String> =
        keys.iter().map(|key| crate::wire::percent::decode(key.as_bytes()).unwrap()).collect();
    expected.sort();
    let found: Vec<String> = list
        .elements("Key")
        .iter()
        .map(|key| crate::wire::percent::decode(key.as_bytes()).unwrap())
        .collect();
    assert_eq!(found, expected);
    assert!(list.text().contains("<Key>a%20b%2Bc</Key>") && list.text().contains("%3D%28%29%2C%3A%40%21~*"));
    let raw = client.get("/bucket").await.expect(200).text();
    for escaped in [
        "<Key>&#x1;</Key>",
        "<Key>&#10;&#13;&#9;</Key>",
        "<Key>a b+c</Key>",
        "<Key>&lt;&amp;&quot;'&gt;</Key>",
    ] {
        assert!(raw.contains(escaped), "{escaped} in {raw}");
    }
    for key in keys {
        assert_eq!(client.get(&format!("/bucket/{key}")).await.expect(200).text(), "x");
    }
}

#[tokio::test]
async fn prefixes_and_delimiters_may_be_anything() {
    let client = with_keys(&["a%25b/c", "a%25b/d", "a%25c", "x+y"]).await;
    let list = client.get("/bucket?prefix=a%25&delimiter=b%2F&encoding-type=url").await.expect(200);
    assert_eq!(list.elements("Prefix"), ["a%25", "a%25b/"]);
    assert_eq!(list.element("Delimiter"), "b/");
    assert_eq!(list.elements("Key"), ["a%25c"]);
    assert_eq!(client.get("/bucket?prefix=x%2By").await.expect(200).elements("Key"), ["x+y"]);
    assert!(client.get("/bucket?prefix=x+y").await.expect(200).elements("Key").is_empty());
    assert!(!client.get("/bucket?delimiter=").await.expect(200).has_element("Delimiter"));
}

#[tokio::test]
async fn refuses_parameters_that_mean_nothing() {
    let client = Client::with_bucket().await;
    for query in [
        "max-keys=-1",
        "max-keys=x",
        "max-keys=2147483648",
        "encoding-type=",
        "encoding-type=xml",
        "versions&version-id-marker=null",
        "versions&key-marker=k&version-id-marker=other",
        "uploads&max-uploads=-1",
        "uploads&key-marker=k&upload-id-marker=zz",
    ] {
        client.get(&format!("/bucket?{query}")).await.expect_error(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn every_object_is_its_own_latest_version() {
    let client = with_keys(&["a", "b/1", "c"]).await;
    let first = client.get("/bucket?versions&max-keys=2&delimiter=/").await.expect(200);
    assert_eq!((first.elements("Key"), first.elements("VersionId")), (vec!["a".into()], vec!["null".into()]));
    assert_eq!(first.element("IsLatest"), "true");
    assert_eq!(first.element("NextKeyMarker"), "b/");
    let next = client.get("/bucket?versions&delimiter=/&key-marker=b/").await.expect(200);
    assert_eq!(next.elements("Key"), ["c"]);
    let after =
        client.get("/bucket?versions&key-marker=a&version-id-marker=null&max-keys=1").await.expect(200);
    assert_eq!(after.elements("Key"), ["b/1"]);
    assert_eq!(
        (after.element("NextKeyMarker"), after.element("NextVersionIdMarker")),
        ("b/1".into(), "null".into())
    );
}
