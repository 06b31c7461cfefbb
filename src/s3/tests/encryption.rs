//! Server-side encryption as a client sees it: headers in and out, ranges, parts, copies, rules of buckets, errors.

use super::*;

const MIB5: usize = 5 << 20;
const BLOCK: usize = 256 << 10;

const METHOD: &str = "x-amz-server-side-encryption";
const KMS_KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CUSTOMER: &str = "x-amz-server-side-encryption-customer";
const COPY_SOURCE: &str = "x-amz-copy-source-server-side-encryption-customer";

/// Headers of a request, or of an answer.
type Pairs = Vec<(String, String)>;

/// The headers that bring the key of these bytes.
fn key_headers(prefix: &str, byte: u8) -> Pairs {
    let key = [byte; 32];
    let base64 = crate::s3::error::base64;
    vec![
        (format!("{prefix}-algorithm"), "AES256".to_owned()),
        (format!("{prefix}-key"), base64(&key)),
        (format!("{prefix}-key-md5"), base64(&dovetail_digest::md5(&key))),
    ]
}

fn customer(byte: u8) -> Pairs {
    key_headers(CUSTOMER, byte)
}

fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn s3() -> Pairs {
    pairs(&[(METHOD, "AES256")])
}

fn kms(key_id: &str) -> Pairs {
    pairs(&[(METHOD, "aws:kms"), (KMS_KEY_ID, key_id)])
}

/// A way to encrypt: what asks for it, what reads need, what answers say.
struct Way {
    asks: Pairs,
    reads: Pairs,
    says: Pairs,
    shows_md5: bool,
}

fn ways() -> Vec<Way> {
    let own = customer(1);
    let dual = pairs(&[(METHOD, "aws:kms:dsse"), (KMS_KEY_ID, "two")]);
    vec![
        Way { asks: vec![], reads: vec![], says: vec![], shows_md5: true },
        Way { asks: s3(), reads: vec![], says: s3(), shows_md5: true },
        Way { asks: kms("one"), reads: vec![], says: kms("one"), shows_md5: false },
        Way { asks: dual.clone(), reads: vec![], says: dual, shows_md5: false },
        Way {
            asks: own.clone(),
            reads: own.clone(),
            says: vec![own[0].clone(), own[2].clone()],
            shows_md5: false,
        },
    ]
}

impl Ask<'_> {
    fn headers(self, pairs: &[(String, String)]) -> Self {
        pairs.iter().fold(self, |ask, (name, value)| ask.header(name, value))
    }
}

impl Answer {
    /// Every header about encryption that the answer has, and no other.
    #[track_caller]
    fn says(self, expected: &[(String, String)]) -> Answer {
        let mut found: Pairs = self
            .headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with(METHOD))
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let mut expected = expected.to_vec();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        self
    }
}

impl Client {
    async fn put_as(&self, target: &str, body: Bytes, asks: &[(String, String)]) -> Answer {
        self.ask("PUT", target).headers(asks).body(body).send().await
    }

    async fn get_as(&self, target: &str, reads: &[(String, String)]) -> Answer {
        self.ask("GET", target).headers(reads).send().await
    }

    async fn copy_as(&self, from: &str, to: &str, headers: &[(String, String)]) -> Answer {
        self.ask("PUT", to).header("x-amz-copy-source", from).headers(headers).send().await
    }
}

#[tokio::test]
async fn what_is_encrypted_comes_back_whole_and_in_ranges() {
    let client = Client::with_bucket().await;
    for (index, way) in ways().iter().enumerate() {
        // Empty, inline, one block short of a second one, several.
        for len in [0, 1, 1000, 70_000, BLOCK, BLOCK + 1, 3 * BLOCK + 77] {
            let (target, body) = (format!("/bucket/{index}/{len}"), bytes(len));
            let put = client.put_as(&target, body.clone(), &way.asks).await.expect(200).says(&way.says);
            let is_md5 = put.etag() == format!("\"{}\"", md5_hex(&body));
            assert_eq!(is_md5, way.shows_md5, "{len} bytes, {:?}", way.asks);
            let got = client.get_as(&target, &way.reads).await.expect(200).says(&way.says);
            assert_eq!((&got.body, got.etag()), (&body, put.etag()));
            let head = client.ask("HEAD", &target).headers(&way.reads).send().await.expect(200);
            assert_eq!(head.says(&way.says).header("content-length"), len.to_string());
            for (first, last) in [(0, 0), (BLOCK - 1, BLOCK), (BLOCK, BLOCK), (5, 2 * BLOCK + 5)] {
                if last < len {
                    let range = format!("bytes={first}-{last}");
                    let part = client.ask("GET", &target).headers(&way.reads).header("range", range).send();
                    assert_eq!(part.await.expect(206).says(&way.says).body, body.slice(first..=last));
                }
            }
        }
    }
}

