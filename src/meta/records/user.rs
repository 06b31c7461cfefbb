//! Users that were made at run time, and their access keys.

use minicbor::{Decode, Encode};

/// A user of an account; its name is the key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct UserRecord {
    /// The canonical id of the account: it owns what the user makes.
    #[n(0)]
    pub account: String,
    /// Unix milliseconds.
    #[n(1)]
    pub created_ms: i64,
    /// What the user may do, as it came and checked. Without one: nothing.
    #[n(2)]
    pub policy: Option<String>,
}

/// A key pair of a user; the access key's id is the key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AccessKeyRecord {
    /// The user's name.
    #[n(0)]
    pub user: String,
    /// Unix milliseconds.
    #[n(1)]
    pub created_ms: i64,
    /// The secret, sealed: signatures cannot be checked with a hash of it.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub sealed_secret: Vec<u8>,
}
