//! `/_/admin/v1/`: the users of a running gateway, changed by those of its configuration.
//!
//! ```text
//! GET    users                 {"users": [{"name", "account", "created", "has_policy", "keys": [{"access_key_id", "created"}]}]}
//! PUT    users/NAME            {"account"?: "a user of the configuration", "policy"?: "text"}
//! DELETE users/NAME
//! GET    users/NAME/policy     the text, nothing when there is none
//! PUT    users/NAME/policy     the text
//! DELETE users/NAME/policy
//! POST   users/NAME/keys       {"access_key_id", "secret_access_key"}: the secret, this once
//! DELETE keys/ACCESS_KEY_ID
//! ```
//!
//! Requests are signed with Signature Version 4 in headers, body included, as for S3; errors are S3's documents. When a
//! change is answered, it is durable and followed by every request that comes after. Each has its line in the log.

mod route;

use crate::base::body::{RequestBody, ResponseBody};
use crate::engine;
use crate::engine::users::{ChangeError, NewUser, User};
use crate::s3::S3;
use crate::s3::auth;
use crate::s3::auth::Caller;
use crate::s3::body::Incoming;
use crate::s3::checksums::Promised;
use crate::s3::error::S3Error;
use crate::s3::query::Query;
use crate::s3::request::check_header_section;
use crate::s3::response::{self, RequestId, Response};
use crate::s3::router::Target;
use crate::s3::trace::Trace;
use crate::telemetry::metrics;
use crate::wire::error_code::ErrorCode;
use crate::wire::http_date;
use crate::wire::sigv4::{PayloadKind, Scheme};
use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use route::{Change, Route};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Instant;

/// What these requests are called in the log and in metrics.
const OPERATION: &str = "Administration";
/// A policy has at most 20 KiB, which may double when it is written as JSON text.
const BODY_LEN_MAX: usize = 64 << 10;

/// The document of `PUT users/NAME`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    account: Option<String>,
    policy: Option<String>,
}

/// Answers a request, in the way of [`S3::handle`].
pub async fn answer(s3: &S3, req: http::Request<RequestBody>) -> http::Response<ResponseBody> {
    let started = Instant::now();
    let id = RequestId::random();
    let path = req.uri().path().to_owned();
    let is_head = req.method() == Method::HEAD;
    let mut trace = Trace { operation: OPERATION, ..Trace::new(id.clone()) };
    let mut answer = match serve(s3, req, &mut trace).await {
        Ok(answer) => answer,
        Err(error) => {
            trace.log_failure(&error, started.elapsed());
            error.into_response(&id, &path, is_head)
        }
    };
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    metrics::REQUESTS.add(1, &[OPERATION, metrics::status_class(answer.status().as_u16())]);
    id.stamp(answer.headers_mut(), s3.engine().clock().now_ms());
    answer
}

async fn serve(s3: &S3, req: http::Request<RequestBody>, trace: &mut Trace) -> Result<Response, S3Error> {
    let (mut parts, body) = req.into_parts();
    check_header_section(&parts.headers)?;
    let route = Route::of(&parts.method, parts.uri.path())?;
    let query = Query::parse(parts.uri.query());
    let now_s = s3.engine().clock().now_ms().div_euclid(1000);
    let auth::Authenticated { caller, scheme, payload, verified } =
        s3.auth().authenticate(&mut parts, &query, &Target::default(), now_s)?;
    trace.caller = caller.clone();
    let administrator = administrator(&caller)?;
    // What is changed has to be what was signed.
    if scheme != Scheme::Header || !matches!(payload, PayloadKind::Sha256(_)) {
        return Err(S3Error::invalid_request(
            "Administrative requests are signed in headers, with the SHA-256 of their body",
        ));
    }
    let body = read(Incoming::new(body, payload, verified), &parts).await?;
    match route {
        Route::Users => Ok(json(StatusCode::OK, &users_document(s3))),
        Route::Policy(name) => {
            let user = s3.auth().managed().get(&name).ok_or_else(|| ChangeError::NoSuchUser(name))?;
            Ok(text("application/json", user.policy_text.clone().unwrap_or_default()))
        }
        Route::Change(change) => {
            let outcome = make(s3, &change, &body).await;
            let (request_id, administrator) = (trace.id.request_id(), administrator.name.as_str());
            let (what, about) = change.in_words();
            match &outcome {
                Ok(made) => {
                    let key_id = made.key_id.as_deref();
                    tracing::info!(
                        request.id = request_id,
                        administrator,
                        change = what,
                        about,
                        key.id = key_id,
                        "users were changed"
                    );
                }
                Err(error) => tracing::warn!(
                    request.id = request_id,
                    administrator,
                    change = what,
                    about,
                    reason = error.message(),
                    "users were not changed"
                ),
            }
            outcome.map(|made| made.answer)
        }
    }
}

