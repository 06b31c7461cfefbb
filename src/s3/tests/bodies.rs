//! Bodies: hashes, lengths, aws-chunked framing, and leaving them alone.

use super::*;
use crate::wire::aws_chunked::Encoder;
use crate::wire::sigv4::sha256_hex;
use dovetail_digest::{Algorithm, Digest};

fn sha256(bytes: &[u8]) -> PayloadKind {
    PayloadKind::parse(&sha256_hex(bytes)).unwrap()
}

#[tokio::test]
async fn a_signed_hash_is_compared_with_the_body() {
    let client = Client::with_bucket().await;
    let ask = || client.ask("PUT", "/bucket/key").body("right");
    ask().payload(sha256(b"right")).send().await.expect(200);
    let refused = ask().payload(sha256(b"wrong")).send().await.expect_error(400, "XAmzContentSHA256Mismatch");
    assert_eq!(refused.element("ClientComputedContentSHA256"), sha256_hex(b"wrong"));
    assert_eq!(refused.element("S3ComputedContentSHA256"), sha256_hex(b"right"));
    let list = "<Delete><Object><Key>key</Key></Object></Delete>";
    let forged =
        client.ask("POST", "/bucket?delete").body(list).payload(sha256(b"another list")).send().await;
    forged.expect_error(400, "XAmzContentSHA256Mismatch");
    assert_eq!(client.get("/bucket/key").await.expect(200).text(), "right");
}

#[tokio::test]
async fn promised_hashes_are_compared_with_the_body() {
    let client = Client::with_bucket().await;
    let put = |pairs: &[(&str, &str)]| {
        let ask = client.ask("PUT", "/bucket/key").body("123456789");
        pairs.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).send()
    };
    let good = put(&[("x-amz-checksum-crc32", "y/Q5Jg=="), ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==")])
        .await
        .expect(200);
    assert_eq!(
        (good.header("x-amz-checksum-crc32"), good.header("x-amz-checksum-type")),
        ("y/Q5Jg==".into(), "FULL_OBJECT".into())
    );
    for (pairs, code) in [
        (vec![("x-amz-checksum-crc32", "AAAAAA==")], "BadDigest"),
        (vec![("x-amz-checksum-sha256", "AAAAAA==")], "InvalidRequest"),
        (vec![("x-amz-checksum-crc32", "nonsense")], "InvalidRequest"),
        (vec![("x-amz-checksum-crc33", "AAAAAA==")], "InvalidRequest"),
        (vec![("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-crc32c", "4waSgw==")], "InvalidRequest"),
        (vec![("x-amz-sdk-checksum-algorithm", "CRC32")], "InvalidRequest"),
        (vec![("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")], "BadDigest"),
        (vec![("content-md5", "")], "InvalidDigest"),
        (vec![("content-md5", "JfnnlDI7RTiF9RgfG2JNCw")], "InvalidDigest"),
        (
            vec![("x-amz-checksum-crc32", "y/Q5Jg=="), ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")],
            "BadDigest",
        ),
    ] {
        put(&pairs).await.expect_error(400, code);
    }
    let stored =
        client.ask("HEAD", "/bucket/key").header("x-amz-checksum-mode", "ENABLED").send().await.expect(200);
    assert_eq!(stored.header("x-amz-checksum-crc32"), "y/Q5Jg==");
}

#[tokio::test]
async fn lengths_are_kept() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "before").await.expect(200);
    client.ask("PUT", "/bucket/key").send().await.expect_error(411, "MissingContentLength");
    let ask = |len: &str| client.ask("PUT", "/bucket/key").header("content-length", len);
    ask("5").frames([Ok("four".into())]).send().await.expect_error(400, "IncompleteBody");
    ask("5").frames([Ok("sixsix".into())]).send().await.expect_error(400, "IncompleteBody");
    ask("x").frames([Ok("sixsix".into())]).send().await.expect_error(411, "MissingContentLength");
    let huge = ask("5368709121").send().await.expect_error(400, "EntityTooLarge");
    assert_eq!(huge.element("MaxSizeAllowed"), "5368709120");
    let cut = BodyError::Cut("gone".into());
    ask("5").frames([Ok("four".into()), Err(cut)]).send().await.expect_error(400, "IncompleteBody");
    ask("5")
        .frames([Ok("four".into()), Err(BodyError::Idle)])
        .send()
        .await
        .expect_error(400, "RequestTimeout");
    ask("5").frames([Err(BodyError::TooSlow)]).send().await.expect_error(400, "RequestTimeout");
    assert_eq!(client.get("/bucket/key").await.expect(200).text(), "before");

    let chunked = client.ask("PUT", "/bucket/key").header("transfer-encoding", "chunked");
    chunked.frames([Ok("in ".into()), Ok("pieces".into())]).send().await.expect(200);
    assert_eq!(client.get("/bucket/key").await.expect(200).text(), "in pieces");
    let chunked = client.ask("PUT", "/bucket/key").header("transfer-encoding", "chunked");
    for coded in ["gzip, chunked", "gzip", "chunked, chunked"] {
        let coded = client.ask("PUT", "/bucket/coded").header("transfer-encoding", coded);
        coded.frames([Ok("packed".into())]).send().await.expect_error(501, "NotImplemented");
    }
    let short = chunked.header("x-amz-decoded-content-length", "3").frames([Ok("four".into())]);
    short.send().await.expect_error(400, "IncompleteBody");
}

