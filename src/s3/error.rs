//! What a client is told when something goes wrong, and the only mapping from the engine's errors to it.

use crate::engine;
use crate::s3::object_lock;
use crate::s3::response::{self, RequestId, Response};
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::{Malformed, Writer};
use crate::wire::{checksum, copy_source, http_date, range, sigv4};
use http::header::{ALLOW, CONTENT_RANGE, HeaderName, LAST_MODIFIED, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use std::borrow::Cow;
use std::fmt;

/// When to come back after a 503, in seconds: what causes it is mostly over soon, and clients wait longer each time by
/// themselves.
const RETRY_AFTER_S: &str = "1";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An S3 error on its way to a client: a code, its message, further elements and headers. What caused it is kept for
/// the log and never sent.
#[derive(Debug)]
pub struct S3Error(Box<Parts>);

#[derive(Debug)]
struct Parts {
    code: ErrorCode,
    message: Cow<'static, str>,
    fields: Vec<(&'static str, String)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    source: Option<BoxError>,
}

impl From<ErrorCode> for S3Error {
    fn from(code: ErrorCode) -> S3Error {
        let message = Cow::Borrowed(code.default_message());
        S3Error(Box::new(Parts { code, message, fields: Vec::new(), headers: Vec::new(), source: None }))
    }
}

impl S3Error {
    /// An error whose message is not the code's usual one.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> S3Error {
        let mut error = S3Error::from(code);
        error.0.message = message.into();
        error
    }

    /// `InvalidArgument` about a parameter or a header.
    pub fn argument(name: &str, value: &str, message: impl Into<Cow<'static, str>>) -> S3Error {
        S3Error::new(ErrorCode::InvalidArgument, message)
            .field("ArgumentName", name)
            .field("ArgumentValue", value)
    }

    pub fn invalid_request(message: impl Into<Cow<'static, str>>) -> S3Error {
        S3Error::new(ErrorCode::InvalidRequest, message)
    }

    /// A feature that is recognised, and refused rather than ignored.
    pub fn not_implemented(header: &str) -> S3Error {
        S3Error::from(ErrorCode::NotImplemented).field("Header", header)
    }

    /// Adds an element after `<Message>`.
    pub fn field(mut self, name: &'static str, value: impl ToString) -> S3Error {
        self.0.fields.push((name, value.to_string()));
        self
    }

    /// Adds a header; a value that cannot stand in one is left out.
    pub fn header(mut self, name: HeaderName, value: &str) -> S3Error {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.push((name, value));
        }
        self
    }

    /// Keeps the cause for the log.
    pub fn source(mut self, source: impl Into<BoxError>) -> S3Error {
        self.0.source = Some(source.into());
        self
    }

    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.code.status()).expect("the table of codes has valid statuses")
    }

    pub fn has_field(&self, name: &str) -> bool {
        self.0.fields.iter().any(|(known, _)| *known == name)
    }

    /// The causes, outermost first, for the log.
    pub fn causes(&self) -> String {
        self.0.source.as_deref().map_or_else(String::new, |source| chain_of(source))
    }

    /// The answer. HEAD gets the status and headers alone.
    pub fn into_response(self, id: &RequestId, resource: &str, is_head: bool) -> Response {
        let mut document = Writer::document("Error", None);
        document.text("Code", self.0.code.as_str()).text("Message", &self.0.message);
        for (name, value) in &self.0.fields {
            document.text(name, value);
        }
        if !self.has_field("Resource") {
            document.text("Resource", resource);
        }
        document.text("RequestId", id.request_id()).text("HostId", id.host_id());
        let mut answer = if is_head {
            response::empty(self.status())
        } else {
            response::xml_with_status(self.status(), document)
        };
        if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        answer.headers_mut().extend(self.0.headers);
        answer
    }
}

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl std::error::Error for S3Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// An error and its causes, outermost first. What an error says of its own cause is not said again.
pub fn chain_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