/// Only who is in the configuration may change users, and so nobody who was made by such a change.
fn administrator(caller: &Caller) -> Result<&auth::User, S3Error> {
    let user = caller.user().filter(|user| user.managed.is_none());
    user.ok_or_else(|| ErrorCode::AccessDenied.into())
}

/// A change that was made.
struct Made {
    answer: Response,
    /// Of the key that was made.
    key_id: Option<String>,
}

async fn make(s3: &S3, change: &Change, body: &Bytes) -> Result<Made, S3Error> {
    let users = s3.auth().managed();
    let done = |status| Made { answer: response::empty(status), key_id: None };
    match change {
        Change::Add(name) => {
            let asked = asked(body)?;
            if s3.auth().has_name(name) {
                return Err(ChangeError::Exists(name.clone()).into());
            }
            let account = s3.auth().account(asked.account.as_deref()).ok_or_else(|| {
                let account = asked.account.clone().unwrap_or_default();
                S3Error::argument("account", &account, "There is no such user in the configuration")
            })?;
            let account = account.to_owned();
            users.add(NewUser { name: name.clone(), account, policy: asked.policy }).await?;
            Ok(done(StatusCode::CREATED))
        }
        Change::Remove(name) => {
            users.remove(name).await.map(|()| done(StatusCode::NO_CONTENT)).map_err(Into::into)
        }
        Change::SetPolicy(name) => {
            let policy = String::from_utf8(body.to_vec()).map_err(|_| ErrorCode::MalformedPolicy)?;
            users.set_policy(name, Some(policy)).await?;
            Ok(done(StatusCode::NO_CONTENT))
        }
        Change::RemovePolicy(name) => {
            users.set_policy(name, None).await?;
            Ok(done(StatusCode::NO_CONTENT))
        }
        Change::CreateKey(name) => {
            let key = users.create_key(name).await?;
            let document = serde_json::json!({
                "access_key_id": key.id,
                "secret_access_key": key.secret.expose(),
            });
            Ok(Made { answer: json(StatusCode::CREATED, &document), key_id: Some(key.id) })
        }
        Change::RevokeKey(id) => {
            users.revoke_key(id).await?;
            Ok(done(StatusCode::NO_CONTENT))
        }
    }
}

fn asked(body: &Bytes) -> Result<Asked, S3Error> {
    if body.is_empty() {
        return Ok(Asked::default());
    }
    serde_json::from_slice(body)
        .map_err(|err| S3Error::invalid_request("The body is not the JSON that was expected").source(err))
}

async fn read(incoming: Incoming, parts: &http::request::Parts) -> Result<Bytes, S3Error> {
    let mut body = incoming.into_body(parts, Promised::default())?;
    let mut whole = BytesMut::new();
    while let Some(piece) = body.source.next().await.map_err(engine::Error::Body)? {
        if whole.len() + piece.len() > BODY_LEN_MAX {
            return Err(ErrorCode::MaxMessageLengthExceeded.into());
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

fn users_document(s3: &S3) -> serde_json::Value {
    let time = |unix_ms: i64| http_date::iso8601(unix_ms.div_euclid(1000));
    let entry = |user: Arc<User>| {
        let key = |(id, created_ms): &(String, i64)| serde_json::json!({ "access_key_id": id, "created": time(*created_ms) });
        serde_json::json!({
            "name": user.name,
            "account": s3.auth().name_of_account(&user.account).unwrap_or(&user.account),
            "created": time(user.created_ms),
            "has_policy": user.policy_text.is_some(),
            "keys": user.keys.iter().map(key).collect::<Vec<_>>(),
        })
    };
    serde_json::json!({ "users": s3.auth().managed().all().into_iter().map(entry).collect::<Vec<_>>() })
}

fn json(status: StatusCode, document: &serde_json::Value) -> Response {
    let mut answer = text("application/json", format!("{document}\n"));
    *answer.status_mut() = status;
    answer
}

fn text(content_type: &'static str, text: String) -> Response {
    let mut answer = response::empty(StatusCode::OK);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    *answer.body_mut() = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
    answer
}

impl From<ChangeError> for S3Error {
    fn from(err: ChangeError) -> S3Error {
        let message = err.to_string();
        match err {
            ChangeError::NoSuchUser(_) | ChangeError::NoSuchKey(_) => {
                S3Error::new(ErrorCode::NoSuchEntity, message)
            }
            ChangeError::Exists(_) => S3Error::new(ErrorCode::EntityAlreadyExists, message),
            ChangeError::BadName => S3Error::new(ErrorCode::InvalidArgument, message),
            ChangeError::BadPolicy(_) => S3Error::new(ErrorCode::MalformedPolicy, message),
            ChangeError::TooMany { .. } => S3Error::new(ErrorCode::LimitExceeded, message),
            ChangeError::Engine(err) => err.into(),
        }
    }
}
