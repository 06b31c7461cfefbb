//! An answer's body on its way out: counted, timed for HTTP/2, and cut rather than finished after a panic.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::activity::{AnswerClock, InFlight};
use crate::base::body::ResponseBody;
use crate::telemetry::metrics;

pub struct AnswerBody {
    inner: ResponseBody,
    clock: Option<Arc<AnswerClock>>,
    sent_len: u64,
    _in_flight: InFlight,
}

impl AnswerBody {
    pub fn new(inner: ResponseBody, clock: Option<Arc<AnswerClock>>, in_flight: InFlight) -> AnswerBody {
        AnswerBody { inner, clock, sent_len: 0, _in_flight: in_flight }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if let Some(clock) = &this.clock {
            clock.asked();
        }
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut this.inner).poll_frame(cx)));
        let polled = polled.unwrap_or_else(|_| {
            metrics::PANICS.add(1, &[]);
            Poll::Ready(Some(Err("the answer's body panicked".into())))
        });
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            this.sent_len += frame.data_ref().map_or(0, |data| data.len() as u64);
            if let Some(clock) = &this.clock {
                clock.handed_over();
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        metrics::RESPONSE_BYTES.add(self.sent_len, &[]);
    }
}
