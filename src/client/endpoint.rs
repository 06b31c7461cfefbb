//! One S3 endpoint: sends signed requests and reads answers, again when that may help.
//!
//! [`Endpoint::call`] is a whole exchange with retries. [`Endpoint::open`] is one attempt that ends with the answer's
//! headers, for whoever streams the body and retries itself with [`Attempts`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dovetail_digest::Algorithm;
use http::{HeaderMap, HeaderValue, Method, header};
use reqwest::Url;

use crate::base::clock::Clock;
use crate::base::tasks::Tasks;
use crate::client::answers;
use crate::client::chunks::{CHUNK_LEN, Chunks};
use crate::client::credentials::{Credentials, Keys};
use crate::client::error::{Class, Error};
use crate::client::retry::{Retry, random_fraction};
use crate::client::send_body::{Framing, Surroundings, framed_len, send_body};
use crate::client::source::Source;
use crate::client::tally::{Event, Meter, Tally};
use crate::client::throttle::Throttle;
use crate::client::workers::Workers;
use crate::wire::percent;
use crate::wire::sigv4::{PayloadKind, Signer};

/// A connection that is not there after this is not coming.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A transfer in which nothing moves for this long is cut and begun again.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Completing may take a server minutes, in which it need not send anything.
pub const COMPLETE_TIMEOUT: Duration = Duration::from_secs(600);
/// The longest answer that is read into memory: a page of 1,000 long keys with all their checksums fits.
const ANSWER_LEN_MAX: usize = 16 << 20;

/// How an endpoint is reached.
#[derive(Debug)]
pub struct Settings {
    /// Without it, AWS itself.
    pub url: Option<String>,
    pub region: String,
    /// The bucket in the path rather than in the host; by default for all but AWS.
    pub path_style: Option<bool>,
    /// PEM certificates to trust, instead of the system's.
    pub ca_bundle: Option<Vec<u8>>,
    pub credentials: Credentials,
    /// Give up when nothing has worked for this long.
    pub patience: Duration,
    /// Requests in flight at most.
    pub parallel_max: usize,
    pub bytes_per_s: Option<u64>,
    /// What parts are protected with; by default the best that the endpoint knows.
    pub protection: Option<Protection>,
}

/// What lets the server verify a part, and the client know it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// CRC-64/NVME, sent behind the bytes: they are read once. The parts' values combine to that of the object.
    Crc64,
    /// `Content-MD5`, for endpoints that know no other checksum. The bytes are read twice, because it goes ahead.
    Md5,
}

/// An endpoint and everything its requests share.
#[derive(Debug)]
pub struct Endpoint {
    http: reqwest::Client,
    base: Url,
    is_path_style: bool,
    region: String,
    credentials: Credentials,
    clock: Clock,
    /// 0: not known yet; else as [`Protection`].
    protection: AtomicU8,
    pub retry: Retry,
    pub workers: Workers,
    pub around: Surroundings,
    pub tally: Arc<Tally>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    /// For messages: "upload part 7 of s3://bucket/key".
    pub doing: String,
    pub method: Method,
    /// Empty for the list of buckets.
    pub bucket: String,
    /// Empty for requests about the bucket.
    pub key: String,
    /// Names and values, not encoded.
    pub query: Vec<(&'static str, String)>,
    pub headers: HeaderMap,
    pub body: Payload,
    /// How long nothing may move.
    pub idle: Duration,
}

/// A request's body.
#[derive(Clone, Debug)]
pub enum Payload {
    Bytes(Bytes),
    /// Read while it is sent, and checked afterwards by [`Endpoint::call`]'s caller.
    Part(Source, Framing),
}

/// A whole answer with a status below 300.
#[derive(Clone, Debug)]
pub struct Answer {
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Of the bytes that were sent behind a trailer.
    pub digest: Option<dovetail_digest::Digest>,
}

/// The failures of one request so far.
pub struct Attempts<'a> {
    endpoint: &'a Endpoint,
    failures: u32,
    has_refreshed: bool,
}

