//! Objects: writing, reading, ranges, conditions, copies, deletes.

use super::*;

const CRC64_OF_NOTHING: &str = "AAAAAAAAAAA=";

#[tokio::test]
async fn an_object_comes_back_as_it_was_sent() {
    let client = Client::with_bucket().await;
    let body = bytes(300_000);
    let put = client
        .ask("PUT", "/bucket/dir//key%20+%25")
        .header("content-type", "text/plain")
        .header("cache-control", "no-cache")
        .header("content-encoding", "gzip,aws-chunked")
        .header("x-amz-meta-plain", "one")
        .header("x-amz-meta-odd", "caf\u{e9}")
        .header("x-amz-storage-class", "STANDARD_IA")
        .header("x-amz-tagging", "k=v&l=w")
        .body(body.clone())
        .send()
        .await
        .expect(200);
    assert_eq!(put.etag(), format!("\"{}\"", md5_hex(&body)));
    assert_eq!(put.header("x-amz-checksum-type"), "FULL_OBJECT");
    assert!(!put.header("x-amz-checksum-crc64nvme").is_empty());

    let target = "/bucket/dir//key%20+%25";
    let got = client.get(target).await.expect(200);
    assert_eq!(got.body, body);
    let head = client.head(target).await.expect(200);
    for answer in [&got, &head] {
        for (name, value) in [
            ("content-length", "300000"),
            ("content-type", "text/plain"),
            ("cache-control", "no-cache"),
            ("content-encoding", "gzip"),
            ("x-amz-meta-plain", "one"),
            ("x-amz-meta-odd", "=?UTF-8?B?Y2Fmw6k=?="),
            ("x-amz-storage-class", "STANDARD_IA"),
            ("x-amz-tagging-count", "2"),
            ("accept-ranges", "bytes"),
            ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ("x-amz-checksum-crc64nvme", ""),
            ("x-amz-version-id", ""),
        ] {
            assert_eq!(answer.header(name), value, "{name}");
        }
        assert_eq!(answer.etag(), put.etag());
    }
    let tags = client.get(&format!("{target}?tagging")).await.expect(200);
    assert_eq!(
        (tags.elements("Key"), tags.elements("Value")),
        (vec!["k".into(), "l".into()], vec!["v".into(), "w".into()])
    );
    let with_checksum = client.ask("HEAD", target).header("x-amz-checksum-mode", "enabled").send().await;
    assert_eq!(with_checksum.header("x-amz-checksum-crc64nvme"), put.header("x-amz-checksum-crc64nvme"));

    client.delete(target).await.expect(204);
    client.get(target).await.expect_error(404, "NoSuchKey");
    client.head(target).await.expect(404);
    client.delete(target).await.expect(204);
}

#[tokio::test]
async fn an_empty_object_is_an_object() {
    let client = Client::with_bucket().await;
    let put = client.put("/bucket/empty", "").await.expect(200);
    assert_eq!(put.etag(), "\"d41d8cd98f00b204e9800998ecf8427e\"");
    assert_eq!(put.header("x-amz-checksum-crc64nvme"), CRC64_OF_NOTHING);
    let got = client.get("/bucket/empty").await.expect(200);
    assert_eq!(
        (got.header("content-length"), got.header("content-type")),
        ("0".into(), "binary/octet-stream".into())
    );
    client.ask("GET", "/bucket/empty").header("range", "bytes=-5").send().await.expect(200);
    let unsatisfiable = client.ask("GET", "/bucket/empty").header("range", "bytes=0-").send().await;
    assert_eq!(unsatisfiable.expect_error(416, "InvalidRange").header("content-range"), "bytes */0");
    client.get("/bucket/empty?partNumber=1").await.expect(200);
}

