//! The front end over stores in memory: what a client sees, without a connection.

mod access;
mod acls;
mod bodies;
mod buckets;
mod conditions;
mod cors;
mod encryption;
mod faults;
mod forms;
mod forms_of_nobody;
mod hostility;
mod lifecycle;
mod listings;
mod multipart;
mod object_lock;
mod objects;
mod presigned;
mod renames;
mod restores;
mod settings;
mod signatures;
mod signatures_v2;
mod tagging;
mod users;
mod versions;

use super::*;
use crate::base::body::BodyError;
use crate::base::clock::Clock;
use crate::base::tasks::Tasks;
use crate::engine::users::{KEY_LEN, SealingKey};
use crate::meta::Meta;
use crate::wire::sigv4::{PayloadKind, Secret, Signer};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};

/// 2026-01-01T00:00:00Z.
const NOW_MS: i64 = 1_767_225_600_000;
const NOW_S: i64 = NOW_MS / 1000;
/// A version id that is well-formed, and no version's.
const NEVER_A_VERSION: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const HOST: &str = "s3.example.test";

/// A gateway with two users, and the first one's way to it.
struct Client {
    s3: S3,
    clock: Clock,
    signer: Signer,
}

fn user(name: &str) -> User {
    User {
        name: name.to_owned(),
        id: format!("{name}-canonical-id"),
        display_name: name.to_uppercase(),
        email: Some(format!("{name}@example.test")),
        access_key_id: format!("KEY{name}"),
        secret_access_key: Secret::new(format!("secret of {name}")),
        managed: None,
    }
}

fn signer(name: &str) -> Signer {
    let User { access_key_id, secret_access_key, .. } = user(name);
    Signer { access_key_id, secret: secret_access_key, region: "us-east-1".to_owned(), session_token: None }
}

/// With a master key and two keys for SSE-KMS.
fn engine_settings() -> engine::Settings {
    let kms = [("one", [1; 32]), ("two", [2; 32])].map(|(name, key)| (name.to_owned(), key));
    let keyring = engine::encryption::Keyring::new(&[[9; 32]], &kms.into());
    engine::Settings { keyring: Arc::new(keyring), ..engine::Settings::default() }
}

impl Client {
    fn new() -> Client {
        Client::over(Arc::new(crate::blob::memory::Memory::new()))
    }

    fn over(blobs: Arc<dyn crate::blob::Store>) -> Client {
        Client::configured(blobs, |_| {})
    }

    /// The same with other settings.
    fn configured(blobs: Arc<dyn crate::blob::Store>, change: impl FnOnce(&mut Settings)) -> Client {
        let clock = Clock::manual(NOW_MS);
        let meta = Meta::new(crate::meta::memory::Memory::new());
        let engine = Engine::new(meta, blobs, clock.clone(), Tasks::new(), engine_settings());
        let managed_users = Users::new(&engine, SealingKey::new(&[7; KEY_LEN]));
        let mut settings = Settings {
            managed_users,
            region: "us-east-1".to_owned(),
            any_region: false,
            domains: vec![HOST.to_owned()],
            users: vec![user("alice"), user("bob")],
            default_object_ownership: ObjectOwnership::default(),
            sigv2: false,
            keys_need_tls: false,
            block_public_access: true,
        };
        change(&mut settings);
        Client { s3: S3::new(engine, settings), clock, signer: signer("alice") }
    }

    /// The same gateway with a bucket `bucket`.
    async fn with_bucket() -> Client {
        let client = Client::new();
        client.ask("PUT", "/bucket").send().await.expect(200);
        client
    }

    /// One that takes Signature Version 2, with a bucket `bucket`.
    async fn with_sigv2() -> Client {
        let blobs = Arc::new(crate::blob::memory::Memory::new());
        let client = Client::configured(blobs, |settings| settings.sigv2 = true);
        client.ask("PUT", "/bucket").send().await.expect(200);
        client
    }

    /// A front end over the same engine that takes keys over encrypted connections only.
    fn needing_tls(&self) -> Client {
        let settings = Settings {
            managed_users: Users::new(self.s3.engine(), SealingKey::new(&[7; KEY_LEN])),
            block_public_access: true,
            region: "us-east-1".to_owned(),
            any_region: false,
            domains: vec![HOST.to_owned()],
            users: vec![user("alice")],
            default_object_ownership: ObjectOwnership::default(),
            sigv2: false,
            keys_need_tls: true,
        };
        let s3 = S3::new(self.s3.engine().clone(), settings);
        Client { s3, clock: self.clock.clone(), signer: signer("alice") }
    }

    fn as_user(&self, name: &str) -> Client {
        Client { s3: self.s3.clone(), clock: self.clock.clone(), signer: signer(name) }
    }

    fn with_signer(&self, signer: Signer) -> Client {
        Client { s3: self.s3.clone(), clock: self.clock.clone(), signer }
    }

    fn ask(&self, method: &str, target: &str) -> Ask<'_> {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static(HOST));
        let body = Vec::new();
        Ask {
            client: self,
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            body,
            payload: None,
            is_anonymous: false,
            peer: None,
        }
    }

    async fn put(&self, target: &str, body: impl Into<Bytes>) -> Answer {
        self.ask("PUT", target).body(body).send().await
    }

    async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target).send().await
    }

    async fn head(&self, target: &str) -> Answer {
        self.ask("HEAD", target).send().await
    }

    async fn delete(&self, target: &str) -> Answer {
        self.ask("DELETE", target).send().await
    }

    async fn post(&self, target: &str, body: impl Into<Bytes>) -> Answer {
        self.ask("POST", target).body(body).send().await
    }
}

