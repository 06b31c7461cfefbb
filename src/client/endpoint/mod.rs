//! One S3 endpoint: sends signed requests and reads answers, again when that may help.
//!
//! [`Endpoint::call`] is a whole exchange with retries. [`Endpoint::open`] is one attempt that ends with the answer's
//! headers, for whoever streams the body and retries itself with [`Attempts`].

pub mod call;
pub mod connection;
pub mod credentials;
pub mod customer_key;
pub mod regions;
pub mod retry;
pub mod send_body;
mod signing;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use dovetail_digest::Algorithm;
use http::Method;
use reqwest::Url;
use tokio::sync::OnceCell;

use crate::base::clock::Clock;
use crate::base::tasks::Tasks;
use crate::client::answers;
use crate::client::chunks::{CHUNK_LEN, Chunks};
use crate::client::download::folders::Folders;
use crate::client::download::sink::WRITE_LEN;
use crate::client::endpoint::call::{Answer, Call, Payload};
use crate::client::endpoint::connection::{connection_error, http_client, read_answer, watched};
use crate::client::endpoint::credentials::Credentials;
use crate::client::endpoint::customer_key::CustomerKeys;
use crate::client::endpoint::regions::{Learnt, Regions, aws_url, is_aws_host};
use crate::client::endpoint::retry::{Retry, random_fraction};
use crate::client::endpoint::send_body::Surroundings;
use crate::client::endpoint::signing::{Prepared, Signed};
use crate::client::error::{Class, Error, Refusal};
use crate::client::source::Source;
use crate::client::tally::{Event, Meter, Tally};
use crate::client::throttle::Throttle;
use crate::client::workers::Workers;
use crate::wire::limits::Limits;

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
    pub customer_keys: CustomerKeys,
    /// Give up when nothing has worked for this long.
    pub patience: Duration,
    /// Requests in flight at most.
    pub parallel_max: usize,
    pub bytes_per_s: Option<u64>,
    /// What parts are protected with; by default the best that the endpoint knows.
    pub protection: Option<Protection>,
    /// Where what endpoints accept is kept between runs; without it, it is asked for in each.
    pub limits_folder: Option<PathBuf>,
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
    pub(super) http: reqwest::Client,
    pub(super) base: Url,
    pub(super) is_path_style: bool,
    pub(super) regions: Regions,
    pub(super) credentials: Credentials,
    pub customer_keys: CustomerKeys,
    pub(super) clock: Clock,
    /// 0: not known yet; else as [`Protection`].
    protection: AtomicU8,
    pub(super) limits_folder: Option<PathBuf>,
    pub(super) known_limits: OnceCell<Limits>,
    pub retry: Retry,
    pub workers: Workers,
    pub around: Surroundings,
    pub folders: Folders,
    /// Memory for what is on its way into files.
    pub write_chunks: Chunks,
    pub tally: Arc<Tally>,
}

/// The failures of one request so far.
pub struct Attempts<'a> {
    endpoint: &'a Endpoint,
    failures: u32,
    has_refreshed: bool,
}

/// What an endpoint looks like, for whoever wrote another one.
const URL_FORM: &str = "an endpoint is http://HOST:PORT or https://HOST, perhaps with a path";