#[tokio::test]
async fn parts_of_an_upload_share_its_encryption() {
    let client = Client::with_bucket().await;
    for (index, way) in ways().iter().enumerate() {
        let target = format!("/bucket/key{index}");
        let created = client.ask("POST", &format!("{target}?uploads")).headers(&way.asks).send().await;
        let id = created.expect(200).says(&way.says).element("UploadId");
        let bodies = [bytes(MIB5 + 1), bytes(MIB5 + BLOCK - 3), bytes(10)];
        let mut list = String::new();
        for (number, body) in (1..).zip(&bodies) {
            let part = format!("{target}?partNumber={number}&uploadId={id}");
            // The first one is sent twice, as after a lost answer.
            if number == 1 {
                client.put_as(&part, body.clone(), &way.reads).await.expect(200);
            }
            let answer = client.put_as(&part, body.clone(), &way.reads).await.expect(200).says(&way.says);
            let etag = answer.etag();
            assert_eq!(etag == format!("\"{}\"", md5_hex(body)), way.shows_md5);
            list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
        }
        let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
        let own = format!("{target}?uploadId={id}");
        let complete = || client.post(&own, list.clone());
        let mut says = way.says.clone();
        // The key is not needed to complete, so there is nothing to say about it.
        says.retain(|(name, _)| !name.ends_with("key-md5"));
        complete().await.expect(200).says(&says);
        complete().await.expect(200).says(&says);

        let whole = bodies.concat();
        let got = client.get_as(&target, &way.reads).await.expect(200).says(&way.says);
        assert!(got.body == whole, "the whole object");
        for (number, body) in (1..).zip(&bodies) {
            let part = client.get_as(&format!("{target}?partNumber={number}"), &way.reads).await.expect(206);
            assert!(part.body == body, "part {number}");
        }
        for first in [MIB5 - 1, MIB5 + 1, 2 * MIB5 + BLOCK - 5, whole.len() - 1] {
            let last = (first + BLOCK).min(whole.len() - 1);
            let range = format!("bytes={first}-{last}");
            let part = client.ask("GET", &target).headers(&way.reads).header("range", range).send().await;
            assert!(part.expect(206).body == whole[first..=last], "{first} to {last}");
        }
        let attributes = client
            .ask("GET", &format!("{target}?attributes"))
            .headers(&way.reads)
            .header("x-amz-object-attributes", "ObjectSize,ObjectParts")
            .send()
            .await
            .expect(200);
        assert_eq!(attributes.says(&way.says).element("ObjectSize"), whole.len().to_string());
    }
}

#[tokio::test]
async fn copies_go_between_all_ways_to_encrypt() {
    let client = Client::with_bucket().await;
    let mut other = customer(2);
    let rekeyed = Way {
        asks: other.clone(),
        reads: other.clone(),
        says: vec![other.remove(0), other.remove(1)],
        shows_md5: false,
    };
    for len in [0, 1000, 2 * BLOCK + 5] {
        let body = bytes(len);
        for (from, source) in ways().iter().enumerate() {
            let target = format!("/bucket/from{from}");
            client.put_as(&target, body.clone(), &source.asks).await.expect(200);
            for (to, way) in ways().iter().chain([&rekeyed]).enumerate() {
                let (copy, mut headers) = (format!("/bucket/to{to}"), way.asks.clone());
                if !source.reads.is_empty() {
                    client.copy_as(&target, &copy, &headers).await.expect_error(400, "InvalidRequest");
                    headers.extend(key_headers(COPY_SOURCE, 9));
                    client.copy_as(&target, &copy, &headers).await.expect_error(403, "AccessDenied");
                    headers = [way.asks.clone(), key_headers(COPY_SOURCE, 1)].concat();
                }
                let copied = client.copy_as(&target, &copy, &headers).await.expect(200).says(&way.says);
                let is_md5 = copied.element("ETag") == format!("\"{}\"", md5_hex(&body));
                assert_eq!(is_md5, way.shows_md5, "{len} bytes from {from} to {to}");
                // The source goes, and its bytes stay.
                client.delete(&target).await.expect(204);
                let got = client.get_as(&copy, &way.reads).await.expect(200).says(&way.says);
                assert!(got.body == body, "{len} bytes from {from} to {to}");
                client.put_as(&target, body.clone(), &source.asks).await.expect(200);
            }
        }
    }
}

