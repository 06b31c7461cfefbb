//! Signature Version 4: who sent a request, and signing one.
//!
//! `Scheme::of` says how a request claims its identity; `Verifier` checks the claim; `Signer` makes one, for the
//! client and for tests. Both sides share `canonical`, so that a test of one is a test of the other only as far as
//! the recorded vectors in `tests` say so.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>

mod canonical;
mod credential;
mod error;
mod key;
mod parse;
mod payload;
mod sign;
mod verify;

#[cfg(test)]
mod tests;

pub use canonical::{Request, canonical_query, canonical_uri};
pub use credential::{Credential, CredentialFault, Scope};
pub use error::{AuthError, Mismatch};
pub use key::{KeyCache, Secret, SigningKey, signatures_equal};
pub use parse::{Authorization, Presigned, Scheme};
pub use payload::PayloadKind;
pub use sign::{Signed, Signer};
pub use verify::{Verified, Verifier};

/// The one algorithm.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// SHA-256 of nothing: what a request without a body carries.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// How far a client's clock may be off, in seconds, either way.
pub const SKEW_MAX_S: i64 = 15 * 60;

/// The longest validity of a presigned URL, in seconds: seven days.
pub const EXPIRES_MAX_S: i64 = 604_800;

/// The lower-case hexadecimal SHA-256 of `bytes`.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    to_hex(&sha2::Sha256::digest(bytes))
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[(byte >> 4) as usize] as char);
        text.push(DIGITS[(byte & 0xF) as usize] as char);
    }
    text
}
