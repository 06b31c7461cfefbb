//! RenameObject: a new key for an object, in its bucket. AWS has it for directory buckets only.

use crate::engine;
use crate::engine::ops::rename_object as engine_rename;
use crate::s3::S3;
use crate::s3::authorize;
use crate::s3::conditions;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::router::check_key;
use crate::wire::error_code::ErrorCode;
use crate::wire::percent;
use http::StatusCode;

const SOURCE: &str = "x-amz-rename-source";
const TOKEN: &str = "x-amz-client-token";
/// S3's limit, in printable ASCII.
const TOKEN_LEN_MAX: usize = 64;

pub async fn rename_object(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let source = source(&request)?;
    let key = request.key();
    if source.ends_with('/') || key.ends_with('/') {
        return Err(S3Error::invalid_request("Objects whose keys end in a slash cannot be renamed."));
    }
    let authorize::Judged { sees_absence, asker } = authorize::rename_source(s3, &request, &source).await?;
    let asked = engine_rename::RenameObject {
        bucket: request.bucket(),
        source: source.clone(),
        source_conditions: conditions::rename_source(request.headers()),
        key,
        conditions: conditions::read(request.headers()),
        token: token(&request)?,
        asker,
        judged_tags: request.judged_tags().cloned(),
    };
    engine_rename::rename_object(s3.engine(), asked).await.map_err(|err| match err {
        engine::Error::NoSuchKey if !sees_absence => ErrorCode::AccessDenied.into(),
        engine::Error::NoSuchKey => S3Error::from(err).field("Key", source),
        err => err.into(),
    })?;
    Ok(response::empty(StatusCode::OK))
}

/// The key that the object has, percent-encoded, with or without a slash before it. It is in the request's bucket, so no
/// bucket stands before it.
fn source(request: &Request) -> Result<String, S3Error> {
    let header = request.headers().get(SOURCE).map(|value| value.as_bytes()).unwrap_or_default();
    let invalid = |message| S3Error::argument(SOURCE, &String::from_utf8_lossy(header), message);
    let source = percent::decode(header).map_err(|_| invalid("Invalid rename source encoding."))?;
    let source = source.strip_prefix('/').unwrap_or(&source);
    if source.is_empty() {
        return Err(invalid("The key of the object to rename is missing."));
    }
    check_key(source)?;
    Ok(source.to_owned())
}

fn token(request: &Request) -> Result<Option<String>, S3Error> {
    let Some(token) = request.header(TOKEN) else { return Ok(None) };
    if !(1..=TOKEN_LEN_MAX).contains(&token.len()) || !token.bytes().all(|byte| (b'!'..=b'~').contains(&byte))
    {
        let message = "The client token must have 1 to 64 printable ASCII characters.";
        return Err(S3Error::argument(TOKEN, &token, message));
    }
    Ok(Some(token.into_owned()))
}
