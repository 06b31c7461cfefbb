//! Presigned URLs: every kind of request, with headers in the query, and for as long as they say.

use super::*;

/// A URL for `method`, signed now for a minute.
fn presign(client: &Client, method: &str, target: &str) -> String {
    presign_at(client, method, target, 60, client.clock.now_ms() / 1000)
}

fn presign_at(client: &Client, method: &str, target: &str, expires_s: u32, now: i64) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static(HOST));
    format!("{path}?{}", client.signer.presign(method, path, query, &headers, expires_s, now))
}

/// Sends what a browser would: nothing but the URL and the body.
async fn send(client: &Client, method: &str, target: &str, body: impl Into<Bytes>) -> Answer {
    let url = presign(client, method, target);
    client.ask(method, &url).body(body).anonymous().send_as_is().await
}

#[tokio::test]
async fn an_object_is_written_read_and_deleted_by_urls_alone() {
    let client = Client::with_bucket().await;
    let put = "/bucket/a%20b?x-amz-meta-m=v%20w&X-Amz-Storage-Class=STANDARD_IA&x-amz-tagging=k%3Dv&x-amz-acl=private";
    let etag = send(&client, "PUT", put, "some bytes").await.expect(200).etag();
    let head = send(&client, "HEAD", "/bucket/a%20b?x-amz-checksum-mode=ENABLED", "").await.expect(200);
    assert_eq!(head.etag(), etag);
    for (name, value) in [
        ("x-amz-meta-m", "v w"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-tagging-count", "1"),
        ("x-amz-checksum-type", "FULL_OBJECT"),
        ("content-length", "10"),
    ] {
        assert_eq!(head.header(name), value, "{name}");
    }
    let get = send(
        &client,
        "GET",
        "/bucket/a%20b?response-content-type=text%2Fx&response-content-language=de&response-expires=never\
         &response-cache-control=no-store&response-content-disposition=attachment%3B%20filename%3D%22a%20b%22\
         &response-content-encoding=gzip",
        "",
    );
    let get = get.await.expect(200);
    assert_eq!(get.text(), "some bytes");
    for (name, value) in [
        ("content-type", "text/x"),
        ("content-language", "de"),
        ("expires", "never"),
        ("cache-control", "no-store"),
        ("content-disposition", "attachment; filename=\"a b\""),
        ("content-encoding", "gzip"),
    ] {
        assert_eq!(get.header(name), value, "{name}");
    }
    // What is not signed may be added: a range, a condition.
    let url = presign(&client, "GET", "/bucket/a%20b");
    let range = client.ask("GET", &url).header("range", "bytes=5-9").anonymous().send_as_is().await;
    assert_eq!(range.expect(206).text(), "bytes");
    let known = client.ask("GET", &url).header("if-none-match", &etag).anonymous().send_as_is().await;
    known.expect(304);

    let copy = "/bucket/copy?x-amz-copy-source=%2Fbucket%2Fa%2520b&x-amz-metadata-directive=COPY";
    send(&client, "PUT", copy, "").await.expect(200);
    assert_eq!(client.get("/bucket/copy").await.expect(200).header("x-amz-meta-m"), "v w");
    send(&client, "PUT", "/bucket/copy?tagging", "<Tagging><TagSet/></Tagging>").await.expect(200);
    let keys = send(&client, "GET", "/bucket?list-type=2&prefix=a", "").await.expect(200);
    assert_eq!(keys.elements("Key"), ["a b"]);
    send(&client, "DELETE", "/bucket/a%20b", "").await.expect(204);
    send(&client, "HEAD", "/bucket/a%20b", "").await.expect(404);
}

#[tokio::test]
async fn a_multipart_upload_is_made_by_urls_alone() {
    let client = Client::with_bucket().await;
    let create =
        "/bucket/key?uploads&x-amz-meta-m=v&x-amz-checksum-algorithm=CRC32C&x-amz-checksum-type=FULL_OBJECT";
    let created = send(&client, "POST", create, "").await.expect(200);
    assert_eq!(created.header("x-amz-checksum-algorithm"), "CRC32C");
    let id = created.element("UploadId");
    let part = |number: u32| format!("/bucket/key?partNumber={number}&uploadId={id}");
    let first = bytes(5 << 20);
    let mut list = String::new();
    for (number, body) in [(1, first.clone()), (2, Bytes::from_static(b"the end"))] {
        let etag = send(&client, "PUT", &part(number), body).await.expect(200).etag();
        list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let parts = send(&client, "GET", &format!("/bucket/key?uploadId={id}"), "").await.expect(200);
    assert_eq!(parts.elements("PartNumber"), ["1", "2"]);
    let uploads = send(&client, "GET", "/bucket?uploads", "").await.expect(200);
    assert_eq!(uploads.elements("UploadId"), std::slice::from_ref(&id));
    let document = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    send(&client, "POST", &format!("/bucket/key?uploadId={id}"), document).await.expect(200);
    let object = client.get("/bucket/key").await.expect(200);
    assert_eq!(object.body.len(), first.len() + 7);
    assert_eq!(object.header("x-amz-meta-m"), "v");
    let id = send(&client, "POST", "/bucket/key?uploads", "").await.expect(200).element("UploadId");
    send(&client, "DELETE", &format!("/bucket/key?uploadId={id}"), "").await.expect(204);
}

#[tokio::test]
async fn a_url_is_good_for_one_request_of_its_kind() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "x").await.expect(200);
    let url = presign(&client, "GET", "/bucket/key");
    client.ask("GET", &url).anonymous().send_as_is().await.expect(200);
    for method in ["HEAD", "PUT", "DELETE"] {
        let answer = client.ask(method, &url).anonymous().send_as_is().await.expect(403);
        assert!(method == "HEAD" || answer.element("Code") == "SignatureDoesNotMatch");
    }
    for (from, to) in [
        ("/bucket/key", "/bucket/other"),
        ("X-Amz-Expires=60", "X-Amz-Expires=61"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host;range"),
        ("?X-Amz", "?versionId=null&X-Amz"),
    ] {
        assert!(url.contains(from), "{url}");
        let changed = url.replacen(from, to, 1);
        let answer = client.ask("GET", &changed).anonymous().send_as_is().await;
        answer.expect_error(403, "SignatureDoesNotMatch");
    }
    // A header that the signature does not cover, even one that only repeats what it covers in the query.
    let url = presign(&client, "PUT", "/bucket/key?x-amz-meta-a=b");
    let repeated =
        client.ask("PUT", &url).header("x-amz-meta-a", "b").body("y").anonymous().send_as_is().await;
    assert_eq!(repeated.expect_error(403, "AccessDenied").element("HeadersNotSigned"), "x-amz-meta-a");
}

#[tokio::test]
async fn a_url_must_have_all_its_parts_in_their_form() {
    let client = Client::with_bucket().await;
    let url = presign(&client, "GET", "/bucket");
    let (path, query) = url.split_once('?').unwrap();
    let send =
        async |query: String| client.ask("GET", &format!("{path}?{query}")).anonymous().send_as_is().await;
    let parameters: Vec<&str> = query.split('&').collect();
    assert_eq!(parameters.len(), 6);
    for missing in 0..6 {
        let mut rest = parameters.clone();
        let name = rest.remove(missing);
        let answer = send(rest.join("&")).await;
        assert_eq!(answer.status, 400, "without {name}");
        assert_eq!(answer.element("Code"), "AuthorizationQueryParametersError", "without {name}");
    }
    let replace = |name: &str, value: &str| {
        let replaced = parameters.iter().map(|parameter| match parameter.split_once('=') {
            Some((known, _)) if known == name => format!("{name}={value}"),
            _ => parameter.to_string(),
        });
        replaced.collect::<Vec<_>>().join("&")
    };
    let scope = "KEYalice%2F20260101%2Fus-east-1%2Fs3%2Faws4_request";
    for (name, value, status, code) in [
        ("X-Amz-Expires", "-1", 400, "AuthorizationQueryParametersError"),
        ("X-Amz-Expires", "", 400, "AuthorizationQueryParametersError"),
        ("X-Amz-Expires", "1.5", 400, "AuthorizationQueryParametersError"),
        ("X-Amz-Expires", "soon", 400, "AuthorizationQueryParametersError"),
        ("X-Amz-Expires", "604801", 400, "AuthorizationQueryParametersError"),
        ("X-Amz-Expires", "99999999999999999999", 400, "AuthorizationQueryParametersError"),
        // Fine by its form, and over at once.
        ("X-Amz-Expires", "0", 403, "AccessDenied"),
        ("X-Amz-Expires", "604800", 403, "SignatureDoesNotMatch"),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA1", 400, "AuthorizationQueryParametersError"),
        ("X-Amz-Credential", "KEYalice", 400, "AuthorizationQueryParametersError"),
        ("X-Amz-Credential", &scope.replace("%2F", "%252F"), 400, "AuthorizationQueryParametersError"),
        (
            "X-Amz-Credential",
            &scope.replace("us-east-1", "eu-west-1"),
            400,
            "AuthorizationQueryParametersError",
        ),
        ("X-Amz-Credential", &scope.replace("s3", "ec2"), 400, "AuthorizationQueryParametersError"),
        (
            "X-Amz-Credential",
            &scope.replace("aws4_request", "aws4"),
            400,
            "AuthorizationQueryParametersError",
        ),
        (
            "X-Amz-Credential",
            &scope.replace("20260101", "20260102"),
            400,
            "AuthorizationQueryParametersError",
        ),
        ("X-Amz-Credential", &scope.replace("alice", "nobody"), 403, "InvalidAccessKeyId"),
        ("X-Amz-Date", "2026-01-01T00:00:00Z", 400, "AuthorizationQueryParametersError"),
        ("X-Amz-Date", "20260101", 400, "AuthorizationQueryParametersError"),
        ("X-Amz-Signature", "0", 403, "SignatureDoesNotMatch"),
        ("X-Amz-SignedHeaders", "range", 403, "AccessDenied"),
    ] {
        let answer = send(replace(name, value)).await;
        assert_eq!((answer.status, answer.element("Code").as_str()), (status, code), "{name}={value}");
    }
}

#[tokio::test]
async fn a_url_is_good_from_its_date_for_as_long_as_it_says() {
    let client = Client::with_bucket().await;
    for (signed_s, expires_s, message) in [
        (0, 604_800, None),
        (0, 1, None),
        (0, 0, Some("Request has expired")),
        (-60, 60, None),
        (-61, 60, Some("Request has expired")),
        (-604_800, 604_800, None),
        (-604_801, 604_800, Some("Request has expired")),
        (900, 60, None),
        (901, 60, Some("Request is not yet valid")),
        (1, 604_801, Some("X-Amz-Expires must be less than a week")),
    ] {
        let url = presign_at(&client, "GET", "/bucket", expires_s, NOW_S + signed_s);
        let answer = client.ask("GET", &url).anonymous().send_as_is().await;
        match message {
            None => drop(answer.expect(200)),
            Some(message) => assert!(answer.element("Message").starts_with(message), "{}", answer.text()),
        }
    }
}