impl Call {
    pub fn new(doing: impl Into<String>, method: Method, bucket: &str, key: &str) -> Call {
        Call {
            doing: doing.into(),
            method,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Payload::Bytes(Bytes::new()),
            idle: IDLE_TIMEOUT,
        }
    }

    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Call {
        self.query.push((name, value.into()));
        self
    }

    /// Leaves a header out whose value no header can hold; S3's own never are such.
    pub fn header(mut self, name: &'static str, value: impl AsRef<str>) -> Call {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.insert(name, value);
        }
        self
    }

    pub fn body(mut self, body: Payload) -> Call {
        self.body = body;
        self
    }

    fn query_text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.query {
            if !text.is_empty() {
                text.push('&');
            }
            text += name;
            text.push('=');
            text += &percent::encode(value.as_bytes());
        }
        text
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Endpoint {
    pub fn new(settings: Settings, clock: Clock, tasks: Tasks, tally: Arc<Tally>) -> Result<Endpoint, Error> {
        let url = settings.url.unwrap_or_else(|| format!("https://s3.{}.amazonaws.com", settings.region));
        let base = Url::parse(&url).map_err(|error| Error::Usage(format!("{url:?} is no URL: {error}")))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(Error::Usage(format!("{url:?} is no http or https URL")));
        }
        let piece_len = match settings.bytes_per_s {
            // Four pieces a second, so that a limited transfer flows rather than jumps.
            Some(rate) => ((rate / 4) as usize).clamp(1024, CHUNK_LEN),
            None => CHUNK_LEN,
        };
        let around = Surroundings {
            chunks: Chunks::default(),
            throttle: Arc::new(Throttle::new(settings.bytes_per_s)),
            tasks,
            piece_len,
        };
        Ok(Endpoint {
            http: http_client(settings.ca_bundle.as_deref(), settings.parallel_max)?,
            is_path_style: settings.path_style.unwrap_or(!is_aws(&base)),
            base,
            region: settings.region,
            credentials: settings.credentials,
            clock,
            protection: AtomicU8::new(settings.protection.map_or(0, Protection::to_byte)),
            retry: Retry::new(settings.patience),
            workers: Workers::new(settings.parallel_max),
            around,
            tally,
        })
    }

    /// The endpoint as a journal names it: scheme, host and port.
    pub fn name(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    pub fn is_aws(&self) -> bool {
        is_aws(&self.base)
    }

    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// What the endpoint is known to accept, if that is known.
    pub fn protection(&self) -> Option<Protection> {
        Protection::from_byte(self.protection.load(Ordering::Relaxed))
    }

    pub fn set_protection(&self, protection: Protection) {
        self.protection.store(protection.to_byte(), Ordering::Relaxed);
    }

    pub fn attempts(&self) -> Attempts<'_> {
        Attempts { endpoint: self, failures: 0, has_refreshed: false }
    }

    /// Sends a request until it has an answer, or nothing helps.
    pub async fn call(&self, call: &Call) -> Result<Answer, Error> {
        let mut attempts = self.attempts();
        loop {
            match self.call_once(call).await {
                Ok(answer) => {
                    self.retry.succeeded();
                    return Ok(answer);
                }
                Err(error) => attempts.pause(error).await?,
            }
        }
    }

    /// One attempt at a whole exchange.
    pub async fn call_once(&self, call: &Call) -> Result<Answer, Error> {
        let (payload_len, framing) = match &call.body {
            Payload::Bytes(_) => (0, None),
            Payload::Part(source, framing) => (source.len(), Some(*framing)),
        };
        let meter = Arc::new(Meter::new(&self.tally, payload_len));
        let (request, outcome) = self.request(call, &meter).await?;
        let sent = watched(&call.doing, call.idle, &meter, self.http.execute(request)).await?;
        if let Some(failure) = outcome.as_ref().and_then(|outcome| outcome.failure.get()) {
            return Err(self.read_failure(call, failure));
        }
        let response = sent.map_err(|error| connection_error(&call.doing, &error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_answer(&call.doing, call.idle, &meter, response).await?;
        if !status.is_success() {
            return Err(answers::refusal(&call.doing, status.as_u16(), &headers, &body, self.clock.now_ms()));
        }
        if framing.is_some() {
            meter.finish();
        }
        let digest = outcome.and_then(|outcome| outcome.digest.get().copied());
        Ok(Answer { headers, body, digest })
    }

    /// One attempt that ends with the headers of a good answer.
    pub async fn open(&self, call: &Call, meter: &Arc<Meter>) -> Result<reqwest::Response, Error> {
        let (request, _) = self.request(call, meter).await?;
        let sent = watched(&call.doing, call.idle, meter, self.http.execute(request)).await?;
        let response = sent.map_err(|error| connection_error(&call.doing, &error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = read_answer(&call.doing, call.idle, meter, response).await?;
        Err(answers::refusal(&call.doing, status, &headers, &body, self.clock.now_ms()))
    }

    /// A URL that whoever has it may use for `expires_s` seconds.
    pub async fn presign(&self, call: &Call, expires_s: u32) -> Result<String, Error> {
        let url = self.url(call)?;
        let Some(keys) = self.credentials.current().await? else {
            return Err(Error::Credentials("a URL is presigned with keys".into()));
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host(&url)?);
        let now_s = self.clock.now_ms() / 1000;
        let query = self.signer(keys).presign(
            call.method.as_str(),
            url.path(),
            &call.query_text(),
            &headers,
            expires_s,
            now_s,
        );
        let mut url = url;
        url.set_query(Some(&query));
        Ok(url.into())
    }

    async fn request(
        &self,
        call: &Call,
        meter: &Arc<Meter>,
    ) -> Result<(reqwest::Request, Option<Arc<crate::client::send_body::Outcome>>), Error> {
        let url = self.url(call)?;
        let mut headers = call.headers.clone();
        headers.insert(header::HOST, host(&url)?);
        let payload = match &call.body {
            Payload::Bytes(bytes) => {
                use sha2::Digest as _;
                PayloadKind::Sha256(sha2::Sha256::digest(bytes).into())
            }
            Payload::Part(_, Framing::Plain) => PayloadKind::Unsigned,
            Payload::Part(source, Framing::Trailer(algorithm)) => {
                trailer_headers(&mut headers, source.len(), *algorithm);
                PayloadKind::UnsignedChunksTrailer
            }
        };
        match self.credentials.current().await? {
            Some(keys) => {
                let now_s = self.clock.now_ms() / 1000;
                let query = url.query().unwrap_or("");
                self.signer(keys).sign_header(
                    call.method.as_str(),
                    url.path(),
                    query,
                    &mut headers,
                    payload,
                    now_s,
                );
            }
            None => {
                let value = HeaderValue::try_from(payload.to_header()).expect("S3's words are ASCII");
                headers.insert("x-amz-content-sha256", value);
            }
        }
        let mut request = reqwest::Request::new(call.method.clone(), url);
        let outcome = match &call.body {
            Payload::Bytes(bytes) => {
                if !bytes.is_empty() {
                    *request.body_mut() = Some(bytes.clone().into());
                } else if matches!(call.method, Method::PUT | Method::POST) {
                    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
                }
                None
            }
            Payload::Part(source, framing) => {
                let len = framed_len(*framing, source.len(), self.around.piece_len);
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
                let (body, outcome) = send_body(source.clone(), *framing, &self.around, Arc::clone(meter));
                *request.body_mut() = Some(reqwest::Body::wrap(body));
                Some(outcome)
            }
        };
        *request.headers_mut() = headers;
        Ok((request, outcome))
    }

    fn signer(&self, keys: Keys) -> Signer {
        Signer {
            access_key_id: keys.access_key_id,
            secret: keys.secret,
            region: self.region.clone(),
            session_token: keys.session_token,
        }
    }

    fn url(&self, call: &Call) -> Result<Url, Error> {
        let mut url = self.base.clone();
        // A dot in a host's first label would not match a wildcard certificate.
        let in_path = self.is_path_style || call.bucket.contains('.') || call.bucket.is_empty();
        let mut path = String::from("/");
        if in_path {
            path += &call.bucket;
            if !call.key.is_empty() {
                path.push('/');
            }
        } else {
            let host = format!("{}.{}", call.bucket, url.host_str().unwrap_or_default());
            url.set_host(Some(&host))
                .map_err(|error| Error::Usage(format!("{host:?} is no host: {error}")))?;
        }
        path += &percent::encode_path(call.key.as_bytes());
        url.set_path(&path);
        if url.path() != path {
            return Err(Error::Usage(format!(
                "the key {:?} cannot be sent: a URL's path has no `.` or `..` segments",
                call.key
            )));
        }
        let query = call.query_text();
        url.set_query((!query.is_empty()).then_some(&query));
        Ok(url)
    }

    fn read_failure(&self, call: &Call, failure: &std::io::Error) -> Error {
        if failure.kind() == std::io::ErrorKind::UnexpectedEof
            && let Payload::Part(Source::File { path, .. }, _) = &call.body
        {
            return Error::Changed { path: path.to_path_buf() };
        }
        Error::file(&call.doing, std::io::Error::new(failure.kind(), failure.to_string()))
    }
}

impl Attempts<'_> {
    /// Waits as long as this failure deserves, or hands it back when there is no point in trying again.
    pub async fn pause(&mut self, error: Error) -> Result<(), Error> {
        let endpoint = self.endpoint;
        let class = error.class();
        if class == Class::Refresh {
            if self.has_refreshed || !endpoint.credentials.expired().await {
                return Err(error);
            }
            self.has_refreshed = true;
            return Ok(());
        }
        self.failures += 1;
        let pause = endpoint.retry.pause(self.failures, class, error.retry_after(), random_fraction());
        let Some(pause) = pause else { return Err(error) };
        if class == Class::Throttled || matches!(error, Error::Stalled { .. }) {
            endpoint.workers.throttled();
        }
        endpoint.tally.tell(&Event::Retry {
            what: endpoint.name(),
            error: error.to_string(),
            attempt: self.failures,
            pause_ms: pause.as_millis() as u64,
        });
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

impl Protection {
    /// The checksum that identifies a part.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Protection::Crc64 => Algorithm::Crc64Nvme,
            Protection::Md5 => Algorithm::Md5,
        }
    }

    fn to_byte(self) -> u8 {
        match self {
            Protection::Crc64 => 1,
            Protection::Md5 => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Protection> {
        [Protection::Crc64, Protection::Md5].into_iter().find(|protection| protection.to_byte() == byte)
    }
}

fn is_aws(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host.ends_with(".amazonaws.com"))
}

fn http_client(ca_bundle: Option<&[u8]>, parallel_max: usize) -> Result<reqwest::Client, Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("dovetail/", env!("CARGO_PKG_VERSION")))
        // Many streams over one connection would share its one window; bulk wants connections of its own.
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .pool_max_idle_per_host(parallel_max)
        .pool_idle_timeout(Duration::from_secs(20))
        // Both are ours: a redirect changes the signature, and what is safe to repeat is known here.
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never());
    if let Some(pem) = ca_bundle {
        let unreadable = |error| Error::Usage(format!("the CA bundle cannot be read: {error}"));
        builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem).map_err(unreadable)?);
    }
    builder.build().map_err(|error| Error::Usage(format!("cannot set up HTTP: {}", chain(&error))))
}

