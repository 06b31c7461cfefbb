//! Small objects over many connections, sent by one thread: one for each would cost the cores that client and server share as
//! much as the server does.

use crate::http::{Requests, noise};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Bytes of an object.
const LEN: usize = 4096;

/// Many small requests.
pub struct Small {
    pub count: u64,
    pub per_s: f64,
    pub median_ms: f64,
    pub p99_ms: f64,
}

impl Small {
    /// From how long each took, in a run of `elapsed`.
    pub fn new(mut times: Vec<Duration>, elapsed: Duration) -> Small {
        times.sort();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        let per_s = times.len() as f64 / elapsed.as_secs_f64();
        Small { count: times.len() as u64, per_s, median_ms: at(0.5), p99_ms: at(0.99) }
    }
}

/// Puts 4 KiB objects for `duration`, one after the other over each connection.
pub fn puts(address: &str, name: &str, connections: usize, duration: Duration) -> Small {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let started = Instant::now();
    let until = started + duration;
    let all = (0..connections).map(|number| puts_over_one(address, format!("{name}/{number}"), until));
    let times = runtime.expect("a runtime can be made").block_on(futures::future::join_all(all));
    Small::new(times.concat(), started.elapsed())
}

async fn puts_over_one(address: &str, name: String, until: Instant) -> Vec<Duration> {
    let requests = Requests::to(address);
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("TCP_NODELAY can be set");
    let mut times = Vec::new();
    let mut answer = [0; 2048];
    while Instant::now() < until {
        let head = requests.head("PUT", &format!("/bench/{name}/{}", times.len()), &[], LEN as u64);
        let request = [head.as_bytes(), &noise()[..LEN]].concat();
        let sent = Instant::now();
        stream.write_all(&request).await.expect("the server reads");
        let mut len = 0;
        while !answer[..len].ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut answer[len..]).await.expect("the server answers");
            assert!(read > 0, "the server closed the connection");
            len += read;
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer[..len]));
        times.push(sent.elapsed());
    }
    times
}
