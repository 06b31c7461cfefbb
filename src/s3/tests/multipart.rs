//! Multipart uploads from the first request to the object, and everything that can go wrong on the way.

use super::*;

const MIB5: usize = 5 << 20;

struct Upload<'c> {
    client: &'c Client,
    target: String,
    id: String,
}

impl<'c> Upload<'c> {
    async fn create(client: &'c Client, key: &str, pairs: &[(&str, &str)]) -> Upload<'c> {
        let target = format!("/bucket/{key}");
        let ask = client.ask("POST", &format!("{target}?uploads"));
        let created =
            pairs.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).send().await.expect(200);
        assert_eq!(created.element("Bucket"), "bucket");
        Upload { client, target, id: created.element("UploadId") }
    }

    fn part_target(&self, number: u32) -> String {
        format!("{}?partNumber={number}&uploadId={}", self.target, self.id)
    }

    async fn part(&self, number: u32, body: Bytes) -> String {
        self.client.put(&self.part_target(number), body).await.expect(200).etag()
    }

    fn list(parts: &[(u32, &str)]) -> String {
        let parts: String = parts
            .iter()
            .map(|(number, etag)| {
                format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
            })
            .collect();
        format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
    }

    fn own_target(&self) -> String {
        format!("{}?uploadId={}", self.target, self.id)
    }

    async fn complete(&self, parts: &[(u32, &str)]) -> Answer {
        self.client.post(&self.own_target(), Upload::list(parts)).await
    }
}

fn letters(letter: u8, len: usize) -> Bytes {
    vec![letter; len].into()
}

#[tokio::test]
async fn parts_become_an_object() {
    let client = Client::with_bucket().await;
    let upload =
        Upload::create(&client, "dir/key", &[("content-type", "text/plain"), ("x-amz-meta-a", "b")]).await;
    client.get("/bucket/dir/key").await.expect_error(404, "NoSuchKey");
    let one = upload.part(1, letters(b'A', MIB5)).await;
    let two = upload.part(2, letters(b'B', MIB5)).await;
    let three = upload.part(3, letters(b'C', MIB5)).await;

    let listed = client.get(&upload.own_target()).await.expect(200);
    assert_eq!(listed.elements("PartNumber"), ["1", "2", "3"]);
    assert_eq!(listed.elements("ETag")[0], one);
    assert_eq!(
        (listed.element("IsTruncated"), listed.element("NextPartNumberMarker")),
        ("false".into(), "3".into())
    );
    let page =
        client.get(&format!("{}&max-parts=1&part-number-marker=1", upload.own_target())).await.expect(200);
    assert_eq!((page.elements("PartNumber"), page.element("IsTruncated")), (vec!["2".into()], "true".into()));
    let uploads = client.get("/bucket?uploads").await.expect(200);
    assert_eq!(
        (uploads.elements("Key"), uploads.elements("UploadId")),
        (vec!["dir/key".into()], vec![upload.id.clone()])
    );

    let parts = [(1, one.as_str()), (2, two.as_str()), (3, three.as_str())];
    let completed = upload.complete(&parts).await.expect(200);
    assert_eq!(completed.element("ETag"), "\"b2add96cc9702bbf4efb0ccdfc6b7747-3\"");
    assert_eq!(completed.element("ChecksumCRC64NVME"), "i+6LR0y3eFo=");
    assert_eq!(completed.element("ChecksumType"), "FULL_OBJECT");
    assert_eq!(completed.element("Location"), "http://s3.example.test/bucket/dir/key");

    // A repeat gets the same answer; anything else about the upload is over.
    assert_eq!(upload.complete(&parts).await.expect(200).element("ETag"), completed.element("ETag"));
    upload.complete(&parts[..2]).await.expect_error(404, "NoSuchUpload");
    let late = client.put(&upload.part_target(4), "late").await.expect_error(404, "NoSuchUpload");
    assert_eq!(late.element("UploadId"), upload.id);
    client.delete(&upload.own_target()).await.expect_error(404, "NoSuchUpload");
    client.get(&upload.own_target()).await.expect_error(404, "NoSuchUpload");

    let head = client.head("/bucket/dir/key").await.expect(200);
    assert_eq!(
        (head.header("content-length"), head.header("x-amz-meta-a")),
        ((3 * MIB5).to_string(), "b".into())
    );
    assert_eq!(head.header("x-amz-mp-parts-count"), "");
    let range = format!("bytes={}-{}", MIB5 - 2, MIB5 + 1);
    let across = client.ask("GET", "/bucket/dir/key").header("range", &range).send().await.expect(206);
    assert_eq!(across.text(), "AABB");
    let with_mode = |target: &str| client.ask("GET", target).header("x-amz-checksum-mode", "ENABLED").send();
    assert_eq!(with_mode("/bucket/dir/key").await.header("x-amz-checksum-type"), "FULL_OBJECT");
    let second = with_mode("/bucket/dir/key?partNumber=2").await.expect(206);
    let told = ["x-amz-checksum-crc64nvme", "x-amz-checksum-type"].map(|name| second.header(name));
    assert_eq!(told, ["", ""], "a checksum over the whole object is none of a part");
    assert_eq!((second.body.len(), second.header("x-amz-mp-parts-count")), (MIB5, "3".into()));
    assert_eq!(second.header("content-range"), format!("bytes {}-{}/{}", MIB5, 2 * MIB5 - 1, 3 * MIB5));
    assert_eq!(second.etag(), head.etag());
    let beyond = client.get("/bucket/dir/key?partNumber=4").await.expect_error(416, "InvalidPartNumber");
    assert_eq!(beyond.element("ActualPartCount"), "3");
}

