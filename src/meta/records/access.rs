//! Who may use a bucket, beside its owner.

use super::{BucketDocument, DocumentKind};
use minicbor::{Decode, Encode};

/// A bucket's policy. It was checked when it was put, and is kept as it came, because that is how it is given back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct PolicyRecord {
    #[n(0)]
    pub text: String,
    /// Its denials count for the owner too where they are about the policy itself.
    #[cbor(n(1), default)]
    pub owner_is_bound: bool,
}

impl BucketDocument for PolicyRecord {
    const KIND: DocumentKind = DocumentKind::Policy;
}

/// What keeps a bucket from being opened to everybody by mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct PublicAccessBlockRecord {
    /// Access control lists that are public are refused.
    #[n(0)]
    pub block_public_acls: bool,
    /// Those that are there count for nothing.
    #[n(1)]
    pub ignore_public_acls: bool,
    /// Policies that are public are refused.
    #[n(2)]
    pub block_public_policy: bool,
    /// One that is there lets in nobody but the owner's account.
    #[n(3)]
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlockRecord {
    /// What AWS gives new buckets.
    pub const ALL: PublicAccessBlockRecord = PublicAccessBlockRecord {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
}

impl BucketDocument for PublicAccessBlockRecord {
    const KIND: DocumentKind = DocumentKind::PublicAccessBlock;
}