#[tokio::test]
async fn a_copy_onto_itself_changes_the_key() {
    let client = Client::with_bucket().await;
    let body = bytes(BLOCK + 9);
    let put = client.put_as("/bucket/key", body.clone(), &customer(1)).await.expect(200);
    let headers = [customer(2), key_headers(COPY_SOURCE, 1)].concat();
    client.copy_as("/bucket/key", "/bucket/key", &headers).await.expect(200);
    client.get_as("/bucket/key", &customer(1)).await.expect_error(403, "AccessDenied");
    let got = client.get_as("/bucket/key", &customer(2)).await.expect(200);
    assert_eq!((got.body, got.headers.get("etag").cloned()), (body, put.headers.get("etag").cloned()));
}

#[tokio::test]
async fn parts_are_copied_between_all_ways_to_encrypt() {
    let client = Client::with_bucket().await;
    let body = bytes(2 * BLOCK + 5);
    for (from, source) in ways().iter().enumerate() {
        let target = format!("/bucket/from{from}");
        client.put_as(&target, body.clone(), &source.asks).await.expect(200);
        let source_reads: Pairs = source
            .reads
            .iter()
            .map(|(name, value)| (name.replace(CUSTOMER, COPY_SOURCE), value.clone()))
            .collect();
        for (to, way) in ways().iter().enumerate() {
            let copy = format!("/bucket/to{to}");
            let created = client.ask("POST", &format!("{copy}?uploads")).headers(&way.asks).send().await;
            let id = created.expect(200).element("UploadId");
            let part = client
                .ask("PUT", &format!("{copy}?partNumber=1&uploadId={id}"))
                .header("x-amz-copy-source", &target)
                .header("x-amz-copy-source-range", format!("bytes=5-{}", BLOCK + 5))
                .headers(&way.reads)
                .headers(&source_reads)
                .send()
                .await
                .expect(200)
                .says(&way.says);
            let list = format!(
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
                part.element("ETag")
            );
            client.post(&format!("{copy}?uploadId={id}"), list).await.expect(200);
            let got = client.get_as(&copy, &way.reads).await.expect(200);
            assert!(got.body == body[5..=BLOCK + 5], "from {from} to {to}");
        }
    }
}

#[tokio::test]
async fn a_clients_key_has_to_come_and_to_be_the_right_one() {
    let client = Client::with_bucket().await;
    client.put_as("/bucket/key", bytes(100), &customer(1)).await.expect(200);
    client.put("/bucket/plain", bytes(100)).await.expect(200);
    client.put_as("/bucket/s3", bytes(100), &s3()).await.expect(200);
    for (target, headers, status, code) in [
        ("/bucket/key", vec![], 400, "InvalidRequest"),
        ("/bucket/key", customer(2), 403, "AccessDenied"),
        ("/bucket/key", customer(1)[..2].to_vec(), 400, "InvalidArgument"),
        ("/bucket/plain", customer(1), 400, "InvalidRequest"),
        ("/bucket/s3", customer(1), 400, "InvalidRequest"),
        ("/bucket/s3", s3(), 400, "InvalidArgument"),
        // What is not there is missing, whatever the key.
        ("/bucket/absent", customer(1), 404, "NoSuchKey"),
    ] {
        client.get_as(target, &headers).await.expect_error(status, code);
        client.ask("HEAD", target).headers(&headers).send().await.expect(status);
        if headers != s3() {
            let attributes = client.ask("GET", &format!("{target}?attributes")).headers(&headers);
            attributes.header("x-amz-object-attributes", "ETag").send().await.expect_error(status, code);
        }
    }
    // The key is asked for before conditions are judged, and not for what is kept beside the bytes.
    let conditional = client.ask("GET", "/bucket/key").header("if-match", "\"other\"");
    conditional.send().await.expect_error(400, "InvalidRequest");
    client.get("/bucket/key?tagging").await.expect(200);
    client.delete("/bucket/key").await.expect(204);
}

