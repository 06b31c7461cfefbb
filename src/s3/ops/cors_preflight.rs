//! OPTIONS: what a browser asks before a page's request to another origin. Needs no signature, as browsers send none.

use crate::engine;
use crate::engine::named_bucket::NamedBucket;
use crate::s3::S3;
use crate::s3::cors::{self, Preflight};
use crate::s3::error::S3Error;
use crate::s3::request::header;
use crate::s3::response::{self, Response};
use crate::s3::router::Target;
use crate::wire::error_code::ErrorCode;
use http::header::{ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{HeaderMap, StatusCode};

pub async fn cors_preflight(s3: &S3, target: &Target, headers: &HeaderMap) -> Result<Response, S3Error> {
    let Some(origin) = header(headers, ORIGIN) else {
        let message = "Insufficient information. Origin request header needed.";
        return Err(S3Error::new(ErrorCode::BadRequest, message));
    };
    let method = header(headers, ACCESS_CONTROL_REQUEST_METHOD);
    let refused = |message: Option<&'static str>| {
        let error = match message {
            Some(message) => S3Error::new(ErrorCode::AccessForbidden, message),
            None => ErrorCode::AccessForbidden.into(),
        };
        let resource = if target.key.is_some() { "OBJECT" } else { "BUCKET" };
        error.field("Method", method.as_deref().unwrap_or("")).field("ResourceType", resource)
    };
    let not_found = "CORSResponse: Bucket not found";
    let Some(bucket) = &target.bucket else { return Err(refused(Some(not_found))) };
    let settings = match NamedBucket::from(bucket.as_str()).settings(s3.engine()).await {
        Ok(settings) => settings,
        Err(engine::Error::NoSuchBucket) => return Err(refused(Some(not_found))),
        Err(err) => return Err(err.into()),
    };
    let Some(rules) = &settings.cors else {
        return Err(refused(Some("CORSResponse: CORS is not enabled for this bucket.")));
    };
    let Some(method) = &method else {
        let message = "Invalid Access-Control-Request-Method: null";
        return Err(refused(Some(message)));
    };
    let requested = header(headers, ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    let asked = Preflight { origin: &origin, method, headers: &requested };
    let allowed = cors::preflight(rules, &asked).ok_or_else(|| refused(None))?;
    let mut answer = response::empty(StatusCode::OK);
    answer.headers_mut().extend(allowed);
    Ok(answer)
}
