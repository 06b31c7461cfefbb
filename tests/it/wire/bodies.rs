//! Request bodies: asked for, refused early, and in chunks.

use super::with_bucket;
use crate::client::Answer;
use crate::gateway::Gateway;
use crate::seed::Seed;
use crate::socket::{Request, Socket};
use bytes::Bytes;
use dovetail::wire::aws_chunked::Encoder;
use dovetail::wire::checksum;
use dovetail::wire::sigv4::PayloadKind;
use dovetail_digest::{Algorithm, Digest};

#[tokio::test]
async fn a_body_is_asked_for_only_when_it_can_be_taken() {
    let gateway = with_bucket(&[]).await;
    let body = Seed::new(1).bytes(1 << 20);
    let expecting = |path: &str| {
        Request::new(&gateway, "PUT", path).body_len(body.len()).header("expect", "100-continue")
    };
    let no_upload = format!("/bucket/key?partNumber=1&uploadId={}", "0".repeat(32));
    for (request, status, code) in [
        (expecting("/no-such-bucket/key"), 404, "NoSuchBucket"),
        (expecting(&no_upload), 404, "NoSuchUpload"),
        (expecting("/bucket/key").secret("not the secret"), 403, "SignatureDoesNotMatch"),
        (expecting("/bucket/key").header("content-md5", "short"), 400, "InvalidDigest"),
    ] {
        let mut socket = Socket::connect(&gateway).await;
        socket.send(request.sign().0).await;
        // The first status is the last: no 100 before it.
        let answer = socket.answer().await.expect_code(status, code);
        assert_eq!(answer.header("connection"), Some("close"), "{code}");
        assert!(socket.rest().await.is_empty(), "{code}");
    }
    let mut socket = Socket::connect(&gateway).await;
    socket.send(expecting("/bucket/key").sign().0).await;
    assert_eq!(socket.head().await.0, 100);
    socket.send(&body).await;
    socket.answer().await.expect(200);
    let answer = socket.ask(&gateway, "HEAD", "/bucket/key").await.expect(200);
    assert_eq!(answer.header("content-length"), Some("1048576"));
}

#[tokio::test]
async fn an_early_refusal_reaches_a_client_that_is_still_sending() {
    let gateway = with_bucket(&[]).await;
    // Small enough to be read and forgotten: the connection goes on.
    let mut socket = Socket::connect(&gateway).await;
    for _ in 0..2 {
        socket.send(Request::new(&gateway, "PUT", "/no-such-bucket/key").body_len(10_000).sign().0).await;
        socket.send(vec![0; 10_000]).await;
        socket.answer().await.expect_code(404, "NoSuchBucket");
    }
    socket.ask(&gateway, "GET", "/bucket").await.expect(200);
    // Large: the answer is there to be read when everything is sent, and says that this was the last.
    let len = 16 << 20;
    socket.send(Request::new(&gateway, "PUT", "/no-such-bucket/key").body_len(len).sign().0).await;
    socket.send(vec![0; len]).await;
    let answer = socket.answer().await.expect_code(404, "NoSuchBucket");
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(socket.rest().await.is_empty());
    // Larger than any part may be: refused by its header alone.
    let mut socket = Socket::connect(&gateway).await;
    socket.send(Request::new(&gateway, "PUT", "/bucket/key").body_len((5 << 30) + 1).sign().0).await;
    socket.answer().await.expect_code(400, "EntityTooLarge");
    let mut socket = Socket::connect(&gateway).await;
    socket.send(Request::new(&gateway, "PUT", "/bucket/key").sign().0).await;
    socket.answer().await.expect_code(411, "MissingContentLength");
}

/// A streaming upload of `key`, framed in chunks of these lengths and changed on its way.
async fn send_chunked(
    gateway: &Gateway,
    key: &str,
    kind: PayloadKind,
    data: &[u8],
    chunk_len: usize,
    trailer: Option<Digest>,
    change: impl FnOnce(&mut Vec<u8>),
) -> Answer {
    let algorithm = Algorithm::Crc32c;
    let mut request = Request::new(gateway, "PUT", &format!("/bucket/{key}"))
        .kind(kind)
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", &data.len().to_string());
    if trailer.is_some() {
        request = request.header("x-amz-trailer", checksum::header_name(algorithm));
    }
    // The length has to be known before the signature that the chunks continue from.
    let announced = trailer.map(|_| algorithm);
    let len = Encoder::encoded_len(kind, data.len() as u64, chunk_len as u64, announced);
    let (mut head, signed) = request.header("transfer-encoding", "chunked").sign();
    let mut encoder = Encoder::new(kind, Some(&signed));
    let mut frames = Vec::new();
    for piece in data.chunks(chunk_len) {
        encoder.chunk(Bytes::copy_from_slice(piece)).iter().for_each(|bytes| frames.extend_from_slice(bytes));
    }
    let trailer = trailer.as_ref().map(|digest| (algorithm, digest));
    frames.extend_from_slice(&encoder.finish(trailer));
    assert_eq!(frames.len() as u64, len);
    change(&mut frames);
    // HTTP's own length is not signed here, so that a changed body is still one that HTTP can carry.
    let head_text = String::from_utf8(head).expect("a header is text");
    head =
        head_text.replace("transfer-encoding: chunked", &format!("content-length: {}", frames.len())).into();
    let mut socket = Socket::connect(gateway).await;
    socket.send(head).await;
    socket.send_until_cut(frames).await;
    socket.answer().await
}

