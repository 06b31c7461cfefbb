//! What goes wrong for a client, what it means for the next attempt, and what a person can do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::wire::error_code::ErrorCode;

/// Why something did not happen. A transfer that fails with any of these keeps its journal, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server answered that it will not.
    #[error("cannot {doing}: {refusal}")]
    Refused { doing: String, refusal: Box<Refusal> },
    /// No answer: the connection could not be made, or was cut.
    #[error("cannot {doing}: {reason}")]
    Connection { doing: String, reason: String },
    /// Nothing moved for too long.
    #[error("cannot {doing}: nothing moved for {} s", idle.as_secs())]
    Stalled { doing: String, idle: Duration },
    /// An answer that is no answer of S3.
    #[error("cannot {doing}: the answer makes no sense: {reason}")]
    Malformed { doing: String, reason: String },
    /// Bytes that are not those that were meant. Nothing wrong was kept.
    #[error("cannot {doing}: {reason}")]
    Corrupt { doing: String, reason: String },
    #[error("cannot {doing}: {source}")]
    File { doing: String, source: io::Error },
    /// The file was written to while it was being sent.
    #[error("{} changed while it was being sent", path.display())]
    Changed { path: PathBuf },
    /// Another process is at the same transfer.
    #[error("another dovetail is already moving {what}")]
    Busy { what: String },
    /// Where a transfer goes something else has come to be since it began. It stays; so do the journal and the upload.
    #[error("{target} was written by something else after this transfer began, and is left as it is")]
    Overtaken { target: String, address: String },
    /// No keys to sign with. `login` is the command that gets new ones, where a person has to.
    #[error("cannot find credentials: {reason}")]
    Credentials { reason: String, login: Option<String> },
    /// Some of what was asked for was not done.
    #[error("{0}")]
    Incomplete(String),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    #[error("interrupted")]
    Interrupted,
}

/// An error answer of S3, or of something in front of it.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: u16,
    /// As it stands in `<Code>`; empty for answers without a document, such as those to HEAD.
    pub code: String,
    pub message: String,
    pub request_id: String,
    pub retry_after: Option<Duration>,
    /// Where the bucket is, when the answer says so.
    pub region: Option<String>,
    /// The bucket's region is known now, and is not the one that the request was signed for.
    pub is_elsewhere: bool,
    /// Whose signature was refused.
    pub access_key_id: Option<String>,
    /// Whether the request brought a key of the customer's.
    pub has_customer_key: bool,
    /// Seconds that the server's clock is ahead of ours, when the answer shows it.
    pub clock_ahead_s: Option<i64>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code.as_str(), self.message.as_str()) {
            ("", _) if self.status == 404 => write!(f, "there is no such object")?,
            ("", _) => write!(f, "the server answered {}", self.status)?,
            (code, "") => write!(f, "{code}")?,
            (code, message) => write!(f, "{code}: {}", message.trim_end_matches('.'))?,
        }
        if !self.request_id.is_empty() {
            write!(f, " (request {})", self.request_id)?;
        }
        Ok(())
    }
}

/// What a failure means for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The same request would fail in the same way.
    Stop,
    /// It may work later.
    Retry,
    /// It may work later, and with less at once.
    Throttled,
    /// The bytes were damaged on the way: send them again, a few times.
    Resend,
    /// The keys have expired: get new ones, then once more.
    Refresh,
}

impl Error {
    pub fn file(doing: impl Into<String>, source: io::Error) -> Error {
        Error::File { doing: doing.into(), source }
    }

    pub fn malformed(doing: impl Into<String>, reason: impl ToString) -> Error {
        Error::Malformed { doing: doing.into(), reason: reason.to_string() }
    }

