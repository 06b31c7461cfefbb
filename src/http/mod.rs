//! Listeners, TLS, limits, time-outs, graceful stop, and which front end a request goes to.
//!
//! This layer knows HTTP and nothing of S3. It answers `/_/...` itself ([`own_endpoints`]) and hands every other
//! request to the one [`FrontEnd`], with a body that cannot stall for ever and the [`Peer`] in its extensions.
//!
//! What a client can hold of the server is bounded here: the number of connections, the size of a header, the time
//! for each step. A connection waits in one of these ways, each with its own limit:
//!
//! ```text
//! accepted --TLS or preface--> idle --first byte--> header --> request --> answer --> idle
//!  header_timeout         idle_timeout     header_timeout  body_idle_timeout  write_timeout
//!                                                          and body_min_rate
//! ```

mod activity;
mod answer_body;
mod connection;
mod crowd;
pub mod own_endpoints;
mod preface;
mod refusal;
mod request_body;
mod service;
mod stream;
#[cfg(test)]
mod tests;
pub mod tls;

use bytes::Bytes;
use futures::future::BoxFuture;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::base::body::{Peer, RequestBody, ResponseBody};
use crate::base::tasks::Tasks;
use crate::telemetry::metrics;
use crowd::Crowd;
use own_endpoints::OwnEndpoints;
use tls::Tls;

/// Connections the kernel keeps until they are accepted. While the limit of connections is reached they wait here.
const BACKLOG: u32 = 1024;
/// Rest after a failed accept, which is nearly always a lack of file descriptors: without it the loop would spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// While nobody gives up a place, this long passes before it is looked for again.
const DISPLACE_AGAIN: Duration = Duration::from_millis(250);
/// How long what is left is waited for once every connection has been cut.
const CUT_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers requests. One wire protocol; it does not know about connections.
pub trait FrontEnd: Send + Sync + 'static {
    /// Answers `req`. The future may be dropped at any await, when the client goes away. A panic costs the request a
    /// 500. An error of the answer's body cuts the connection.
    fn handle(&self, req: http::Request<RequestBody>) -> BoxFuture<'static, http::Response<ResponseBody>>;

    /// Answers a request below `/_/admin/`, where the front end has such.
    fn administer(
        &self,
        _req: http::Request<RequestBody>,
    ) -> BoxFuture<'static, http::Response<ResponseBody>> {
        Box::pin(async { own_endpoints::unknown() })
    }

    /// What the client gets instead of a bare status when its request cannot be read at all; hyper has refused it with
    /// this one. The connection ends after it.
    fn unreadable(&self, _status: http::StatusCode) -> Option<http::Response<Bytes>> {
        None
    }

    /// Whether paths under `/_/` mean something else in this request: with virtual-hosted-style buckets the whole
    /// path is an object's key.
    fn owns_every_path(&self, _req: &http::request::Parts) -> bool {
        false
    }
}

/// What an operator can set of this layer.
#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    /// `None` for clear text.
    pub tls: Option<tls::Files>,
    /// Connections open at a time; at least 1. More wait in the kernel until one ends, which is at once when there is
    /// one that has asked nothing for a second: one place is kept free in this way.
    pub connections: usize,
    /// For a TLS handshake, and from the first byte of a request to the end of its header.
    pub header_timeout: Duration,
    /// Between requests on one connection.
    pub idle_timeout: Duration,
    /// Between two pieces of a request's body.
    pub body_idle_timeout: Duration,
    /// Bytes a second that a body has to bring while the server waits for it; 0 for no such limit.
    pub body_min_rate: u64,
    /// The waiting over which the rate is measured.
    pub body_rate_window: Duration,
    /// How long a client may take nothing of an answer.
    pub write_timeout: Duration,
    /// How long requests in flight may take to finish once the server stops.
    pub shutdown_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 9000)),
            tls: None,
            connections: 1024,
            header_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            body_idle_timeout: Duration::from_secs(30),
            body_min_rate: 1024,
            body_rate_window: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