#[tokio::test]
async fn ranges_and_parts_of_a_single_object() {
    let client = Client::with_bucket().await;
    let body = bytes(1000);
    client.put("/bucket/key", body.clone()).await.expect(200);
    for (range, first, last) in [
        ("bytes=0-9", 0, 9),
        ("bytes=990-2000", 990, 999),
        ("bytes=10-", 10, 999),
        ("bytes=-10", 990, 999),
        ("bytes=0-999", 0, 999),
    ] {
        for method in ["GET", "HEAD"] {
            let ask = client
                .ask(method, "/bucket/key")
                .header("range", range)
                .header("x-amz-checksum-mode", "ENABLED");
            let answer = ask.send().await.expect(206);
            assert_eq!(answer.header("content-range"), format!("bytes {first}-{last}/1000"), "{range}");
            assert_eq!(answer.header("content-length"), (last - first + 1).to_string());
            // A checksum of the whole would not fit a piece.
            assert_eq!(answer.header("x-amz-checksum-crc64nvme").is_empty(), last - first != 999, "{range}");
            if method == "GET" {
                assert_eq!(answer.body, body[first..=last]);
            }
        }
    }
    for ignored in ["bytes=0-1,3-4", "bytes=5-2", "items=0-1", "bytes=", "bytes=-", "nonsense"] {
        let answer = client.ask("GET", "/bucket/key").header("range", ignored).send().await.expect(200);
        assert_eq!(answer.body.len(), 1000, "{ignored}");
    }
    for unsatisfiable in ["bytes=1000-", "bytes=-0", "bytes=5000-6000"] {
        let answer = client.ask("GET", "/bucket/key").header("range", unsatisfiable).send().await;
        let answer = answer.expect_error(416, "InvalidRange");
        assert_eq!(answer.header("content-range"), "bytes */1000");
        assert_eq!(
            (answer.element("RangeRequested"), answer.element("ActualObjectSize")),
            (unsatisfiable.into(), "1000".into())
        );
    }
    let part = client.get("/bucket/key?partNumber=1").await.expect(206);
    assert_eq!(
        (part.header("content-range"), part.header("x-amz-mp-parts-count")),
        ("bytes 0-999/1000".into(), "".into())
    );
    client.get("/bucket/key?partNumber=2").await.expect_error(416, "InvalidPartNumber");
    for bad in ["0", "10001", "x", ""] {
        client.get(&format!("/bucket/key?partNumber={bad}")).await.expect_error(400, "InvalidArgument");
    }
    let both = client.ask("GET", "/bucket/key?partNumber=1").header("range", "bytes=0-1").send().await;
    both.expect_error(400, "InvalidRequest");
}

#[tokio::test]
async fn conditions_of_reads() {
    let client = Client::with_bucket().await;
    let etag = client.put("/bucket/key", "x").await.expect(200).etag();
    let (before, now, future) =
        ("Wed, 31 Dec 2025 23:59:59 GMT", "Thu, 01 Jan 2026 00:00:00 GMT", "Fri, 01 Jan 2027 00:00:00 GMT");
    for (pairs, status) in [
        (vec![("if-match", etag.as_str())], 200),
        (vec![("if-match", "*")], 200),
        (vec![("if-match", "\"other\"")], 412),
        (vec![("if-match", etag.as_str()), ("if-unmodified-since", before)], 200),
        (vec![("if-unmodified-since", before)], 412),
        (vec![("if-unmodified-since", now)], 200),
        (vec![("if-none-match", etag.as_str())], 304),
        (vec![("if-none-match", "\"a\", W/\"b\"")], 200),
        (vec![("if-none-match", "\"a\""), ("if-modified-since", now)], 200),
        (vec![("if-modified-since", now)], 304),
        (vec![("if-modified-since", before)], 200),
        (vec![("if-modified-since", future)], 200),
        (vec![("if-modified-since", "nonsense")], 200),
        (vec![("if-match", "\"other\""), ("range", "bytes=100-")], 412),
        (vec![("if-range", etag.as_str()), ("range", "bytes=0-0")], 206),
        (vec![("if-range", "\"other\""), ("range", "bytes=0-0")], 200),
        (vec![("if-range", before), ("range", "bytes=0-0")], 200),
    ] {
        for method in ["GET", "HEAD"] {
            let ask = client.ask(method, "/bucket/key");
            let ask = pairs.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
            let answer = ask.send().await;
            assert_eq!(answer.status, status, "{method} {pairs:?}");
            if status == 304 {
                assert_eq!((answer.etag(), answer.header("last-modified")), (etag.clone(), now.to_owned()));
                assert!(answer.header("content-length").is_empty());
            }
        }
    }
}

