//! One connection, from accept to its end.

use bytes::Bytes;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::activity::{Activity, Limits, Overdue};
use super::preface::{self, Protocol};
use super::service::Service;
use super::stream::WatchedStream;
use super::{Peer, Shared};
use crate::base::tasks::Tasks;
use crate::telemetry::metrics;

/// Bytes of a request's line and header together. S3's own limit on headers is 8 KiB and on query strings is not
/// stated; presigned URLs with session tokens reach several KiB. What is over it is refused by hyper.
const HEADER_LEN_MAX: usize = 64 << 10;
/// Header fields of a request, for HTTP/1.1: each takes memory beside its bytes.
const HEADER_FIELDS_MAX: usize = 200;
/// Bytes that hyper reads ahead, and that it takes of an answer before it waits for the socket. Larger pieces cost
/// less per byte; this times the number of connections is memory that clients can hold.
const BUF_LEN_MAX: usize = 256 << 10;
/// Requests at a time on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// Bytes a client may send on one HTTP/2 stream, and on the connection, before the server has taken any.
const STREAM_WINDOW_LEN: u32 = 1 << 20;
const CONNECTION_WINDOW_LEN: u32 = 2 << 20;
/// The largest HTTP/2 frame accepted.
const FRAME_LEN_MAX: u32 = 128 << 10;
/// Streams that a client reset before they were looked at; with more the connection ends ("rapid reset",
/// CVE-2023-44487).
const PENDING_RESETS_MAX: usize = 20;
/// Streams that the server reset because the client broke the protocol (RUSTSEC-2024-0003).
const LOCAL_RESETS_MAX: usize = 256;
/// A silent HTTP/2 connection is asked this often whether it is still there, and has this long to answer.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long a connection that was idle may take to say goodbye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves one connection until it ends.
pub(super) async fn serve(stream: TcpStream, peer: Peer, shared: &Arc<Shared>) {
    let settings = &shared.settings;
    let activity = Activity::new(Limits {
        header: settings.header_timeout,
        idle: settings.idle_timeout,
        write: settings.write_timeout,
    });
    let _entered = shared.crowd.enter(&activity);
    // Fails only for a connection that is gone already, which the first read will say.
    let _ = stream.set_nodelay(true);
    match &shared.tls {
        None => serve_clear_text(stream, peer, activity, shared).await,
        Some(tls) => {
            let handshake = tls.acceptor().accept(stream);
            let handshake = tokio::select! {
                handshake = tokio::time::timeout(settings.header_timeout, handshake) => handshake,
                () = activity.displaced() => return count_overdue(Overdue::Displaced),
            };
            match handshake {
                Ok(Ok(stream)) => {
                    let protocol = match stream.get_ref().1.alpn_protocol() {
                        Some(b"h2") => Protocol::Http2,
                        _ => Protocol::Http1,
                    };
                    serve_protocol(stream, Bytes::new(), protocol, peer, activity, shared).await;
                }
                Ok(Err(err)) => tracing::debug!(peer = %peer.address, error = %err, "TLS handshake failed"),
                Err(_) => count_cut("handshake"),
            }
        }
    }
}

async fn serve_clear_text(mut stream: TcpStream, peer: Peer, activity: Arc<Activity>, shared: &Arc<Shared>) {
    let peeked = tokio::select! {
        peeked = tokio::time::timeout(shared.settings.header_timeout, preface::read_protocol(&mut stream)) => peeked,
        // Nothing was asked yet, so nothing is lost.
        () = shared.tasks.stopping() => return,
        () = activity.displaced() => return count_overdue(Overdue::Displaced),
    };
    match peeked {
        Ok(Ok((_, prefix))) if prefix.is_empty() => {}
        Ok(Ok((protocol, prefix))) => {
            serve_protocol(stream, prefix, protocol, peer, activity, shared).await;
        }
        Ok(Err(err)) => tracing::debug!(peer = %peer.address, error = %err, "connection ended early"),
        Err(_) => count_cut("header"),
    }
}

