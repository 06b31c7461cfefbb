//! PutObject: one request, one object. The engine judges its conditions before it asks for the body, and again in the
//! transaction.

use crate::engine;
use crate::s3::S3;
use crate::s3::acl::{self, Of};
use crate::s3::conditions;
use crate::s3::encryption;
use crate::s3::error::S3Error;
use crate::s3::lifecycle;
use crate::s3::metadata;
use crate::s3::object_lock;
use crate::s3::request::Request;
use crate::s3::response::{self, ChecksumText, Response};
use http::StatusCode;

pub async fn put_object(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    metadata::refuse_unsupported(request.headers())?;
    let acl = acl::of_request(s3, &request, Of::Object).await?;
    let metadata = metadata::from_headers(request.headers())?;
    let conditions = conditions::write(&request)?;
    let lock = object_lock::from_headers(request.headers(), request.now_ms)?;
    let encryption = encryption::of_new_object(request.headers(), s3.may_bring_keys(&request.parts))?;
    let body = request.take_body().into_object(&request.parts)?;

    let asked = engine::ops::put_object::PutObject {
        bucket: request.bucket(),
        key: request.key(),
        writer: request.writer(),
        acl,
        metadata,
        body,
        conditions,
        lock,
        encryption,
    };
    let version = engine::ops::put_object::put_object(s3.engine(), asked).await?.version;
    let mut answer = response::empty(StatusCode::OK);
    let headers = answer.headers_mut();
    response::set_etag(headers, version.etag);
    response::set_version_id(headers, version.version_id.as_deref());
    encryption::set_of_new(headers, version.encryption.as_ref(), request.headers());
    if let Some(checksum) = version.checksum.as_ref().and_then(|checksum| ChecksumText::new(checksum, None)) {
        checksum.set(headers);
    }
    lifecycle::set_expiration(s3, &request, headers, &version).await;
    Ok(answer)
}
