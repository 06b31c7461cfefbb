//! What a bad network does, between a client and a gateway, decided by a seed.
//!
//! One request at a time on each connection; requests and answers are read whole before they go on, so that a fault
//! can be put anywhere in them. Every exchange is remembered.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dovetail::base::tasks::Tasks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::seed::Seed;

/// What happens to one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Answered by the proxy itself.
    Refuse(u16),
    /// The connection breaks while the request is on its way.
    CutRequest,
    /// The server gets the request, the client half of the answer.
    CutAnswer,
    /// The server gets the request, the client nothing.
    DropAnswer,
    /// The server gets the request, the client nothing, and the connection stays.
    KeepAnswer,
    /// A byte of the request's body is flipped.
    CorruptRequest,
    /// A byte of the answer's body is flipped.
    CorruptAnswer,
    /// The server gets the request twice.
    DuplicateRequest,
    /// The client gets the answer twice.
    DuplicateAnswer,
    Delay,
    /// The client gets the answer in pieces, and no word on its length.
    NoLength,
    /// Answered by the proxy itself: the keys are too old.
    Expired,
    /// Answered by the proxy itself: there is no such upload.
    Forgotten,
    /// Answered by the proxy itself: the bucket is in [`MOVED_TO`], at an address that nobody should go to.
    Moved,
}

const FAULTS: [Fault; 11] = [
    Fault::Refuse(500),
    Fault::Refuse(503),
    Fault::Refuse(429),
    Fault::CutRequest,
    Fault::CutAnswer,
    Fault::DropAnswer,
    Fault::CorruptRequest,
    Fault::CorruptAnswer,
    Fault::DuplicateRequest,
    Fault::DuplicateAnswer,
    Fault::Delay,
];

/// Where a bucket is that has moved.
pub const MOVED_TO: &str = "eu-north-1";

/// One request as the proxy saw it.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub fault: Fault,
    /// The server's status, if the client got the whole answer as the server sent it.
    pub delivered: Option<u16>,
}

impl Exchange {
    /// Upload id and part number of an UploadPart.
    pub fn part(&self) -> Option<(String, String)> {
        let value = |name: &str| {
            let (_, query) = self.target.split_once('?')?;
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string())
        };
        if self.method != "PUT" {
            return None;
        }
        Some((value("uploadId")?, value("partNumber")?))
    }

    /// A GET of S3's, rather than of what the gateway accepts.
    pub fn is_get(&self) -> bool {
        self.method == "GET" && self.target != "/_/limits"
    }

    pub fn is_list_parts(&self) -> bool {
        self.method == "GET" && self.target.contains("uploadId=")
    }
}

type Chooser = Box<dyn Fn(&str, &str, &mut Seed) -> Fault + Send + Sync>;

/// A listening proxy. Dropping it closes it.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: Tasks,
}

struct Shared {
    upstream: String,
    seed: Mutex<Seed>,
    chooser: Mutex<Chooser>,
    exchanges: Mutex<Vec<Exchange>>,
    part_bytes: AtomicU64,
    /// Ports of the clients whose connections have been accepted and are still read.
    open: watch::Sender<BTreeSet<u16>>,
    /// The key that is too old.
    expired: Mutex<Option<String>>,
}

