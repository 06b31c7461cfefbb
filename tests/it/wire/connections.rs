//! Connections: HTTP/2, TLS, headers without end, and a gateway that is told to stop.

use super::with_bucket;
use crate::client::Client;
use crate::gateway::{ACCESS_KEY_ID, Gateway, SECRET_ACCESS_KEY};
use crate::seed::Seed;
use crate::socket::{Request, Socket};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Several windows of HTTP/2.
const LEN: usize = 9 << 20;

async fn put_and_get(client: &Client) {
    let body: Bytes = Seed::new(4).bytes(LEN).into();
    client.put("bucket", "key", body.clone()).await.unwrap().expect(200);
    assert!(client.get("bucket", "key").await.unwrap().expect(200).body == body);
}

#[tokio::test]
async fn http2_by_prior_knowledge() {
    let gateway = with_bucket(&[]).await;
    let builder = reqwest::Client::builder().http2_prior_knowledge();
    let client = Client::over(builder, &gateway.endpoint(), ACCESS_KEY_ID, SECRET_ACCESS_KEY);
    put_and_get(&client).await;
    // Several streams of one connection.
    let reads = (0..8).map(|_| client.get("bucket", "key"));
    for answer in futures::future::join_all(reads).await {
        assert_eq!(answer.unwrap().expect(200).body.len(), LEN);
    }
    client.put("no-such-bucket", "key", "small").await.unwrap().expect_code(404, "NoSuchBucket");
    client.get("bucket", "other").await.unwrap().expect_code(404, "NoSuchKey");
}

/// A client that trusts this certificate and no other.
pub(super) fn trusting(certificate: &rcgen::Certificate, protocol: &[u8]) -> reqwest::ClientBuilder {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    reqwest::Client::builder().tls_backend_preconfigured(config)
}

#[tokio::test]
async fn tls_with_both_protocols_and_nobody_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_string()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut gateway = Gateway::prepare(&[
        ("DOVETAIL_TLS__CERTIFICATE", certificate.to_str().unwrap()),
        ("DOVETAIL_TLS__PRIVATE_KEY", key.to_str().unwrap()),
    ]);
    gateway.spawn(&[]);
    let endpoint = format!("https://127.0.0.1:{}", gateway.port());
    let client = |protocol: &[u8]| {
        Client::over(trusting(&made.cert, protocol), &endpoint, ACCESS_KEY_ID, SECRET_ACCESS_KEY)
    };
    let begun = Instant::now();
    while client(b"http/1.1").send("PUT", "/bucket", &[], "").await.is_err() {
        assert!(gateway.is_running() && begun.elapsed() < Duration::from_secs(60), "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    put_and_get(&client(b"http/1.1")).await;
    put_and_get(&client(b"h2")).await;
    assert!(gateway.client().get("bucket", "key").await.is_err(), "clear text is not spoken here");
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_string()]).unwrap();
    let stranger = Client::over(trusting(&other.cert, b"h2"), &endpoint, ACCESS_KEY_ID, SECRET_ACCESS_KEY);
    assert!(stranger.get("bucket", "key").await.is_err(), "the control: the certificate matters");
    assert!(gateway.stop().success());
}

/// A certificate that is valid for some days, counted from today, in PEM files that the gateway is told of.
fn write_dated(folder: &std::path::Path, days: std::ops::Range<i64>) -> (rcgen::Certificate, i64) {
    let today_s = dovetail::base::clock::Clock::system().now_ms() / 1000;
    let at =
        |days: i64| std::time::UNIX_EPOCH + Duration::from_secs((today_s + days * 86_400).unsigned_abs());
    let mut wanted = rcgen::CertificateParams::new(["127.0.0.1".to_string()]).unwrap();
    (wanted.not_before, wanted.not_after) = (at(days.start).into(), at(days.end).into());
    let key = rcgen::KeyPair::generate().unwrap();
    let made = wanted.self_signed(&key).unwrap();
    std::fs::write(folder.join("cert.pem"), made.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    (made, wanted.not_after.unix_timestamp())
}

/// Nobody else says so before the first client fails: the gateway goes on with such a certificate.
#[tokio::test]
async fn a_certificate_with_wrong_dates_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut gateway = Gateway::prepare(&[
        ("DOVETAIL_TLS__CERTIFICATE", &path("cert.pem")),
        ("DOVETAIL_TLS__PRIVATE_KEY", &path("key.pem")),
    ]);
    write_dated(folder.path(), -20..-1);
    gateway.spawn(&[]);
    wait_for_log(&mut gateway, "the certificate has expired").await;
    wait_for_log(&mut gateway, "listening").await;
    for (days, said) in
        [(1..20, "the certificate is not valid yet"), (-20..2, "the certificate expires soon")]
    {
        write_dated(folder.path(), days);
        gateway.hang_up();
        wait_for_log(&mut gateway, said).await;
    }
    let (certificate, expires_at_s) = write_dated(folder.path(), -1..20);
    gateway.hang_up();
    let client = trusting(&certificate, b"http/1.1").build().unwrap();
    let url = format!("https://127.0.0.1:{}/_/metrics", gateway.port());
    let begun = Instant::now();
    let metrics = loop {
        match client.get(&url).send().await {
            Ok(answer) => break answer.text().await.unwrap(),
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{error}: {}", gateway.log()),
        }
    };
    let line = format!("dovetail_tls_certificate_expiry_timestamp_seconds {expires_at_s}\n");
    assert!(metrics.contains(&line), "{metrics}");
    assert_eq!(gateway.log().matches("/cert.pem").count(), 3, "nothing is wrong with the last one");
}

