//! A server over real sockets, with a front end that does what a test needs.

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::own_endpoints::OwnEndpoints;
use super::{FrontEnd, Server, Settings, Stopped, tls};
use crate::base::body::{BodyError, Peer, RequestBody, ResponseBody};
use crate::telemetry::metrics;

/// What hyper answers to what it cannot read.
const REFUSAL: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Answers by path: `/early` without looking at the body, `/impostor` with a body like a refusal once the test says so, `/panic` not at all, `/endless` without end, `/wait` once
/// the test says so, anything else with the number of bytes the body had.
#[derive(Default)]
struct Toy {
    arrived: Notify,
    go_on: Notify,
}

fn answer(status: u16, text: impl Into<Bytes>) -> Response<ResponseBody> {
    let body = Full::new(text.into()).map_err(|never: Infallible| match never {});
    Response::builder().status(status).body(ResponseBody::new(body)).unwrap()
}

async fn read_all(mut body: RequestBody) -> Result<u64, BodyError> {
    let mut len = 0;
    while let Some(frame) = body.frame().await {
        len += frame?.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(len)
}

struct ToyFrontEnd(Arc<Toy>);

impl FrontEnd for ToyFrontEnd {
    fn handle(&self, req: Request<RequestBody>) -> BoxFuture<'static, Response<ResponseBody>> {
        let toy = Arc::clone(&self.0);
        Box::pin(async move {
            let (parts, body) = req.into_parts();
            let peer = parts.extensions.get::<Peer>().expect("the server says who asks");
            match parts.uri.path() {
                "/early" => answer(403, "no"),
                "/panic" => panic!("as asked"),
                "/tls" => answer(200, format!("{} {:?}", peer.tls, parts.version)),
                "/endless" => {
                    let frame = Bytes::from(vec![b'x'; 64 << 10]);
                    let frames = futures::stream::repeat_with(move || {
                        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(http_body::Frame::data(
                            frame.clone(),
                        ))
                    });
                    Response::new(ResponseBody::new(StreamBody::new(frames)))
                }
                "/impostor" => {
                    let body = futures::stream::once(async move {
                        toy.go_on.notified().await;
                        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(http_body::Frame::data(
                            Bytes::from_static(REFUSAL),
                        ))
                    });
                    let answer = Response::builder().header("content-length", REFUSAL.len());
                    answer.body(ResponseBody::new(StreamBody::new(body))).unwrap()
                }
                "/wait" => {
                    toy.arrived.notify_one();
                    toy.go_on.notified().await;
                    answer(200, "waited")
                }
                _ => match read_all(body).await {
                    Ok(len) => answer(200, len.to_string()),
                    Err(err) => answer(408, err.to_string()),
                },
            }
        })
    }

    fn unreadable(&self, status: StatusCode) -> Option<Response<Bytes>> {
        Some(Response::builder().status(418).body(status.as_str().to_string().into()).unwrap())
    }

    fn owns_every_path(&self, req: &http::request::Parts) -> bool {
        req.headers.get("host").is_some_and(|host| host == "bucket.example")
    }
}

struct Running {
    address: std::net::SocketAddr,
    toy: Arc<Toy>,
    certificates: Option<Arc<tls::Certificates>>,
    stop: Arc<Notify>,
    served: JoinHandle<Stopped>,
}

fn settings() -> Settings {
    Settings { listen: "127.0.0.1:0".parse().unwrap(), ..Settings::default() }
}

#[allow(clippy::disallowed_methods, reason = "a test waits for its own tasks")]
async fn start(settings: Settings) -> Running {
    let toy = Arc::new(Toy::default());
    let readiness = || -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async { Err("the disk is on fire".to_string()) })
    };
    let own = OwnEndpoints::new(Arc::new(readiness), metrics::install(), "{\"version\":1}".into());
    let server = Server::bind(settings, Arc::new(ToyFrontEnd(Arc::clone(&toy))), own).await.unwrap();
    let (address, certificates) = (server.address(), server.certificates());
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let served = tokio::spawn(async move { server.run(stopped.notified()).await });
    Running { address, toy, certificates, stop, served }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Reads one answer with a `content-length`: its head and body.
async fn read_answer(stream: &mut (impl AsyncReadExt + Unpin)) -> (String, String) {
    let mut read = Vec::new();
    let head_len = loop {
        if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        assert_ne!(
            stream.read_buf(&mut read).await.unwrap(),
            0,
            "the connection ended in the head: {read:?}"
        );
    };
    let head = String::from_utf8(read[..head_len].to_vec()).unwrap();
    let len = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |len| len.parse().unwrap());
    while read.len() < head_len + len {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "the connection ended in the body");
    }
    (head, String::from_utf8(read[head_len..].to_vec()).unwrap())
}

