//! Invariant 8: a failed, aborted or cut-off request leaves no visible trace.

use super::{BUCKET, PART_LEN, bytes};
use crate::gateway::Gateway;
use crate::socket::{Request, Socket};
use bytes::Bytes;
use dovetail::wire::aws_chunked::Encoder;
use dovetail::wire::sigv4::PayloadKind;
use dovetail_digest::{Algorithm, Digest};

/// Larger than what is kept beside the metadata, so that there is a file to be left behind.
const LEN: usize = 3 << 20;

/// Where an upload goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// The connection is closed in the middle of the body.
    Closed,
    /// The client says that it will send nothing more, and waits.
    TooShort,
    /// Nothing more comes.
    Stalled,
    Md5,
    Sha256,
    Checksum,
    Trailer,
    /// The frames end before the announced length.
    ShortFrames,
}

const FAULTS: [Fault; 8] = [
    Fault::Closed,
    Fault::TooShort,
    Fault::Stalled,
    Fault::Md5,
    Fault::Sha256,
    Fault::Checksum,
    Fault::Trailer,
    Fault::ShortFrames,
];

/// Sends an upload that goes wrong; the code it is refused with, where there is an answer.
async fn fail(gateway: &Gateway, path: &str, fault: Fault) {
    let body = bytes(8, LEN);
    let mut socket = Socket::connect(gateway).await;
    let request = Request::new(gateway, "PUT", path);
    let (code, stays_usable) = match fault {
        Fault::Closed => {
            socket.send(request.body_len(LEN).sign().0).await;
            socket.send(&body[..LEN / 2]).await;
            return;
        }
        Fault::TooShort => {
            socket.send(request.body_len(LEN).sign().0).await;
            socket.send(&body[..LEN - 1]).await;
            socket.finish_sending().await;
            // The gateway may hang up on who hung up first, but it must not say that all is well.
            let answer = String::from_utf8_lossy(&socket.rest().await).into_owned();
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
            return;
        }
        Fault::Stalled => {
            socket.send(request.body_len(LEN).sign().0).await;
            socket.send(&body[..LEN / 2]).await;
            ("RequestTimeout", false)
        }
        Fault::Md5 => {
            let request = request.header("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==");
            socket.send(request.body_len(LEN).sign().0).await;
            socket.send(&body).await;
            ("BadDigest", true)
        }
        Fault::Sha256 => {
            socket.send(request.kind(PayloadKind::Sha256([7; 32])).body_len(LEN).sign().0).await;
            socket.send(&body).await;
            ("XAmzContentSHA256Mismatch", true)
        }
        Fault::Checksum => {
            let request = request.header("x-amz-checksum-crc32c", "AAAAAA==");
            socket.send(request.body_len(LEN).sign().0).await;
            socket.send(&body).await;
            ("BadDigest", true)
        }
        Fault::Trailer => {
            socket.send(framed(request, &body, LEN, true)).await;
            ("BadDigest", true)
        }
        Fault::ShortFrames => {
            socket.send(framed(request, &body[..LEN - 1], LEN, false)).await;
            ("IncompleteBody", true)
        }
    };
    let answer = socket.answer().await;
    assert_eq!(answer.code(), code, "{fault:?}: {}", answer.text());
    assert!((400..500).contains(&answer.status));
    if stays_usable && answer.header("connection") != Some("close") {
        socket.ask(gateway, "HEAD", "/bucket").await.expect(200);
    } else {
        assert!(!stays_usable, "{fault:?} costs the connection although the body was read");
        assert!(socket.rest().await.is_empty(), "{fault:?}");
    }
}

/// An unsigned streaming upload that announces `decoded_len`, with a trailer that is wrong on request.
fn framed(request: Request, body: &[u8], decoded_len: usize, wrong_trailer: bool) -> Vec<u8> {
    let mut encoder = Encoder::new(PayloadKind::UnsignedChunksTrailer, None);
    let mut frames = Vec::new();
    for piece in body.chunks(1 << 20) {
        encoder.chunk(Bytes::copy_from_slice(piece)).iter().for_each(|bytes| frames.extend_from_slice(bytes));
    }
    let right = dovetail_digest::digest(Algorithm::Crc32c, body);
    let digest = if wrong_trailer { Digest::new(&[0; 4]) } else { right };
    frames.extend_from_slice(&encoder.finish(Some((Algorithm::Crc32c, &digest))));
    let request = request
        .kind(PayloadKind::UnsignedChunksTrailer)
        .header("content-encoding", "aws-chunked")
        .header("x-amz-trailer", "x-amz-checksum-crc32c")
        .header("x-amz-decoded-content-length", &decoded_len.to_string())
        .body_len(frames.len());
    [request.sign().0, frames].concat()
}

