//! Versions: what clients are told about them, from enabling them to the last delete.

use super::*;

impl Client {
    pub(super) async fn set_versioning(&self, status: &str) -> Answer {
        let document =
            format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        self.put("/bucket?versioning", document).await
    }

    /// The same gateway with a bucket that keeps versions.
    pub(super) async fn with_versions() -> Client {
        let client = Client::with_bucket().await;
        client.set_versioning("Enabled").await.expect(200);
        client
    }

    /// PutObject; the id that the answer names.
    pub(super) async fn put_version(&self, target: &str, body: &'static str) -> String {
        self.put(target, body).await.expect(200).header("x-amz-version-id")
    }
}

#[tokio::test]
async fn a_bucket_says_whether_it_keeps_versions() {
    let client = Client::with_bucket().await;
    assert!(!client.get("/bucket?versioning").await.expect(200).has_element("Status"));
    for status in ["Enabled", "Suspended", "Enabled"] {
        client.set_versioning(status).await.expect(200);
        assert_eq!(client.get("/bucket?versioning").await.expect(200).element("Status"), status);
    }
    client.set_versioning("Off").await.expect_error(400, "MalformedXML");
    let empty = client.put("/bucket?versioning", "<VersioningConfiguration/>").await;
    empty.expect_error(400, "IllegalVersioningConfigurationException");
    let mfa = "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>";
    client.put("/bucket?versioning", mfa).await.expect_error(501, "NotImplemented");
    client.as_user("bob").set_versioning("Suspended").await.expect_error(403, "AccessDenied");
    client.get("/none?versioning").await.expect_error(404, "NoSuchBucket");
}

#[tokio::test]
async fn each_write_is_a_version_that_can_be_read() {
    let client = Client::with_bucket().await;
    let before = client.put("/bucket/key", "before").await.expect(200);
    assert_eq!(before.header("x-amz-version-id"), "");
    assert_eq!(client.get("/bucket/key").await.expect(200).header("x-amz-version-id"), "");
    client.set_versioning("Enabled").await.expect(200);
    assert_eq!(client.get("/bucket/key").await.expect(200).header("x-amz-version-id"), "null");
    let (one, two) =
        (client.put_version("/bucket/key", "one").await, client.put_version("/bucket/key", "two").await);
    assert!(one.len() == 32 && two.len() == 32 && one != two);
    for (id, body) in [("null", "before"), (one.as_str(), "one"), (two.as_str(), "two")] {
        let got = client.get(&format!("/bucket/key?versionId={id}")).await.expect(200);
        assert_eq!((got.text().as_str(), got.header("x-amz-version-id").as_str()), (body, id));
        let head = client.head(&format!("/bucket/key?versionId={id}")).await.expect(200);
        assert_eq!(head.header("content-length"), body.len().to_string());
        let tags = client.get(&format!("/bucket/key?tagging&versionId={id}")).await.expect(200);
        assert_eq!(tags.header("x-amz-version-id"), id);
        let attributes = client
            .ask("GET", &format!("/bucket/key?attributes&versionId={id}"))
            .header("x-amz-object-attributes", "ObjectSize")
            .send()
            .await
            .expect(200);
        assert_eq!(attributes.element("ObjectSize"), body.len().to_string());
        assert_eq!(attributes.header("x-amz-version-id"), id);
    }
    let unknown = one.chars().rev().collect::<String>();
    client.get(&format!("/bucket/key?versionId={unknown}")).await.expect_error(404, "NoSuchVersion");
    client.get("/bucket/key?versionId=").await.expect_error(400, "InvalidArgument");
    client.get("/bucket/key?versionId=a%20b").await.expect_error(400, "InvalidArgument");

    client.set_versioning("Suspended").await.expect(200);
    let suspended = client.put("/bucket/key", "suspended").await.expect(200);
    assert_eq!(suspended.header("x-amz-version-id"), "");
    assert_eq!(client.get("/bucket/key?versionId=null").await.expect(200).text(), "suspended");
    assert_eq!(client.get("/bucket/key").await.expect(200).header("x-amz-version-id"), "null");
}

