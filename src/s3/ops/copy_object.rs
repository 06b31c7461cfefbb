//! CopyObject: within the gateway, without moving a byte.

use crate::engine;
use crate::engine::conditions::ReadConditions;
use crate::engine::copy_source::Source;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::ops::copy_object::{self as engine_copy, CopyMetadata};
use crate::s3::S3;
use crate::s3::acl::{self, Of};
use crate::s3::authorize::{self, Subject};
use crate::s3::checksums;
use crate::s3::conditions;
use crate::s3::encryption;
use crate::s3::error::S3Error;
use crate::s3::lifecycle;
use crate::s3::metadata;
use crate::s3::object_lock;
use crate::s3::request::{Request, is_version_id};
use crate::s3::response::{self, ChecksumText, Response};
use crate::s3::router::check_key;
use crate::s3::tags;
use crate::wire::bucket_name;
use crate::wire::copy_source::CopySource;
use crate::wire::error_code::ErrorCode;
use http::header::HeaderName;

pub const COPY_SOURCE_VERSION_ID: HeaderName = HeaderName::from_static("x-amz-copy-source-version-id");

pub async fn copy_object(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let headers = request.headers();
    metadata::refuse_unsupported(headers)?;
    let acl = acl::of_request(s3, &request, Of::Object).await?;
    let copied_metadata =
        match directive(&request, "x-amz-metadata-directive", "Unknown metadata directive.")? {
            Directive::Copy => CopyMetadata::Keep,
            Directive::Replace => CopyMetadata::Replace(metadata::from_headers(headers)?),
        };
    let tags = match directive(&request, "x-amz-tagging-directive", "Unknown tagging directive.")? {
        Directive::Copy => None,
        Directive::Replace => Some(tags::from_header(headers)?),
    };
    let storage_class = metadata::storage_class(headers)?;
    let website_redirect = metadata::website_redirect(headers)?;
    let algorithm = checksums::chosen_algorithm(headers)?;
    let encryption = encryption::of_new_object(headers, s3.may_bring_keys(&request.parts))?;
    let changes_something = matches!(copied_metadata, CopyMetadata::Replace(_))
        || tags.is_some()
        || headers.contains_key("x-amz-storage-class")
        || website_redirect.is_some()
        || algorithm.is_some();
    let ReadableSource { source, sees_absence } = source(s3, &request, tags.is_none()).await?;
    let asked = engine_copy::CopyObject {
        source,
        bucket: request.bucket(),
        key: request.key(),
        writer: request.writer(),
        acl,
        metadata: copied_metadata,
        storage_class,
        tags,
        website_redirect,
        algorithm,
        conditions: conditions::write(&request)?,
        lock: object_lock::from_headers(request.headers(), request.now_ms)?,
        encryption,
        changes_something,
    };
    // With If-Match it may as well be the destination that is missing.
    let names_source = asked.conditions.if_match.is_none();
    let key = asked.source.key.clone();
    let copied = engine_copy::copy_object(s3.engine(), asked).await.map_err(|err| match err {
        engine::Error::NoSuchKey if !names_source => err.into(),
        err => of_source(err, &key, sees_absence),
    })?;
    let version = &copied.version;

    let mut document = response::document("CopyObjectResult");
    document.etag("ETag", &version.etag.to_string());
    document.time("LastModified", version.modified_ms.div_euclid(1000));
    let checksum =
        version.checksum.as_ref().and_then(|checksum| ChecksumText::new(checksum, version.etag.parts));
    if let Some(checksum) = checksum {
        document.text("ChecksumType", checksum.kind);
        checksum.write(&mut document);
    }
    let mut answer = response::xml(document);
    response::set_version_id(answer.headers_mut(), copied.shown_id.as_deref());
    lifecycle::set_expiration(s3, &request, answer.headers_mut(), version).await;
    encryption::set_of_new(answer.headers_mut(), version.encryption.as_ref(), request.headers());
    if let Some(id) = copied.source_id {
        response::set(answer.headers_mut(), COPY_SOURCE_VERSION_ID, &id);
    }
    Ok(answer)
}

/// A source that the caller may read.
pub struct ReadableSource {
    pub source: Source,
    /// Whether the caller may be told that it is not there.
    pub sees_absence: bool,
}

/// What `x-amz-copy-source` names, once it is known that the caller may read it, and its tags if they are copied.
pub async fn source(s3: &S3, request: &Request, copies_tags: bool) -> Result<ReadableSource, S3Error> {
    let header = request.headers().get("x-amz-copy-source").map(|value| value.as_bytes()).unwrap_or_default();
    let CopySource { bucket, key, version_id } = CopySource::parse(header)?;
    if !bucket_name::is_valid(&bucket) {
        return Err(S3Error::from(ErrorCode::InvalidBucketName).field("BucketName", bucket));
    }
    check_key(&key)?;
    if let Some(id) = version_id.as_deref().filter(|id| !is_version_id(id)) {
        return Err(S3Error::argument("x-amz-copy-source", id, "Invalid version id specified"));
    }
    let expected_owner = request.headers().get("x-amz-source-expected-bucket-owner");
    let record =
        engine::ops::head_bucket::head_bucket(s3.engine(), &bucket).await.map_err(|err| match err {
            engine::Error::NoSuchBucket => S3Error::from(err).field("BucketName", &bucket),
            err => err.into(),
        })?;
    authorize::expected_owner(expected_owner, &record)?;
    let subject = Subject {
        bucket_name: &bucket,
        bucket: &record,
        key: Some(&key),
        version_id: version_id.as_deref(),
        existing_tags: None,
        request_tags: None,
    };
    let authorize::Judged { sees_absence, asker } =
        authorize::copy_source(s3, request, &subject, copies_tags).await.map_err(
            // The key that is missing is the source's.
            |error| if error.code() == ErrorCode::NoSuchKey { error.field("Key", &key) } else { error },
        )?;
    let conditions: ReadConditions = conditions::copy_source(request.headers());
    let customer_key = encryption::copy_source_key(request.headers(), s3.may_bring_keys(&request.parts))?;
    let bucket = NamedBucket::judged(&bucket, record);
    let source = Source { bucket, key, version_id, conditions, customer_key, asker };
    Ok(ReadableSource { source, sees_absence })
}

/// A source that is a delete marker is missing, and one that is named is a mistake. The key that is missing is the
/// source's, not the one that the request names.
pub fn of_source(err: engine::Error, key: &str, sees_absence: bool) -> S3Error {
    match err {
        engine::Error::NoSuchKey | engine::Error::ObjectDeleted { .. } | engine::Error::NoSuchVersion
            if !sees_absence =>
        {
            ErrorCode::AccessDenied.into()
        }
        engine::Error::NoSuchKey | engine::Error::ObjectDeleted { .. } => {
            S3Error::from(ErrorCode::NoSuchKey).field("Key", key)
        }
        engine::Error::NoSuchVersion => S3Error::from(err).field("Key", key),
        engine::Error::IsDeleteMarker { .. } => S3Error::invalid_request(
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        ),
        err => err.into(),
    }
}

enum Directive {
    Copy,
    Replace,
}

fn directive(request: &Request, name: &'static str, message: &'static str) -> Result<Directive, S3Error> {
    match request.header(name).as_deref() {
        None | Some("COPY") => Ok(Directive::Copy),
        Some("REPLACE") => Ok(Directive::Replace),
        Some(other) => Err(S3Error::argument(name, other, message)),
    }
}