#[tokio::test]
async fn composite_checksums_go_through_every_step() {
    let client = Client::with_bucket().await;
    let upload = Upload::create(&client, "key", &[("x-amz-checksum-algorithm", "SHA256")]).await;
    let sums = [
        "275VF5loJr1YYawit0XSHREhkFXYkkPKGuoK0x9VKxI=",
        "mrHwOfjTL5Zwfj74F05HOQGLdUb7E5szdCbxgUSq6NM=",
        "Vw7oB/nKQ5xWb3hNgbyfkvDiivl+U+/Dft48nfJfDow=",
    ];
    let mut parts = String::new();
    for (index, sum) in sums.iter().enumerate() {
        let body = letters(b'A' + index as u8, MIB5);
        let number = index as u32 + 1;
        let ask =
            client.ask("PUT", &upload.part_target(number)).header("x-amz-checksum-sha256", sum).body(body);
        let part = ask.send().await.expect(200);
        assert_eq!(part.header("x-amz-checksum-sha256"), *sum);
        parts += &format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag><ChecksumSHA256>{sum}</ChecksumSHA256></Part>",
            part.etag()
        );
    }
    let other = client.ask("PUT", &upload.part_target(4)).header("x-amz-checksum-crc32", "AAAAAA==").body("");
    let refused = other.send().await.expect_error(400, "InvalidRequest");
    let expected =
        "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: crc32";
    assert_eq!(refused.element("Message"), expected);
    let listed = client.get(&upload.own_target()).await.expect(200);
    assert_eq!(listed.elements("ChecksumSHA256"), sums);
    assert_eq!(
        (listed.element("ChecksumAlgorithm"), listed.element("ChecksumType")),
        ("SHA256".into(), "COMPOSITE".into())
    );

    let document = |parts: &str| format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let complete = |parts: &str, name: &str, value: &str| {
        let ask = client.ask("POST", &upload.own_target()).body(document(parts));
        if name.is_empty() { ask.send() } else { ask.header(name, value).send() }
    };
    let without = parts.replacen(&format!("<ChecksumSHA256>{}</ChecksumSHA256>", sums[0]), "", 1);
    complete(&without, "", "").await.expect_error(400, "InvalidRequest");
    complete(&parts.replacen(sums[0], sums[1], 1), "", "").await.expect_error(400, "InvalidPart");
    complete(&parts, "x-amz-checksum-type", "FULL_OBJECT").await.expect_error(400, "InvalidRequest");
    complete(&parts, "x-amz-mp-object-size", "5").await.expect_error(400, "InvalidRequest");
    complete(&parts, "x-amz-mp-object-size", "x").await.expect_error(400, "InvalidRequest");
    complete(&parts, "x-amz-checksum-sha256", sums[0]).await.expect_error(400, "BadDigest");
    let composite = "uWBwpe1dxI4Vw8Gf0X9ynOdw/SS6VBzfWm9giiv1sf4=";
    complete(&parts, "x-amz-checksum-sha256", &format!("{composite}-2")).await.expect_error(400, "BadDigest");
    let completed = complete(&parts, "x-amz-checksum-sha256", &format!("{composite}-3")).await.expect(200);
    assert_eq!(completed.element("ChecksumSHA256"), format!("{composite}-3"));
    assert_eq!(completed.element("ChecksumType"), "COMPOSITE");

    let with_mode = |target: &str| client.ask("GET", target).header("x-amz-checksum-mode", "ENABLED").send();
    assert_eq!(with_mode("/bucket/key").await.header("x-amz-checksum-sha256"), format!("{composite}-3"));
    let part = with_mode("/bucket/key?partNumber=2").await.expect(206);
    assert_eq!(
        (part.header("x-amz-checksum-sha256"), part.header("x-amz-checksum-type")),
        (sums[1].into(), "COMPOSITE".into())
    );
    let attributes = client
        .ask("GET", "/bucket/key?attributes")
        .header("x-amz-object-attributes", "Checksum,ObjectParts")
        .header("x-amz-max-parts", "2")
        .send()
        .await
        .expect(200);
    assert_eq!(attributes.elements("ChecksumSHA256"), [composite, sums[0], sums[1]]);
    assert_eq!(
        (attributes.element("PartsCount"), attributes.element("IsTruncated")),
        ("3".into(), "true".into())
    );
    assert_eq!(attributes.element("NextPartNumberMarker"), "2");
}

