//! One request: to whom it goes, and what happens around its answer.

use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{CONNECTION, EXPECT, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use super::activity::Activity;
use super::answer_body::AnswerBody;
use super::request_body::{self, WatchedBody};
use super::{Peer, Shared, own_endpoints};
use crate::base::body::{RequestBody, ResponseBody};
use crate::telemetry::metrics;

/// Answers the requests of one connection.
pub(super) struct Service {
    shared: Arc<Shared>,
    activity: Arc<Activity>,
    peer: Peer,
}

impl Service {
    pub fn new(shared: Arc<Shared>, activity: Arc<Activity>, peer: Peer) -> Service {
        Service { shared, activity, peer }
    }

    fn watch_body(&self, parts: &http::request::Parts, incoming: Incoming) -> WatchedBody {
        let settings = &self.shared.settings;
        let limits = request_body::Limits {
            idle: settings.body_idle_timeout,
            min_rate: settings.body_min_rate,
            rate_window: settings.body_rate_window,
        };
        let drain = (!self.activity.is_multiplexed()).then(|| self.shared.tasks.clone());
        WatchedBody::new(incoming, expects_continue(parts), limits, drain)
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<AnswerBody>, Infallible>>;

    fn call(&self, req: Request<Incoming>) -> Self::Future {
        let in_flight = self.activity.begin_request();
        let (mut parts, incoming) = req.into_parts();
        let body = self.watch_body(&parts, incoming);
        let progress = body.progress();
        parts.extensions.insert(self.peer);
        let (method, uri) = (parts.method.clone(), parts.uri.clone());
        let shared = Arc::clone(&self.shared);
        let activity = Arc::clone(&self.activity);
        Box::pin(async move {
            let answer = answer(shared, Request::from_parts(parts, RequestBody::new(body)));
            let mut response = match AssertUnwindSafe(answer).catch_unwind().await {
                Ok(response) => response,
                Err(panic) => {
                    // The path alone: a query may hold a signature.
                    tracing::error!(%method, path = uri.path(), message = message_of(&*panic), "a request panicked");
                    after_panic()
                }
            };
            if !activity.is_multiplexed() && !progress.allows_keep_alive() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            let clock = activity.answer_clock();
            Ok(response.map(|body| AnswerBody::new(body, clock, in_flight)))
        })
    }
}

/// Hands a request to whoever its path belongs to.
async fn answer(shared: Arc<Shared>, req: Request<RequestBody>) -> Response<ResponseBody> {
    let (parts, body) = req.into_parts();
    if own_endpoints::is_own_path(parts.uri.path()) && !shared.front_end.owns_every_path(&parts) {
        if own_endpoints::is_administrative(parts.uri.path()) {
            return shared.front_end.administer(Request::from_parts(parts, body)).await;
        }
        return shared.own_endpoints.answer(&parts).await;
    }
    shared.front_end.handle(Request::from_parts(parts, body)).await
}

fn expects_continue(parts: &http::request::Parts) -> bool {
    parts.headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let message = panic.downcast_ref::<&str>().copied();
    message.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn after_panic() -> Response<ResponseBody> {
    metrics::PANICS.add(1, &[]);
    let body = Full::default().map_err(|never: Infallible| match never {});
    let mut response = Response::new(ResponseBody::new(body));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