impl Proxy {
    /// A proxy before `endpoint` (`http://host:port`) that does nothing bad yet.
    pub async fn start(endpoint: &str, seed: u64) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            upstream: endpoint.trim_start_matches("http://").to_string(),
            seed: Mutex::new(Seed::new(seed)),
            chooser: Mutex::new(Box::new(|_, _, _| Fault::None)),
            exchanges: Mutex::default(),
            part_bytes: AtomicU64::new(0),
            open: watch::Sender::default(),
            expired: Mutex::default(),
        });
        let tasks = Tasks::new();
        let (own, accepting) = (tasks.clone(), Arc::clone(&shared));
        tasks.spawn(async move {
            while let Ok((client, from)) = listener.accept().await {
                accepting.open.send_if_modified(|open| open.insert(from.port()));
                let shared = Arc::clone(&accepting);
                let stop = own.clone();
                own.spawn(async move {
                    tokio::select! {
                        _ = serve(&shared, client) => {}
                        () = stop.stopping() => {}
                    }
                    shared.open.send_if_modified(|open| open.remove(&from.port()));
                });
            }
        });
        Proxy { address, shared, tasks }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Decides by method and target what happens to a request.
    pub fn choose(&self, chooser: impl Fn(&str, &str, &mut Seed) -> Fault + Send + Sync + 'static) {
        *self.shared.chooser.lock().unwrap() = Box::new(chooser);
    }

    /// Any fault, for so many of a thousand requests.
    pub fn choose_at_random(&self, per_mille: u64) {
        self.choose(move |_, _, seed| match seed.below(1000) < per_mille {
            true => FAULTS[seed.below(FAULTS.len() as u64) as usize],
            false => Fault::None,
        });
    }

    /// From now on, who signs with this key is told that it has expired.
    pub fn expire(&self, access_key_id: &str) {
        *self.shared.expired.lock().unwrap() = Some(access_key_id.to_string());
    }

    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.exchanges.lock().unwrap().clone()
    }

    /// Bytes of all bodies of parts that clients have sent which have ended since. What such a client had sent is read after its end, too:
    /// on a loaded machine that takes a while, and would otherwise count for the next one.
    pub async fn part_bytes(&self) -> u64 {
        // Connections are accepted in turn: when this one is, all before it have been.
        let last = TcpStream::connect(self.address).await.expect("the proxy listens");
        let port = last.local_addr().expect("it is connected").port();
        let mut open = self.shared.open.subscribe();
        open.wait_for(|open| open.contains(&port)).await.expect("the proxy is there");
        drop(last);
        open.wait_for(BTreeSet::is_empty).await.expect("the proxy is there");
        self.shared.part_bytes.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

/// A head and a body.
struct Message {
    head: Vec<u8>,
    body: Vec<u8>,
}

async fn serve(shared: &Shared, mut client: TcpStream) -> std::io::Result<()> {
    let mut buf = Vec::new();
    while let Some(head) = read_head(&mut client, &mut buf).await? {
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut words = text.split(' ');
        let (method, target) =
            (words.next().unwrap_or("").to_string(), words.next().unwrap_or("").to_string());
        let fault = {
            let mut seed = shared.seed.lock().unwrap();
            (shared.chooser.lock().unwrap())(&method, &target, &mut seed)
        };
        let expired = shared.expired.lock().unwrap().clone();
        let fault = match expired.is_some_and(|key| text.contains(&format!("Credential={key}/"))) {
            true => Fault::Expired,
            false => fault,
        };
        let mut exchange = Exchange { method, target, fault, delivered: None };
        let index = {
            let mut exchanges = shared.exchanges.lock().unwrap();
            exchanges.push(exchange.clone());
            exchanges.len() - 1
        };
        let is_part = exchange.part().is_some();
        let body_len = content_length(&text);
        let body = read_body(&mut client, &mut buf, body_len, |len| {
            if is_part {
                shared.part_bytes.fetch_add(len as u64, Ordering::SeqCst);
            }
        })
        .await?;
        exchange.delivered = pass_on(shared, fault, Message { head, body }, &mut client).await?;
        shared.exchanges.lock().unwrap()[index] = exchange;
    }
    Ok(())
}

/// The server's status if its answer went to the client untouched.
async fn pass_on(
    shared: &Shared,
    fault: Fault,
    mut request: Message,
    client: &mut TcpStream,
) -> std::io::Result<Option<u16>> {
    let below = |end: usize| shared.seed.lock().unwrap().below(end.max(1) as u64) as usize;
    let cut = || Err(std::io::Error::other("cut"));
    match fault {
        Fault::Refuse(status) => {
            let answer = format!(
                "HTTP/1.1 {status} No\r\ncontent-length: 0\r\nretry-after: 0\r\nconnection: close\r\n\r\n"
            );
            client.write_all(answer.as_bytes()).await?;
            return cut();
        }
        Fault::Expired | Fault::Forgotten => {
            let (status, code) =
                if fault == Fault::Expired { (400, "ExpiredToken") } else { (404, "NoSuchUpload") };
            let document = format!("<Error><Code>{code}</Code><Message>{fault:?}.</Message></Error>");
            let head = format!(
                "HTTP/1.1 {status} No\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                document.len()
            );
            client.write_all((head + &document).as_bytes()).await?;
            return cut();
        }
        Fault::Moved => {
            let head = format!(
                "HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:9/\r\nx-amz-bucket-region: {MOVED_TO}\r\n\
                 content-length: 0\r\nconnection: close\r\n\r\n"
            );
            client.write_all(head.as_bytes()).await?;
            return cut();
        }
        Fault::CutRequest => {
            let mut server = TcpStream::connect(&shared.upstream).await?;
            let whole = [request.head, request.body].concat();
            server.write_all(&whole[..below(whole.len())]).await?;
            return cut();
        }
        Fault::Delay => tokio::time::sleep(Duration::from_millis(below(300) as u64)).await,
        Fault::CorruptRequest if !request.body.is_empty() => {
            let at = below(request.body.len());
            request.body[at] ^= 1 << below(8);
        }
        Fault::DuplicateRequest => drop(exchange_with(&shared.upstream, &request).await?),
        _ => {}
    }
    let mut answer = exchange_with(&shared.upstream, &request).await?;
    let head_len = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let status = String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|status| status.parse().ok());
    match fault {
        Fault::DropAnswer => return cut(),
        Fault::KeepAnswer => std::future::pending().await,
        Fault::CutAnswer => {
            let len = below(answer.len());
            client.write_all(&answer[..len]).await?;
            return cut();
        }
        Fault::CorruptAnswer if answer.len() > head_len => {
            let at = head_len + below(answer.len() - head_len);
            answer[at] ^= 1 << below(8);
            client.write_all(&answer).await?;
            return cut();
        }
        Fault::NoLength => client.write_all(&in_pieces(&answer, head_len)).await?,
        Fault::DuplicateAnswer => {
            client.write_all(&answer).await?;
            client.write_all(&answer).await?;
        }
        _ => client.write_all(&answer).await?,
    }
    Ok(status)
}