impl From<engine::Error> for S3Error {
    fn from(err: engine::Error) -> S3Error {
        use engine::Error as E;
        match err {
            E::NoSuchBucket => ErrorCode::NoSuchBucket.into(),
            // CreateBucket knows who asks, and tells the owner BucketAlreadyOwnedByYou.
            E::BucketAlreadyExists { .. } => ErrorCode::BucketAlreadyExists.into(),
            E::BucketNotEmpty => ErrorCode::BucketNotEmpty.into(),
            E::PublicPolicyBlocked => S3Error::new(
                ErrorCode::AccessDenied,
                "Access Denied because public policies are blocked by the BlockPublicPolicy setting of the bucket.",
            ),
            E::NoSuchKey => ErrorCode::NoSuchKey.into(),
            E::NoSuchVersion => ErrorCode::NoSuchVersion.into(),
            E::ObjectDeleted { marker_id } => S3Error::from(ErrorCode::NoSuchKey)
                .header(response::DELETE_MARKER, "true")
                .header(response::VERSION_ID, &marker_id),
            E::IsDeleteMarker { marker_id, modified_ms } => S3Error::from(ErrorCode::MethodNotAllowed)
                .field("ResourceType", "DeleteMarker")
                .header(ALLOW, "DELETE")
                .header(response::DELETE_MARKER, "true")
                .header(response::VERSION_ID, &marker_id)
                .header(LAST_MODIFIED, &http_date::rfc1123(modified_ms.div_euclid(1000))),
            E::AclsDisabled => ErrorCode::AccessControlListNotSupported.into(),
            E::BucketAclInUse => ErrorCode::InvalidBucketAclWithObjectOwnership.into(),
            E::OwnerDiffers | E::NotListed => ErrorCode::AccessDenied.into(),
            E::JudgedOtherTags => S3Error::new(
                ErrorCode::ServiceUnavailable,
                "The object's tags were changed while the request was judged. Please try again.",
            ),
            err @ (E::ObjectLocked
            | E::NoObjectLock
            | E::BypassWithoutObjectLock
            | E::RetentionInThePast
            | E::VersioningNotEnabled
            | E::VersioningLocked) => lock_error(err),
            E::NoSuchUpload => ErrorCode::NoSuchUpload.into(),
            E::InvalidPart { part_number, etag } => {
                S3Error::from(ErrorCode::InvalidPart).field("PartNumber", part_number).field("ETag", etag)
            }
            E::NoParts => ErrorCode::MalformedXML.into(),
            E::InvalidPartOrder => ErrorCode::InvalidPartOrder.into(),
            E::EntityTooSmall { part_number, len, etag } => S3Error::from(ErrorCode::EntityTooSmall)
                .field("ProposedSize", len)
                .field("MinSizeAllowed", crate::base::limits::PART_LEN_MIN)
                .field("PartNumber", part_number)
                .field("ETag", etag),
            E::EntityTooLarge { len, max } => S3Error::from(ErrorCode::EntityTooLarge)
                .field("ProposedSize", len)
                .field("MaxSizeAllowed", max),
            E::PreconditionFailed { condition } => {
                S3Error::from(ErrorCode::PreconditionFailed).field("Condition", condition)
            }
            E::ConditionalRequestConflict { condition } => {
                S3Error::from(ErrorCode::ConditionalRequestConflict).field("Condition", condition)
            }
            // GetObject and HeadObject answer 304 themselves. For anybody else it is a condition that does not hold.
            E::NotModified(_) => ErrorCode::PreconditionFailed.into(),
            E::InvalidRange { len } => S3Error::from(ErrorCode::InvalidRange)
                .field("ActualObjectSize", len)
                .header(CONTENT_RANGE, &range::content_range_unsatisfiable(len)),
            E::InvalidPartNumber { requested, parts } => S3Error::from(ErrorCode::InvalidPartNumber)
                .field("ActualPartCount", parts)
                .field("PartNumberRequested", requested),
            E::InvalidCopyRange { len } => S3Error::argument(
                "x-amz-copy-source-range",
                "",
                format!("Range specified is not valid for source object of size: {len}"),
            ),
            E::Md5Mismatch { claimed, computed } => S3Error::from(ErrorCode::BadDigest)
                .field("ExpectedDigest", base64(&claimed))
                .field("CalculatedDigest", base64(&computed)),
            E::Body(source) => match source.downcast::<S3Error>() {
                Ok(own) => *own,
                Err(source) => S3Error::from(ErrorCode::InternalError).source(source),
            },
            E::BodyLen { .. } => ErrorCode::IncompleteBody.into(),
            E::SlowDown => ErrorCode::SlowDown.into(),
            E::Unavailable(source) => S3Error::from(ErrorCode::ServiceUnavailable).source(source),
            E::NoSpace(source) => {
                S3Error::new(ErrorCode::ServiceUnavailable, "The service has no space left.").source(source)
            }
            E::Storage(source) => S3Error::from(ErrorCode::InternalError).source(source),
            E::CopyOntoItself => S3Error::invalid_request(
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes.",
            ),
            E::RenameOntoItself => S3Error::invalid_request(
                "This rename request is illegal because it is trying to rename an object to the name that it has.",
            ),
            E::RenameWithVersions => S3Error::new(
                ErrorCode::NotImplemented,
                "RenameObject is not implemented for buckets that have versions or have had some.",
            ),
            E::IdempotencyParameterMismatch => ErrorCode::IdempotencyParameterMismatch.into(),
            E::CopySourceTooLarge { .. } => S3Error::invalid_request(format!(
                "The specified copy source is larger than the maximum allowable size for a copy source: {}",
                crate::base::limits::PART_LEN_MAX
            )),
            E::InvalidVersionIdMarker => {
                S3Error::argument("version-id-marker", "", "Invalid version id specified")
            }
            E::InvalidUploadIdMarker => S3Error::argument("upload-id-marker", "", "Invalid uploadId marker"),
            E::CustomerKeyRequired => S3Error::invalid_request(
                "The object was stored using a form of Server Side Encryption. The correct parameters must be provided \
                 to retrieve the object.",
            ),
            E::CustomerKeyNotApplicable => {
                S3Error::invalid_request("The encryption parameters are not applicable to this object.")
            }
            E::CustomerKeyDiffers | E::EncryptionBlocked => ErrorCode::AccessDenied.into(),
            E::UploadKeyMissing => S3Error::invalid_request(
                "The multipart upload initiate requested encryption. Subsequent part requests must include the \
                 appropriate encryption parameters.",
            ),
            E::UploadKeyDiffers => S3Error::invalid_request(
                "The provided encryption parameters did not match the ones used originally.",
            ),
            E::NoSuchKmsKey { key_id } => {
                S3Error::new(ErrorCode::KmsNotFoundException, format!("Key '{key_id}' does not exist"))
            }
            err @ (E::ChecksumMismatch { .. }
            | E::ChecksumAlgorithmMismatch { .. }
            | E::MissingPartChecksum { .. }
            | E::ForeignPartChecksum { .. }
            | E::ChecksumTypeMismatch { .. }
            | E::ChecksumKindNotAllowed { .. }
            | E::ObjectSizeMismatch { .. }) => checksum_error(err),
        }
    }
}

