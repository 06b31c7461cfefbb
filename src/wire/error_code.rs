//! Every error code of S3 that Dovetail answers with, or that its client must understand: the one table.
//!
//! `docs/errors.md` is printed from it (`document`). Which situation gets which code is decided by the front end.

use std::fmt;
use std::str::FromStr;

/// Builds `ErrorCode` from rows `Name = status, retry, "default message";`. Where S3 spells a code in a way that
/// cannot be a Rust name, the row says `Name as "S3's spelling"`.
macro_rules! error_codes {
    ($($name:ident $(as $spelling:literal)? = $status:literal, $retry:ident, $message:literal;)+) => {
        /// A code as it stands in `<Code>`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $(#[doc = $message] $name,)+ }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name,)+];

            /// S3's spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$name => error_codes!(@spelling $name $($spelling)?),)+ }
            }

            /// The HTTP status that comes with the code.
            pub fn status(self) -> u16 {
                match self { $(ErrorCode::$name => $status,)+ }
            }

            /// Whether a client may simply send the same request again, later.
            pub fn is_retryable(self) -> bool {
                match self { $(ErrorCode::$name => error_codes!(@retry $retry),)+ }
            }

            /// What `<Message>` says unless the place of the failure knows better.
            pub fn default_message(self) -> &'static str {
                match self { $(ErrorCode::$name => $message,)+ }
            }
        }
    };
    (@spelling $name:ident $spelling:literal) => { $spelling };
    (@spelling $name:ident) => { stringify!($name) };
    (@retry yes) => { true };
    (@retry no) => { false };
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
error_codes! {
    // code                                    status retry  default message
    AccessControlListNotSupported              = 400, no,  "The bucket does not allow ACLs";
    AccessDenied                               = 403, no,  "Access Denied";
    AccessForbidden                            = 403, no,  "CORSResponse: This CORS request is not allowed.";
    AccountProblem                             = 403, no,  "There is a problem with your account that prevents the operation from completing successfully.";
    AllAccessDisabled                          = 403, no,  "All access to this object has been disabled";
    AmbiguousGrantByEmailAddress               = 400, no,  "The email address you provided is associated with more than one account.";
    AuthorizationHeaderMalformed               = 400, no,  "The authorization header that you provided is not valid.";
    AuthorizationQueryParametersError          = 400, no,  "The authorization query parameters that you provided are not valid.";
    BadDigest                                  = 400, no,  "The Content-MD5 you specified did not match what we received.";
    BadRequest                                 = 400, no,  "Bad Request";
    BucketAlreadyExists                        = 409, no,  "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.";
    BucketAlreadyOwnedByYou                    = 409, no,  "Your previous request to create the named bucket succeeded and you already own it.";
    BucketNotEmpty                             = 409, no,  "The bucket you tried to delete is not empty";
    ClientTokenConflict                        = 409, no,  "Your request contains a client token that was used for a previous request that is still in progress.";
    ConditionalRequestConflict                 = 409, no,  "The conditional request cannot succeed due to a conflicting operation against this resource.";
    ConnectionClosedByRequester                = 400, no,  "The requester closed the connection before the request body was received in full.";
    CredentialsNotSupported                    = 400, no,  "This request does not support credentials.";
    CrossLocationLoggingProhibitted            = 403, no,  "Cross S3 location logging not allowed.";
    EncryptionTypeMismatch                     = 400, no,  "The encryption type of the request does not match the encryption type of the object.";
    EntityAlreadyExists                        = 409, no,  "There is one of this name already.";
    EntityTooLarge                             = 400, no,  "Your proposed upload exceeds the maximum allowed size";
    EntityTooSmall                             = 400, no,  "Your proposed upload is smaller than the minimum allowed size";
    ExpiredToken                               = 400, no,  "The provided token has expired.";
    IdempotencyParameterMismatch               = 400, no,  "The request uses the same client token as a previous, but non-identical request.";
    IdMismatch                                 = 400, no,  "Document ID does not match the specified configuration ID.";
    IllegalLocationConstraintException         = 400, no,  "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.";
    IllegalVersioningConfigurationException    = 400, no,  "The Versioning element must be specified";
    IncompleteBody                             = 400, no,  "You did not provide the number of bytes specified by the Content-Length HTTP header.";
    IncorrectNumberOfFilesInPostRequest        = 400, no,  "POST requires exactly one file upload per request.";
    InlineDataTooLarge                         = 400, no,  "Inline data exceeds the maximum allowed size.";
    InternalError                              = 500, yes, "We encountered an internal error. Please try again.";
    InvalidAccessKeyId                         = 403, no,  "The AWS Access Key Id you provided does not exist in our records.";
    InvalidArgument                            = 400, no,  "Invalid Argument";
    InvalidBucketAclWithBlockPublicAccessError = 400, no,  "Bucket cannot have public ACLs set with BlockPublicAccess enabled";
    InvalidBucketAclWithObjectOwnership        = 400, no,  "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
    InvalidBucketName                          = 400, no,  "The specified bucket is not valid.";
    InvalidBucketOwnerAWSAccountID             = 400, no,  "The value of the expected bucket owner parameter must be an AWS account ID.";
    InvalidBucketState                         = 409, no,  "The request is not valid with the current state of the bucket.";
    InvalidChunkSizeError                      = 400, no,  "Only the last chunk is allowed to have a size less than 8192 bytes";
    InvalidDigest                              = 400, no,  "The Content-MD5 you specified was invalid.";
    InvalidEncryptionAlgorithmError            = 400, no,  "The encryption request that you specified is not valid. The valid value is AES256.";
    InvalidLocationConstraint                  = 400, no,  "The specified location-constraint is not valid";
    InvalidObjectState                         = 403, no,  "The operation is not valid for the object's storage class";
    InvalidPart                                = 400, no,  "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
    InvalidPartNumber                          = 416, no,  "The requested partnumber is not satisfiable";
    InvalidPartOrder                           = 400, no,  "The list of parts was not in ascending order. Parts must be ordered by part number.";
    InvalidPolicyDocument                      = 400, no,  "The content of the form does not meet the conditions specified in the policy document.";
    InvalidRange                               = 416, no,  "The requested range is not satisfiable";
    InvalidRedirectLocation                    = 400, no,  "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.";
    InvalidRequest                             = 400, no,  "Invalid Request";
    InvalidRetentionPeriod                     = 400, no,  "The retention period must be a positive number of days or years.";
    InvalidSecurity                            = 403, no,  "The provided security credentials are not valid.";
    InvalidStorageClass                        = 400, no,  "The storage class you specified is not valid";
    InvalidTag                                 = 400, no,  "The tag provided was not a valid tag. This error can occur if the tag did not pass input validation.";
    InvalidTargetBucketForLogging              = 400, no,  "The target bucket for logging does not exist, is not owned by you, or does not have the appropriate grants for the log-delivery group.";
    InvalidToken                               = 400, no,  "The provided token is malformed or otherwise invalid.";
    InvalidURI                                 = 400, no,  "Couldn't parse the specified URI.";
    InvalidVersionId                           = 400, no,  "Invalid version id specified";
    InvalidWriteOffset                         = 400, no,  "The write offset value that you specified does not match the current object size.";
    KeyTooLongError                            = 400, no,  "Your key is too long";
    KmsDisabledException as "KMS.DisabledException" = 400, no, "The request was rejected because the specified KMS key is not enabled.";
    KmsInvalidStateException as "KMS.KMSInvalidStateException" = 400, no, "The request was rejected because the state of the specified KMS key is not valid for this request.";
    KmsNotFoundException as "KMS.NotFoundException" = 400, no, "The request was rejected because the specified KMS key could not be found.";
    LimitExceeded                              = 409, no,  "There cannot be more of these.";
    MalformedACLError                          = 400, no,  "The XML you provided was not well-formed or did not validate against our published schema";
    MalformedPOSTRequest                       = 400, no,  "The body of your POST request is not well-formed multipart/form-data.";
    MalformedPolicy                            = 400, no,  "Policies must be valid JSON and the first byte must be '{'";
    MalformedTrailerError                      = 400, no,  "The request contained trailing data that was not well-formed or did not conform to our published schema.";
    MalformedXML                               = 400, no,  "The XML you provided was not well-formed or did not validate against our published schema";
    MaxMessageLengthExceeded                   = 400, no,  "Your request was too big.";
    MaxPostPreDataLengthExceeded               = 400, no,  "Your POST request fields preceding the upload file were too large.";
    MetadataTooLarge                           = 400, no,  "Your metadata headers exceed the maximum allowed metadata size";
    MethodNotAllowed                           = 405, no,  "The specified method is not allowed against this resource.";
    MissingContentLength                       = 411, no,  "You must provide the Content-Length HTTP header.";
    MissingRequestBodyError                    = 400, no,  "Request Body is empty";
    MissingSecurityHeader                      = 400, no,  "Your request was missing a required header";
    NoLoggingStatusForKey                      = 400, no,  "There is no such thing as a logging status subresource for a key.";
    NoSuchBucket                               = 404, no,  "The specified bucket does not exist";
    NoSuchBucketPolicy                         = 404, no,  "The bucket policy does not exist";
    NoSuchCORSConfiguration                    = 404, no,  "The CORS configuration does not exist";
    NoSuchConfiguration                        = 404, no,  "The specified configuration does not exist.";
    NoSuchEntity                               = 404, no,  "There is no such user or key.";
    NoSuchKey                                  = 404, no,  "The specified key does not exist.";
    NoSuchLifecycleConfiguration               = 404, no,  "The lifecycle configuration does not exist";
    NoSuchObjectLockConfiguration              = 404, no,  "The specified object does not have a ObjectLock configuration";
    NoSuchPublicAccessBlockConfiguration       = 404, no,  "The public access block configuration was not found";
    NoSuchTagSet                               = 404, no,  "The TagSet does not exist";
    NoSuchUpload                               = 404, no,  "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    NoSuchVersion                              = 404, no,  "The specified version does not exist.";
    NoSuchWebsiteConfiguration                 = 404, no,  "The specified bucket does not have a website configuration";
    NotImplemented                             = 501, no,  "A header you provided implies functionality that is not implemented";
    NotSignedUp                                = 403, no,  "Your account is not signed up for the S3 service.";
    ObjectAlreadyInActiveTierError             = 403, no,  "This object is already in the active tier and does not need to be restored.";
    ObjectLockConfigurationNotFoundError       = 404, no,  "Object Lock configuration does not exist for this bucket";
    ObjectNotInActiveTierError                 = 403, no,  "The source object of the COPY action is not in the active tier and is only stored in an archive tier.";
    OperationAborted                           = 409, no,  "A conflicting conditional operation is currently in progress against this resource. Please try again.";
    OwnershipControlsNotFoundError             = 404, no,  "The bucket ownership controls were not found";
    PermanentRedirect                          = 301, no,  "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.";
    PreconditionFailed                         = 412, no,  "At least one of the pre-conditions you specified did not hold";
    Redirect                                   = 307, no,  "Please re-send this request to the specified temporary endpoint. Continue to use the original request endpoint for future requests.";
    ReplicationConfigurationNotFoundError      = 404, no,  "The replication configuration was not found";
    RequestHeaderSectionTooLarge               = 400, no,  "Your request header section exceeds the maximum allowed request header section size.";
    RequestIsNotMultiPartContent               = 400, no,  "Bucket POST must be of the enclosure-type multipart/form-data.";
    RequestTimeTooSkewed                       = 403, no,  "The difference between the request time and the current time is too large.";
    RequestTimeout                             = 400, yes, "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed.";
    RestoreAlreadyInProgress                   = 409, no,  "Object restore is already in progress";
    ServerSideEncryptionConfigurationNotFoundError = 404, no, "The server side encryption configuration was not found";
    ServiceUnavailable                         = 503, yes, "Service is unable to handle request.";
    SignatureDoesNotMatch                      = 403, no,  "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    SlowDown                                   = 503, yes, "Please reduce your request rate.";
    TemporaryRedirect                          = 307, no,  "You are being redirected to the bucket while the DNS server is being updated.";
    TokenCodeInvalidError                      = 400, no,  "The serial number and/or token code you provided is not valid.";
    TooManyBuckets                             = 400, no,  "You have attempted to create more buckets than allowed";
    TooManyConfigurations                      = 400, no,  "You are attempting to create a new configuration but have already reached the allowed limit.";
    TooManyParts                               = 400, no,  "You have attempted to add more parts than the maximum of 10000 that are allowed for this object.";
    UnexpectedContent                          = 400, no,  "This request contains unsupported content.";
    UnresolvableGrantByEmailAddress            = 400, no,  "The email address you provided does not match any account on record.";
    UnsupportedArgument                        = 400, no,  "The request contained an unsupported argument.";
    UserKeyMustBeSpecified                     = 400, no,  "The bucket POST must contain the specified field name. If it is specified, please check the order of the fields.";
    XAmzContentSHA256Mismatch                  = 400, no,  "The provided 'x-amz-content-sha256' header does not match what was computed.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no code of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCode;

impl FromStr for ErrorCode {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(UnknownCode)
    }
}