/// A request being put together.
struct Ask<'c> {
    client: &'c Client,
    method: String,
    target: String,
    headers: HeaderMap,
    body: Vec<Result<Bytes, BodyError>>,
    payload: Option<PayloadKind>,
    is_anonymous: bool,
    peer: Option<crate::base::body::Peer>,
}

impl Ask<'_> {
    fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers.append(name, HeaderValue::from_bytes(value.as_ref()).unwrap());
        self
    }

    /// Also says how long it is.
    fn body(mut self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self.headers.insert("content-length", HeaderValue::from(body.len()));
        self.body.push(Ok(body));
        self
    }

    /// What arrives, whatever the headers say.
    fn frames(mut self, frames: impl IntoIterator<Item = Result<Bytes, BodyError>>) -> Self {
        self.body = frames.into_iter().collect();
        self
    }

    fn payload(mut self, payload: PayloadKind) -> Self {
        self.payload = Some(payload);
        self
    }

    /// Over this connection.
    fn from(mut self, peer: crate::base::body::Peer) -> Self {
        self.peer = Some(peer);
        self
    }

    fn anonymous(mut self) -> Self {
        self.is_anonymous = true;
        self
    }

    async fn send(mut self) -> Answer {
        self.sign();
        self.send_as_is().await
    }

    /// As an administrative request.
    async fn administer(mut self) -> Answer {
        self.sign();
        let (s3, is_head) = (self.client.s3.clone(), self.method == "HEAD");
        Answer::read(s3.administer(self.into_request()).await, is_head).await
    }

    fn sign(&mut self) {
        if !self.is_anonymous {
            let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
            let payload = self.payload.unwrap_or(PayloadKind::Unsigned);
            let now = self.client.clock.now_ms() / 1000;
            self.client.signer.sign_header(&self.method, path, query, &mut self.headers, payload, now);
        }
    }

    /// Without signing it.
    async fn send_as_is(self) -> Answer {
        let (s3, is_head) = (self.client.s3.clone(), self.method == "HEAD");
        Answer::read(s3.handle(self.into_request()).await, is_head).await
    }

    fn into_request(self) -> http::Request<RequestBody> {
        let frames = self.body.into_iter().map(|frame| frame.map(Frame::data));
        let body = StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
        let mut req = http::Request::builder().method(self.method.as_str()).uri(&self.target);
        *req.headers_mut().unwrap() = self.headers;
        if let Some(peer) = self.peer {
            req = req.extension(peer);
        }
        req.body(body).unwrap()
    }
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    async fn read(answer: http::Response<ResponseBody>, is_head: bool) -> Answer {
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body };
        answer.check_form(is_head);
        answer
    }

    /// What is true of every answer.
    fn check_form(&self, is_head: bool) {
        let id = self.header("x-amz-request-id");
        assert!(id.len() == 16 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{id}");
        for name in ["x-amz-id-2", "date", "server"] {
            assert!(!self.header(name).is_empty(), "{name} is missing");
        }
        if is_head || self.status == 204 || self.status == 304 {
            assert!(self.body.is_empty());
        } else {
            assert_eq!(self.header("content-length"), self.body.len().to_string());
        }
        if self.status >= 400 && !is_head {
            let text = self.text();
            assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>"), "{text}");
            assert_eq!(self.element("RequestId"), id);
            assert_eq!(self.element("HostId"), self.header("x-amz-id-2"));
        }
    }

    #[track_caller]
    fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    #[track_caller]
    fn expect_error(self, status: u16, code: &str) -> Answer {
        let answer = self.expect(status);
        assert_eq!(answer.element("Code"), code, "{}", answer.text());
        answer
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, empty if it is not there.
    fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).map(|value| value.as_bytes()).unwrap_or_default();
        String::from_utf8_lossy(value).into_owned()
    }

    fn etag(&self) -> String {
        self.header("etag")
    }

    /// The text of the first element of this name, unescaped as far as tests need it.
    #[track_caller]
    fn element(&self, name: &str) -> String {
        let all = self.elements(name);
        all.into_iter().next().unwrap_or_else(|| panic!("no <{name}> in {}", self.text()))
    }

    fn has_element(&self, name: &str) -> bool {
        self.text().contains(&format!("<{name}>"))
    }

    fn elements(&self, name: &str) -> Vec<String> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let text = self.text();
        let pieces = text.split(&open).skip(1);
        let unescape = |text: &str| text.replace("&quot;", "\"").replace("&lt;", "<").replace("&amp;", "&");
        pieces.map(|piece| unescape(piece.split(&close).next().unwrap())).collect()
    }
}

/// Bytes that tell where they are.
fn bytes(len: usize) -> Bytes {
    (0..len).map(|at| (at % 251) as u8).collect::<Vec<u8>>().into()
}

fn md5_hex(bytes: &[u8]) -> String {
    dovetail_digest::Digest::new(&dovetail_digest::md5(bytes)).to_hex()
}