#[tokio::test]
async fn conditions_of_writes_and_deletes() {
    let client = Client::with_bucket().await;
    let put = |name: &'static str, value: String| {
        client.ask("PUT", "/bucket/key").header(name, value).body("y").send()
    };
    put("if-match", "\"x\"".into()).await.expect_error(404, "NoSuchKey");
    let etag = put("if-none-match", "*".into()).await.expect(200).etag();
    let refused = put("if-none-match", "*".into()).await.expect_error(412, "PreconditionFailed");
    assert_eq!(refused.element("Condition"), "If-None-Match");
    put("if-match", "\"x\"".into()).await.expect_error(412, "PreconditionFailed");
    put("if-match", etag.clone()).await.expect(200);
    let both =
        client.ask("PUT", "/bucket/key").header("if-match", &etag).header("if-none-match", "*").body("z");
    both.send().await.expect_error(501, "NotImplemented");

    let delete = |pairs: &[(&str, &str)], target: &str| {
        let ask = client.ask("DELETE", target);
        pairs.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).send()
    };
    delete(&[("if-match", "\"x\"")], "/bucket/key").await.expect_error(412, "PreconditionFailed");
    delete(&[("if-match", "*")], "/bucket/missing").await.expect_error(404, "NoSuchKey");
    delete(&[("if-match", &etag)], "/bucket/key?versionId=null").await.expect_error(501, "NotImplemented");
    delete(&[("x-amz-if-match-size", "2")], "/bucket/key").await.expect_error(412, "PreconditionFailed");
    delete(&[("x-amz-if-match-size", "two")], "/bucket/key").await.expect_error(400, "InvalidArgument");
    delete(&[], "/bucket/key?versionId=").await.expect_error(400, "InvalidArgument");
    for malformed in ["abc", "%20", "Null", "null%20"] {
        let path = format!("/bucket/key?versionId={malformed}");
        delete(&[], &path).await.expect_error(400, "InvalidArgument");
        client.head(&path).await.expect(400);
        let refused = client.get(&path).await.expect_error(400, "InvalidArgument");
        assert_eq!(refused.element("Message"), "Invalid version id specified");
    }
    let unknown = format!("/bucket/key?versionId={NEVER_A_VERSION}");
    delete(&[], &unknown).await.expect(204);
    client.get(&unknown).await.expect_error(404, "NoSuchVersion");
    client.get("/bucket/key?versionId=%20").await.expect_error(400, "InvalidArgument");
    client.get("/bucket/key?versionId=null").await.expect(200);
    delete(&[("if-match", &etag), ("x-amz-if-match-size", "1")], "/bucket/key").await.expect(204);
    client.get("/bucket/key").await.expect_error(404, "NoSuchKey");
}