#[tokio::test]
async fn lists_that_do_not_fit_leave_the_upload_as_it_was() {
    let client = Client::with_bucket().await;
    let upload = Upload::create(&client, "key", &[]).await;
    let one = upload.part(1, letters(b'A', MIB5)).await;
    let two = upload.part(2, letters(b'B', 10)).await;
    let three = upload.part(3, letters(b'C', 10)).await;
    for (parts, code) in [
        (vec![], "MalformedXML"),
        (vec![(2, two.as_str()), (1, one.as_str())], "InvalidPartOrder"),
        (vec![(1, one.as_str()), (1, one.as_str())], "InvalidPartOrder"),
        (vec![(1, two.as_str())], "InvalidPart"),
        (vec![(4, one.as_str())], "InvalidPart"),
        (vec![(0, one.as_str())], "InvalidArgument"),
        (vec![(10_001, one.as_str())], "InvalidArgument"),
        (vec![(2, two.as_str()), (3, three.as_str())], "EntityTooSmall"),
    ] {
        let refused = upload.complete(&parts).await.expect_error(400, code);
        if code == "EntityTooSmall" {
            assert_eq!(
                (refused.element("PartNumber"), refused.element("ProposedSize")),
                ("2".into(), "10".into())
            );
        }
    }
    for bad in [
        "",
        "<CompleteMultipartUpload>",
        "garbage",
        "<CompleteMultipartUpload><Part/></CompleteMultipartUpload>",
    ] {
        client.post(&upload.own_target(), bad).await.expect_error(400, "MalformedXML");
    }
    let list = Upload::list(&[(1, &one), (3, &three)]);
    let with = |pairs: &[(&str, &str)]| {
        let ask = client.ask("POST", &upload.own_target()).body(list.clone());
        pairs.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).send()
    };
    with(&[("if-match", "\"x\"")]).await.expect_error(404, "NoSuchKey");
    with(&[("if-match", "*"), ("if-none-match", "*")]).await.expect_error(501, "NotImplemented");
    with(&[("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")]).await.expect_error(400, "BadDigest");
    let mut wrong_key = upload.own_target();
    wrong_key = wrong_key.replacen("/bucket/key", "/bucket/other", 1);
    client.post(&wrong_key, list.clone()).await.expect_error(404, "NoSuchUpload");
    with(&[("if-none-match", "*")]).await.expect(200);
    assert_eq!(client.head("/bucket/key").await.header("content-length"), (MIB5 + 10).to_string());
}

