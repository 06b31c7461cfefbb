//! Connections and what moves over them: how they are made, how long they may be silent, and what their failures say.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::client::error::Error;
use crate::client::tally::Meter;

/// A connection that is not there after this is not coming.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A transfer in which nothing moves for this long is cut and begun again.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Completing may take a server minutes, in which it need not send anything.
pub const COMPLETE_TIMEOUT: Duration = Duration::from_secs(600);
/// The longest answer that is read into memory: a page of 1,000 long keys with all their checksums fits.
const ANSWER_LEN_MAX: usize = 16 << 20;

/// Connections to one endpoint, which `parallel_max` requests share. Without TLS no root certificates are read: that
/// would take longer than a short command does.
pub fn http_client(
    is_tls: bool,
    ca_bundle: Option<&[u8]>,
    parallel_max: usize,
) -> Result<reqwest::Client, Error> {
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
    if !is_tls {
        builder = builder.tls_certs_only([]);
    } else if let Some(pem) = ca_bundle {
        let unreadable = |error| Error::Usage(format!("the CA bundle cannot be read: {error}"));
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(unreadable)?;
        if certificates.is_empty() {
            return Err(Error::Usage("there is no certificate in the CA bundle, which is PEM".into()));
        }
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(|error| Error::Usage(format!("cannot set up HTTP: {}", chain(&error))))
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

/// Reads a whole answer into memory.
pub async fn read_answer(
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

/// A failure without an answer.
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
