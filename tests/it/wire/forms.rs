//! Browser forms over real connections.

use super::with_bucket;
use crate::gateway::{ACCESS_KEY_ID, Gateway, SECRET_ACCESS_KEY};
use crate::seed::Seed;
use crate::socket::{Request, Socket, now_s, signer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dovetail::wire::sigv2;
use dovetail::wire::sigv4::Secret;

const BOUNDARY: &str = "----WebKitFormBoundaryOfTests";

/// A signed form with this file, for at most so many bytes. With version 2 where that is asked for.
fn form(key: &str, file: &[u8], max: usize, with_v2: bool) -> Vec<u8> {
    let policy = STANDARD.encode(format!(
        r#"{{"expiration": "2099-01-01T00:00:00Z", "conditions": [{{"bucket": "bucket"}},
           ["starts-with", "$key", "forms/"], ["content-length-range", 0, {max}]]}}"#
    ));
    let mut fields = vec![("key".to_string(), key.to_string()), ("policy".to_string(), policy.clone())];
    let mut add = |name: &str, value: &str| fields.push((name.to_string(), value.to_string()));
    if with_v2 {
        add("AWSAccessKeyId", ACCESS_KEY_ID);
        add("Signature", &sigv2::sign(&Secret::new(SECRET_ACCESS_KEY), policy.as_bytes()));
    } else {
        let signed = signer(ACCESS_KEY_ID, SECRET_ACCESS_KEY).sign_policy(&policy, now_s());
        add("x-amz-algorithm", "AWS4-HMAC-SHA256");
        add("x-amz-credential", &format!("{ACCESS_KEY_ID}/{}", signed.scope));
        add("x-amz-date", &dovetail::wire::http_date::basic(signed.timestamp));
        add("x-amz-signature", &signed.signature);
    }
    let mut form = Vec::new();
    for (name, value) in fields {
        let part =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        form.extend_from_slice(part.as_bytes());
    }
    let head =
        "Content-Disposition: form-data; name=\"file\"; filename=\"cat.jpg\"\r\nContent-Type: image/jpeg";
    form.extend_from_slice(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
    form.extend_from_slice(file);
    form.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    form
}

fn post(gateway: &Gateway, len: usize) -> Request {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    Request::new(gateway, "POST", "/bucket").header("content-type", &content_type).body_len(len)
}

#[tokio::test]
async fn a_form_uploads_small_and_large_files_on_one_connection() {
    let gateway = with_bucket(&[("DOVETAIL_SIGV2", "true")]).await;
    let mut socket = Socket::connect(&gateway).await;
    for (len, with_v2) in [(0, false), (1_000, true), (70_000, false), (9 << 20, true)] {
        let file = Seed::new(len as u64).bytes(len);
        let form = form("forms/${filename}", &file, 10 << 20, with_v2);
        socket.send(post(&gateway, form.len()).write()).await;
        socket.send(&form).await;
        let answer = socket.answer().await.expect(204);
        assert!(answer.header("location").is_some_and(|url| url.ends_with("/bucket/forms/cat.jpg")));
        let object = gateway.client().get("bucket", "forms/cat.jpg").await.unwrap().expect(200);
        assert!(object.body == file, "{len} bytes");
    }
}

#[tokio::test]
async fn a_form_that_goes_wrong_leaves_nothing() {
    let gateway = with_bucket(&[]).await;
    let file = Seed::new(1).bytes(4 << 20);
    // Cut off in the file.
    let whole = form("forms/cut", &file, 10 << 20, false);
    let mut socket = Socket::connect(&gateway).await;
    socket.send(post(&gateway, whole.len()).write()).await;
    socket.send(&whole[..whole.len() / 2]).await;
    drop(socket);
    // Too large, and known to be from the form's length: the file is not waited for.
    let large = form("forms/large", &file, 1 << 20, false);
    let mut socket = Socket::connect(&gateway).await;
    socket.send(post(&gateway, large.len()).write()).await;
    socket.send(&large[..4096]).await;
    socket.answer().await.expect_code(400, "EntityTooLarge");
    // Too large, and only the file itself tells.
    let mut socket = Socket::connect(&gateway).await;
    let chunked = Request::new(&gateway, "POST", "/bucket")
        .header("content-type", &format!("multipart/form-data; boundary={BOUNDARY}"))
        .header("transfer-encoding", "chunked");
    socket.send(chunked.write()).await;
    let start = &large[..(1 << 20) + 8192];
    socket.send([format!("{:x}\r\n", start.len()).as_bytes(), start, b"\r\n"].concat()).await;
    socket.answer().await.expect_code(400, "EntityTooLarge");
    // Version 2 is off here, and nobody signed the last one.
    for form in [form("forms/v2", b"x", 10, true), form("other/key", b"x", 10, false)] {
        let mut socket = Socket::connect(&gateway).await;
        socket.send(post(&gateway, form.len()).write()).await;
        socket.send(&form).await;
        let status = socket.answer().await.status;
        assert!(matches!(status, 400 | 403), "{status}");
    }
    assert!(gateway.client().list("bucket").await.unwrap().is_empty());
    gateway.wait_for_blob_files(0).await;
}