    /// The code of a refusal; `None` when S3 has no such code, or for other errors.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Error::Refused { refusal, .. } => refusal.code.parse().ok(),
            _ => None,
        }
    }

    /// The status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Refused { refusal, .. } => Some(refusal.status),
            _ => None,
        }
    }

    /// The upload is gone: completed, aborted or expired.
    pub fn is_no_such_upload(&self) -> bool {
        self.code() == Some(ErrorCode::NoSuchUpload)
    }

    /// The same request would be signed for another region now.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Error::Refused { refusal, .. } if refusal.is_elsewhere)
    }

    /// The object is not encrypted as the request says.
    pub fn is_about_encryption(&self) -> bool {
        matches!(self, Error::Refused { refusal, .. } if refusal.is_about_encryption())
    }

    /// There is no such object (a HEAD has no document, so the status alone must do).
    pub fn is_not_found(&self) -> bool {
        match self.code() {
            Some(code) => code == ErrorCode::NoSuchKey,
            None => self.status() == Some(404),
        }
    }

    pub fn class(&self) -> Class {
        match self {
            Error::Connection { reason, .. } if is_distrust(reason) => Class::Stop,
            Error::Connection { .. } | Error::Stalled { .. } | Error::Malformed { .. } => Class::Retry,
            Error::Corrupt { .. } => Class::Resend,
            Error::Refused { refusal, .. } => refusal.class(),
            _ => Class::Stop,
        }
    }

    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Refused { refusal, .. } => refusal.retry_after,
            _ => None,
        }
    }

    /// Whether the same command may work later, and goes on then.
    pub fn is_resumable(&self) -> bool {
        match self {
            Error::File { source, .. } if is_full(source) => true,
            Error::Credentials { login, .. } => login.is_some(),
            _ => self.class() != Class::Stop,
        }
    }

    /// What the person at the keyboard can do about it.
    pub fn advice(&self) -> Option<String> {
        match self {
            Error::Refused { refusal, .. } => refusal.advice(),
            Error::File { source, .. } if is_full(source) => {
                Some("free some space, then run the same command: it goes on where it stopped".into())
            }
            Error::File { doing, .. } if doing.starts_with("write journal") => {
                Some("what goes on later is remembered there: set XDG_STATE_HOME to a folder that you may write to".into())
            }
            Error::Changed { .. } => Some("run the command again when nothing writes to it".into()),
            Error::Overtaken { address, .. } => Some(format!(
                "`dovetail abort {address}` gives this transfer up; the command that began it replaces what is there"
            )),
            Error::Connection { reason, .. } if is_distrust(reason) => {
                Some("name the certificates to trust by --ca-bundle, and check --endpoint-url".into())
            }
            Error::Connection { reason, .. } if is_plain_http(reason) => {
                Some("the endpoint seems to speak plain HTTP: write http:// in --endpoint-url".into())
            }
            Error::Connection { .. } => Some("check --endpoint-url and the network".into()),
            Error::Credentials { login: Some(command), .. } => Some(format!(
                "log in with `{command}`, then run the same command: it goes on where it stopped"
            )),
            Error::Credentials { login: None, .. } => Some(
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a --profile, or use --no-sign-request"
                    .into(),
            ),
            _ => None,
        }
    }
}

/// What rustls says of a server that is not who it should be. That does not pass by itself.
fn is_distrust(reason: &str) -> bool {
    reason.contains("invalid peer certificate")
}

