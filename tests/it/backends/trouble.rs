//! Backends that answer late, wrongly, half or not at all. Each is a few lines of HTTP of our own.

use dovetail::base::tasks::Tasks;
use dovetail::blob::conformance::pattern;
use dovetail::blob::{self, BlobId, Error, ErrorKind, Store};
use futures::TryStreamExt;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What every call below must keep, whatever the backend does: a few requests of `call_timeout` each.
const BOUND: Duration = Duration::from_secs(10);

/// Answers each request with what `answer` makes of its method and number; an empty answer is silence for ever.
fn serve(answer: impl Fn(&str, usize) -> Vec<u8> + Send + Sync + 'static) -> Arc<dyn Store> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let shared = Arc::new((answer, AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                let mut stream = stream.expect("a connection");
                while let Some(method) = request(&mut stream) {
                    let answer = shared.0(&method, shared.1.fetch_add(1, Ordering::SeqCst));
                    if stream.write_all(&answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    open(port)
}

fn open(port: u16) -> Arc<dyn Store> {
    let options = [
        ("aws_endpoint", format!("http://127.0.0.1:{port}")),
        ("aws_skip_signature", "true".to_string()),
        ("aws_allow_http", "true".to_string()),
    ];
    let options: BTreeMap<_, _> = options.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
    let mut settings = blob::open::Settings::default();
    settings.remote.read_timeout = Duration::from_millis(300);
    settings.remote.attempt_timeout = Duration::from_millis(600);
    settings.remote.call_timeout = Duration::from_millis(1500);
    settings.remote.retries_max = 3;
    let url = "s3://blobs/trouble";
    blob::open_url(Some(url), &options, Path::new("/nonexistent"), &settings, &Tasks::new())
        .expect("a backend")
}

/// Reads one request and returns its method.
fn request(stream: &mut TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut method, mut body_len) = (String::new(), 0);
    for number in 0.. {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if number == 0 {
            method = line.split(' ').next()?.to_string();
        }
        if let Some(len) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            body_len = len.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    std::io::copy(&mut reader.take(body_len), &mut std::io::sink()).ok()?;
    Some(method)
}

fn status(line: &str) -> Vec<u8> {
    format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\nETag: \"x\"\r\n\r\n").into_bytes()
}

async fn put(store: &dyn Store, len: usize) -> Result<(), Error> {
    let mut writer = store.create(BlobId::random(), Some(len as u64)).await?;
    for at in (0..len).step_by(1 << 20) {
        writer.write(pattern((len - at).min(1 << 20), 1)).await?;
    }
    writer.finish().await
}

async fn every_call(store: &dyn Store) -> Vec<(&'static str, Result<(), Error>)> {
    vec![
        ("a short blob", put(store, 10).await),
        ("a long blob", put(store, 20 << 20).await),
        ("open", store.open(BlobId::random()).await.map(drop)),
        ("delete", store.delete(BlobId::random()).await),
        ("list", store.list().try_collect::<Vec<_>>().await.map(drop)),
        ("sweep", store.sweep_unfinished().await),
        ("check", store.check().await),
    ]
}

async fn all_are_unavailable_in_time(store: &dyn Store) {
    for (call, result) in {
        let started = Instant::now();
        let results = every_call(store).await;
        assert!(started.elapsed() < BOUND * 2, "together they took {:?}", started.elapsed());
        results
    } {
        let err = result.err().unwrap_or_else(|| panic!("{call} should have failed"));
        assert_eq!(err.kind, ErrorKind::Unavailable, "{call}: {err}");
        assert!(err.is_transient());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_never_answers_is_unavailable_in_time() {
    all_are_unavailable_in_time(&*serve(|_, _| Vec::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_too_busy_is_unavailable() {
    all_are_unavailable_in_time(&*serve(|_, _| status("503 Slow Down"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    all_are_unavailable_in_time(&*open(port)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_tried_again_before_anybody_hears_of_it() {
    put(&*serve(|_, number| status(if number < 2 { "500 Oops" } else { "200 OK" })), 10)
        .await
        .expect("a blob");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_not_worth_trying_again() {
    let store = serve(|_, _| status("403 Forbidden"));
    for (call, result) in every_call(&*store).await {
        let err = result.err().unwrap_or_else(|| panic!("{call} should have failed"));
        assert_eq!(err.kind, ErrorKind::Io, "{call}: {err}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_backend_has_no_space() {
    let store = serve(|_, _| status("507 Insufficient Storage"));
    assert_eq!(put(&*store, 10).await.unwrap_err().kind, ErrorKind::NoSpace);
}

/// Headers of a 1,000-byte object, and `sent` bytes of a range of 100.
fn object(method: &str, sent: usize) -> Vec<u8> {
    let dates = "Last-Modified: Mon, 02 Nov 2026 10:00:00 GMT\r\nETag: \"x\"\r\n";
    if method == "HEAD" {
        return format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n{dates}\r\n").into_bytes();
    }
    let range = "Content-Range: bytes 0-99/1000\r\nContent-Length: 100\r\n";
    let mut answer = format!("HTTP/1.1 206 Partial Content\r\n{range}{dates}\r\n").into_bytes();
    answer.resize(answer.len() + sent, b'x');
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_stops_inside_a_body_is_unavailable_in_time() {
    let store = serve(|method, _| object(method, 50));
    let reader = store.open(BlobId::random()).await.expect("a reader");
    let started = Instant::now();
    let err = reader.read(0, 100).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Unavailable, "{err}");
    assert!(started.elapsed() < BOUND);

    let whole = serve(|method, _| object(method, 100));
    let reader = whole.open(BlobId::random()).await.expect("a reader");
    assert_eq!(reader.read(0, 100).await.expect("a range").len(), 100);
    assert_eq!(reader.read(950, 51).await.unwrap_err().kind, ErrorKind::Corrupt);
}