/// A streaming upload: signed, framed, and changed on its way.
async fn send_chunked(
    client: &Client,
    kind: PayloadKind,
    pieces: &[&[u8]],
    trailer: Option<(Algorithm, Digest)>,
    change: impl FnOnce(Vec<u8>) -> Vec<u8>,
) -> Answer {
    let decoded: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut ask = client.ask("PUT", "/bucket/key").header("content-encoding", "aws-chunked");
    ask = ask.header("x-amz-decoded-content-length", decoded.to_string());
    if let Some((algorithm, _)) = trailer {
        ask = ask.header("x-amz-trailer", crate::wire::checksum::header_name(algorithm));
    }
    let signed = client.signer.sign_header("PUT", "/bucket/key", "", &mut ask.headers, kind, NOW_S);
    let mut encoder = Encoder::new(kind, Some(&signed));
    let mut body = Vec::new();
    for piece in pieces {
        for bytes in encoder.chunk(Bytes::copy_from_slice(piece)) {
            body.extend_from_slice(&bytes);
        }
    }
    body.extend_from_slice(&encoder.finish(trailer.as_ref().map(|(algorithm, digest)| (*algorithm, digest))));
    let body = change(body);
    let frames: Vec<_> = body.chunks(1000).map(|frame| Ok(Bytes::copy_from_slice(frame))).collect();
    ask.header("content-length", body.len().to_string()).frames(frames).send_as_is().await
}

#[tokio::test]
async fn streaming_uploads_of_every_kind_arrive() {
    let client = Client::with_bucket().await;
    let data = bytes(20_000);
    let pieces = [&data[..8192], &data[8192..16_384], &data[16_384..]];
    let crc = Some((Algorithm::Crc32c, dovetail_digest::digest(Algorithm::Crc32c, &data)));
    for (kind, trailer) in [
        (PayloadKind::SignedChunks, None),
        (PayloadKind::SignedChunksTrailer, crc),
        (PayloadKind::UnsignedChunksTrailer, crc),
        (PayloadKind::UnsignedChunksTrailer, None),
    ] {
        let put = send_chunked(&client, kind, &pieces, trailer, |body| body).await.expect(200);
        assert_eq!(put.etag(), format!("\"{}\"", md5_hex(&data)));
        let expected = if trailer.is_some() { "x-amz-checksum-crc32c" } else { "x-amz-checksum-crc64nvme" };
        assert!(!put.header(expected).is_empty(), "{kind:?}");
        let got = client.get("/bucket/key").await.expect(200);
        assert_eq!((got.body.clone(), got.header("content-encoding")), (data.clone(), String::new()));
    }
    client.delete("/bucket/key").await.expect(204);
}