#[tokio::test]
async fn delete_markers_hide_objects_and_have_ids() {
    let client = Client::with_versions().await;
    let id = client.put_version("/bucket/key", "bytes").await;
    let deleted = client.delete("/bucket/key").await.expect(204);
    assert_eq!(deleted.header("x-amz-delete-marker"), "true");
    let marker = deleted.header("x-amz-version-id");

    let gone = client.get("/bucket/key").await.expect_error(404, "NoSuchKey");
    assert_eq!(gone.header("x-amz-delete-marker"), "true");
    assert_eq!(gone.header("x-amz-version-id"), marker);
    assert_eq!(client.head("/bucket/key").await.expect(404).header("x-amz-delete-marker"), "true");
    let named = client.get(&format!("/bucket/key?versionId={marker}")).await;
    let named = named.expect_error(405, "MethodNotAllowed");
    assert_eq!(
        (named.header("allow"), named.header("x-amz-delete-marker")),
        ("DELETE".into(), "true".into())
    );
    assert_eq!(named.header("last-modified"), "Thu, 01 Jan 2026 00:00:00 GMT");
    assert_eq!(named.element("ResourceType"), "DeleteMarker");
    client.get("/bucket/key?tagging").await.expect_error(405, "MethodNotAllowed");
    let copy = |source: String| client.ask("PUT", "/bucket/copy").header("x-amz-copy-source", source).send();
    copy("/bucket/key".into()).await.expect_error(404, "NoSuchKey");
    copy(format!("/bucket/key?versionId={marker}")).await.expect_error(400, "InvalidRequest");
    let copied = copy(format!("/bucket/key?versionId={id}")).await.expect(200);
    assert_eq!(copied.header("x-amz-copy-source-version-id"), id);
    assert_eq!(copied.header("x-amz-version-id").len(), 32);
    assert!(client.get("/bucket").await.expect(200).elements("Key") == ["copy"]);
    client.delete("/bucket").await.expect_error(409, "BucketNotEmpty");

    let undone = client.delete(&format!("/bucket/key?versionId={marker}")).await.expect(204);
    assert_eq!(undone.header("x-amz-delete-marker"), "true");
    assert_eq!(undone.header("x-amz-version-id"), marker);
    assert_eq!(client.get("/bucket/key").await.expect(200).text(), "bytes");
    for _ in 0..2 {
        let removed = client.delete(&format!("/bucket/key?versionId={id}")).await.expect(204);
        assert_eq!(removed.header("x-amz-delete-marker"), "");
        assert_eq!(removed.header("x-amz-version-id"), id);
    }
    assert_eq!(client.get("/bucket/key").await.expect(404).header("x-amz-delete-marker"), "");

    client.set_versioning("Suspended").await.expect(200);
    let null = client.delete("/bucket/other").await.expect(204);
    assert_eq!(null.header("x-amz-delete-marker"), "true");
    assert_eq!(null.header("x-amz-version-id"), "null");
}

#[tokio::test]
async fn a_completed_upload_is_a_version_and_stays_the_same_one() {
    let client = Client::with_versions().await;
    let upload = client.post("/bucket/key?uploads", "").await.expect(200).element("UploadId");
    let part = client.put(&format!("/bucket/key?partNumber=1&uploadId={upload}"), "part").await.expect(200);
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.etag()
    );
    let target = format!("/bucket/key?uploadId={upload}");
    let complete = || client.post(&target, list.clone());
    let id = complete().await.expect(200).header("x-amz-version-id");
    assert_eq!(id.len(), 32);
    assert_eq!(complete().await.expect(200).header("x-amz-version-id"), id);
    client.put("/bucket/key", "newer").await.expect(200);
    assert_eq!(complete().await.expect(200).header("x-amz-version-id"), id, "it is still there");
    assert_eq!(client.get("/bucket?versions").await.expect(200).elements("VersionId").len(), 2);

    let source = format!("/bucket/key?versionId={id}");
    let upload = client.post("/bucket/key?uploads", "").await.expect(200).element("UploadId");
    let copied = client
        .ask("PUT", &format!("/bucket/key?partNumber=1&uploadId={upload}"))
        .header("x-amz-copy-source", &source)
        .send()
        .await
        .expect(200);
    assert_eq!(copied.header("x-amz-copy-source-version-id"), id);
    client.delete(&source).await.expect(204);
    complete().await.expect_error(404, "NoSuchUpload");
}

