//! Tags of objects and buckets.

use super::*;

fn document(tags: &[(&str, &str)]) -> String {
    let tag = |(key, value): &(&str, &str)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    let tags: String = tags.iter().map(tag).collect();
    format!("<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>{tags}</TagSet></Tagging>")
}

#[tokio::test]
async fn an_objects_tags_are_replaced_and_removed_and_nothing_else_changes() {
    let client = Client::with_bucket().await;
    let put = client.ask("PUT", "/bucket/key").header("x-amz-tagging", "old=1").body("body");
    put.send().await.expect(200);
    let before = client.head("/bucket/key").await.expect(200);
    client.put("/bucket/key?tagging", document(&[("b", "2"), ("a", "")])).await.expect(200);
    let tags = client.get("/bucket/key?tagging").await.expect(200);
    assert_eq!(
        (tags.elements("Key"), tags.elements("Value")),
        (vec!["a".into(), "b".into()], vec![String::new(), "2".into()])
    );
    let after = client.get("/bucket/key").await.expect(200);
    assert_eq!(after.text(), "body");
    assert_eq!(after.header("x-amz-tagging-count"), "2");
    assert_eq!(
        (after.etag(), after.header("last-modified")),
        (before.etag(), before.header("last-modified"))
    );

    client.delete("/bucket/key?tagging").await.expect(204);
    client.delete("/bucket/key?tagging").await.expect(204);
    let tags = client.get("/bucket/key?tagging&versionId=null").await.expect(200);
    assert!(tags.text().contains("<TagSet></TagSet>") && !tags.has_element("Tag"), "{}", tags.text());
    client.put("/bucket/key?tagging", document(&[])).await.expect(200);
    client.put("/bucket/key?tagging&versionId=null", document(&[("c", "3")])).await.expect(200);
    assert_eq!(client.get("/bucket/key?tagging").await.expect(200).elements("Key"), ["c"]);
}

#[tokio::test]
async fn refuses_bad_tags_and_keeps_the_old_ones() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "x").await.expect(200);
    let keys: Vec<String> = (0..51).map(|number| format!("k{number}")).collect();
    let many = |n: usize| document(&keys[..n].iter().map(|key| (key.as_str(), "v")).collect::<Vec<_>>());
    for target in ["/bucket/key?tagging", "/bucket?tagging"] {
        let status = if target == "/bucket?tagging" { 204 } else { 200 };
        client.put(target, document(&[("kept", "1")])).await.expect(status);
        for (body, code) in [
            (document(&[("a", "1"), ("a", "2")]), "InvalidTag"),
            (document(&[("aws:a", "1")]), "InvalidTag"),
            (document(&[("a,b", "1")]), "InvalidTag"),
            (many(51), "BadRequest"),
            ("<Tagging/>".to_owned(), "MalformedXML"),
            (String::new(), "MalformedXML"),
            (" ".repeat(1 << 20), "MaxMessageLengthExceeded"),
        ] {
            client.put(target, body).await.expect_error(400, code);
        }
        let wrong = client.ask("PUT", target).header("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==");
        wrong.body(document(&[])).send().await.expect_error(400, "BadDigest");
        assert_eq!(client.get(target).await.expect(200).elements("Key"), ["kept"]);
    }
    client.put("/bucket/key?tagging", many(11)).await.expect_error(400, "BadRequest");
    client.put("/bucket/key?tagging", many(10)).await.expect(200);
    client.put("/bucket?tagging", many(50)).await.expect(204);
}

#[tokio::test]
async fn tags_belong_to_something_that_is_there() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "x").await.expect(200);
    for (method, body) in
        [("PUT", document(&[("a", "1")])), ("GET", String::new()), ("DELETE", String::new())]
    {
        let unknown = format!("/bucket/key?tagging&versionId={NEVER_A_VERSION}");
        for (target, status, code) in [
            ("/bucket/missing?tagging", 404, "NoSuchKey"),
            ("/bucket/key?tagging&versionId=other", 400, "InvalidArgument"),
            (unknown.as_str(), 404, "NoSuchVersion"),
            ("/bucket/key?tagging&versionId=%20", 400, "InvalidArgument"),
            ("/missing/key?tagging", 404, "NoSuchBucket"),
            ("/missing?tagging", 404, "NoSuchBucket"),
        ] {
            let answer = client.ask(method, target).body(body.clone()).send().await;
            answer.expect_error(status, code);
        }
        for target in ["/bucket/key?tagging", "/bucket?tagging"] {
            let other = client.as_user("bob");
            other.ask(method, target).body(body.clone()).send().await.expect_error(403, "AccessDenied");
        }
    }
}