/// What rustls says of an answer that is no TLS.
fn is_plain_http(reason: &str) -> bool {
    reason.contains("InvalidContentType")
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Refusal {
    /// Whether the region is why. A HEAD that was signed for another one has no document that says so, and a bucket that is being made
    /// in the wrong place is not to be made in another one.
    pub fn is_about_region(&self, is_create_bucket: bool) -> bool {
        match (self.status, self.code.as_str()) {
            (301 | 307, _) | (_, "PermanentRedirect" | "AuthorizationHeaderMalformed") => true,
            (_, "IllegalLocationConstraintException") => !is_create_bucket,
            (400, "") => true,
            _ => false,
        }
    }

    /// Only the message tells (Server Side Encryption; encryption parameters).
    fn is_about_encryption(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        self.code == "InvalidRequest" && message.contains("encryption")
    }

    fn class(&self) -> Class {
        // What a proxy or a flaky link does to a body shows as one of these; the bytes on disk are fine.
        const DAMAGED: [&str; 7] = [
            "BadDigest",
            "IncompleteBody",
            "InvalidDigest",
            "MalformedTrailerError",
            "InvalidChunkSizeError",
            "XAmzContentSHA256Mismatch",
            "XAmzContentChecksumMismatch",
        ];
        match (self.status, self.code.as_str()) {
            (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => Class::Refresh,
            (429 | 503, _) | (_, "SlowDown") => Class::Throttled,
            (_, code) if DAMAGED.contains(&code) => Class::Resend,
            (400, "InvalidRequest") if self.message.contains("trailing header") => Class::Resend,
            (408 | 500 | 502 | 504, _) => Class::Retry,
            (_, code) if code.parse().is_ok_and(ErrorCode::is_retryable) => Class::Retry,
            // Two Completes at once: the other one wins or loses, and a repeat sees which.
            (409, "OperationAborted" | "ConditionalRequestConflict") => Class::Retry,
            _ => Class::Stop,
        }
    }

    fn advice(&self) -> Option<String> {
        let text = match (self.status, self.code.as_str()) {
            (_, "RequestTimeTooSkewed") => match self.clock_ahead_s {
                Some(ahead) if ahead > 0 => format!("this machine's clock is {ahead} s slow: set it"),
                Some(ahead) => format!("this machine's clock is {} s fast: set it", -ahead),
                None => "set this machine's clock".into(),
            },
            (301 | 307, _)
            | (_, "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" | "PermanentRedirect") => {
                match &self.region {
                    Some(region) => format!("the bucket is in another region: use --region {region}"),
                    None => "the bucket may be in another region: name it with --region".into(),
                }
            }
            (_, "InvalidAccessKeyId") => {
                "the server does not know this access key: check AWS_ACCESS_KEY_ID or --profile, and --endpoint-url"
                    .into()
            }
            (_, "SignatureDoesNotMatch") => "check the secret access key, and --region".into(),
            (_, "ExpiredToken" | "ExpiredTokenException") => {
                "log in again, then run the same command: it goes on where it stopped".into()
            }
            (_, "BucketNotEmpty") => {
                "empty it with `dovetail rm -r`; old versions and `dovetail uploads` count, too".into()
            }
            (_, "NoSuchBucket") => "make it with `dovetail mb`, or check --endpoint-url".into(),
            (_, "MethodNotAllowed") => {
                "a version that is a delete marker has no bytes; `dovetail rm --version-id` takes it away".into()
            }
            (_, "NoSuchVersion") => "`dovetail ls --versions` shows which there are".into(),
            (_, "InvalidObjectState" | "ObjectNotInActiveTierError") => {
                "the object is in an archive: have it restored first".into()
            }
            (_, "InvalidToken") => {
                "the session token is not of these keys or of this endpoint: check AWS_SESSION_TOKEN or --profile".into()
            }
            (_, "InvalidRequest") if self.is_about_encryption() && !self.has_customer_key => {
                "the object is encrypted with a key that only its owner has: name it by --sse-c-key-file".into()
            }
            (_, "InvalidRequest") if self.is_about_encryption() => {
                "the object is not encrypted with a key of yours: leave --sse-c-key-file out".into()
            }
            (403, _) if self.has_customer_key => {
                "the object may have another key than this one; else the credentials do not allow it".into()
            }
            (403, _) if self.access_key_id.is_none() => {
                "nobody may do this without keys: leave --no-sign-request out, or ask the bucket's owner".into()
            }
            (403, _) => "the credentials do not allow this: ask the bucket's owner, or name another --profile".into(),
            (412, _) => "something else wrote to the object meanwhile: run the same command again".into(),
            (_, "EntityTooLarge") => "use a smaller --part-size".into(),
            _ => return None,
        };
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str) -> Error {
        let refusal = Refusal {
            status,
            code: code.into(),
            message: String::new(),
            request_id: String::new(),
            retry_after: None,
            region: Some("eu-north-1".into()),
            is_elsewhere: false,
            has_customer_key: false,
            access_key_id: Some("key".into()),
            clock_ahead_s: Some(1200),
        };
        Error::Refused { doing: "upload part 3".into(), refusal: Box::new(refusal) }
    }

    #[test]
    fn failures_fall_into_their_classes() {
        for (status, code, class) in [
            (500, "InternalError", Class::Retry),
            (500, "", Class::Retry),
            (502, "", Class::Retry),
            (408, "", Class::Retry),
            (400, "RequestTimeout", Class::Retry),
            (503, "SlowDown", Class::Throttled),
            (503, "", Class::Throttled),
            (429, "", Class::Throttled),
            (400, "BadDigest", Class::Resend),
            (400, "IncompleteBody", Class::Resend),
            (400, "ExpiredToken", Class::Refresh),
            (400, "InvalidRequest", Class::Stop),
            (403, "AccessDenied", Class::Stop),
            (404, "NoSuchUpload", Class::Stop),
            (404, "", Class::Stop),
            (412, "PreconditionFailed", Class::Stop),
            (501, "NotImplemented", Class::Stop),
        ] {
            assert_eq!(refused(status, code).class(), class, "{status} {code}");
        }
    }

    #[test]
    fn which_refusals_are_about_the_region() {
        for (status, code, expected) in [
            (301, "PermanentRedirect", true),
            (301, "", true),
            (307, "TemporaryRedirect", true),
            (400, "AuthorizationHeaderMalformed", true),
            (400, "IllegalLocationConstraintException", true),
            (400, "", true),
            (400, "InvalidRequest", false),
            (403, "AccessDenied", false),
            (404, "NoSuchBucket", false),
        ] {
            let Error::Refused { refusal, .. } = refused(status, code) else { unreachable!() };
            assert_eq!(refusal.is_about_region(false), expected, "{status} {code}");
            let is_made = expected && code != "IllegalLocationConstraintException";
            assert_eq!(refusal.is_about_region(true), is_made, "{status} {code} of a bucket that is made");
        }
    }

    #[test]
    fn refusals_say_what_to_do() {
        let advice = |status, code| refused(status, code).advice().unwrap_or_default();
        assert!(advice(403, "RequestTimeTooSkewed").contains("1200 s slow"));
        assert!(advice(301, "PermanentRedirect").contains("--region eu-north-1"));
        assert!(advice(403, "AccessDenied").contains("--profile"));
        assert!(advice(404, "NoSuchBucket").contains("dovetail mb"));
        assert_eq!(advice(404, "NoSuchKey"), "");
        assert!(advice(403, "InvalidObjectState").contains("restored"));
        let journal = Error::file("write journal /x", io::ErrorKind::PermissionDenied.into());
        assert!(journal.advice().unwrap().contains("XDG_STATE_HOME"));
        let plain = Error::Connection {
            doing: "list".into(),
            reason: "received corrupt message of type InvalidContentType".into(),
        };
        assert!(plain.advice().unwrap().contains("http://"));
        let full = Error::file("write file", io::ErrorKind::StorageFull.into());
        assert!(full.is_resumable() && full.advice().unwrap().contains("free some space"));
        assert!(!Error::file("write file", io::ErrorKind::PermissionDenied.into()).is_resumable());
    }
}