fn trailer_headers(headers: &mut HeaderMap, len: u64, algorithm: Algorithm) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("aws-chunked"));
    headers.insert("x-amz-decoded-content-length", HeaderValue::from(len));
    headers.insert("x-amz-sdk-checksum-algorithm", HeaderValue::from_static(algorithm.name()));
    let name = crate::wire::checksum::header_name(algorithm);
    headers.insert("x-amz-trailer", HeaderValue::from_static(name));
}

/// As hyper would write it: without the port when it is the scheme's own.
fn host(url: &Url) -> Result<HeaderValue, Error> {
    let host = url.host_str().unwrap_or_default();
    let host = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    HeaderValue::try_from(host).map_err(|_| Error::Usage(format!("{url} has a strange host")))
}

/// Waits for `future` as long as something moves.
pub async fn watched<T>(
    doing: &str,
    idle: Duration,
    meter: &Meter,
    future: impl Future<Output = T>,
) -> Result<T, Error> {
    tokio::pin!(future);
    let mut seen = meter.activity();
    loop {
        match tokio::time::timeout(idle, &mut future).await {
            Ok(value) => return Ok(value),
            Err(_) if meter.activity() == seen => {
                return Err(Error::Stalled { doing: doing.to_owned(), idle });
            }
            Err(_) => seen = meter.activity(),
        }
    }
}