#[tokio::test]
async fn a_bucket_has_tags_until_they_or_it_are_deleted() {
    let client = Client::with_bucket().await;
    client.get("/bucket?tagging").await.expect_error(404, "NoSuchTagSet");
    client.delete("/bucket?tagging").await.expect(204);
    client.put("/bucket?tagging", document(&[("team", "a &amp; b")])).await.expect_error(400, "InvalidTag");
    client.put("/bucket?tagging", document(&[("team", "a"), ("cost", "1")])).await.expect(204);
    assert_eq!(client.get("/bucket?tagging").await.expect(200).elements("Key"), ["cost", "team"]);
    client.put("/bucket?tagging", document(&[])).await.expect(204);
    client.get("/bucket?tagging").await.expect_error(404, "NoSuchTagSet");
    client.put("/bucket?tagging", document(&[("team", "a")])).await.expect(204);
    client.delete("/bucket?tagging").await.expect(204);
    client.get("/bucket?tagging").await.expect_error(404, "NoSuchTagSet");

    let with_tags =
        |tags: &str| format!("<CreateBucketConfiguration><Tags>{tags}</Tags></CreateBucketConfiguration>");
    let tag = "<Tag><Key>k</Key><Value>v</Value></Tag>";
    client.put("/tagged", with_tags("<Tag/>")).await.expect_error(400, "MalformedXML");
    client.put("/tagged", with_tags(&tag.repeat(2))).await.expect_error(400, "InvalidTag");
    client.head("/tagged").await.expect(404);
    client.put("/tagged", with_tags(tag)).await.expect(200);
    assert_eq!(client.get("/tagged?tagging").await.expect(200).elements("Value"), ["v"]);
    client.delete("/tagged").await.expect(204);
    client.put("/tagged", "").await.expect(200);
    client.get("/tagged?tagging").await.expect_error(404, "NoSuchTagSet");
}

#[tokio::test]
async fn each_version_has_its_own_tags_and_a_marker_has_none() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "before").await.expect(200);
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    client.put("/bucket?versioning", enabled).await.expect(200);
    let one = client.put("/bucket/key", "one").await.expect(200).header("x-amz-version-id");
    let two = client.put("/bucket/key", "two").await.expect(200).header("x-amz-version-id");
    for id in ["null", &one, &two] {
        let target = format!("/bucket/key?tagging&versionId={id}");
        let put = client.put(&target, document(&[("id", id)])).await.expect(200);
        assert_eq!(put.header("x-amz-version-id"), id);
    }
    for (id, body) in [("null", "before"), (one.as_str(), "one"), (two.as_str(), "two")] {
        let tags = client.get(&format!("/bucket/key?tagging&versionId={id}")).await.expect(200);
        assert_eq!((tags.element("Value"), tags.header("x-amz-version-id")), (id.to_owned(), id.to_owned()));
        assert_eq!(client.get(&format!("/bucket/key?versionId={id}")).await.expect(200).text(), body);
    }
    let deleted = client.delete("/bucket/key?tagging").await.expect(204);
    assert_eq!(deleted.header("x-amz-version-id"), two);
    assert!(!client.get("/bucket/key?tagging").await.expect(200).has_element("Tag"));
    assert_eq!(
        client.get("/bucket?versions").await.expect(200).elements("VersionId"),
        [two, one.clone(), "null".into()]
    );

    let marker = client.delete("/bucket/key").await.expect(204).header("x-amz-version-id");
    for target in ["/bucket/key?tagging".to_owned(), format!("/bucket/key?tagging&versionId={marker}")] {
        for method in ["GET", "PUT", "DELETE"] {
            let answer = client.ask(method, &target).body(document(&[])).send().await;
            let answer = answer.expect_error(405, "MethodNotAllowed");
            assert_eq!(answer.header("x-amz-delete-marker"), "true");
        }
    }
    let kept = client.get(&format!("/bucket/key?tagging&versionId={one}")).await.expect(200);
    assert_eq!(kept.element("Value"), one);
}
