//! A client that costs next to nothing: HTTP/1.1 by hand over a blocking socket, one request at a time.

use crate::process::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use dovetail::base::clock::Clock;
use dovetail::wire::sigv4::{PayloadKind, Secret, Signer};
use http::{HeaderMap, HeaderValue};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A body up to this many bytes travels with its head.
const SMALL_LEN_MAX: u64 = 16 << 10;

/// Writes signed requests.
pub struct Requests {
    address: String,
    signer: Signer,
}

/// A connection that is kept open.
pub struct Connection {
    stream: TcpStream,
    requests: Requests,
    /// Answers are read into it: fresh memory for each would cost the client more than the request.
    buf: Vec<u8>,
}

const BUF_LEN: usize = 256 << 10;

/// An answer. The body of a large one is counted, not kept.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    pub body_len: u64,
    pub first_byte: Duration,
}

impl Answer {
    /// The text of the first XML element of this name.
    pub fn element(&self, name: &str) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let start = text.find(&format!("<{name}>")).expect("the element is there") + name.len() + 2;
        text[start..].split('<').next().expect("split gives one piece").to_string()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.head.lines().filter_map(|line| line.split_once(':'));
        found.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Bytes that do not compress, the same for every request.
pub fn noise() -> &'static [u8] {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    NOISE.get_or_init(|| {
        (0..1u64 << 17).flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect()
    })
}

impl Requests {
    pub fn to(address: &str) -> Requests {
        let signer = Signer {
            access_key_id: ACCESS_KEY_ID.to_string(),
            secret: Secret::new(SECRET_ACCESS_KEY),
            region: "us-east-1".to_string(),
            session_token: None,
        };
        Requests { address: address.to_string(), signer }
    }

    /// The head of a signed request with a body of `len` bytes.
    pub fn head(&self, method: &str, target: &str, extra: &[(&'static str, String)], len: u64) -> String {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_str(&self.address).expect("an address is a header value"));
        for (name, value) in extra {
            headers.insert(*name, HeaderValue::from_str(value).expect("a header value"));
        }
        self.signer.sign_header(
            method,
            path,
            query,
            &mut headers,
            PayloadKind::Unsigned,
            Clock::system().now_ms() / 1000,
        );
        let mut head = format!("{method} {target} HTTP/1.1\r\ncontent-length: {len}\r\n");
        for (name, value) in &headers {
            head.push_str(&format!("{name}: {}\r\n", value.to_str().expect("ASCII")));
        }
        head.push_str("\r\n");
        head
    }
}

impl Connection {
    pub fn open(address: &str) -> Connection {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("TCP_NODELAY can be set");
        Connection { stream, requests: Requests::to(address), buf: vec![0; BUF_LEN] }
    }

    /// Sends a signed request whose body is `len` bytes of noise, or `body`.
    pub fn send(
        &mut self,
        method: &str,
        target: &str,
        extra: &[(&'static str, String)],
        body: Body<'_>,
    ) -> Answer {
        let head = self.requests.head(method, target, extra, body.len());
        let started = Instant::now();
        if let Body::Noise(len) = body
            && len <= SMALL_LEN_MAX
        {
            let request = [head.as_bytes(), &noise()[..len as usize]].concat();
            self.stream.write_all(&request).expect("the server reads");
            return self.answer(method, started);
        }
        self.stream.write_all(head.as_bytes()).expect("the server reads");
        match body {
            Body::Bytes(bytes) => self.stream.write_all(bytes).expect("the server reads"),
            Body::Noise(len) => {
                let mut left = len;
                while left > 0 {
                    let piece = left.min(noise().len() as u64);
                    self.stream.write_all(&noise()[..piece as usize]).expect("the server reads");
                    left -= piece;
                }
            }
        }
        self.answer(method, started)
    }

    fn answer(&mut self, method: &str, started: Instant) -> Answer {
        let Connection { stream, buf, .. } = self;
        let mut filled = 0;
        let head_len = loop {
            let read = stream.read(&mut buf[filled..]).expect("the server answers");
            assert!(read > 0, "the server closed the connection");
            filled += read;
            if let Some(at) = buf[..filled].windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = String::from_utf8_lossy(&buf[..head_len]).into_owned();
        let status = head[9..12].parse().expect("a status");
        let mut answer = Answer { status, head, body: Vec::new(), body_len: 0, first_byte: Duration::ZERO };
        let len: u64 = match answer.header("content-length") {
            Some(len) if method != "HEAD" => len.parse().expect("a length"),
            _ => 0,
        };
        let mut take = |bytes: &[u8]| {
            if answer.body_len == 0 && !bytes.is_empty() {
                answer.first_byte = started.elapsed();
            }
            answer.body_len += bytes.len() as u64;
            if len <= 4 << 20 {
                answer.body.extend_from_slice(bytes);
            }
            answer.body_len
        };
        let mut got = take(&buf[head_len..filled]);
        while got < len {
            let read = stream.read(buf).expect("the server answers");
            assert!(read > 0, "the server closed the connection");
            got = take(&buf[..read]);
        }
        answer
    }
}

/// What a request carries.
pub enum Body<'b> {
    Bytes(&'b [u8]),
    Noise(u64),
}

impl Body<'_> {
    fn len(&self) -> u64 {
        match self {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Noise(len) => *len,
        }
    }
}
