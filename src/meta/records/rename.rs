//! Renames that were done.

use minicbor::{Decode, Encode};

/// A rename that a client has given a token, kept for the case that its answer was lost.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RenameRecord {
    /// SHA-256 over what was asked for.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub request: [u8; 32],
    /// Unix milliseconds.
    #[n(1)]
    pub renamed_ms: i64,
}