/// Waits for the server to end the connection; fails when it takes longer than `limit`.
async fn wait_for_end(stream: &mut (impl AsyncReadExt + Unpin), limit: Duration) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = tokio::time::timeout(limit, stream.read_to_end(&mut rest))
        .await
        .expect("the server ends the connection");
    rest
}

const SOON: Duration = Duration::from_millis(200);
const LATE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn cuts_a_connection_that_sends_nothing_and_one_that_sends_its_header_slowly() {
    let server = start(Settings { header_timeout: SOON, ..settings() }).await;
    let mut silent = server.connect().await;
    assert!(wait_for_end(&mut silent, LATE).await.is_empty());

    let (mut reader, mut writer) = server.connect().await.into_split();
    let trickle = async {
        for byte in b"GET / HTTP/1.1\r\nx-slow: ".iter().chain(std::iter::repeat(&b'x')) {
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        _ = wait_for_end(&mut reader, LATE) => {}
        () = trickle => {}
    }
}

#[tokio::test]
async fn keeps_an_idle_connection_for_the_idle_time_only() {
    let idle_timeout = Duration::from_millis(400);
    let server = start(Settings { header_timeout: SOON, idle_timeout, ..settings() }).await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        read_answer(&mut stream).await;
        // Longer than a header may take: the two limits are not the same.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let since = Instant::now();
    assert!(wait_for_end(&mut stream, LATE).await.is_empty());
    assert!(since.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_body_that_stops_coming_ends_as_idle() {
    let server = start(Settings { body_idle_timeout: SOON, ..settings() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nsome").await.unwrap();
    let (head, body) = read_answer(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 408"), "{head}");
    assert_eq!(body, BodyError::Idle.to_string());
    wait_for_end(&mut stream, LATE).await;
}

#[tokio::test]
async fn a_body_that_trickles_ends_as_too_slow() {
    let limits = Settings { body_min_rate: 1000, body_rate_window: Duration::from_millis(300), ..settings() };
    let server = start(limits).await;
    let (mut reader, mut writer) = server.connect().await.into_split();
    writer.write_all(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n").await.unwrap();
    let trickle = async {
        loop {
            let _ = writer.write_all(b"x").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        (head, body) = read_answer(&mut reader) => {
            assert!(head.starts_with("HTTP/1.1 408"), "{head}");
            assert_eq!(body, BodyError::TooSlow.to_string());
        }
        () = trickle => {}
        () = tokio::time::sleep(LATE) => panic!("the slow body was not cut"),
    }
}

#[tokio::test]
async fn a_body_that_comes_fast_enough_in_pieces_is_read_whole() {
    let limits = Settings {
        body_min_rate: 1000,
        body_rate_window: Duration::from_millis(100),
        body_idle_timeout: Duration::from_millis(400),
        ..settings()
    };
    let server = start(limits).await;
    let mut stream = server.connect().await;
    stream.write_all(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 4000\r\n\r\n").await.unwrap();
    for _ in 0..20 {
        stream.write_all(&[b'x'; 200]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(read_answer(&mut stream).await.1, "4000");
}

#[tokio::test]
async fn keeps_the_connection_after_an_error_with_a_small_body_unread() {
    let server = start(settings()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(b"PUT /early HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody").await.unwrap();
        let (head, body) = read_answer(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 403") && !head.contains("connection: close"), "{head}");
        assert_eq!(body, "no");
    }
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_first_sends_its_whole_body() {
    let server = start(settings()).await;
    let mut stream = server.connect().await;
    const LEN: usize = 50 << 20;
    let head = format!("PUT /early HTTP/1.1\r\nhost: x\r\ncontent-length: {LEN}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![0; 1 << 20];
    for _ in 0..LEN / piece.len() {
        stream.write_all(&piece).await.unwrap();
    }
    let (head, body) = read_answer(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 403") && head.contains("connection: close"), "{head}");
    assert_eq!(body, "no");
    assert!(wait_for_end(&mut stream, LATE).await.is_empty());
}

#[tokio::test]
async fn continue_is_sent_only_when_the_body_is_wanted() {
    let server = start(settings()).await;
    let ask = |path: &str| {
        format!("PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n")
    };
    let mut refused = server.connect().await;
    refused.write_all(ask("/early").as_bytes()).await.unwrap();
    let (head, _) = read_answer(&mut refused).await;
    assert!(head.starts_with("HTTP/1.1 403") && head.contains("connection: close"), "{head}");
    assert!(wait_for_end(&mut refused, LATE).await.is_empty());

    // hyper sends none for an empty body, and botocore takes the status of an answer without one for the next answer's too.
    let mut empty = server.connect().await;
    empty.write_all(ask("/").replace("length: 4", "length: 0").as_bytes()).await.unwrap();
    let (head, body) = read_answer(&mut empty).await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("connection: close"), "{head}");
    assert_eq!(body, "0");
    assert!(wait_for_end(&mut empty, LATE).await.is_empty());

    let mut wanted = server.connect().await;
    wanted.write_all(ask("/").as_bytes()).await.unwrap();
    assert!(read_answer(&mut wanted).await.0.starts_with("HTTP/1.1 100"));
    wanted.write_all(b"body").await.unwrap();
    assert_eq!(read_answer(&mut wanted).await.1, "4");
}

#[tokio::test]
async fn a_panic_costs_its_request_a_500_and_nobody_else_anything() {
    let server = start(settings()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(read_answer(&mut stream).await.0.starts_with("HTTP/1.1 500"));
    let mut other = server.connect().await;
    other.write_all(b"GET /_/metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(read_answer(&mut other).await.1.contains("dovetail_panics_total"));
}

#[tokio::test]
async fn cuts_a_client_that_does_not_read_its_answer() {
    let server = start(Settings { write_timeout: SOON, ..settings() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // Room in the sockets' buffers runs out, then the time.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let read = wait_for_end(&mut stream, LATE).await;
    assert!(!read.ends_with(b"0\r\n\r\n"), "a cut answer does not look like a whole one");
}

#[tokio::test]
async fn refuses_headers_without_end() {
    let server = start(settings()).await;
    let (mut reader, mut writer) = server.connect().await.into_split();
    writer.write_all(b"GET / HTTP/1.1\r\nx-long: ").await.unwrap();
    let write = async {
        while writer.write_all(&[b'x'; 1024]).await.is_ok() {}
        std::future::pending::<()>().await;
    };
    tokio::select! {
        (head, _) = read_answer(&mut reader) => assert!(head.starts_with("HTTP/1.1 418"), "{head}"),
        () = write => {}
    }
}

#[tokio::test]
async fn an_object_that_looks_like_a_refusal_is_sent_as_it_is() {
    let server = start(settings()).await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream.write_all(b"GET /impostor HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        // The body is written alone.
        server.toy.go_on.notify_one();
        let mut body = vec![0; REFUSAL.len()];
        stream.read_exact(&mut body).await.unwrap();
        assert_eq!(body, REFUSAL);
    }
    stream.write_all(b"no HTTP at all\r\n\r\n").await.unwrap();
    let answer = String::from_utf8(wait_for_end(&mut stream, LATE).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 418"), "{answer}");
}

#[tokio::test]
async fn own_endpoints_answer_beside_the_front_end() {
    let server = start(settings()).await;
    let client = reqwest_client(|builder| builder);
    let url = |path: &str| format!("http://{}{path}", server.address);
    assert_eq!(client.get(url("/_/live")).send().await.unwrap().status(), StatusCode::OK);
    let ready = client.get(url("/_/ready")).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.text().await.unwrap(), "{\"ready\":false,\"reason\":\"the disk is on fire\"}\n");
    assert_eq!(client.get(url("/_/other")).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(client.put(url("/_/live")).send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    let key = client.get(url("/_/live")).header("host", "bucket.example").send().await.unwrap();
    assert_eq!(key.text().await.unwrap(), "0", "with a bucket in the host name this is an object's key");
}

#[tokio::test]
async fn limits_can_be_kept_and_asked_about_again() {
    let server = start(settings()).await;
    let client = reqwest_client(|builder| builder);
    let url = format!("http://{}/_/limits", server.address);
    let first = client.get(&url).send().await.unwrap();
    assert_eq!(
        (first.status(), &first.headers()["content-type"]),
        (StatusCode::OK, &"application/json".parse().unwrap())
    );
    assert_eq!(first.headers()["cache-control"], "public, max-age=3600");
    let etag = first.headers()["etag"].clone();
    assert_eq!(first.text().await.unwrap(), "{\"version\":1}");
    let again = client.get(&url).header("if-none-match", etag).send().await.unwrap();
    assert_eq!((again.status(), again.content_length()), (StatusCode::NOT_MODIFIED, Some(0)));
    let other = client.get(&url).header("if-none-match", "\"other\"").send().await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
}

fn reqwest_client(with: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> reqwest::Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    with(reqwest::Client::builder().no_proxy()).build().unwrap()
}

#[tokio::test]
async fn speaks_http2_by_prior_knowledge() {
    let server = start(settings()).await;
    let client = reqwest_client(|builder| builder.http2_prior_knowledge());
    let url = format!("http://{}/", server.address);
    let requests = (0..20).map(|_| client.put(&url).body(vec![0; 300_000]).send());
    for response in futures::future::join_all(requests).await {
        let response = response.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        assert_eq!(response.text().await.unwrap(), "300000");
    }
}

#[tokio::test]
async fn cuts_an_http2_client_that_does_not_read_its_answer() {
    let server = start(Settings { write_timeout: SOON, ..settings() }).await;
    let client = reqwest_client(|builder| builder.http2_prior_knowledge());
    let mut response = client.get(format!("http://{}/endless", server.address)).send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let read = async { while let Ok(Some(_)) = response.chunk().await {} };
    tokio::time::timeout(LATE, read).await.expect("the answer is cut");
}

/// Writes a certificate for `localhost` and returns it with the files.
fn write_certificate(folder: &std::path::Path) -> (rcgen::Certificate, tls::Files) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
    let files = tls::Files { certificate: folder.join("cert.pem"), private_key: folder.join("key.pem") };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.private_key, made.signing_key.serialize_pem()).unwrap();
    (made.cert, files)
}

/// A client that trusts this certificate and no other.
fn trusting(
    certificate: &rcgen::Certificate,
    with_http2: bool,
    address: std::net::SocketAddr,
) -> reqwest::Client {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = if with_http2 { vec![b"h2".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    reqwest_client(|builder| builder.tls_backend_preconfigured(config).resolve("localhost", address))
}

#[tokio::test]
async fn speaks_both_protocols_over_tls_and_takes_a_new_certificate_while_running() {
    let folder = tempfile::tempdir().unwrap();
    let (first, files) = write_certificate(folder.path());
    let server = start(Settings { tls: Some(files.clone()), ..settings() }).await;
    let url = format!("https://localhost:{}/tls", server.address.port());
    for (with_http2, expected) in [(true, "true HTTP/2.0"), (false, "true HTTP/1.1")] {
        let client = trusting(&first, with_http2, server.address);
        assert_eq!(client.get(&url).send().await.unwrap().text().await.unwrap(), expected);
    }

    let certificates = server.certificates.as_ref().unwrap();
    std::fs::write(&files.private_key, "not a key").unwrap();
    assert!(certificates.reload().unwrap_err().to_string().contains("key.pem"));
    let client = trusting(&first, true, server.address);
    assert!(client.get(&url).send().await.is_ok(), "a bad new key keeps the old certificate");

    let (second, _) = write_certificate(folder.path());
    certificates.reload().unwrap();
    assert!(trusting(&first, true, server.address).get(&url).send().await.is_err());
    assert!(trusting(&second, true, server.address).get(&url).send().await.is_ok());
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, files) = write_certificate(folder.path());
    let other = rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
    std::fs::write(&files.private_key, other.signing_key.serialize_pem()).unwrap();
    assert!(tls::Certificates::load(files).unwrap_err().to_string().contains("does not fit"));
}

#[tokio::test]
async fn stops_gracefully_finishing_what_is_in_flight_and_closing_what_is_idle() {
    let server = start(settings()).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    read_answer(&mut idle).await;
    let mut silent = server.connect().await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    server.toy.arrived.notified().await;

    server.stop.notify_one();
    assert!(wait_for_end(&mut idle, LATE).await.is_empty());
    assert!(wait_for_end(&mut silent, LATE).await.is_empty());
    assert!(TcpStream::connect(server.address).await.is_err(), "nothing new is accepted");
    server.toy.go_on.notify_one();
    let (head, body) = read_answer(&mut busy).await;
    assert!(head.contains("connection: close"), "{head}");
    assert_eq!(body, "waited");
    assert_eq!(server.served.await.unwrap(), Stopped::Clean);
}

#[tokio::test]
async fn stops_in_time_even_when_a_request_does_not_end() {
    let server = start(Settings { shutdown_timeout: SOON, ..settings() }).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    server.toy.arrived.notified().await;
    server.stop.notify_one();
    let stopped = tokio::time::timeout(LATE, server.served).await.unwrap().unwrap();
    assert_eq!(stopped, Stopped::Cut);
    wait_for_end(&mut busy, LATE).await;
}

#[tokio::test]
async fn a_connection_that_asks_nothing_makes_room_and_a_busy_one_does_not() {
    let server = start(Settings { connections: 2, ..settings() }).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    server.toy.arrived.notified().await;
    for begun in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: x\r\nx-slow"] {
        let mut idle = server.connect().await;
        idle.write_all(begun.as_bytes()).await.unwrap();
        let mut new = server.connect().await;
        new.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert_eq!(tokio::time::timeout(LATE, read_answer(&mut new)).await.unwrap().1, "0", "{begun}");
        assert!(wait_for_end(&mut idle, LATE).await.is_empty());
    }
    server.toy.go_on.notify_one();
    assert!(read_answer(&mut busy).await.0.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_until_another_ends() {
    let server = start(Settings { connections: 1, ..settings() }).await;
    let mut first = server.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    read_answer(&mut first).await;
    let mut second = server.connect().await;
    second.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let too_early = tokio::time::timeout(SOON, second.readable()).await;
    assert!(too_early.is_err());
    drop(first);
    assert_eq!(tokio::time::timeout(LATE, read_answer(&mut second)).await.unwrap().1, "0");
}
