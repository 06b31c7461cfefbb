//! A bucket.

use super::{BucketLists, BucketLock};
use crate::meta::keys::BucketId;
use minicbor::{Decode, Encode};

/// The revision of a bucket that never had a document.
pub const NO_DOCUMENTS: u64 = 1;

/// A bucket; its name is the key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BucketRecord {
    #[n(0)]
    pub id: BucketId,
    /// The canonical id of the owner.
    #[n(1)]
    pub owner: String,
    /// Unix milliseconds.
    #[n(2)]
    pub created_ms: i64,
    #[n(3)]
    pub versioning: Versioning,
    /// Versions can be locked; then versioning is enabled and stays so.
    #[n(4)]
    pub object_lock: Option<BucketLock>,
    #[cbor(n(5), default)]
    pub lists: BucketLists,
    /// Counts the changes of the bucket's documents, so that what was made of them can be kept in memory: from
    /// [`NO_DOCUMENTS`] on while it never had one; 0 in a record that is older than this count. (6 was another count.)
    #[cbor(n(7), default)]
    pub documents_revision: u64,
}

/// Whether a bucket keeps old versions. Once enabled it can only be suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Versioning {
    #[n(0)]
    Never,
    #[n(1)]
    Enabled,
    #[n(2)]
    Suspended,
}