#[tokio::test]
async fn many_versions_are_deleted_at_once() {
    let client = Client::with_versions().await;
    let one = client.put_version("/bucket/key", "one").await;
    client.put("/bucket/key", "two").await.expect(200);
    client.put("/bucket/other", "x").await.expect(200);
    let marker = client.delete("/bucket/other").await.expect(204).header("x-amz-version-id");
    let document = format!(
        "<Delete><Object><Key>key</Key></Object>\
         <Object><Key>key</Key><VersionId>{one}</VersionId></Object>\
         <Object><Key>other</Key><VersionId>{marker}</VersionId></Object>\
         <Object><Key>key</Key><VersionId>a b</VersionId></Object></Delete>"
    );
    let result = client.post("/bucket?delete", document).await.expect(200);
    assert_eq!(result.elements("DeleteMarker"), ["true", "true"]);
    assert_eq!(result.elements("DeleteMarkerVersionId")[1], marker);
    assert_eq!(result.elements("VersionId"), [one.as_str(), &marker, "a b"]);
    assert_eq!(result.elements("Code"), ["NoSuchVersion"]);
    assert_eq!(client.get("/bucket").await.expect(200).elements("Key"), ["other"]);
    let versions = client.get("/bucket?versions").await.expect(200);
    assert_eq!(versions.elements("IsLatest"), ["true", "false", "true"]);
    assert!(versions.has_element("DeleteMarker"));
}

#[tokio::test]
async fn versions_are_listed_in_pages_with_markers_among_them() {
    let client = Client::with_versions().await;
    let mut ids = Vec::new();
    for body in ["one", "two"] {
        ids.insert(0, client.put_version("/bucket/a", body).await);
    }
    ids.insert(0, client.delete("/bucket/a").await.header("x-amz-version-id"));
    ids.push(client.put_version("/bucket/b/1", "x").await);
    let all = client.get("/bucket?versions").await.expect(200);
    assert_eq!(all.elements("VersionId"), ids);
    assert_eq!(all.elements("IsLatest"), ["true", "false", "false", "true"]);
    assert_eq!(all.elements("Size"), ["3", "3", "1"]);
    let text = all.text();
    let order = [
        "<Name>",
        "<Prefix>",
        "<KeyMarker>",
        "<VersionIdMarker>",
        "<MaxKeys>",
        "<DeleteMarker>",
        "<Version>",
    ];
    let places: Vec<usize> = order.iter().map(|name| text.find(name).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");

    let (mut found, mut target) = (Vec::new(), "/bucket?versions&max-keys=1&delimiter=/".to_string());
    loop {
        let page = client.get(&target).await.expect(200);
        found.extend(page.elements("VersionId"));
        if page.element("IsTruncated") == "false" {
            assert_eq!(page.elements("Prefix"), ["", "b/"]);
            break;
        }
        let (key, id) = (page.element("NextKeyMarker"), page.element("NextVersionIdMarker"));
        target = format!("/bucket?versions&max-keys=1&delimiter=/&key-marker={key}&version-id-marker={id}");
    }
    assert_eq!(found, ids[..3]);
    let bad = format!("/bucket?versions&version-id-marker={}", ids[0]);
    client.get(&bad).await.expect_error(400, "InvalidArgument");
}

#[tokio::test]
async fn conditional_deletes_see_the_current_version_only() {
    let client = Client::with_versions().await;
    let id = client.put_version("/bucket/key", "one").await;
    let etag = client.put("/bucket/key", "two").await.expect(200).etag();
    let delete = |target: String, etag: &str| client.ask("DELETE", &target).header("if-match", etag).send();
    let other = format!("\"{}\"", md5_hex(b"one"));
    delete("/bucket/key".into(), &other).await.expect_error(412, "PreconditionFailed");
    delete(format!("/bucket/key?versionId={id}"), &other).await.expect_error(501, "NotImplemented");
    delete("/bucket/key".into(), &etag).await.expect(204);
    delete("/bucket/key".into(), "*").await.expect_error(404, "NoSuchKey");
    let put = client.ask("PUT", "/bucket/key").header("if-none-match", "*").body("three").send().await;
    put.expect(200);
}
