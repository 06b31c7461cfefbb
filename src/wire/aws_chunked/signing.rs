//! The chain of signatures: each chunk's covers the one before it, the first the request's.

use sha2::{Digest as _, Sha256};

use crate::wire::http_date;
use crate::wire::sigv4::{EMPTY_SHA256, Scope, Signed, SigningKey, Verified, sha256_hex, to_hex};

/// The signatures of one body, as far as they have been computed.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    key: SigningKey,
    scope: Scope,
    timestamp: String,
    previous: String,
}

impl Chain {
    pub(super) fn of_verified(request: &Verified) -> Chain {
        Chain {
            key: request.signing_key.clone(),
            scope: request.scope.clone(),
            timestamp: http_date::basic(request.timestamp),
            previous: request.seed_signature.clone(),
        }
    }

    pub(super) fn of_signed(request: &Signed) -> Chain {
        Chain {
            key: request.signing_key.clone(),
            scope: request.scope.clone(),
            timestamp: http_date::basic(request.timestamp),
            previous: request.signature.clone(),
        }
    }

    /// The signature of the next chunk and what it was computed of.
    pub(super) fn chunk(&mut self, data: Sha256) -> (String, String) {
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{EMPTY_SHA256}\n{}",
            self.timestamp,
            self.scope,
            self.previous,
            to_hex(&data.finalize())
        );
        self.previous = self.key.sign(text.as_bytes());
        (self.previous.clone(), text)
    }

    /// The signature of the trailers, given as sorted lines, and what it was computed of.
    pub(super) fn trailer(&self, lines: &str) -> (String, String) {
        let text = format!(
            "AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{}",
            self.timestamp,
            self.scope,
            self.previous,
            sha256_hex(lines.as_bytes())
        );
        (self.key.sign(text.as_bytes()), text)
    }
}