#[tokio::test]
async fn names_of_uploads_and_parts_are_checked_first() {
    let client = Client::with_bucket().await;
    let upload = Upload::create(&client, "key", &[]).await;
    for number in ["0", "10001", "x", "-1", ""] {
        let target = format!("/bucket/key?partNumber={number}&uploadId={}", upload.id);
        client.put(&target, "x").await.expect_error(400, "InvalidArgument");
    }
    for id in ["", "x", "../../etc", "00000000000000000000000000000000", "%F0%9F%98%80"] {
        let target = format!("/bucket/key?partNumber=1&uploadId={id}");
        client.put(&target, "x").await.expect_error(404, "NoSuchUpload");
        client.delete(&format!("/bucket/key?uploadId={id}")).await.expect_error(404, "NoSuchUpload");
        client.get(&format!("/bucket/key?uploadId={id}")).await.expect_error(404, "NoSuchUpload");
    }
    let target = format!("/bucket/key?uploadId={}", upload.id);
    for bad in ["max-parts=-1", "max-parts=x", "part-number-marker=x"] {
        client.get(&format!("{target}&{bad}")).await.expect_error(400, "InvalidArgument");
    }
    client.ask("PUT", &target).body("x").send().await.expect_error(400, "InvalidArgument");
    for (pairs, code) in [
        (vec![("x-amz-checksum-algorithm", "CRC99")], "InvalidRequest"),
        (vec![("x-amz-checksum-type", "COMPOSITE")], "InvalidRequest"),
        (
            vec![("x-amz-checksum-algorithm", "SHA256"), ("x-amz-checksum-type", "FULL_OBJECT")],
            "InvalidRequest",
        ),
    ] {
        let ask = client.ask("POST", "/bucket/key?uploads");
        let ask = pairs.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
        ask.send().await.expect_error(400, code);
    }
}

#[tokio::test]
async fn aborted_uploads_are_gone() {
    let client = Client::with_bucket().await;
    let upload = Upload::create(&client, "key", &[]).await;
    upload.part(1, bytes(100)).await;
    let abort = |time: &str| {
        client.ask("DELETE", &upload.own_target()).header("x-amz-if-match-initiated-time", time).send()
    };
    abort("Wed, 31 Dec 2025 00:00:00 GMT").await.expect_error(412, "PreconditionFailed");
    abort("Thu, 01 Jan 2026 00:00:00 GMT").await.expect(204);
    abort("Thu, 01 Jan 2026 00:00:00 GMT").await.expect(204);
    client.delete(&upload.own_target()).await.expect_error(404, "NoSuchUpload");
    client.put(&upload.part_target(2), "x").await.expect_error(404, "NoSuchUpload");
    assert!(client.get("/bucket?uploads").await.expect(200).elements("UploadId").is_empty());
}

#[tokio::test]
async fn lists_of_uploads_come_in_pages() {
    let client = Client::with_bucket().await;
    let mut ids = Vec::new();
    for key in ["a", "a", "b/1", "b/2", "c"] {
        client.clock.advance(1000);
        ids.push(Upload::create(&client, key, &[]).await.id);
    }
    let first = client.get("/bucket?uploads&max-uploads=1").await.expect(200);
    assert_eq!(
        (first.elements("UploadId"), first.element("IsTruncated")),
        (vec![ids[0].clone()], "true".into())
    );
    assert_eq!(
        (first.element("NextKeyMarker"), first.element("NextUploadIdMarker")),
        ("a".into(), ids[0].clone())
    );
    let second =
        client.get(&format!("/bucket?uploads&max-uploads=1&key-marker=a&upload-id-marker={}", ids[0])).await;
    assert_eq!(second.expect(200).elements("UploadId"), [ids[1].clone()]);
    let grouped = client.get("/bucket?uploads&delimiter=/&key-marker=a").await.expect(200);
    assert_eq!(
        (grouped.elements("Key"), grouped.elements("UploadId")),
        (vec!["c".into()], vec![ids[4].clone()])
    );
    assert!(grouped.text().contains("<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>"));
    let none = client.get("/bucket?uploads&max-uploads=0").await.expect(200);
    assert_eq!((none.elements("UploadId").len(), none.element("IsTruncated")), (0, "false".into()));
    assert_eq!(first.element("Initiated"), "2026-01-01T00:00:01.000Z");
    assert_eq!(first.element("StorageClass"), "STANDARD");
}