/// The errors of object lock, in AWS's words.
fn lock_error(err: engine::Error) -> S3Error {
    use engine::Error as E;
    match err {
        E::ObjectLocked => {
            S3Error::new(ErrorCode::AccessDenied, "Access Denied because object protected by object lock.")
        }
        E::NoObjectLock => S3Error::invalid_request("Bucket is missing Object Lock Configuration"),
        E::BypassWithoutObjectLock => S3Error::argument(
            "x-amz-bypass-governance-retention",
            "",
            "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.",
        ),
        E::RetentionInThePast => object_lock::in_the_past(),
        E::VersioningNotEnabled => S3Error::new(
            ErrorCode::InvalidBucketState,
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        ),
        E::VersioningLocked => S3Error::new(
            ErrorCode::InvalidBucketState,
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
        ),
        other => S3Error::from(ErrorCode::InternalError).source(other),
    }
}

/// The errors of section C of S3's checksums, in AWS's words.
fn checksum_error(err: engine::Error) -> S3Error {
    use crate::meta::records::ChecksumKind;
    use engine::Error as E;
    match err {
        E::ChecksumMismatch { algorithm } => S3Error::new(
            ErrorCode::BadDigest,
            format!("The {} you specified did not match the calculated checksum.", algorithm.name()),
        ),
        E::ChecksumAlgorithmMismatch { expected, actual } => S3Error::invalid_request(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            expected.name().to_ascii_lowercase(),
            actual.map_or("null".to_owned(), |actual| actual.name().to_ascii_lowercase())
        )),
        E::MissingPartChecksum { algorithm, part_number } => {
            let name = algorithm.name().to_ascii_lowercase();
            S3Error::invalid_request(format!(
                "The upload was created using a {name} checksum. The complete request must include the checksum for \
                 each part. It was missing for part {part_number} in the request."
            ))
        }
        E::ForeignPartChecksum { algorithm, part_number } => S3Error::new(
            ErrorCode::BadDigest,
            format!(
                "The {} you specified for part {part_number} did not match what we received.",
                algorithm.name().to_ascii_lowercase()
            ),
        ),
        E::ChecksumTypeMismatch { expected } => {
            let expected = match expected {
                None => "null",
                Some(ChecksumKind::FullObject) => "FULL_OBJECT",
                Some(ChecksumKind::Composite) => "COMPOSITE",
            };
            S3Error::invalid_request(format!(
                "The upload was created using the {expected} checksum mode. The complete request must use the same \
                 checksum mode."
            ))
        }
        E::ChecksumKindNotAllowed { algorithm, kind } => S3Error::invalid_request(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            response::kind_name(kind),
            algorithm.name().to_ascii_lowercase()
        )),
        E::ObjectSizeMismatch { claimed, computed } => S3Error::invalid_request(format!(
            "The provided 'x-amz-mp-object-size' header value {claimed} does not match what was computed: {computed}"
        )),
        other => S3Error::from(ErrorCode::InternalError).source(other),
    }
}