/// A listener that is bound, and everything its connections share.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What every connection of a server has in common.
struct Shared {
    settings: Settings,
    front_end: Arc<dyn FrontEnd>,
    own_endpoints: OwnEndpoints,
    tls: Option<Tls>,
    /// One for each connection that may still be accepted.
    connections: Arc<Semaphore>,
    crowd: Arc<Crowd>,
    /// Connections, and the streams of HTTP/2.
    tasks: Tasks,
    /// Ends every connection at once, when those in flight have had their time.
    cut: CancellationToken,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every request in flight was answered.
    Clean,
    /// Some had to be cut after `shutdown_timeout`.
    Cut,
}

impl Server {
    /// Binds the listener and reads the certificate. Connections wait from now on, and are answered by
    /// [`Server::run`].
    ///
    /// # Errors
    /// An address that cannot be bound, or a certificate that cannot be used; the message names it.
    pub async fn bind(
        settings: Settings,
        front_end: Arc<dyn FrontEnd>,
        own_endpoints: OwnEndpoints,
    ) -> io::Result<Server> {
        let tls = settings.tls.clone().map(Tls::load).transpose().map_err(io::Error::other)?;
        let listener = listen(settings.listen).map_err(|err| {
            io::Error::new(err.kind(), format!("cannot listen on {}: {err}", settings.listen))
        })?;
        let address = listener.local_addr()?;
        let shared = Shared {
            connections: Arc::new(Semaphore::new(settings.connections.clamp(1, Semaphore::MAX_PERMITS))),
            crowd: Arc::default(),
            front_end,
            own_endpoints,
            tls,
            tasks: Tasks::new(),
            cut: CancellationToken::new(),
            settings,
        };
        metrics::CONNECTIONS_LIMIT.set(shared.settings.connections as f64, &[]);
        Ok(Server { listener, address, shared: Arc::new(shared) })
    }

    /// The address that is listened on; the port is known here when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads the certificate and key anew whenever it is called; connections that exist keep theirs. `None` without
    /// TLS.
    pub fn certificates(&self) -> Option<Arc<tls::Certificates>> {
        self.shared.tls.as_ref().map(Tls::certificates)
    }

    /// Serves until `stop` resolves. Then no connection is accepted, idle ones are closed, and requests in flight
    /// have `shutdown_timeout` to finish. When this returns no connection is left.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Stopped {
        let Server { listener, shared, .. } = self;
        tokio::select! {
            () = accept(&listener, &shared) => {}
            () = stop => {}
        }
        drop(listener);
        shared.tasks.stop();
        if tokio::time::timeout(shared.settings.shutdown_timeout, shared.tasks.wait()).await.is_ok() {
            return Stopped::Clean;
        }
        shared.cut.cancel();
        // What still runs after this is a stream of HTTP/2 that blocks its thread; the process ends anyway.
        let _ = tokio::time::timeout(CUT_TIMEOUT, shared.tasks.wait()).await;
        Stopped::Cut
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait until the kernel has forgotten the connections of the process before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A place for one more connection. When there is none, connections that ask nothing give theirs up, one at a time.
async fn room(shared: &Shared) -> OwnedSemaphorePermit {
    loop {
        if let Ok(permit) = Arc::clone(&shared.connections).try_acquire_owned() {
            return permit;
        }
        shared.crowd.displace_one();
        let permit = Arc::clone(&shared.connections).acquire_owned();
        if let Ok(permit) = tokio::time::timeout(DISPLACE_AGAIN, permit).await {
            return permit.expect("the semaphore is never closed");
        }
    }
}

/// Accepts for ever. A connection takes a permit before it is accepted, so that over the limit nothing is read.
async fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let permit = room(shared).await;
        match listener.accept().await {
            Ok((stream, address)) => {
                let peer = Peer { address, tls: shared.tls.is_some() };
                let shared = Arc::clone(shared);
                shared.tasks.clone().spawn(async move {
                    let _permit = permit;
                    let _open = metrics::CONNECTIONS_OPEN.enter();
                    metrics::CONNECTIONS.add(1, &[]);
                    tokio::select! {
                        () = shared.cut.cancelled() => connection::count_cut("shutdown"),
                        () = connection::serve(stream, peer, &shared) => {}
                    }
                });
            }
            Err(err) => {
                tracing::warn!(error = %err, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}
