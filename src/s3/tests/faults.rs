//! When the backend fails, or we do: a retryable answer, or a connection that ends before the last byte.

use super::*;
use crate::blob::ErrorKind;
use crate::blob::faulty::{Call, Fault, Faulty};
use crate::blob::memory::Memory;

async fn faulty() -> (Client, Arc<Faulty>) {
    let blobs = Arc::new(Faulty::new(Arc::new(Memory::new())));
    let client = Client::over(blobs.clone());
    client.put("/bucket", "").await.expect(200);
    (client, blobs)
}

#[tokio::test]
async fn a_backend_that_fails_gives_an_error_that_clients_retry() {
    let (client, blobs) = faulty().await;
    let body = bytes(1 << 20);
    for (kind, status, code) in [
        (ErrorKind::Unavailable, 503, "ServiceUnavailable"),
        (ErrorKind::NoSpace, 503, "ServiceUnavailable"),
        (ErrorKind::Io, 500, "InternalError"),
    ] {
        for call in [Call::Create, Call::Write, Call::Finish] {
            blobs.always(call, Fault::Fail(kind));
            let failed = client.put("/bucket/key", body.clone()).await.expect_error(status, code);
            assert!(!failed.text().to_lowercase().contains("faulty"), "{}", failed.text());
            blobs.heal();
            client.get("/bucket/key").await.expect_error(404, "NoSuchKey");
        }
    }
    client.put("/bucket/key", body.clone()).await.expect(200);
    blobs.always(Call::Read, Fault::Fail(ErrorKind::Unavailable));
    client.get("/bucket/key").await.expect_error(503, "ServiceUnavailable");
    client.head("/bucket/key").await.expect(200);
    blobs.heal();
    assert_eq!(client.get("/bucket/key").await.expect(200).body, body);
}

#[tokio::test]
async fn bytes_that_cannot_be_read_cut_the_answer() {
    let (client, blobs) = faulty().await;
    client.put("/bucket/key", bytes(4 << 20)).await.expect(200);
    blobs.nth(Call::Read, 2, Fault::Fail(ErrorKind::Io));
    let mut ask = client.ask("GET", "/bucket/key");
    client.signer.sign_header("GET", "/bucket/key", "", &mut ask.headers, PayloadKind::Unsigned, NOW_S);
    let empty = StreamBody::new(futures::stream::empty()).boxed_unsync();
    let mut req = http::Request::builder().uri("/bucket/key");
    *req.headers_mut().unwrap() = ask.headers;
    let answer = client.s3.handle(req.body(empty).unwrap()).await;
    assert_eq!(
        (answer.status(), answer.headers()["content-length"].as_bytes()),
        (http::StatusCode::OK, &b"4194304"[..])
    );
    assert!(answer.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_panic_costs_one_request_a_500() {
    let client = Client::with_bucket().await;
    let mut ask = client.ask("PUT", "/bucket/key").header("content-length", "5");
    client.signer.sign_header("PUT", "/bucket/key", "", &mut ask.headers, PayloadKind::Unsigned, NOW_S);
    let body = StreamBody::new(futures::stream::poll_fn(|_| panic!("a bug"))).boxed_unsync();
    let mut req = http::Request::builder().method("PUT").uri("/bucket/key");
    *req.headers_mut().unwrap() = ask.headers;
    let answer = Answer::read(client.s3.handle(req.body(body).unwrap()).await, false).await;
    assert!(!answer.expect_error(500, "InternalError").text().contains("a bug"));
    client.put("/bucket/key", "x").await.expect(200);
}
