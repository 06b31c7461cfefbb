//! What the server answers itself, under `/_/`, which can never be a bucket's name.
//!
//! - `GET /_/live`: 200 while the process answers.
//! - `GET /_/ready`: 200 when requests can be served, else 503 with the reason.
//! - `GET /_/metrics`: the metrics in Prometheus' text format.
//! - `GET /_/limits`: what the front end accepts, as JSON that clients and proxies may keep for a while.
//! - `/_/admin/`: left to the front end, which knows who may administer it.

use bytes::Bytes;
use dovetail_digest::Algorithm;
use futures::future::BoxFuture;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::base::body::ResponseBody;
use crate::telemetry::metrics::Exporter;

/// A store that takes longer than this to say whether it works, does not.
const READINESS_TIMEOUT: Duration = Duration::from_secs(5);
/// Limits change when the gateway is configured anew, which is seldom; an hour later every client knows.
const LIMITS_CACHE_CONTROL: &str = "public, max-age=3600";

/// Says whether requests can be served now, and why not.
pub type Readiness = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// The server's own endpoints.
pub struct OwnEndpoints {
    readiness: Readiness,
    metrics: Exporter,
    limits: Limits,
}

/// A document that stays what it is for as long as the process lives.
struct Limits {
    document: Bytes,
    etag: HeaderValue,
}

impl OwnEndpoints {
    /// `limits` is the JSON document that says what the front end accepts.
    pub fn new(readiness: Readiness, metrics: Exporter, limits: String) -> OwnEndpoints {
        let digest = dovetail_digest::digest(Algorithm::Crc64Nvme, limits.as_bytes());
        let etag =
            HeaderValue::try_from(format!("\"{}\"", digest.to_hex())).expect("hexadecimal digits are ASCII");
        OwnEndpoints { readiness, metrics, limits: Limits { document: limits.into(), etag } }
    }

    pub(super) async fn answer(&self, parts: &http::request::Parts) -> Response<ResponseBody> {
        if parts.method != Method::GET && parts.method != Method::HEAD {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match parts.uri.path() {
            "/_/live" => text(StatusCode::OK, "live\n"),
            "/_/ready" => self.ready().await,
            "/_/metrics" => {
                let mut response = text(StatusCode::OK, self.metrics.render());
                let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, content_type);
                response
            }
            "/_/limits" => self.limits(parts),
            _ => unknown(),
        }
    }

    fn limits(&self, parts: &http::request::Parts) -> Response<ResponseBody> {
        let known = parts.headers.get(IF_NONE_MATCH);
        let mut response = match known.is_some_and(|known| known == self.limits.etag) {
            true => text(StatusCode::NOT_MODIFIED, Bytes::new()),
            false => text(StatusCode::OK, self.limits.document.clone()),
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(LIMITS_CACHE_CONTROL));
        headers.insert(ETAG, self.limits.etag.clone());
        response
    }

    async fn ready(&self) -> Response<ResponseBody> {
        let checked = tokio::time::timeout(READINESS_TIMEOUT, (self.readiness)()).await;
        let checked = checked.unwrap_or_else(|_| {
            Err(format!("no answer from the stores in {} seconds", READINESS_TIMEOUT.as_secs()))
        });
        let (status, document) = match checked {
            Ok(()) => (StatusCode::OK, serde_json::json!({ "ready": true })),
            Err(reason) => {
                (StatusCode::SERVICE_UNAVAILABLE, serde_json::json!({ "ready": false, "reason": reason }))
            }
        };
        let mut response = text(status, format!("{document}\n"));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// The answer where there is nothing.
pub(super) fn unknown() -> Response<ResponseBody> {
    text(StatusCode::NOT_FOUND, "no such endpoint; there are /_/live, /_/ready, /_/metrics and /_/limits\n")
}

/// Whether a path is for whoever administers the front end.
pub(super) fn is_administrative(path: &str) -> bool {
    path.starts_with("/_/admin/")
}

/// Whether a path belongs to the server rather than to a front end.
pub(super) fn is_own_path(path: &str) -> bool {
    path == "/_" || path.starts_with("/_/")
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<ResponseBody> {
    let body = Full::new(body.into()).map_err(|never: Infallible| match never {});
    let mut response = Response::new(ResponseBody::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