/// The content of `docs/errors.md`.
pub fn document() -> String {
    let mut text = String::from(
        "# Errors\n\n\
         Every error code a response can carry, with its HTTP status, whether the same request may simply be sent\n\
         again, and the message where nothing more exact is known. Printed from `src/wire/error_code.rs`; refresh it\n\
         with `UPDATE_DOCUMENTS=1 cargo test errors_document_is_current`.\n\n\
         | code | status | retry | default message |\n\
         | --- | --- | --- | --- |\n",
    );
    for code in ErrorCode::ALL {
        let retry = if code.is_retryable() { "yes" } else { "no" };
        text += &format!("| {code} | {} | {retry} | {} |\n", code.status(), code.default_message());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_from_its_spelling() {
        for code in ErrorCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
        assert_eq!("NoSuchThing".parse::<ErrorCode>(), Err(UnknownCode));
        assert_eq!(ErrorCode::KmsNotFoundException.as_str(), "KMS.NotFoundException");
    }

    #[test]
    fn codes_are_unique_and_statuses_are_errors_or_redirects() {
        for (index, code) in ErrorCode::ALL.iter().enumerate() {
            assert!((300..600).contains(&code.status()), "{code}");
            assert!(!code.default_message().is_empty() && !code.default_message().contains('|'), "{code}");
            assert!(ErrorCode::ALL[..index].iter().all(|other| other.as_str() != code.as_str()), "{code}");
        }
    }

    #[test]
    fn server_errors_that_pass_are_retryable_and_client_errors_are_not() {
        use ErrorCode::*;
        let retryable: Vec<_> = ErrorCode::ALL.iter().filter(|code| code.is_retryable()).collect();
        assert_eq!(retryable, [&InternalError, &RequestTimeout, &ServiceUnavailable, &SlowDown]);
    }

    #[test]
    fn errors_document_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
        if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(found == document(), "docs/errors.md is out of date: run this test with UPDATE_DOCUMENTS=1");
    }
}