async fn read_answer(
    doing: &str,
    idle: Duration,
    meter: &Meter,
    mut response: reqwest::Response,
) -> Result<Bytes, Error> {
    let mut body = BytesMut::new();
    loop {
        let read = watched(doing, idle, meter, response.chunk()).await?;
        match read.map_err(|error| connection_error(doing, &error))? {
            None => return Ok(body.freeze()),
            Some(bytes) if body.len() + bytes.len() > ANSWER_LEN_MAX => {
                return Err(Error::malformed(doing, "it is too long"));
            }
            Some(bytes) => body.extend_from_slice(&bytes),
        }
    }
}

pub fn connection_error(doing: &str, error: &reqwest::Error) -> Error {
    Error::Connection { doing: doing.to_owned(), reason: chain(error) }
}

/// The last two causes: the outer ones only say that a request failed, and repeat the URL.
fn chain(error: &dyn std::error::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    match causes.as_slice() {
        [] => error.to_string(),
        [.., before, last] if before != last => format!("{before}: {last}"),
        [.., last] => last.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::credentials::Source as KeySource;

    fn endpoint(url: Option<&str>) -> Endpoint {
        let clock = Clock::manual(0);
        let settings = Settings {
            url: url.map(str::to_owned),
            region: "eu-west-1".into(),
            path_style: None,
            ca_bundle: None,
            credentials: Credentials::new(KeySource::Anonymous, clock.clone(), Tasks::new()),
            patience: Duration::from_secs(1),
            parallel_max: 4,
            bytes_per_s: None,
            protection: None,
        };
        Endpoint::new(settings, clock, Tasks::new(), Arc::new(Tally::silent())).unwrap()
    }

    fn url(endpoint: &Endpoint, bucket: &str, key: &str) -> Result<String, Error> {
        endpoint.url(&Call::new("try", Method::GET, bucket, key).query("prefix", "a b")).map(String::from)
    }

    #[tokio::test]
    async fn aws_has_the_bucket_in_the_host_and_others_in_the_path() {
        let aws = endpoint(None);
        let expected = "https://bucket.s3.eu-west-1.amazonaws.com/a/b%20c?prefix=a%20b";
        assert_eq!(url(&aws, "bucket", "a/b c").unwrap(), expected);
        let expected = "https://s3.eu-west-1.amazonaws.com/with.dots/?prefix=a%20b";
        assert_eq!(url(&aws, "with.dots", "").unwrap().replace("dots?", "dots/?"), expected);
        let other = endpoint(Some("http://127.0.0.1:9000/"));
        assert_eq!(
            url(&other, "bucket", "//a+%").unwrap(),
            "http://127.0.0.1:9000/bucket///a%2B%25?prefix=a%20b"
        );
    }

    #[tokio::test]
    async fn a_key_that_a_url_would_change_is_refused_rather_than_sent_elsewhere() {
        let other = endpoint(Some("http://127.0.0.1:9000"));
        for key in ["a/../b", "./a", "a/."] {
            assert!(url(&other, "bucket", key).is_err(), "{key}");
        }
        assert!(url(&other, "bucket", "a/...b/.c").is_ok());
    }
}
