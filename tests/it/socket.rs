//! A connection on which a test decides about every byte, and sees every byte that comes back.

use crate::client::Answer;
use crate::gateway::{ACCESS_KEY_ID, Gateway, SECRET_ACCESS_KEY};
use bytes::Bytes;
use dovetail::base::clock::Clock;
use dovetail::wire::sigv4::{PayloadKind, Secret, Signed, Signer};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// A gateway that says nothing for so long has failed the test.
const PATIENCE: Duration = Duration::from_secs(30);
/// Small, so that the gateway cannot hand a large answer to the kernels and be done with it.
const RECEIVE_BUFFER_LEN: u32 = 64 << 10;

/// One connection in clear text.
pub struct Socket {
    stream: TcpStream,
    /// Came, and was not asked for yet.
    read: Vec<u8>,
}

impl Socket {
    pub async fn connect(gateway: &Gateway) -> Socket {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        socket.set_recv_buffer_size(RECEIVE_BUFFER_LEN).expect("a buffer can be small");
        let address = ([127, 0, 0, 1], gateway.port()).into();
        let stream = patiently("connecting", socket.connect(address)).await.expect("the gateway listens");
        stream.set_nodelay(true).expect("the connection is there");
        Socket { stream, read: Vec::new() }
    }

    /// Sends all of it.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = patiently("sending", self.stream.write_all(bytes.as_ref())).await;
        sent.expect("the gateway takes what is sent");
    }

    /// Sends as much as the gateway takes.
    pub async fn send_until_cut(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = patiently("sending", self.stream.write_all(bytes.as_ref())).await;
    }

    /// Says that nothing more will be sent.
    pub async fn finish_sending(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// The status and the header of the next answer, `100 Continue` among them.
    pub async fn head(&mut self) -> (u16, HeaderMap) {
        let len = loop {
            if let Some(at) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            let came = self.read_more().await;
            assert!(came > 0, "the connection ended in a header: {:?}", String::from_utf8_lossy(&self.read));
        };
        let head: Vec<u8> = self.read.drain(..len).collect();
        let head = String::from_utf8(head).expect("a header is text");
        let mut lines = head.trim_end().split("\r\n");
        let status =
            lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':').expect("a header has a colon");
            let name = HeaderName::try_from(name).expect("a header name");
            headers.append(name, HeaderValue::from_str(value.trim()).expect("a header value"));
        }
        (status.expect("an answer begins with a status"), headers)
    }

    /// The next answer with its body, which has a stated length.
    pub async fn answer(&mut self) -> Answer {
        let (status, headers) = self.head().await;
        let len = headers.get("content-length").and_then(|len| len.to_str().ok()?.parse().ok()).unwrap_or(0);
        Answer { status, headers, body: self.take(len).await }
    }

    /// Bytes of an answer's body.
    pub async fn take(&mut self, len: usize) -> Bytes {
        while self.read.len() < len {
            let came = self.read_more().await;
            assert!(came > 0, "the connection ended after {} of {len} bytes", self.read.len());
        }
        self.read.drain(..len).collect::<Vec<u8>>().into()
    }

    /// Everything until the connection ends, be it by a reset.
    pub async fn rest(mut self) -> Vec<u8> {
        while self.read_more().await > 0 {}
        self.read
    }

    /// 0 at the end.
    async fn read_more(&mut self) -> usize {
        patiently("an answer", self.stream.read_buf(&mut self.read)).await.unwrap_or(0)
    }

    /// Sends a signed request without a body, and reads its answer.
    pub async fn ask(&mut self, gateway: &Gateway, method: &str, path: &str) -> Answer {
        self.send(Request::new(gateway, method, path).sign().0).await;
        if method == "HEAD" {
            // It states the length of a body that does not come.
            let (status, headers) = self.head().await;
            return Answer { status, headers, body: Bytes::new() };
        }
        self.answer().await
    }
}

async fn patiently<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("{what} takes too long"),
    }
}

/// A request's line and header, to be signed.
pub struct Request {
    method: String,
    path: String,
    headers: HeaderMap,
    kind: PayloadKind,
    signer: Signer,
}

impl Request {
    /// `path` is sent as it is, with its query.
    pub fn new(gateway: &Gateway, method: &str, path: &str) -> Request {
        let request = Request {
            method: method.to_string(),
            path: path.to_string(),
            headers: HeaderMap::new(),
            kind: PayloadKind::Unsigned,
            signer: signer(ACCESS_KEY_ID, SECRET_ACCESS_KEY),
        };
        request.header("host", &format!("127.0.0.1:{}", gateway.port()))
    }

    pub fn header(mut self, name: &str, value: &str) -> Request {
        let name = HeaderName::try_from(name).expect("a header name");
        self.headers.insert(name, HeaderValue::from_str(value).expect("a header value"));
        self
    }

    /// Announces a body of this length.
    pub fn body_len(self, len: usize) -> Request {
        self.header("content-length", &len.to_string())
    }

    pub fn kind(mut self, kind: PayloadKind) -> Request {
        self.kind = kind;
        self
    }

    /// Signs with another secret.
    pub fn secret(mut self, secret: &str) -> Request {
        self.signer.secret = Secret::new(secret);
        self
    }

    /// What to send, and what the chunks of a body continue from.
    pub fn sign(mut self) -> (Vec<u8>, Signed) {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let now = now_s();
        let signed = self.signer.sign_header(&self.method, path, query, &mut self.headers, self.kind, now);
        (self.write(), signed)
    }

    /// What to send, without a signature.
    pub fn write(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

pub fn signer(access_key_id: &str, secret: &str) -> Signer {
    Signer {
        access_key_id: access_key_id.to_string(),
        secret: Secret::new(secret),
        region: "us-east-1".to_string(),
        session_token: None,
    }
}

pub fn now_s() -> i64 {
    Clock::system().now_ms() / 1000
}