#[tokio::test]
async fn uploads_that_fail_half_way_change_nothing() {
    let mut gateway = Gateway::start_with(&[("DOVETAIL_LIMITS__BODY_IDLE_TIMEOUT", "1s")]).await;
    let client = gateway.client();
    client.send("PUT", "/bucket", &[], "").await.unwrap().expect(200);
    let kept = bytes(1, 100_000);
    client.put(BUCKET, "kept", kept.clone()).await.unwrap().expect(200);
    let upload = client.create_upload(BUCKET, "parts").await.unwrap();
    let first = bytes(2, PART_LEN);
    let sent = client.upload_part(BUCKET, "parts", &upload, 1, first.clone()).await.unwrap().expect(200);
    let etag = sent.header("etag").unwrap().trim_matches('"').to_string();
    let before = gateway.blob_files();
    assert_eq!(before.len(), 2);

    for fault in FAULTS {
        for path in [
            "/bucket/fresh".to_string(),
            "/bucket/kept".to_string(),
            format!("/bucket/parts?partNumber=1&uploadId={upload}"),
            format!("/bucket/parts?partNumber=2&uploadId={upload}"),
        ] {
            // One of each target is enough for what takes the time-out's time.
            if fault == Fault::Stalled && !path.contains("partNumber=2") {
                continue;
            }
            fail(&gateway, &path, fault).await;
        }
        assert_eq!(client.list(BUCKET).await.unwrap(), ["kept"], "{fault:?}");
        let parts = client.list_parts(BUCKET, "parts", &upload).await.unwrap();
        assert_eq!(parts, Some(vec![(1, etag.clone())]), "{fault:?}");
        let uploads = client.send("GET", "/bucket?uploads", &[], "").await.unwrap().expect(200);
        assert_eq!(uploads.elements("UploadId"), [upload.as_str()], "{fault:?}");
        // One look: a request that was cut may still be on its way through, and leave as it came.
        assert_eq!(gateway.wait_for_blob_files(2).await, before, "{fault:?}");
    }
    assert!(client.get(BUCKET, "kept").await.unwrap().expect(200).body == kept);
    client.complete(BUCKET, "parts", &upload, &[(1, etag)]).await.unwrap().expect(200);
    assert!(client.get(BUCKET, "parts").await.unwrap().expect(200).body == first);
    gateway.wait_for_metric("dovetail_bodies_in_flight", 0.0).await;
    assert!(gateway.stop().success());
    gateway.check_that_fsck_finds_nothing();
}

#[tokio::test]
async fn an_aborted_upload_leaves_no_file_and_no_part_that_was_on_its_way() {
    let gateway = Gateway::start().await;
    let client = gateway.client();
    client.send("PUT", "/bucket", &[], "").await.unwrap().expect(200);
    let upload = client.create_upload(BUCKET, "key").await.unwrap();
    client.upload_part(BUCKET, "key", &upload, 1, bytes(1, PART_LEN)).await.unwrap().expect(200);
    let body = bytes(2, LEN);
    let mut late = Socket::connect(&gateway).await;
    let path = format!("/bucket/key?partNumber=2&uploadId={upload}");
    late.send(Request::new(&gateway, "PUT", &path).body_len(LEN).sign().0).await;
    late.send(&body[..LEN - 1]).await;
    gateway.wait_for_blob_files(2).await;
    client.abort(BUCKET, "key", &upload).await.unwrap().expect(204);
    late.send(&body[LEN - 1..]).await;
    late.answer().await.expect_code(404, "NoSuchUpload");
    gateway.wait_for_blob_files(0).await;
    assert_eq!(client.list_parts(BUCKET, "key", &upload).await.unwrap(), None);
}