#[tokio::test]
async fn writes_that_ask_for_what_is_not_there_are_refused() {
    let client = Client::with_bucket().await;
    for (name, value, status, code) in [
        ("x-amz-object-lock-mode", "GOVERNANCE", 400, "InvalidArgument"),
        ("x-amz-write-offset-bytes", "0", 501, "NotImplemented"),
        ("x-amz-acl", "public-read", 400, "AccessControlListNotSupported"),
        ("x-amz-storage-class", "SNOW", 400, "InvalidStorageClass"),
        ("x-amz-tagging", "a=1&a=2", 400, "InvalidArgument"),
        ("x-amz-website-redirect-location", "elsewhere", 400, "InvalidRedirectLocation"),
    ] {
        for (method, target) in [("PUT", "/bucket/key"), ("POST", "/bucket/key?uploads")] {
            client.ask(method, target).header(name, value).body("").send().await.expect_error(status, code);
        }
        let copy =
            client.ask("PUT", "/bucket/key").header("x-amz-copy-source", "bucket/other").header(name, value);
        let status_of_copy = copy.send().await.status;
        // Tags that are not used are not looked at.
        assert!(status_of_copy == status || name == "x-amz-tagging", "{name}: {status_of_copy}");
    }
    client.get("/bucket/key").await.expect_error(404, "NoSuchKey");
    let long =
        client.ask("PUT", "/bucket/key").header("x-amz-meta-a", "v".repeat(2048)).body("").send().await;
    assert_eq!(long.expect_error(400, "MetadataTooLarge").element("MaxSizeAllowed"), "2048");
    let accepted = client.ask("PUT", "/bucket/key").header("x-amz-acl", "bucket-owner-full-control").body("");
    accepted.send().await.expect(200);
}

#[tokio::test]
async fn keys_are_names_and_nothing_else() {
    let client = Client::with_bucket().await;
    let longest = "k".repeat(1024);
    for key in [
        longest.as_str(),
        "a/",
        "a",
        "/a",
        "a//b",
        "a/./b",
        "a/../b",
        "%01",
        "%F0%9F%98%80",
        "a%2Fb%2F..",
        "..",
    ] {
        let target = format!("/bucket/{key}");
        let status = client.put(&target, key.to_owned()).await.status;
        assert_eq!(status, if key == ".." { 400 } else { 200 }, "{key}");
    }
    assert_eq!(client.get("/bucket/a").await.text(), "a");
    assert_eq!(client.get("/bucket//a").await.text(), "/a");
    let refused = client.put(&format!("/bucket/{longest}k"), "x").await.expect_error(400, "KeyTooLongError");
    assert_eq!((refused.element("Size"), refused.element("MaxSizeAllowed")), ("1025".into(), "1024".into()));
    for bad in ["%", "%zz", "%00", "%ff", "../x", "a/../../x"] {
        client.put(&format!("/bucket/{bad}"), "x").await.expect_error(400, "InvalidURI");
    }
}

#[tokio::test]
async fn copies_keep_or_replace_what_goes_with_the_bytes() {
    let client = Client::with_bucket().await;
    let body = bytes(100_000);
    let source =
        client.ask("PUT", "/bucket/a%20b").header("x-amz-meta-m", "1").header("x-amz-tagging", "k=v");
    let etag = source.header("content-type", "text/css").body(body.clone()).send().await.expect(200).etag();
    let copy = |target: &str, pairs: &[(&str, &str)]| {
        let ask = client.ask("PUT", target).header("x-amz-copy-source", "/bucket/a%20b");
        pairs.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).send()
    };
    let copied = copy("/bucket/copy", &[("x-amz-meta-m", "ignored")]).await.expect(200);
    assert_eq!(copied.element("ETag"), etag);
    assert_eq!(copied.element("ChecksumType"), "FULL_OBJECT");
    assert!(copied.has_element("LastModified") && copied.has_element("ChecksumCRC64NVME"));
    let got = client.get("/bucket/copy").await.expect(200);
    assert_eq!(
        (got.body.clone(), got.header("x-amz-meta-m"), got.header("content-type")),
        (body, "1".into(), "text/css".into())
    );
    assert_eq!(got.header("x-amz-tagging-count"), "1");

    let replace = [
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-meta-n", "2"),
        ("x-amz-tagging-directive", "REPLACE"),
    ];
    copy("/bucket/copy", &replace).await.expect(200);
    let got = client.head("/bucket/copy").await.expect(200);
    assert_eq!((got.header("x-amz-meta-m"), got.header("x-amz-meta-n")), ("".into(), "2".into()));
    assert_eq!(
        (got.header("content-type"), got.header("x-amz-tagging-count")),
        ("binary/octet-stream".into(), "".into())
    );

    copy("/bucket/a%20b", &[]).await.expect_error(400, "InvalidRequest");
    copy("/bucket/a%20b", &[("x-amz-storage-class", "GLACIER_IR")]).await.expect(200);
    let with_algorithm = copy("/bucket/copy", &[("x-amz-checksum-algorithm", "SHA256")]).await.expect(200);
    assert!(with_algorithm.has_element("ChecksumSHA256"));
}