impl From<sigv4::AuthError> for S3Error {
    fn from(err: sigv4::AuthError) -> S3Error {
        let mut error = S3Error::new(err.code(), err.to_string());
        for (name, value) in err.fields() {
            // SDKs find the right region in this header and try again.
            if name == "Region" {
                error = error.header(HeaderName::from_static("x-amz-bucket-region"), &value);
            }
            error = error.field(name, value);
        }
        error
    }
}

impl From<Malformed> for S3Error {
    fn from(err: Malformed) -> S3Error {
        S3Error::from(ErrorCode::MalformedXML).source(err)
    }
}

impl From<checksum::ChecksumError> for S3Error {
    fn from(err: checksum::ChecksumError) -> S3Error {
        S3Error::new(err.code(), err.to_string())
    }
}

impl From<copy_source::CopySourceError> for S3Error {
    fn from(err: copy_source::CopySourceError) -> S3Error {
        let error = S3Error::new(err.code(), err.to_string());
        if err.code() == ErrorCode::InvalidArgument {
            error.field("ArgumentName", "x-amz-copy-source")
        } else {
            error.field("Header", "x-amz-copy-source")
        }
    }
}

/// `MethodNotAllowed` with what would be allowed.
pub fn method_not_allowed(method: &http::Method, resource_type: &str, allowed: &str) -> S3Error {
    S3Error::from(ErrorCode::MethodNotAllowed)
        .field("Method", method)
        .field("ResourceType", resource_type)
        .header(ALLOW, allowed)
}

pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dovetail_digest::Algorithm;

    #[test]
    fn engine_errors_become_the_codes_that_aws_uses() {
        use engine::Error as E;
        let io = || -> BoxError { "disk on fire".into() };
        for (error, code, message) in [
            (E::NoSuchUpload, "NoSuchUpload", "specified upload does not exist"),
            (E::BodyLen { declared: 2, received: 1 }, "IncompleteBody", "number of bytes"),
            (E::SlowDown, "SlowDown", ""),
            (E::JudgedOtherTags, "ServiceUnavailable", "tags were changed"),
            (E::NoSpace(io()), "ServiceUnavailable", "no space"),
            (E::Unavailable(io()), "ServiceUnavailable", ""),
            (E::Storage(io()), "InternalError", "internal error"),
            (E::Body(Box::new(S3Error::from(ErrorCode::RequestTimeout))), "RequestTimeout", ""),
            (E::Body(io()), "InternalError", ""),
            (
                E::ChecksumAlgorithmMismatch { expected: Algorithm::Crc32, actual: None },
                "InvalidRequest",
                "expected checksum Type: crc32, actual checksum Type: null",
            ),
            (E::ChecksumMismatch { algorithm: Algorithm::Sha256 }, "BadDigest", "The SHA256 you specified"),
        ] {
            let error = S3Error::from(error);
            assert_eq!(error.code().as_str(), code);
            assert!(error.message().contains(message), "{error}");
        }
    }

    #[test]
    fn causes_are_for_the_log_and_not_for_the_client() {
        let error = S3Error::from(engine::Error::Storage("disk on fire".into()));
        assert_eq!(error.causes(), "disk on fire");
        assert!(!error.to_string().contains("fire"));
    }

    #[test]
    fn every_cause_is_told_once() {
        use crate::meta::ErrorKind;
        let disk = std::io::Error::other("disk on fire");
        let read = crate::meta::Error::with_source(ErrorKind::Io, "cannot read a record", disk);
        let error = S3Error::from(engine::Error::from(read));
        assert_eq!(error.causes(), "cannot read a record: disk on fire");
        let body = engine::Error::Body(Box::new(engine::Error::Storage("disk on fire".into())));
        assert_eq!(S3Error::from(body).causes(), "storage failed: disk on fire");
    }
}