/// An answer of known length as one whose length nobody knows.
fn in_pieces(answer: &[u8], head_len: usize) -> Vec<u8> {
    let head = String::from_utf8_lossy(&answer[..head_len]).into_owned();
    let is_kept = |line: &&str| !line.to_ascii_lowercase().starts_with("content-length:");
    let head: String = head.split_inclusive("\r\n").filter(is_kept).collect();
    let mut pieces = head.replacen("\r\n", "\r\ntransfer-encoding: chunked\r\n", 1).into_bytes();
    for piece in answer[head_len..].chunks(100_000) {
        pieces.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        pieces.extend([piece, b"\r\n"].concat());
    }
    pieces.extend(b"0\r\n\r\n");
    pieces
}

/// Sends a request over a connection of its own and reads until the server closes it.
async fn exchange_with(upstream: &str, request: &Message) -> std::io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(upstream).await?;
    let end = request.head.len() - 2;
    server.write_all(&request.head[..end]).await?;
    server.write_all(b"connection: close\r\n\r\n").await?;
    // A server may answer before it has read everything.
    let _ = server.write_all(&request.body).await;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    // What has no answer must not leave the client waiting for one.
    match answer.is_empty() {
        true => Err(std::io::ErrorKind::UnexpectedEof.into()),
        false => Ok(answer),
    }
}

async fn read_head(client: &mut TcpStream, buf: &mut Vec<u8>) -> std::io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(at) = buf.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let rest = buf.split_off(at + 4);
            return Ok(Some(std::mem::replace(buf, rest)));
        }
        if client.read_buf(buf).await? == 0 {
            return Ok(None);
        }
    }
}

async fn read_body(
    client: &mut TcpStream,
    buf: &mut Vec<u8>,
    len: usize,
    mut count: impl FnMut(usize),
) -> std::io::Result<Vec<u8>> {
    let mut body = buf.split_off(0);
    count(body.len());
    while body.len() < len {
        match client.read_buf(&mut body).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => count(read),
        }
    }
    *buf = body.split_off(len);
    Ok(body)
}

fn content_length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let len = lines.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    len.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}
