//! Requests put together at random from what clients, and people who are none, send: each gets an answer of S3's
//! form, and none is our fault.

use super::*;

/// A small generator (xorshift): a run is replayed from its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.roll(from.len())]
    }
}

const METHODS: &[&str] = &["GET", "GET", "HEAD", "PUT", "PUT", "POST", "DELETE", "OPTIONS", "BREW"];
const PATHS: &[&str] = &[
    "/",
    "/bucket",
    "/bucket/",
    "/bucket/key",
    "/bucket/key",
    "/bucket//",
    "/bucket/a/../b",
    "/bucket/..",
    "/bucket/%",
    "/bucket/%00",
    "/bucket/%ff",
    "/bucket/%F0%9F%98%80",
    "/missing/key",
    "/B",
    "//",
    "/_/live",
    "/bucket/%2e%2e/%2e%2e",
];
const QUERIES: &[&str] = &[
    "uploads",
    "uploadId=",
    "uploadId=0",
    "uploadId=00000000000000000000000000000000",
    "partNumber=1",
    "partNumber=0",
    "partNumber=99999999999999999999",
    "versionId=null",
    "versionId=",
    "versionId=%00",
    "list-type=2",
    "prefix=%",
    "prefix=%ff",
    "delimiter=",
    "delimiter=%F0%9F%98%80",
    "max-keys=-1",
    "max-keys=0",
    "max-keys=1",
    "marker=%00",
    "encoding-type=url",
    "continuation-token=%00",
    "continuation-token=AQk",
    "start-after=zzz",
    "delete",
    "acl",
    "policy",
    "tagging",
    "versions",
    "attributes",
    "key-marker=k",
    "upload-id-marker=%F0",
    "version-id-marker=null",
    "max-parts=0",
    "max-uploads=1",
    "part-number-marker=65536",
    "location",
    "restore",
    "select",
    "response-content-type=%0a",
    "X-Amz-Signature=x",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256",
    "X-Amz-Expires=-1",
    "Signature=x",
    "AWSAccessKeyId=x",
    "%",
    "=",
    "&&",
    "x-id=GetObject",
];
const HEADERS: &[(&str, &str)] = &[
    ("range", "bytes=0-"),
    ("range", "bytes=-0"),
    ("range", "bytes=18446744073709551615-"),
    ("if-match", "\""),
    ("if-none-match", "*"),
    ("if-modified-since", "Thu, 99 Jan 2026 00:00:00 GMT"),
    ("if-range", "\u{1}x"),
    ("x-amz-copy-source", "bucket/key"),
    ("x-amz-copy-source", "%"),
    ("x-amz-copy-source", "/"),
    ("x-amz-copy-source-range", "bytes=0-18446744073709551615"),
    ("x-amz-copy-source-range", "bytes=0-0"),
    ("x-amz-metadata-directive", "REPLACE"),
    ("x-amz-tagging", "a=b&a=b"),
    ("x-amz-tagging", "%"),
    ("x-amz-storage-class", "é"),
    ("x-amz-meta-é", "x"),
    ("x-amz-meta-a", "=?utf-8?b?/w==?="),
    ("content-md5", "AA=="),
    ("x-amz-checksum-crc32", "AAAAAA=="),
    ("x-amz-checksum-sha256", "x"),
    ("x-amz-checksum-algorithm", "CRC32"),
    ("x-amz-checksum-type", "COMPOSITE"),
    ("x-amz-sdk-checksum-algorithm", "x"),
    ("x-amz-trailer", "x-amz-checksum-crc32"),
    ("x-amz-decoded-content-length", "5"),
    ("x-amz-decoded-content-length", "-5"),
    ("content-length", "99999999999999999999"),
    ("content-encoding", "aws-chunked"),
    ("transfer-encoding", "chunked"),
    ("x-amz-object-attributes", "ETag,ObjectParts"),
    ("x-amz-max-parts", "-1"),
    ("x-amz-mp-object-size", "-1"),
    ("x-amz-expected-bucket-owner", "é"),
    ("origin", "http://x"),
    ("x-amz-acl", "public-read"),
    ("x-amz-if-match-size", "x"),
    ("content-type", "multipart/form-data; boundary=x"),
    ("expires", "\t"),
    ("x-amz-security-token", "x"),
    ("host", "bucket.s3.example.test"),
    ("x-amz-date", "yesterday"),
];
const BODIES: &[&str] = &[
    "",
    "x",
    "<",
    "<Delete><Object><Key>key</Key></Object></Delete>",
    "<Delete><Object><Key>&#xD800;</Key></Object></Delete>",
    "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
    "<CompleteMultipartUpload><Part><PartNumber>99999999999999999999</PartNumber><ETag/></Part></CompleteMultipartUpload>",
    "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"&b;\">]><a>&b;</a>",
    "5\r\nhello\r\n0\r\n\r\n",
    "ffffffffffffffff\r\n",
];