async fn wait_for_log(gateway: &mut Gateway, text: &str) {
    let begun = Instant::now();
    while !gateway.log().contains(text) {
        assert!(gateway.is_running() && begun.elapsed() < Duration::from_secs(60), "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let gateway = with_bucket(&[]).await;
    let long = "x".repeat(70 << 10);
    let many: String = (0..300).map(|number| format!("x-{number}: y\r\n")).collect();
    for header in [format!("x-long: {long}\r\n"), many] {
        let mut socket = Socket::connect(&gateway).await;
        socket.send_until_cut(format!("GET /bucket HTTP/1.1\r\nhost: x\r\n{header}\r\n")).await;
        let answer = String::from_utf8_lossy(&socket.rest().await).into_owned();
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer:.100}");
        assert!(answer.contains("<Code>RequestHeaderSectionTooLarge</Code>"), "{answer}");
    }
    for nonsense in ["\r\n\r\n\r\nnonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET  HTTP/1.1\r\n\r\n"] {
        let mut socket = Socket::connect(&gateway).await;
        socket.send_until_cut(nonsense).await;
        socket.finish_sending().await;
        let answer = String::from_utf8_lossy(&socket.rest().await).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{nonsense:?}: {answer:.100}");
    }
    for length in ["five", "-1", "5, 6", "18446744073709551616"] {
        let mut socket = Socket::connect(&gateway).await;
        socket
            .send_until_cut(format!(
                "PUT /bucket/key HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"
            ))
            .await;
        let (status, headers) = socket.head().await;
        assert_eq!((status, headers["connection"].as_bytes()), (400, &b"close"[..]), "{length}");
        let id = headers["x-amz-request-id"].to_str().unwrap().to_owned();
        let document = String::from_utf8_lossy(&socket.rest().await).into_owned();
        assert_eq!(document.len().to_string(), headers["content-length"].to_str().unwrap());
        assert!(document.contains("<Code>BadRequest</Code>"), "{document}");
        assert!(document.contains(&format!("<RequestId>{id}</RequestId>")), "{document}");
    }
    gateway.client().send("HEAD", "/bucket", &[], "").await.unwrap().expect(200);
}

#[tokio::test]
async fn slow_headers_are_cut() {
    let gateway = with_bucket(&[("DOVETAIL_LIMITS__HEADER_TIMEOUT", "500ms")]).await;
    let mut silent = Socket::connect(&gateway).await;
    let mut slow = Socket::connect(&gateway).await;
    silent.send("").await;
    let begun = Instant::now();
    let trickle = async {
        for byte in Request::new(&gateway, "GET", "/bucket").sign().0 {
            slow.send_until_cut([byte]).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        String::from_utf8_lossy(&slow.rest().await).into_owned()
    };
    let (answer, nothing) = tokio::join!(trickle, silent.rest());
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(nothing.is_empty() && begun.elapsed() < Duration::from_secs(30));
    // A connection may be quiet between requests for longer than a header may take.
    let mut quiet = Socket::connect(&gateway).await;
    quiet.ask(&gateway, "GET", "/bucket").await.expect(200);
    tokio::time::sleep(Duration::from_millis(900)).await;
    quiet.ask(&gateway, "GET", "/bucket").await.expect(200);
    assert!(gateway.metric("dovetail_connections_cut_total").await >= 2.0);
}

#[tokio::test]
async fn sigterm_finishes_what_is_in_flight_and_takes_nothing_new() {
    let mut gateway = with_bucket(&[]).await;
    let body = Seed::new(5).bytes(4 << 20);
    let mut socket = Socket::connect(&gateway).await;
    let idle = Socket::connect(&gateway).await;
    socket.send(Request::new(&gateway, "PUT", "/bucket/key").body_len(body.len()).sign().0).await;
    socket.send(&body[..body.len() / 2]).await;
    // The first of the bytes are in a file, so the request is in flight.
    gateway.wait_for_blob_files(1).await;
    gateway.terminate();
    assert!(idle.rest().await.is_empty(), "a connection without a request ends at once");
    assert!(gateway.client().get("bucket", "key").await.is_err());
    assert!(gateway.is_running());
    socket.send(&body[body.len() / 2..]).await;
    socket.answer().await.expect(200);
    assert!(socket.rest().await.is_empty());
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = gateway.try_wait() {
            break status;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(status.code(), Some(0), "{}", gateway.log());
    gateway.spawn(&[]);
    gateway.wait_ready().await;
    assert!(gateway.client().get("bucket", "key").await.unwrap().expect(200).body == body);
}