#[tokio::test]
async fn parts_can_be_copied_from_other_objects() {
    let client = Client::with_bucket().await;
    let body = bytes(MIB5 + 1000);
    client.put("/bucket/source", body.clone()).await.expect(200);
    let upload = Upload::create(&client, "key", &[]).await;
    let copy = |number: u32, range: &str| {
        let ask = client.ask("PUT", &upload.part_target(number)).header("x-amz-copy-source", "bucket/source");
        if range.is_empty() { ask.send() } else { ask.header("x-amz-copy-source-range", range).send() }
    };
    let whole = copy(1, "").await.expect(200);
    assert_eq!(whole.element("ETag"), format!("\"{}\"", md5_hex(&body)));
    let tail = copy(2, "bytes=1000-1009").await.expect(200);
    assert_eq!(tail.element("ETag"), format!("\"{}\"", md5_hex(&body[1000..1010])));
    for (range, code) in [
        ("bytes=0-", "InvalidArgument"),
        ("bytes=-5", "InvalidArgument"),
        ("0-5", "InvalidArgument"),
        ("bytes=5-2", "InvalidArgument"),
        ("bytes=0-1,3-4", "InvalidArgument"),
        ("bytes=0-99999999", "InvalidArgument"),
        ("bytes=99999999-99999999", "InvalidRequest"),
    ] {
        copy(3, range).await.expect_error(400, code);
    }
    let missing = client.ask("PUT", &upload.part_target(3)).header("x-amz-copy-source", "bucket/missing");
    missing.send().await.expect_error(404, "NoSuchKey");
    upload.complete(&[(1, &whole.element("ETag")), (2, &tail.element("ETag"))]).await.expect(200);
    let got = client.get("/bucket/key").await.expect(200);
    assert_eq!(got.body, [&body[..], &body[1000..1010]].concat());
}

#[tokio::test]
async fn a_condition_fails_when_the_key_was_changed_under_the_upload() {
    let client = Client::with_bucket().await;
    let etag = client.put("/bucket/key", "x").await.expect(200).etag();
    client.clock.advance(1000);
    let upload = Upload::create(&client, "key", &[]).await;
    let part = upload.part(1, bytes(10)).await;
    client.clock.advance(1000);
    client.put("/bucket/key", "x").await.expect(200);
    let list = Upload::list(&[(1, &part)]);
    let ask = client.ask("POST", &upload.own_target()).header("if-match", etag).body(list);
    let conflict = ask.send().await.expect_error(409, "ConditionalRequestConflict");
    assert_eq!((conflict.element("Condition"), conflict.element("Key")), ("If-Match".into(), "key".into()));
}

#[tokio::test]
async fn an_upload_that_is_gone_is_told_before_a_list_that_is_none() {
    let client = Client::with_bucket().await;
    let upload = Upload::create(&client, "key", &[]).await;
    client.post(&upload.own_target(), "no list").await.expect_error(400, "MalformedXML");
    client.delete(&upload.own_target()).await.expect(204);
    for list in ["no list", "", "<CompleteMultipartUpload/>"] {
        let answer = client.post(&upload.own_target(), list).await.expect_error(404, "NoSuchUpload");
        assert_eq!(answer.element("UploadId"), upload.id, "{list}");
    }
}

#[tokio::test]
async fn a_repeated_complete_that_says_something_else_of_the_object_is_refused() {
    let client = Client::with_bucket().await;
    let upload = Upload::create(
        &client,
        "key",
        &[("x-amz-checksum-algorithm", "CRC32C"), ("x-amz-checksum-type", "FULL_OBJECT")],
    )
    .await;
    let etag = upload.part(1, Bytes::from_static(b"123456789")).await;
    let ask = |name: &str, value: &str| {
        client.ask("POST", &upload.own_target()).header(name, value).body(Upload::list(&[(1, &etag)])).send()
    };
    for _ in 0..2 {
        ask("x-amz-mp-object-size", "9").await.expect(200);
        ask("x-amz-checksum-crc32c", "4waSgw==").await.expect(200);
        ask("x-amz-mp-object-size", "8").await.expect_error(400, "InvalidRequest");
        ask("x-amz-checksum-crc32c", "AAAAAA==").await.expect_error(400, "BadDigest");
    }
}
