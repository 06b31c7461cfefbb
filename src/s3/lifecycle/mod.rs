//! Lifecycle: the configuration document, and what answers say about the end of objects and uploads.

mod actions;
mod document;
mod filter;
#[cfg(test)]
mod tests;

pub use document::{DOCUMENT_LEN_MAX, parse, write};

use crate::engine::lifecycle::{self, Day};
use crate::engine::objects::NULL_VERSION;
use crate::engine::ops::get_object::GetObject;
use crate::engine::ops::head_object::find_object;
use crate::meta::keys::UploadId;
use crate::meta::records::{LifecycleRecord, TransitionMinimum, VersionRecord};
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::{Request, header};
use crate::s3::response;
use crate::wire::{http_date, percent};
use http::{HeaderMap, HeaderName};
use std::sync::Arc;

const EXPIRATION: HeaderName = HeaderName::from_static("x-amz-expiration");
const ABORT_DATE: HeaderName = HeaderName::from_static("x-amz-abort-date");
const ABORT_RULE_ID: HeaderName = HeaderName::from_static("x-amz-abort-rule-id");
const MINIMUM: HeaderName = HeaderName::from_static("x-amz-transition-default-minimum-object-size");

const ALL_128_KIB: &str = "all_storage_classes_128K";
const BY_STORAGE_CLASS: &str = "varies_by_storage_class";

/// When the current object of the request's key expires, if a rule says so.
pub async fn set_expiration(s3: &S3, request: &Request, headers: &mut HeaderMap, version: &VersionRecord) {
    if let Some(rules) = rules(s3, request).await {
        tell_expiry(&rules, request, headers, version);
    }
}

/// The same for a version of which only the id is known: it is read when there are rules.
pub async fn set_expiration_of(
    s3: &S3,
    request: &Request,
    headers: &mut HeaderMap,
    version_id: Option<&str>,
) {
    let Some(rules) = rules(s3, request).await else { return };
    let asked = GetObject {
        bucket: request.bucket(),
        key: request.key(),
        version_id: Some(version_id.unwrap_or(NULL_VERSION).to_owned()),
        ..GetObject::default()
    };
    // It may be gone by now, and then there is nothing to say about it.
    if let Ok(found) = find_object(s3.engine(), asked).await {
        tell_expiry(&rules, request, headers, &found.version);
    }
}

fn tell_expiry(rules: &LifecycleRecord, request: &Request, headers: &mut HeaderMap, version: &VersionRecord) {
    if let Some(due) = lifecycle::expiry(rules, &request.key(), version, Day::REAL) {
        let date = http_date::rfc1123(due.at_ms.div_euclid(1000));
        let rule = percent::encode(due.rule_id.as_bytes());
        response::set(headers, EXPIRATION, &format!("expiry-date=\"{date}\", rule-id=\"{rule}\""));
    }
}

/// When an open upload of the request's key is aborted, if a rule says so.
pub async fn set_abort(s3: &S3, request: &Request, headers: &mut HeaderMap, upload: UploadId) {
    let Some(rules) = rules(s3, request).await else { return };
    if let Some(due) = lifecycle::upload_abort(&rules, &request.key(), upload.time_ms(), Day::REAL) {
        response::set(headers, ABORT_DATE, &http_date::rfc1123(due.at_ms.div_euclid(1000)));
        response::set(headers, ABORT_RULE_ID, &percent::encode(due.rule_id.as_bytes()));
    }
}

/// The bucket's rules. The answer that they are for stands already, so one that cannot be read costs a header.
async fn rules(s3: &S3, request: &Request) -> Option<Arc<LifecycleRecord>> {
    match request.bucket().settings(s3.engine()).await {
        Ok(settings) => settings.lifecycle.clone(),
        Err(err) => {
            tracing::warn!(
                request.id = request.id.request_id(),
                error = %err,
                "answered without the lifecycle headers"
            );
            None
        }
    }
}

/// `x-amz-transition-default-minimum-object-size`.
pub fn minimum_from_header(headers: &HeaderMap) -> Result<TransitionMinimum, S3Error> {
    match header(headers, MINIMUM).as_deref() {
        None | Some(ALL_128_KIB) => Ok(TransitionMinimum::All128KiB),
        Some(BY_STORAGE_CLASS) => Ok(TransitionMinimum::ByStorageClass),
        Some(other) => {
            let message = format!("Invalid TransitionDefaultMinimumObjectSize found: {other}");
            Err(S3Error::invalid_request(message))
        }
    }
}

pub fn set_minimum(headers: &mut HeaderMap, minimum: TransitionMinimum) {
    let name = match minimum {
        TransitionMinimum::All128KiB => ALL_128_KIB,
        TransitionMinimum::ByStorageClass => BY_STORAGE_CLASS,
    };
    response::set(headers, MINIMUM, name);
}
