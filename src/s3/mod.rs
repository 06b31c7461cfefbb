//! S3 over HTTP: routing, authentication, headers, XML and errors. What the requests mean is the engine's.
//!
//! The order of a request, the first failure wins: route, authenticate, bucket name, bucket exists, its owner is the
//! expected one, authorise, the operation's own headers and parameters, the object or upload, preconditions, and only
//! then the body, so that `100 Continue` goes out only to a request that can still succeed.

mod acl;
mod admin;
mod auth;
mod authorize;
mod body;
mod checksums;
mod conditions;
mod cors;
mod document;
mod encryption;
mod error;
mod lifecycle;
pub mod limits;
mod listing;
mod metadata;
mod object_lock;
mod operation;
mod ops;
mod post_form;
pub mod properties;
mod query;
mod request;
mod response;
mod router;
mod tags;
#[cfg(test)]
mod tests;
mod trace;
mod website;

pub use auth::User;
pub use operation::Operation;

use crate::base::body::{RequestBody, ResponseBody};
use crate::engine::users::Users;
use crate::engine::{self, Engine};
use crate::meta::records::ObjectOwnership;
use crate::telemetry::metrics;
use crate::wire::bucket_name;
use crate::wire::error_code::ErrorCode;
use auth::{Authenticated, Authenticator, Sender};
use body::Incoming;
use bytes::Bytes;
use error::S3Error;
use futures::FutureExt as _;
use http::header::ORIGIN;
use http::request::Parts;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Collected};
use query::Query;
use request::Request;
use response::{RequestId, Response};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trace::Trace;

/// What an operator can set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The region that signatures must be made for.
    pub region: String,
    /// Takes signatures for any region: for clients that cannot be told one.
    pub any_region: bool,
    /// Names under which a bucket may stand before the first dot (virtual-hosted style), lower case.
    pub domains: Vec<String>,
    pub users: Vec<User>,
    /// Those that are made at run time.
    pub managed_users: Users,
    /// Of buckets whose creator does not say.
    pub default_object_ownership: ObjectOwnership,
    /// Takes Signature Version 2 as well.
    pub sigv2: bool,
    /// Keys of clients (SSE-C) are refused over connections that are not encrypted.
    pub keys_need_tls: bool,
    /// New buckets get a public access block with everything on, as on AWS.
    pub block_public_access: bool,
}

/// The S3 front end. Cheap to clone.
#[derive(Clone)]
pub struct S3(Arc<Shared>);

struct Shared {
    engine: Engine,
    region: String,
    domains: Vec<String>,
    auth: Authenticator,
    block_public_access: bool,
    documents: document::Budget,
    default_object_ownership: ObjectOwnership,
    keys_need_tls: bool,
}

impl S3 {
    pub fn new(engine: Engine, settings: Settings) -> S3 {
        let auth = Authenticator::new(
            settings.users,
            settings.managed_users,
            &settings.region,
            settings.any_region,
            settings.sigv2,
        );
        let Settings {
            region, domains, default_object_ownership, keys_need_tls, block_public_access, ..
        } = settings;
        let documents = document::Budget::default();
        S3(Arc::new(Shared {
            engine,
            region,
            domains,
            auth,
            block_public_access,
            documents,
            default_object_ownership,
            keys_need_tls,
        }))
    }

    /// Whether the host names a bucket, so that the whole path is a key: then `/_/live` is an object like any other.
    pub fn owns_every_path(&self, parts: &Parts) -> bool {
        let target = router::address(&parts.uri, parts.version, &parts.headers, &self.0.domains);
        target.is_ok_and(|target| target.in_host)
    }

    /// Answers an administrative request, one below `/_/admin/`.
    pub async fn administer(&self, req: http::Request<RequestBody>) -> http::Response<ResponseBody> {
        admin::answer(self, req).await
    }

