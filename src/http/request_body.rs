//! A request's body, with the time-outs that hyper does not have, and what happens to what is left of it.
//!
//! Only waiting for the client counts: while the server is busy with what came, no clock runs.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

use crate::base::body::BodyError;
use crate::base::tasks::Tasks;
use crate::telemetry::metrics;

/// What is left of a body after an early answer is read and dropped up to this many bytes, and for this long.
/// Otherwise the kernel would reset the connection while the client is still sending, and the client would lose the
/// answer that tells it what is wrong.
const DRAIN_LEN_MAX: u64 = 128 << 20;
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);
/// A remainder up to this many bytes is cheaper to read than a new connection is to make.
const KEEP_ALIVE_DRAIN_LEN_MAX: u64 = 64 << 10;
/// The value of [`Progress::left`] for a body of unknown length.
const LEFT_UNKNOWN: u64 = u64::MAX;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub idle: Duration,
    /// Bytes a second; 0 for no limit.
    pub min_rate: u64,
    pub rate_window: Duration,
}

/// How far a body has been read, for whoever answers the request.
#[derive(Debug)]
pub struct Progress {
    left: AtomicU64,
    /// The client waits for `100 Continue`, and none was sent because nobody read, or because there is nothing to read.
    continue_pending: std::sync::atomic::AtomicBool,
}

impl Progress {
    /// Whether the connection can serve another request after an answer now. If not, the answer has to say so.
    ///
    /// It cannot after an answer to `Expect: 100-continue` that no `100 Continue` came before, and hyper sends none for an
    /// empty body. botocore (aws-cli, boto3) expects one for those too, and takes the status of such an answer for that of
    /// the connection's next request as well: it waits until the connection ends, and calls a refused upload a success.
    pub fn allows_keep_alive(&self) -> bool {
        let left = self.left.load(Ordering::Acquire);
        left <= KEEP_ALIVE_DRAIN_LEN_MAX && !self.continue_pending.load(Ordering::Acquire)
    }
}

/// A request's body as front ends get it.
pub struct WatchedBody {
    /// `None` once it has ended, well or badly.
    incoming: Option<Incoming>,
    limits: Limits,
    progress: Arc<Progress>,
    /// Where what is left is read; `None` for HTTP/2, where a stream can be reset alone.
    drain: Option<Tasks>,
    read_len: u64,
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    window: Window,
}

/// What came during the last stretch of waiting.
#[derive(Default)]
struct Window {
    waited: Duration,
    len: u64,
}

impl WatchedBody {
    pub fn new(
        incoming: Incoming,
        expects_continue: bool,
        limits: Limits,
        drain: Option<Tasks>,
    ) -> WatchedBody {
        let left = match incoming.size_hint().exact() {
            Some(len) => len,
            None => LEFT_UNKNOWN,
        };
        let progress = Progress { left: AtomicU64::new(left), continue_pending: expects_continue.into() };
        WatchedBody {
            incoming: (!incoming.is_end_stream()).then_some(incoming),
            limits,
            progress: Arc::new(progress),
            drain,
            read_len: 0,
            waiting_since: None,
            timer: None,
            window: Window::default(),
        }
    }

    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Counts the waiting that just ended, and what it brought.
    fn came(&mut self, len: u64) -> Result<(), BodyError> {
        self.read_len += len;
        let left = self.progress.left.load(Ordering::Relaxed);
        if left != LEFT_UNKNOWN {
            self.progress.left.store(left.saturating_sub(len), Ordering::Release);
        }
        self.window.len += len;
        if let Some(since) = self.waiting_since.take() {
            self.window.waited += since.elapsed();
        }
        if self.window.waited >= self.limits.rate_window {
            let Window { waited, len } = std::mem::take(&mut self.window);
            self.check_rate(waited, len)?;
        }
        Ok(())
    }

    fn check_rate(&self, waited: Duration, len: u64) -> Result<(), BodyError> {
        if (len as f64) < self.limits.min_rate as f64 * waited.as_secs_f64() {
            return Err(BodyError::TooSlow);
        }
        Ok(())
    }

    /// Waits for the client, and says what it did wrong if that takes too long.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let idle_deadline = since + self.limits.idle;
        let window_left = self.limits.rate_window.saturating_sub(self.window.waited);
        let deadline =
            if self.limits.min_rate > 0 { idle_deadline.min(since + window_left) } else { idle_deadline };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        // The timer is left as it was while data keeps coming, and set anew only when it fires: once in a while
        // instead of once a frame.
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now >= idle_deadline {
                return Poll::Ready(BodyError::Idle);
            }
            if now < deadline {
                timer.as_mut().reset(deadline);
                continue;
            }
            // The window is full in the middle of waiting: what came in it decides.
            let waited = self.window.waited + (now - since);
            if (self.window.len as f64) < self.limits.min_rate as f64 * waited.as_secs_f64() {
                return Poll::Ready(BodyError::TooSlow);
            }
            self.window = Window::default();
            self.waiting_since = Some(now);
            // The stretch before now was idle too: the timer fires for that at the same moment as before.
            timer.as_mut().reset(idle_deadline.min(now + self.limits.rate_window));
        }
        Poll::Pending
    }

    fn fail(&mut self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match error {
            BodyError::Idle => metrics::BODY_TIMEOUTS.add(1, &["idle"]),
            BodyError::TooSlow => metrics::BODY_TIMEOUTS.add(1, &["slow"]),
            BodyError::Cut(_) => {}
        }
        // Dropping it stops the reading of this connection; the answer can still be written.
        self.incoming = None;
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        this.progress.continue_pending.store(false, Ordering::Release);
        match Pin::new(incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let len = frame.data_ref().map_or(0, |data| data.len() as u64);
                match this.came(len) {
                    Ok(()) => Poll::Ready(Some(Ok(frame))),
                    Err(error) => this.fail(error),
                }
            }
            Poll::Ready(Some(Err(err))) => this.fail(BodyError::Cut(err.into())),
            Poll::Ready(None) => {
                this.incoming = None;
                this.progress.left.store(0, Ordering::Release);
                Poll::Ready(None)
            }
            Poll::Pending => match this.poll_overdue(cx) {
                Poll::Ready(error) => this.fail(error),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        metrics::REQUEST_BYTES.add(self.read_len, &[]);
        let Some(incoming) = self.incoming.take() else { return };
        // Reading would send the `100 Continue` that makes the client begin.
        let unwanted = self.progress.continue_pending.load(Ordering::Acquire);
        if incoming.is_end_stream() || unwanted {
            return;
        }
        // Without a runtime the process is ending, and with it the connection.
        if let (Some(tasks), Ok(_)) = (&self.drain, tokio::runtime::Handle::try_current()) {
            tasks.spawn(drain(incoming));
        }
    }
}

/// Reads what is left, within bounds, so that the client comes to read its answer.
async fn drain(mut incoming: Incoming) {
    let read = async {
        let mut len = 0;
        while let Some(Ok(frame)) = incoming.frame().await {
            len += frame.data_ref().map_or(0, |data| data.len() as u64);
            if len > DRAIN_LEN_MAX {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, read).await;
}