#[tokio::test]
async fn copies_that_cannot_be_are_explained() {
    let client = Client::with_bucket().await;
    let etag = client.put("/bucket/a", "x").await.expect(200).etag();
    client.as_user("bob").put("/bobs", "").await.expect(200);
    client.as_user("bob").put("/bobs/a", "x").await.expect(200);
    for (pairs, status, code) in [
        (vec![("x-amz-copy-source", "bucket/missing")], 404, "NoSuchKey"),
        (vec![("x-amz-copy-source", "missing/a")], 404, "NoSuchBucket"),
        (vec![("x-amz-copy-source", "bobs/a")], 403, "AccessDenied"),
        (vec![("x-amz-copy-source", "bucket/a?versionId=x")], 400, "InvalidArgument"),
        (vec![("x-amz-copy-source", "bucket")], 400, "InvalidArgument"),
        (vec![("x-amz-copy-source", "bucket/%zz")], 400, "InvalidArgument"),
        (vec![("x-amz-copy-source", "arn:aws:s3:us-west-2:1:accesspoint/x/object/k")], 501, "NotImplemented"),
        (
            vec![("x-amz-copy-source", "bucket/a"), ("x-amz-metadata-directive", "MAYBE")],
            400,
            "InvalidArgument",
        ),
        (
            vec![("x-amz-copy-source", "bucket/a"), ("x-amz-copy-source-if-match", "\"x\"")],
            412,
            "PreconditionFailed",
        ),
        (
            vec![("x-amz-copy-source", "bucket/a"), ("x-amz-copy-source-if-none-match", &etag)],
            412,
            "PreconditionFailed",
        ),
        (vec![("x-amz-copy-source", "bucket/a"), ("if-match", "\"x\"")], 404, "NoSuchKey"),
    ] {
        let ask = pairs
            .iter()
            .fold(client.ask("PUT", "/bucket/copy"), |ask, (name, value)| ask.header(name, value));
        ask.send().await.expect_error(status, code);
    }
    client.get("/bucket/copy").await.expect_error(404, "NoSuchKey");
    let get = client.ask("GET", "/bucket/a").header("x-amz-copy-source", "bucket/a").send().await;
    get.expect_error(400, "InvalidArgument");
}