async fn serve_protocol<S>(
    stream: S,
    prefix: Bytes,
    protocol: Protocol,
    peer: Peer,
    activity: Arc<Activity>,
    shared: &Arc<Shared>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let settings = &shared.settings;
    let front_end = Arc::clone(&shared.front_end);
    let stream = WatchedStream::new(stream, prefix, Arc::clone(&activity), settings.write_timeout, front_end);
    let service = Service::new(Arc::clone(shared), Arc::clone(&activity), peer);
    let stream = TokioIo::new(stream);
    match protocol {
        Protocol::Http1 => {
            drive(http1_builder().serve_connection(stream, service), peer, &activity, shared).await;
        }
        Protocol::Http2 => {
            activity.set_multiplexed();
            let connection = http2_builder(shared.tasks.clone()).serve_connection(stream, service);
            drive(connection, peer, &activity, shared).await;
        }
    }
}

fn http1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // One time-out for idle and for slow connections would be too long for one of them: see `activity`.
        .header_read_timeout(None)
        // A client that half-closes while it waits for its answer is indistinguishable from one that went away.
        .half_close(false)
        .max_headers(HEADER_FIELDS_MAX)
        .max_header_size(HEADER_LEN_MAX)
        .max_buf_size(BUF_LEN_MAX);
    builder
}

fn http2_builder(tasks: Tasks) -> http2::Builder<StreamTasks> {
    let mut builder = http2::Builder::new(StreamTasks(tasks));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_LEN)
        .initial_connection_window_size(CONNECTION_WINDOW_LEN)
        .max_frame_size(FRAME_LEN_MAX)
        .max_send_buf_size(BUF_LEN_MAX)
        .max_header_list_size(HEADER_LEN_MAX as u32)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(LOCAL_RESETS_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL);
    builder
}

/// The streams of an HTTP/2 connection are tasks of the server, which waits for them when it stops.
#[derive(Clone)]
struct StreamTasks(Tasks);

impl<F> hyper::rt::Executor<F> for StreamTasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

/// A connection of either protocol.
trait Connection: Future<Output = hyper::Result<()>> {
    /// Takes no further request, finishes those in flight, then ends.
    fn finish(self: Pin<&mut Self>);
}

impl<S> Connection for http1::Connection<TokioIo<S>, Service>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S> Connection for http2::Connection<TokioIo<S>, Service, StreamTasks>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Runs a connection to its end, which comes early when its client makes it wait too long or the server stops.
async fn drive(connection: impl Connection, peer: Peer, activity: &Activity, shared: &Shared) {
    let mut connection = pin!(connection);
    let overdue = tokio::select! {
        ended = connection.as_mut() => return log_end(peer, ended),
        () = shared.tasks.stopping() => None,
        overdue = activity.overdue() => Some(overdue),
    };
    match overdue {
        None => {
            connection.as_mut().finish();
            tokio::select! {
                ended = connection => log_end(peer, ended),
                overdue = activity.overdue() => count_overdue(overdue),
            }
        }
        Some(Overdue::Idle) => {
            count_overdue(Overdue::Idle);
            connection.as_mut().finish();
            // Whatever comes in this second may be lost, as with every connection that is closed while idle.
            let _ = tokio::time::timeout(GOODBYE_TIMEOUT, connection).await;
        }
        Some(overdue) => count_overdue(overdue),
    }
}

fn log_end(peer: Peer, ended: hyper::Result<()>) {
    if let Err(err) = ended {
        // Clients break connections all day: nothing to tell an operator about.
        tracing::debug!(peer = %peer.address, error = %err, "connection ended early");
    }
}

fn count_overdue(overdue: Overdue) {
    count_cut(match overdue {
        Overdue::Header => "header",
        Overdue::Idle => "idle",
        Overdue::Displaced => "displaced",
        Overdue::StalledReader => "stalled_reader",
    });
}

pub(super) fn count_cut(reason: &'static str) {
    metrics::CONNECTIONS_CUT.add(1, &[reason]);
}
