//! What is known of a request, for its error document and for its line in the log when it fails.
//!
//! A line reads alone: whoever is woken by it sees who asked for what, of which object, and every cause down to the disk.
//! No value of a header, no signature and no part of a body is in it.

use crate::s3::auth::Caller;
use crate::s3::error::{S3Error, chain_of};
use crate::s3::request::Request;
use crate::s3::response::RequestId;
use crate::s3::router::Target;
use crate::wire::error_code::ErrorCode;
use crate::wire::percent;
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

/// Characters of an escaped name in the log. Any key of plain ASCII is whole; one that is escaped throughout takes three times
/// its 1,024 bytes, and a line should not.
const LOGGED_NAME_LEN_MAX: usize = 1024;

/// What is known of a request so far.
pub struct Trace {
    pub id: RequestId,
    pub operation: &'static str,
    pub target: Arc<Target>,
    /// Anonymous until the signature was checked.
    pub caller: Caller,
    /// What a page of another origin is told, with errors too: only then can it see them.
    pub cors: HeaderMap,
}

impl Trace {
    pub fn new(id: RequestId) -> Trace {
        Trace {
            id,
            operation: "unknown",
            target: Arc::default(),
            caller: Caller::Anonymous,
            cors: HeaderMap::new(),
        }
    }

    /// Once for each request that fails. The causes are for the operator alone.
    pub fn log_failure(&self, error: &S3Error, elapsed: Duration) {
        let status = error.status().as_u16();
        let (operation, code, causes) = (self.operation, error.code().as_str(), error.causes());
        let request_id = self.id.request_id();
        let elapsed_ms = elapsed.as_millis() as u64;
        if error.status().is_server_error() && error.code() != ErrorCode::NotImplemented {
            tracing::error!(
                request.id = request_id,
                operation,
                bucket = self.bucket(),
                key = self.key(),
                access_key_id = self.access_key_id(),
                status,
                code,
                elapsed_ms,
                causes,
                "failed"
            );
        } else {
            let reason = error.message();
            tracing::debug!(
                request.id = request_id,
                operation,
                status,
                code,
                elapsed_ms,
                reason,
                causes,
                "refused"
            );
        }
    }

    /// For an answer whose status has been sent.
    pub fn log_cut(&self, error: &(dyn std::error::Error + 'static)) {
        tracing::error!(
            request.id = self.id.request_id(),
            operation = self.operation,
            bucket = self.bucket(),
            key = self.key(),
            access_key_id = self.access_key_id(),
            causes = chain_of(error),
            "cut an answer short: its bytes cannot be read"
        );
    }

    fn bucket(&self) -> Option<String> {
        self.target.bucket.as_deref().map(escaped)
    }

    fn key(&self) -> Option<String> {
        self.target.key.as_deref().map(escaped)
    }

    fn access_key_id(&self) -> Option<&str> {
        self.caller.user().map(|user| user.access_key_id.as_str())
    }
}

impl From<Request> for Trace {
    fn from(request: Request) -> Trace {
        let Request { id, operation, target, caller, .. } = request;
        Trace { operation: operation.name(), target, caller, ..Trace::new(id) }
    }
}

/// A name as it stands in a URL, so that nothing in it can pass for something else of the line; `...` where it was cut.
fn escaped(name: &str) -> String {
    let mut text = percent::encode_path(name.as_bytes()).into_owned();
    if text.len() > LOGGED_NAME_LEN_MAX {
        text.truncate(LOGGED_NAME_LEN_MAX);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_place_and_are_bounded() {
        assert_eq!(escaped("a/b-c_1.txt"), "a/b-c_1.txt");
        assert_eq!(escaped("a b\" causes=\"x\n\u{202e}"), "a%20b%22%20causes%3D%22x%0A%E2%80%AE");
        assert_eq!(escaped(&"a".repeat(1024)), "a".repeat(1024));
        let long = escaped(&"\u{1}".repeat(1024));
        assert!(long.len() == LOGGED_NAME_LEN_MAX + 3 && long.ends_with("..."), "{long}");
    }
}