fn payload(dice: &mut Dice) -> PayloadKind {
    match dice.roll(6) {
        0 => PayloadKind::SignedChunks,
        1 => PayloadKind::SignedChunksTrailer,
        2 => PayloadKind::UnsignedChunksTrailer,
        3 => PayloadKind::Sha256([0; 32]),
        _ => PayloadKind::Unsigned,
    }
}

fn target(dice: &mut Dice) -> String {
    let path = if dice.roll(2) == 0 { "/bucket/key" } else { dice.pick(PATHS) };
    let queries: Vec<&str> = (0..dice.roll(5).saturating_sub(2)).map(|_| dice.pick(QUERIES)).collect();
    if queries.is_empty() { path.to_owned() } else { format!("{path}?{}", queries.join("&")) }
}

#[tokio::test]
async fn every_request_has_an_answer_and_none_is_a_500() {
    const SEED: u64 = 0x5eed_0fd0_7e7a_1100;
    const REQUESTS: usize = 4000;
    let client = Client::with_bucket().await;
    let mut dice = Dice(SEED);
    let mut answered = std::collections::BTreeMap::<u16, usize>::new();
    for number in 0..REQUESTS {
        // What was deleted is put back now and then, or there would be nothing to find.
        if number % 10 == 0 {
            client.put("/bucket", "").await;
            client.put("/bucket/key", "content").await.expect(200);
        }
        let target = target(&mut dice);
        let method = dice.pick(METHODS);
        let mut ask = client.ask(method, &target).body(dice.pick(BODIES)).payload(payload(&mut dice));
        for _ in 0..dice.roll(5).saturating_sub(2) {
            let (name, value) = HEADERS[dice.roll(HEADERS.len())];
            let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
            let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { continue };
            ask.headers.insert(name, value);
        }
        if ask.target.parse::<http::Uri>().is_err() {
            continue;
        }
        ask.is_anonymous = dice.roll(10) == 0;
        // That every answer has S3's form is checked wherever one is read.
        let answer = ask.send().await;
        assert!(answer.status != 500, "request {number}: {method} {target}: {}", answer.text());
        *answered.entry(answer.status).or_default() += 1;
    }
    // The pool must be good enough to get somewhere, or nothing is tested.
    for status in [200, 204, 206, 400, 403, 404, 405, 412] {
        assert!(answered.contains_key(&status), "{answered:?}");
    }
}

#[tokio::test]
async fn headers_of_more_than_eight_kibibytes_are_refused() {
    let client = Client::with_bucket().await;
    let control =
        |len: usize| client.ask("PUT", "/bucket/key").header("cache-control", vec![b'x'; len]).body("");
    control(7000).send().await.expect(200);
    control(8192).send().await.expect_error(400, "RequestHeaderSectionTooLarge");
    assert_eq!(client.get("/bucket/key").await.expect(200).header("cache-control").len(), 7000);
    // Whoever it is: there is nothing to be computed over them yet.
    let anonymous = client.ask("GET", "/bucket/key").header("x", vec![b'x'; 60_000]).anonymous();
    anonymous.send().await.expect_error(400, "RequestHeaderSectionTooLarge");
}

#[tokio::test(start_paused = true)]
async fn long_documents_share_a_budget_of_memory() {
    let client = Client::with_bucket().await;
    let endless = || {
        let mut ask = client.ask("POST", "/bucket?delete");
        client.signer.sign_header(
            "POST",
            "/bucket",
            "delete",
            &mut ask.headers,
            PayloadKind::Unsigned,
            NOW_S,
        );
        let body =
            StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, BodyError>>()).boxed_unsync();
        let mut req = http::Request::builder().method("POST").uri("/bucket?delete").body(body).unwrap();
        *req.headers_mut() = ask.headers;
        req.headers_mut().insert("transfer-encoding", HeaderValue::from_static("chunked"));
        let s3 = client.s3.clone();
        async move { s3.handle(req).await }
    };
    let mut waiting = futures::future::join_all((0..8).map(|_| Box::pin(endless())));
    tokio::time::timeout(std::time::Duration::from_secs(1), &mut waiting).await.unwrap_err();
    let list = "<Delete><Object><Key>key</Key></Object></Delete>";
    let long = format!("{list}{}", " ".repeat(100_000));
    client.post("/bucket?delete", long.clone()).await.expect_error(503, "SlowDown");
    client.post("/bucket?delete", list).await.expect(200);
    drop(waiting);
    client.post("/bucket?delete", long).await.expect(200);
}
