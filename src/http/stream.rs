//! A socket that tells what it does: bytes that came go to [`Activity`], and a write that makes no progress ends. What
//! hyper refuses by itself leaves in the front end's words.

use bytes::{Buf, Bytes};
use http::StatusCode;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::activity::Activity;
use super::{FrontEnd, connection, refusal};

/// A socket, or a TLS session over one.
pub struct WatchedStream<S> {
    inner: S,
    /// Bytes read before it was known which protocol they are; they come first.
    prefix: Bytes,
    activity: Arc<Activity>,
    write_timeout: Duration,
    /// Runs while a write waits.
    stall: Option<Pin<Box<Sleep>>>,
    stalling: bool,
    front_end: Arc<dyn FrontEnd>,
    /// What is left of the front end's answer to what cannot be read, once there is one; nothing comes after it.
    refusal: Option<Bytes>,
    /// All that was ever to be written has been: what comes next is the beginning of something.
    at_rest: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WatchedStream<S> {
    pub fn new(
        inner: S,
        prefix: Bytes,
        activity: Arc<Activity>,
        write_timeout: Duration,
        front_end: Arc<dyn FrontEnd>,
    ) -> WatchedStream<S> {
        WatchedStream {
            inner,
            prefix,
            activity,
            write_timeout,
            stall: None,
            stalling: false,
            front_end,
            refusal: None,
            at_rest: true,
        }
    }

    /// Writes the front end's words in place of the `len` bytes with which hyper refuses a request.
    fn poll_refuse(&mut self, cx: &mut Context<'_>, len: usize) -> Poll<io::Result<usize>> {
        while let Some(refusal) = self.refusal.as_mut().filter(|refusal| !refusal.is_empty()) {
            let written = Pin::new(&mut self.inner).poll_write(cx, refusal);
            let written = ready!(self.watch(cx, written))?;
            if let Some(refusal) = &mut self.refusal {
                refusal.advance(written);
            }
        }
        Poll::Ready(Ok(len))
    }

    /// Whether a write is to be answered by [`WatchedStream::poll_refuse`]. An object may look like a refusal, so one
    /// is looked for only where no request has had an answer since the last flush, and a header is being read.
    fn refuses(&mut self, status: impl FnOnce() -> Option<StatusCode>) -> bool {
        if self.refusal.is_none()
            && self.at_rest
            && self.activity.is_reading_header()
            && let Some(status) = status()
        {
            self.refusal = self.front_end.unreadable(status).as_ref().map(refusal::on_the_wire);
        }
        self.at_rest = false;
        self.refusal.is_some()
    }

    /// Passes on what a write said, and ends one that has made no progress for too long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalling = false;
            return written;
        }
        let timeout = self.write_timeout;
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        if !self.stalling {
            self.stalling = true;
            stall.as_mut().reset(Instant::now() + timeout);
        }
        ready!(stall.as_mut().poll(cx));
        connection::count_cut("stalled_reader");
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.prefix.is_empty() {
            let taken = self.prefix.len().min(buf.remaining());
            buf.put_slice(&self.prefix[..taken]);
            self.prefix.advance(taken);
            self.activity.bytes_came();
            return Poll::Ready(Ok(()));
        }
        let filled = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if buf.filled().len() > filled {
            self.activity.bytes_came();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.refuses(|| refusal::status_of(buf)) {
            return self.poll_refuse(cx, buf.len());
        }
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.refuses(|| refusal::status_of_slices(bufs)) {
            return self.poll_refuse(cx, bufs.iter().map(|buf| buf.len()).sum());
        }
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.at_rest |= matches!(flushed, Poll::Ready(Ok(())));
        self.watch(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.watch(cx, ended)
    }
}