#[tokio::test]
async fn chunked_uploads_of_every_kind_arrive() {
    let gateway = with_bucket(&[]).await;
    let data = Seed::new(2).bytes(3_000_000);
    let crc = dovetail_digest::digest(Algorithm::Crc32c, &data);
    for (kind, trailer) in [
        (PayloadKind::SignedChunks, None),
        (PayloadKind::SignedChunksTrailer, Some(crc)),
        (PayloadKind::UnsignedChunksTrailer, Some(crc)),
        (PayloadKind::UnsignedChunksTrailer, None),
    ] {
        send_chunked(&gateway, "key", kind, &data, 64 << 10, trailer, |_| {}).await.expect(200);
        let answer = gateway.client().get("bucket", "key").await.unwrap().expect(200);
        assert!(answer.body == data, "{kind:?}");
        assert_eq!(answer.header("content-encoding"), None);
        gateway.client().delete("bucket", "key").await.unwrap().expect(204);
    }
}

#[tokio::test]
async fn every_broken_frame_is_refused_and_leaves_nothing() {
    use PayloadKind::{SignedChunks, SignedChunksTrailer, UnsignedChunksTrailer};
    let gateway = with_bucket(&[]).await;
    let data = Seed::new(3).bytes(300_000);
    let crc = Some(dovetail_digest::digest(Algorithm::Crc32c, &data));
    type Case = (&'static str, PayloadKind, Option<Digest>, fn(&mut Vec<u8>), u16, &'static str);
    let cases: [Case; 12] = [
        ("data", SignedChunks, None, |frames| frames[100_000] ^= 1, 403, "SignatureDoesNotMatch"),
        ("first signature", SignedChunks, None, |frames| frames[30] ^= 1, 403, "SignatureDoesNotMatch"),
        (
            "last signature",
            SignedChunks,
            None,
            |frames| flip_from_end(frames, 5),
            403,
            "SignatureDoesNotMatch",
        ),
        ("no signature", SignedChunks, None, |frames| drop(frames.drain(5..86)), 400, "IncompleteBody"),
        (
            "trailer signature",
            SignedChunksTrailer,
            crc,
            |frames| flip_from_end(frames, 5),
            403,
            "SignatureDoesNotMatch",
        ),
        ("data of a trailer", UnsignedChunksTrailer, crc, |frames| frames[100_000] ^= 1, 400, "BadDigest"),
        ("size", UnsignedChunksTrailer, crc, |frames| frames[0] = b'x', 400, "IncompleteBody"),
        ("larger size", UnsignedChunksTrailer, crc, |frames| frames[0] = b'f', 400, "IncompleteBody"),
        (
            "no CRLF",
            UnsignedChunksTrailer,
            crc,
            |frames| frames[7 + (64 << 10)] = b'x',
            400,
            "IncompleteBody",
        ),
        ("no end", UnsignedChunksTrailer, crc, |frames| frames.truncate(250_000), 400, "IncompleteBody"),
        (
            "no trailer",
            UnsignedChunksTrailer,
            crc,
            |frames| cut_trailer(frames),
            400,
            "MalformedTrailerError",
        ),
        (
            "more",
            UnsignedChunksTrailer,
            crc,
            |frames| frames.extend_from_slice(b"more"),
            400,
            "IncompleteBody",
        ),
    ];
    for (what, kind, trailer, change, status, code) in cases {
        println!("{what}");
        let answer = send_chunked(&gateway, "key", kind, &data, 64 << 10, trailer, change).await;
        answer.expect_code(status, code);
        gateway.client().get("bucket", "key").await.unwrap().expect_code(404, "NoSuchKey");
    }
    gateway.wait_for_blob_files(0).await;
}

fn flip_from_end(frames: &mut [u8], back: usize) {
    let at = frames.len() - back;
    // Another hexadecimal digit, so that it stays a signature.
    frames[at] = if frames[at] == b'0' { b'1' } else { b'0' };
}

/// Leaves the last chunk and the blank line.
fn cut_trailer(frames: &mut Vec<u8>) {
    let at = frames.windows(5).rposition(|window| window == b"\r\n0\r\n").expect("there is a last chunk");
    frames.truncate(at + 5);
    frames.extend_from_slice(b"\r\n");
}