/// As AWS's model says: "needed only when the object was created using a checksum algorithm".
#[tokio::test]
async fn complete_needs_a_clients_key_only_where_a_checksum_was_asked_for() {
    let client = Client::with_bucket().await;
    const NONE: &[(&str, &str)] = &[];
    const CRC32: &[(&str, &str)] = &[("x-amz-checksum-algorithm", "CRC32")];
    const WHOLE: &[(&str, &str)] =
        &[("x-amz-checksum-algorithm", "CRC64NVME"), ("x-amz-checksum-type", "FULL_OBJECT")];
    for (index, (asks, reads, checksum, is_needed)) in [
        (customer(1), customer(1), NONE, false),
        (customer(1), customer(1), CRC32, true),
        (customer(1), customer(1), WHOLE, true),
        (s3(), vec![], CRC32, false),
        (vec![], vec![], CRC32, false),
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("/bucket/key{index}");
        let mut create = client.ask("POST", &format!("{target}?uploads")).headers(&asks);
        for (name, value) in checksum {
            create = create.header(name, value);
        }
        let id = create.send().await.expect(200).element("UploadId");
        let mut part = client.ask("PUT", &format!("{target}?partNumber=1&uploadId={id}")).headers(&reads);
        let mut crc = String::new();
        if checksum == CRC32 {
            let value = dovetail_digest::digest(dovetail_digest::Algorithm::Crc32, &bytes(100));
            let value = crate::wire::checksum::encode(&value);
            part = part.header("x-amz-checksum-crc32", &value);
            crc = format!("<ChecksumCRC32>{value}</ChecksumCRC32>");
        }
        let etag = part.body(bytes(100)).send().await.expect(200).etag();
        let list = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag>{crc}</Part></CompleteMultipartUpload>"
        );
        let own = format!("{target}?uploadId={id}");
        let complete =
            |reads: &[(String, String)]| client.ask("POST", &own).headers(reads).body(list.clone()).send();
        if is_needed {
            complete(&[]).await.expect_error(400, "InvalidRequest");
            complete(&customer(2)).await.expect_error(400, "InvalidRequest");
            complete(&reads).await.expect(200);
        }
        // Also a repeat, whose answer was lost: nothing is checked against the upload, which is gone.
        complete(&[]).await.expect(200);
        assert_eq!(client.get_as(&target, &reads).await.expect(200).body, bytes(100));
    }
}

#[tokio::test]
async fn a_part_needs_the_key_of_its_upload() {
    let client = Client::with_bucket().await;
    for (asks, sent, accepted) in [
        (customer(1), customer(1), true),
        (customer(1), vec![], false),
        (customer(1), customer(2), false),
        (vec![], customer(1), false),
        (s3(), customer(1), false),
        // Said again in vain, as some clients do.
        (s3(), kms("two"), true),
    ] {
        let created = client.ask("POST", "/bucket/key?uploads").headers(&asks).send().await;
        let id = created.expect(200).element("UploadId");
        let target = format!("/bucket/key?partNumber=1&uploadId={id}");
        let answer = client.put_as(&target, bytes(100), &sent).await;
        let etag = match accepted {
            true => answer.expect(200).etag(),
            false => {
                answer.expect_error(400, "InvalidRequest");
                assert!(client.get(&format!("/bucket/key?uploadId={id}")).await.elements("Part").is_empty());
                continue;
            }
        };
        let list = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        );
        let complete = client.ask("POST", &format!("/bucket/key?uploadId={id}")).body(list);
        complete.headers(&customer(3)).send().await.expect_error(400, "InvalidRequest");
    }
}