    /// What the client of a request gets that HTTP's own layer could not read and refused with this status: AWS's error,
    /// with ids like every other.
    pub fn unreadable(&self, status: StatusCode) -> http::Response<Bytes> {
        let id = RequestId::random();
        let error = match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => ErrorCode::RequestHeaderSectionTooLarge.into(),
            StatusCode::URI_TOO_LONG => ErrorCode::InvalidURI.into(),
            _ => S3Error::new(ErrorCode::BadRequest, "An error occurred when parsing the HTTP request."),
        };
        let trace = Trace::new(id.clone());
        trace.log_failure(&error, Duration::ZERO);
        let mut answer = error.into_response(&id, "", false);
        metrics::REQUESTS.add(1, &[trace.operation, metrics::status_class(answer.status().as_u16())]);
        id.stamp(answer.headers_mut(), self.0.engine.clock().now_ms());
        // A document is whole at once.
        let (parts, body) = answer.into_parts();
        let body = body.collect().now_or_never().and_then(Result::ok).map(Collected::to_bytes);
        http::Response::from_parts(parts, body.unwrap_or_default())
    }

    /// Answers a request. Whatever it is, there is an answer: what fails is an S3 error, also when it is our fault.
    pub async fn handle(&self, req: http::Request<RequestBody>) -> http::Response<ResponseBody> {
        let started = Instant::now();
        let id = RequestId::random();
        let (parts, body) = req.into_parts();
        let is_head = parts.method == Method::HEAD;
        let path = parts.uri.path().to_owned();
        let now_ms = self.0.engine.clock().now_ms();

        let mut trace = Trace::new(id.clone());
        let serving = self.serve(parts, body, &id, now_ms, &mut trace);
        // A panic costs this request a 500 and nobody else anything.
        let outcome = AssertUnwindSafe(serving).catch_unwind().await.unwrap_or_else(|panic| {
            metrics::PANICS.add(1, &[]);
            let message = format!("panicked: {}", panic_message(&*panic));
            Err(S3Error::from(ErrorCode::InternalError).source(message))
        });
        let operation = trace.operation;
        let elapsed = started.elapsed();
        let mut answer = match outcome {
            Ok(answer) => {
                let (request_id, status) = (id.request_id(), answer.status().as_u16());
                let elapsed_ms = elapsed.as_millis() as u64;
                tracing::debug!(request.id = request_id, operation, status, elapsed_ms, "answered");
                answer
            }
            Err(error) => {
                trace.log_failure(&error, elapsed);
                explain(error, &trace).into_response(&id, &path, is_head)
            }
        };
        answer.headers_mut().extend(trace.cors);
        metrics::REQUESTS.add(1, &[operation, metrics::status_class(answer.status().as_u16())]);
        metrics::REQUEST_SECONDS.record(elapsed.as_secs_f64(), &[operation]);
        id.stamp(answer.headers_mut(), now_ms);
        answer
    }

    async fn serve(
        &self,
        mut parts: Parts,
        body: RequestBody,
        id: &RequestId,
        now_ms: i64,
        trace: &mut Trace,
    ) -> Result<Response, S3Error> {
        request::check_header_section(&parts.headers)?;
        let target = Arc::new(router::address(&parts.uri, parts.version, &parts.headers, &self.0.domains)?);
        trace.target = target.clone();
        if parts.headers.contains_key(ORIGIN) && parts.method != Method::OPTIONS {
            trace.cors = cors::headers_for(self, &target, &parts).await?;
        }
        let query = Query::parse(parts.uri.query());
        let operation = router::route(&parts.method, &target, &query, &parts.headers)?;
        trace.operation = operation.name();
        match operation {
            Operation::CorsPreflight => {
                return ops::cors_preflight::cors_preflight(self, &target, &parts.headers).await;
            }
            // Its credentials are in the form, so that has to be read first.
            Operation::PostObject => {
                let form = ops::post_object::Post { id: id.clone(), parts, query, target, now_ms };
                return Box::pin(ops::post_object::post_object(self, form, body, trace)).await;
            }
            _ => {}
        }

        let from = self.0.auth.authenticate(&mut parts, &query, &target, now_ms.div_euclid(1000))?;
        let mut bucket_record = None;
        if let Some(bucket) = &target.bucket
            && operation != Operation::WriteGetObjectResponse
        {
            if !bucket_name::is_valid(bucket) {
                return Err(ErrorCode::InvalidBucketName.into());
            }
            if operation != Operation::CreateBucket {
                let found = engine::ops::head_bucket::head_bucket(&self.0.engine, bucket).await?;
                authorize::expected_owner(parts.headers.get("x-amz-expected-bucket-owner"), &found)?;
                bucket_record = Some(Arc::new(found));
            }
        }
        let Authenticated { caller, scheme, payload, verified } = from;
        trace.caller = caller.clone();
        let signature_age_ms = verified.as_ref().map(|verified| now_ms - verified.timestamp * 1000);
        let body = Incoming::new(body, payload, verified);
        let mut request = Request::new(
            id.clone(),
            operation,
            parts,
            query,
            target,
            Sender { caller, scheme, signature_age_ms },
            bucket_record,
            now_ms,
            body,
            self.0.documents.clone(),
        );
        let authorize::Judged { sees_absence, asker } = authorize::request(self, &request).await?;
        request.asker = asker;
        ops::dispatch(self, request)
            .await
            .map_err(|error| if sees_absence { error } else { hide_absence(error) })
    }

    fn engine(&self) -> &Engine {
        &self.0.engine
    }

    fn auth(&self) -> &Authenticator {
        &self.0.auth
    }

    fn region(&self) -> &str {
        &self.0.region
    }

    fn default_object_ownership(&self) -> ObjectOwnership {
        self.0.default_object_ownership
    }

    /// Whether new buckets get a public access block.
    fn blocks_public_access(&self) -> bool {
        self.0.block_public_access
    }

    /// The display name that goes with a canonical id, if it is a user's.
    fn display_name(&self, id: &str) -> Option<&str> {
        self.0.auth.display_name(id)
    }
}

impl acl::Directory for S3 {
    fn is_known(&self, id: &str) -> bool {
        self.display_name(id).is_some()
    }

    fn by_email(&self, address: &str) -> Vec<String> {
        self.0.auth.by_email(address)
    }
}

/// Adds the elements that AWS repeats from the request.
fn explain(error: S3Error, trace: &Trace) -> S3Error {
    let code = error.code().as_str();
    let about_bucket = code.contains("Bucket") || code.ends_with("ConfigurationNotFoundError");
    match (&trace.target.bucket, &trace.target.key) {
        (Some(bucket), _) if about_bucket && !error.has_field("BucketName") => {
            error.field("BucketName", bucket)
        }
        (_, Some(key))
            if matches!(code, "NoSuchKey" | "NoSuchVersion" | "ConditionalRequestConflict")
                && !error.has_field("Key") =>
        {
            error.field("Key", key)
        }
        _ => error,
    }
}

/// For who may not know which objects there are.
fn hide_absence(error: S3Error) -> S3Error {
    match error.code() {
        ErrorCode::NoSuchKey | ErrorCode::NoSuchVersion => ErrorCode::AccessDenied.into(),
        _ => error,
    }
}

/// A recognised operation that is refused, and never taken for another one.
fn not_implemented(operation: Operation) -> S3Error {
    S3Error::new(ErrorCode::NotImplemented, format!("{} is not implemented", operation.name()))
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("something that is no text")
}