#[tokio::test]
async fn many_objects_are_deleted_at_once() {
    let client = Client::with_bucket().await;
    for key in ["a", "b", "c%01", "d"] {
        client.put(&format!("/bucket/{key}"), "x").await.expect(200);
    }
    let list = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a</Key></Object><Object><Key>missing</Key></Object>\
                <Object><Key>c&#x1;</Key></Object><Object><Key>b</Key><ETag>\"other\"</ETag></Object>\
                <Object><Key>d</Key><VersionId>abc</VersionId></Object><Object><Key>a</Key></Object></Delete>";
    let answer = client.post("/bucket?delete", list).await.expect(200);
    assert_eq!(answer.elements("Key"), ["a", "missing", "c&#x1;", "b", "d", "a"]);
    assert_eq!(answer.elements("Code"), ["PreconditionFailed", "NoSuchVersion"]);
    assert_eq!(client.get("/bucket").await.elements("Key"), ["b", "d"]);

    let quiet = "<Delete><Quiet>true</Quiet><Object><Key>b</Key></Object></Delete>";
    assert!(!client.post("/bucket?delete", quiet).await.expect(200).has_element("Deleted"));
    let many = format!("<Delete>{}</Delete>", "<Object><Key>k</Key></Object>".repeat(1001));
    for bad in [many.as_str(), "<Delete></Delete>", "", "<Delete><Object/></Delete>", "<Delete>"] {
        client.post("/bucket?delete", bad.to_owned()).await.expect_error(400, "MalformedXML");
    }
    let wrong = |name: &'static str, value: &'static str| {
        client.ask("POST", "/bucket?delete").header(name, value).body(quiet).send()
    };
    wrong("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==").await.expect_error(400, "BadDigest");
    wrong("content-md5", "short").await.expect_error(400, "InvalidDigest");
    wrong("x-amz-checksum-crc32", "AAAAAA==").await.expect_error(400, "BadDigest");
    client
        .post("/bucket?delete", vec![b' '; (8 << 20) + 1])
        .await
        .expect_error(400, "MaxMessageLengthExceeded");
}

#[tokio::test]
async fn attributes_of_a_plain_object() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "x").await.expect(200);
    let ask = |names: &str| {
        client.ask("GET", "/bucket/key?attributes").header("x-amz-object-attributes", names).send()
    };
    let all = ask("ETag,Checksum,ObjectParts,StorageClass,ObjectSize").await.expect(200);
    assert_eq!(all.element("ETag"), "9dd4e461268c8034f5c8564e155c67a6");
    assert_eq!((all.element("StorageClass"), all.element("ObjectSize")), ("STANDARD".into(), "1".into()));
    assert!(all.has_element("ChecksumCRC64NVME") && !all.has_element("ObjectParts"));
    assert!(!ask("ObjectSize").await.expect(200).has_element("ETag"));
    ask("Color").await.expect_error(400, "InvalidArgument");
    client.get("/bucket/key?attributes").await.expect_error(400, "InvalidRequest");
}

#[tokio::test]
async fn answers_can_have_other_headers_than_the_object() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "x").await.expect(200);
    let target = "/bucket/key?response-content-type=image%2Fpng&response-content-disposition=attachment";
    let got = client.get(target).await.expect(200);
    assert_eq!(
        (got.header("content-type"), got.header("content-disposition")),
        ("image/png".into(), "attachment".into())
    );
    let bad = client.get("/bucket/key?response-content-type=a%0D%0Ax-evil:1").await;
    bad.expect_error(400, "InvalidArgument");
}

#[tokio::test]
async fn a_copy_without_source_names_the_source() {
    let client = Client::with_bucket().await;
    let copy = |source: &str| client.ask("PUT", "/bucket/copy").header("x-amz-copy-source", source).send();
    assert_eq!(copy("bucket/absent").await.expect_error(404, "NoSuchKey").elements("Key"), ["absent"]);
    client.put("/bucket/key", "bytes").await.expect(200);
    let unknown = format!("bucket/key?versionId={NEVER_A_VERSION}");
    let answer = copy(&unknown).await.expect_error(404, "NoSuchVersion");
    assert_eq!(answer.elements("Key"), ["key"]);
    let unmatched =
        client.ask("PUT", "/bucket/copy").header("x-amz-copy-source", "bucket/key").header("if-match", "x");
    assert_eq!(unmatched.send().await.expect_error(404, "NoSuchKey").elements("Key"), ["copy"]);
    let created = client.post("/bucket/upload?uploads", "").await.expect(200);
    let part = format!("/bucket/upload?partNumber=1&uploadId={}", created.element("UploadId"));
    let answer = client.ask("PUT", &part).header("x-amz-copy-source", "bucket/absent").send().await;
    assert_eq!(answer.expect_error(404, "NoSuchKey").elements("Key"), ["absent"]);
}