impl Endpoint {
    pub fn new(settings: Settings, clock: Clock, tasks: Tasks, tally: Arc<Tally>) -> Result<Endpoint, Error> {
        let url = settings.url.unwrap_or_else(|| aws_url(&settings.region));
        let base = Url::parse(&url).map_err(|_| Error::Usage(format!("{url:?} is no URL: {URL_FORM}")))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(Error::Usage(format!("{url:?} is no URL: {URL_FORM}")));
        }
        if base.query().is_some() || base.fragment().is_some() || !base.username().is_empty() {
            return Err(Error::Usage(format!("an endpoint is a host, a port and a path, unlike {url:?}")));
        }
        if !settings.customer_keys.is_empty() && !is_private(&base) {
            let reason =
                format!("{url} is plain HTTP, over which anybody on the way could read the key: use https");
            return Err(Error::Usage(reason));
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
            http: http_client(
                base.scheme() == "https",
                settings.ca_bundle.as_deref(),
                settings.parallel_max,
            )?,
            is_path_style: settings.path_style.unwrap_or(!is_aws(&base)),
            base,
            regions: Regions::new(settings.region),
            credentials: settings.credentials,
            customer_keys: settings.customer_keys,
            clock,
            protection: AtomicU8::new(settings.protection.map_or(0, Protection::to_byte)),
            limits_folder: settings.limits_folder,
            known_limits: OnceCell::new(),
            retry: Retry::new(settings.patience),
            workers: Workers::new(settings.parallel_max),
            around,
            folders: Folders::default(),
            write_chunks: Chunks::new(WRITE_LEN),
            tally,
        })
    }

    /// The endpoint as a journal names it: scheme, host, port, and the path if it has one.
    pub fn name(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    /// Where a path of the server's is below the endpoint.
    pub(super) fn below(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    pub fn region(&self) -> &str {
        self.regions.home()
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

    /// Parts of this length begin to move: where the rate is limited, only so many at once as it fills.
    pub fn bound_by_rate(&self, part_len: u64) {
        if let Some(count) = self.around.throttle.parts_at_once(part_len) {
            self.workers.bound(count);
        }
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

    /// One attempt at a whole exchange; a second one if the bucket turns out to be in another region, which is known from then on.
    pub async fn call_once(&self, call: &Call) -> Result<Answer, Error> {
        match self.exchange(call).await {
            Err(error) if error.is_elsewhere() => self.exchange(call).await,
            answer => answer,
        }
    }

    async fn exchange(&self, call: &Call) -> Result<Answer, Error> {
        let (payload_len, framing) = match &call.body {
            Payload::Bytes(_) => (0, None),
            Payload::Part(source, framing) => (source.len(), Some(*framing)),
        };
        let meter = Arc::new(Meter::new(&self.tally, payload_len));
        let Prepared { request, outcome, signed } = self.prepare(call, &meter).await?;
        let sent = watched(&call.doing, call.idle, &meter, self.http.execute(request)).await?;
        if let Some(failure) = outcome.as_ref().and_then(|outcome| outcome.failure.get()) {
            return Err(self.read_failure(call, failure));
        }
        let response = sent.map_err(|error| connection_error(&call.doing, &error))?;
        if !response.status().is_success() {
            return Err(self.refusal(call, &meter, response, signed).await);
        }
        let headers = response.headers().clone();
        let body = read_answer(&call.doing, call.idle, &meter, response).await?;
        if call.method != Method::GET && answers::is_web_page(&body) {
            return Err(Error::malformed(&call.doing, "it is a web page: something else answers than S3"));
        }
        if framing.is_some() {
            meter.finish();
        }
        let digest = outcome.and_then(|outcome| outcome.digest.get().copied());
        Ok(Answer { headers, body, digest })
    }

    /// One attempt that ends with the headers of a good answer, in the bucket's own region as above.
    pub async fn open(&self, call: &Call, meter: &Arc<Meter>) -> Result<reqwest::Response, Error> {
        match self.open_there(call, meter).await {
            Err(error) if error.is_elsewhere() => self.open_there(call, meter).await,
            opened => opened,
        }
    }

    async fn open_there(&self, call: &Call, meter: &Arc<Meter>) -> Result<reqwest::Response, Error> {
        let Prepared { request, signed, .. } = self.prepare(call, meter).await?;
        let sent = watched(&call.doing, call.idle, meter, self.http.execute(request)).await?;
        let response = sent.map_err(|error| connection_error(&call.doing, &error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(call, meter, response, signed).await)
    }

    /// Reads an error answer.
    async fn refusal(
        &self,
        call: &Call,
        meter: &Arc<Meter>,
        response: reqwest::Response,
        signed: Signed,
    ) -> Error {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = match read_answer(&call.doing, call.idle, meter, response).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        let mut refused = answers::refusal(&call.doing, status, &headers, &body, self.clock.now_ms());
        if let Error::Refused { refusal, .. } = &mut refused {
            refusal.access_key_id = signed.access_key_id;
            refusal.has_customer_key = signed.has_customer_key;
            refusal.is_elsewhere = self.is_elsewhere(call, refusal, &signed.region);
        }
        refused
    }

    /// Whether the bucket is in another region than the one that a refused request was signed for.
    fn is_elsewhere(&self, call: &Call, refusal: &Refusal, signed: &str) -> bool {
        let Some(told) =
            refusal.region.as_deref().filter(|_| refusal.is_about_region(call.is_create_bucket()))
        else {
            return false;
        };
        if self.regions.learn(&call.bucket, told) == Learnt::New {
            self.tally.tell(&Event::Region { bucket: call.bucket.clone(), region: told.to_owned() });
        }
        // Whoever was in flight together learns it together.
        self.regions.of(&call.bucket) != signed
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
            let Error::Refused { refusal, .. } = &error else { return Err(error) };
            let (false, Some(access_key_id)) = (self.has_refreshed, &refusal.access_key_id) else {
                return Err(error);
            };
            endpoint.credentials.expired(access_key_id).await;
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

/// Whether nobody else hears what is sent: by TLS, or because it does not leave this machine.
fn is_private(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    url.scheme() == "https" || is_loopback || host == "localhost" || host.ends_with(".localhost")
}

fn is_aws(url: &Url) -> bool {
    url.host_str().is_some_and(is_aws_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_where_nobody_listens() {
        for (url, expected) in [
            ("https://s3.example", true),
            ("http://127.0.0.1:9000", true),
            ("http://[::1]:9000", true),
            ("http://localhost:9000", true),
            ("http://s3.localhost", true),
            ("http://10.0.0.1:9000", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(is_private(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