#[tokio::test]
async fn faults_of_streaming_uploads_leave_nothing() {
    let client = Client::with_bucket().await;
    let data = bytes(20_000);
    let pieces = [&data[..8192], &data[8192..16_384], &data[16_384..]];
    let small = [&data[..100], &data[100..20_000]];
    let wrong = Some((Algorithm::Crc32c, Digest::new(&[0; 4])));
    let flip = |at: usize| {
        move |mut body: Vec<u8>| {
            body[at] ^= 1;
            body
        }
    };
    let signed = PayloadKind::SignedChunks;
    let unsigned = PayloadKind::UnsignedChunksTrailer;
    send_chunked(&client, signed, &pieces, None, flip(5000)).await.expect_error(403, "SignatureDoesNotMatch");
    send_chunked(&client, signed, &small, None, |body| body).await.expect_error(400, "InvalidChunkSizeError");
    send_chunked(&client, unsigned, &pieces, wrong, |body| body).await.expect_error(400, "BadDigest");
    send_chunked(&client, unsigned, &pieces, wrong, flip(0)).await.expect_error(400, "IncompleteBody");
    let cut = |body: Vec<u8>| body[..body.len() - 100].to_vec();
    send_chunked(&client, unsigned, &pieces, wrong, cut).await.expect_error(400, "IncompleteBody");
    let longer = |mut body: Vec<u8>| {
        body.extend_from_slice(b"more");
        body
    };
    send_chunked(&client, unsigned, &pieces, None, longer).await.expect_error(400, "IncompleteBody");
    let no_trailer =
        send_chunked(&client, PayloadKind::SignedChunksTrailer, &pieces, None, |body| body).await;
    no_trailer.expect_error(400, "MalformedTrailerError");
    let without_len = client.ask("PUT", "/bucket/key").body("0\r\n\r\n").payload(unsigned);
    without_len.send().await.expect_error(411, "MissingContentLength");
    client.get("/bucket/key").await.expect_error(404, "NoSuchKey");
}

#[tokio::test]
async fn kinds_of_payload_that_are_none_are_refused() {
    let client = Client::with_bucket().await;
    for (value, status, code) in [
        ("nonsense", 400, "InvalidArgument"),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", 501, "NotImplemented"),
    ] {
        let mut ask = client.ask("PUT", "/bucket/key").body("x");
        client.signer.sign_header("PUT", "/bucket/key", "", &mut ask.headers, PayloadKind::Unsigned, NOW_S);
        ask.headers.insert("x-amz-content-sha256", HeaderValue::from_str(value).unwrap());
        ask.send_as_is().await.expect_error(status, code);
    }
}

#[tokio::test]
async fn a_request_that_cannot_succeed_leaves_its_body_alone() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "x").await.expect(200);
    let asks = [
        client.ask("PUT", "/bucket/key").header("if-none-match", "*"),
        client.ask("PUT", "/missing/key"),
        client.ask("PUT", "/bucket/key").header("x-amz-storage-class", "SNOW"),
        client.ask("PUT", "/bucket/key?partNumber=1&uploadId=00000000000000000000000000000000"),
    ];
    for mut ask in asks {
        ask = ask.header("content-length", "5");
        let (path, query) = ask.target.split_once('?').unwrap_or((&ask.target, ""));
        let payload = PayloadKind::Unsigned;
        client.signer.sign_header("PUT", path, query, &mut ask.headers, payload, NOW_S);
        let frames = futures::stream::poll_fn(|_| panic!("the body was polled"));
        let body = StreamBody::new(frames).boxed_unsync();
        let mut req = http::Request::builder().method("PUT").uri(&ask.target);
        *req.headers_mut().unwrap() = ask.headers;
        let status = client.s3.handle(req.body(body).unwrap()).await.status();
        assert!(status.is_client_error(), "{status}");
    }
}