#[tokio::test]
async fn a_rule_encrypts_what_asks_for_nothing() {
    let client = Client::with_bucket().await;
    let unset = "ServerSideEncryptionConfigurationNotFoundError";
    client.get("/bucket?encryption").await.expect_error(404, unset);
    client.put("/bucket/before", bytes(10)).await.expect(200);
    let put_rule = async |inner: &str| {
        let document = format!(
            "<ServerSideEncryptionConfiguration><Rule>{inner}</Rule></ServerSideEncryptionConfiguration>"
        );
        client.put("/bucket?encryption", document).await.expect(200);
    };
    let default = |inner: &str| {
        format!("<ApplyServerSideEncryptionByDefault>{inner}</ApplyServerSideEncryptionByDefault>")
    };
    put_rule(&default("<SSEAlgorithm>AES256</SSEAlgorithm>")).await;
    let rule = client.get("/bucket?encryption").await.expect(200);
    assert_eq!(
        (rule.element("SSEAlgorithm"), rule.element("BucketKeyEnabled")),
        ("AES256".into(), "false".into())
    );
    client.put("/bucket/s3", bytes(10)).await.expect(200).says(&s3());
    client.get("/bucket/s3").await.expect(200).says(&s3());
    client.put_as("/bucket/own", bytes(10), &customer(1)).await.expect(200);
    client.get("/bucket/before").await.expect(200).says(&[]);
    // Changing its encryption is what a copy onto itself is for.
    client.copy_as("/bucket/before", "/bucket/before", &[]).await.expect(200).says(&s3());

    let kms_rule = "<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>arn:aws:kms:us-east-1:1:key/two</KMSMasterKeyID>";
    put_rule(&format!("{}<BucketKeyEnabled>true</BucketKeyEnabled>", default(kms_rule))).await;
    let rule = client.get("/bucket?encryption").await.expect(200);
    assert_eq!(rule.element("KMSMasterKeyID"), "arn:aws:kms:us-east-1:1:key/two");
    let mut says = kms("two");
    says.push(("x-amz-server-side-encryption-bucket-key-enabled".into(), "true".into()));
    client.put("/bucket/kms", bytes(10)).await.expect(200).says(&says);
    client.ask("POST", "/bucket/kms?uploads").send().await.expect(200).says(&says);
    client.put_as("/bucket/s3", bytes(10), &s3()).await.expect(200).says(&s3());

    put_rule("<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>").await;
    client.put_as("/bucket/own", bytes(10), &customer(1)).await.expect_error(403, "AccessDenied");
    client.get_as("/bucket/own", &customer(1)).await.expect(200);
    client.put("/bucket/plain", bytes(10)).await.expect(200).says(&[]);
    assert_eq!(client.get("/bucket?encryption").await.expect(200).element("EncryptionType"), "SSE-C");

    client.delete("/bucket?encryption").await.expect(204);
    client.delete("/bucket?encryption").await.expect(204);
    client.get("/bucket?encryption").await.expect_error(404, unset);
    client.put_as("/bucket/own", bytes(10), &customer(1)).await.expect(200);
    let bad = client.put("/bucket?encryption", "<ServerSideEncryptionConfiguration/>").await;
    bad.expect_error(400, "MalformedXML");
}

#[tokio::test]
async fn keys_for_kms_are_those_of_the_keyring() {
    let client = Client::with_bucket().await;
    client.put_as("/bucket/key", bytes(10), &kms("three")).await.expect_error(400, "KMS.NotFoundException");
    // No key is called aws/s3 here, so there is none by default.
    let unnamed = pairs(&[(METHOD, "aws:kms")]);
    client.put_as("/bucket/key", bytes(10), &unnamed).await.expect_error(400, "KMS.NotFoundException");
    client.get("/bucket/key").await.expect_error(404, "NoSuchKey");
    let mut asks = kms("one");
    asks.push(("x-amz-server-side-encryption-context".into(), "eyJhIjoiYiJ9".into()));
    client.put_as("/bucket/key", bytes(10), &asks).await.expect(200).says(&asks);
    client.get("/bucket/key").await.expect(200).says(&kms("one"));
}

#[tokio::test]
async fn keys_are_not_taken_in_the_clear() {
    let client = Client::with_bucket().await.needing_tls();
    client.put_as("/bucket/key", bytes(10), &customer(1)).await.expect_error(400, "InvalidRequest");
    client.get_as("/bucket/key", &customer(1)).await.expect_error(400, "InvalidRequest");
    client.put_as("/bucket/key", bytes(10), &s3()).await.expect(200);
    let peer = |tls| crate::base::body::Peer { address: "127.0.0.1:1".parse().unwrap(), tls };
    let put = |tls| client.ask("PUT", "/bucket/own").headers(&customer(1)).body(bytes(10)).from(peer(tls));
    put(false).send().await.expect_error(400, "InvalidRequest");
    put(true).send().await.expect(200);
}

#[tokio::test]
async fn stored_bytes_are_not_those_that_were_sent() {
    let blobs = Arc::new(crate::blob::memory::Memory::new());
    let client = Client::over(blobs.clone());
    client.put("/bucket", "").await.expect(200);
    let body: Bytes = vec![b'a'; BLOCK + 1].into();
    for asks in [vec![], s3(), kms("one"), customer(1)] {
        client.put_as("/bucket/key", body.clone(), &asks).await.expect(200);
    }
    use futures::StreamExt as _;
    let stored: Vec<_> = crate::blob::Store::list(&*blobs).map(Result::unwrap).collect().await;
    let mut readable = 0;
    for entry in stored {
        let reader = crate::blob::Store::open(&*blobs, entry.id).await.unwrap();
        assert_eq!(entry.len, body.len() as u64, "as many bytes as were sent");
        let bytes = reader.read(0, body.len()).await.unwrap();
        readable += usize::from(bytes.windows(4).any(|window| window == b"aaaa"));
    }
    assert_eq!(readable, 1, "the one that nobody asked to encrypt");
}
