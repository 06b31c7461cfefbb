//! Why a request was not let in, with everything its answer says.

use super::CredentialFault;
use crate::wire::error_code::ErrorCode;
use crate::wire::http_date;

/// A claim of identity that does not hold. `code`, `to_string` and `fields` are the answer: `<Code>`, `<Message>`
/// and the elements after it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")]
    SigV2NotSupported,
    #[error("Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not supported. Please use AWS4-HMAC-SHA256.")]
    SigV4aNotSupported,
    #[error(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
         parameter or the Authorization header should be specified"
    )]
    SeveralMechanisms { authorization: String },
    #[error("Authorization header is invalid -- one and only one ' ' (space) required")]
    UnreadableAuthorization { authorization: String },
    #[error("Unsupported Authorization Type")]
    UnsupportedType { authorization: String },
    /// The three parts of an `Authorization` header are not all there.
    #[error("The authorization header is malformed; {0}")]
    HeaderMalformed(&'static str),
    #[error("The authorization header is malformed; {0}")]
    HeaderCredential(CredentialFault),
    /// A presigned URL's parameters are not all there, or one has a wrong form.
    #[error("{0}")]
    QueryMalformed(&'static str),
    #[error("Error parsing the X-Amz-Credential parameter; {0}")]
    QueryCredential(CredentialFault),
    #[error("AWS authentication requires a valid Date or x-amz-date header")]
    MissingDate,
    /// Times are Unix seconds; `request_time` is the text the client sent.
    #[error("The difference between the request time and the current time is too large.")]
    TimeTooSkewed { request_time: String, now: i64 },
    #[error("Request has expired")]
    Expired { expires_s: i64, expired_at: i64, now: i64 },
    #[error("Request is not yet valid")]
    NotYetValid { now: i64 },
    #[error("The AWS Access Key Id you provided does not exist in our records.")]
    UnknownKey { access_key_id: String },
    #[error("Missing required header for this request: x-amz-content-sha256")]
    MissingContentSha256,
    #[error(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
         STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
    )]
    InvalidContentSha256 { value: String },
    /// `Authorization: AWS ...` without an access key and a signature.
    #[error("AWS authorization header is invalid.  Expected AwsAccessKeyId:signature")]
    SigV2HeaderMalformed,
    /// A version 2 URL that lacks one of its three parameters.
    #[error("Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")]
    SigV2QueryIncomplete,
    #[error("Invalid date (should be seconds since epoch): {expires}")]
    SigV2ExpiresInvalid { expires: String },
    #[error("Request has expired")]
    SigV2Expired { expired_at: i64, now: i64 },
    /// Names are lower-case, in the order the headers arrived.
    #[error("There were headers present in the request which were not signed")]
    HeadersNotSigned { names: Vec<String> },
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your key and signing \
         method."
    )]
    SignatureDoesNotMatch(Box<Mismatch>),
}

/// What was computed for a request whose signature is wrong: AWS tells the client, so that it can find its mistake.
/// Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub access_key_id: String,
    pub signature_provided: String,
    pub string_to_sign: String,
    /// Absent where the signature covers something else than a request (a POST policy).
    pub canonical_request: Option<Vec<u8>>,
}

impl AuthError {
    /// The answer's code, and with it the status.
    pub fn code(&self) -> ErrorCode {
        match self {
            AuthError::SigV2NotSupported | AuthError::MissingContentSha256 => ErrorCode::InvalidRequest,
            AuthError::SigV4aNotSupported => ErrorCode::NotImplemented,
            AuthError::SeveralMechanisms { .. }
            | AuthError::UnreadableAuthorization { .. }
            | AuthError::UnsupportedType { .. }
            | AuthError::SigV2HeaderMalformed
            | AuthError::InvalidContentSha256 { .. } => ErrorCode::InvalidArgument,
            AuthError::HeaderMalformed(_) | AuthError::HeaderCredential(_) => {
                ErrorCode::AuthorizationHeaderMalformed
            }
            AuthError::QueryMalformed(_) | AuthError::QueryCredential(_) => {
                ErrorCode::AuthorizationQueryParametersError
            }
            AuthError::MissingDate
            | AuthError::Expired { .. }
            | AuthError::NotYetValid { .. }
            | AuthError::SigV2QueryIncomplete
            | AuthError::SigV2ExpiresInvalid { .. }
            | AuthError::SigV2Expired { .. }
            | AuthError::HeadersNotSigned { .. } => ErrorCode::AccessDenied,
            AuthError::TimeTooSkewed { .. } => ErrorCode::RequestTimeTooSkewed,
            AuthError::UnknownKey { .. } => ErrorCode::InvalidAccessKeyId,
            AuthError::SignatureDoesNotMatch(_) => ErrorCode::SignatureDoesNotMatch,
        }
    }

    /// The answer's further elements, in order.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        match self {
            AuthError::SeveralMechanisms { authorization }
            | AuthError::UnreadableAuthorization { authorization }
            | AuthError::UnsupportedType { authorization } => {
                vec![("ArgumentName", "Authorization".into()), ("ArgumentValue", authorization.clone())]
            }
            AuthError::InvalidContentSha256 { value } => {
                vec![("ArgumentName", "x-amz-content-sha256".into()), ("ArgumentValue", value.clone())]
            }
            AuthError::HeaderCredential(CredentialFault::Region { expected, .. })
            | AuthError::QueryCredential(CredentialFault::Region { expected, .. }) => {
                vec![("Region", expected.clone())]
            }
            AuthError::TimeTooSkewed { request_time, now } => vec![
                ("RequestTime", request_time.clone()),
                ("ServerTime", http_date::iso8601(*now)),
                ("MaxAllowedSkewMilliseconds", (super::SKEW_MAX_S * 1000).to_string()),
            ],
            AuthError::Expired { expires_s, expired_at, now } => vec![
                ("X-Amz-Expires", expires_s.to_string()),
                ("Expires", http_date::iso8601(*expired_at)),
                ("ServerTime", http_date::iso8601(*now)),
            ],
            AuthError::SigV2Expired { expired_at, now } => {
                vec![("Expires", http_date::iso8601(*expired_at)), ("ServerTime", http_date::iso8601(*now))]
            }
            AuthError::UnknownKey { access_key_id } => vec![("AWSAccessKeyId", access_key_id.clone())],
            AuthError::HeadersNotSigned { names } => vec![("HeadersNotSigned", names.join(", "))],
            AuthError::SignatureDoesNotMatch(mismatch) => mismatch.fields(),
            _ => Vec::new(),
        }
    }
}

impl Mismatch {
    /// The answer's further elements, in order.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("AWSAccessKeyId", self.access_key_id.clone()),
            ("StringToSign", self.string_to_sign.clone()),
            ("SignatureProvided", self.signature_provided.clone()),
            ("StringToSignBytes", spaced_hex(self.string_to_sign.as_bytes())),
        ];
        if let Some(canonical) = &self.canonical_request {
            fields.push(("CanonicalRequest", String::from_utf8_lossy(canonical).into_owned()));
            fields.push(("CanonicalRequestBytes", spaced_hex(canonical)));
        }
        fields
    }
}

/// `41 57 53`.
fn spaced_hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}
