//! Lifecycle rules of a bucket, and how far the job is that carries them out.

use super::{BucketDocument, DocumentKind};
use minicbor::{Decode, Encode};

/// What is to become of a bucket's objects and uploads with time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LifecycleRecord {
    #[n(0)]
    pub rules: Vec<LifecycleRule>,
    /// Which objects are too small for a transition.
    #[n(1)]
    pub transition_minimum: TransitionMinimum,
}

impl BucketDocument for LifecycleRecord {
    const KIND: DocumentKind = DocumentKind::Lifecycle;
}

/// Times are whole days, each 1 or more but where it says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LifecycleRule {
    /// Unique in its bucket; made up when the client gave none.
    #[n(0)]
    pub id: String,
    #[n(1)]
    pub enabled: bool,
    #[n(2)]
    pub filter: LifecycleFilter,
    #[n(3)]
    pub expiration: Option<Expiration>,
    #[n(4)]
    pub noncurrent_expiration: Option<NoncurrentExpiration>,
    /// Days from its creation after which an open upload is aborted.
    #[n(5)]
    pub abort_uploads_days: Option<u32>,
    #[n(6)]
    pub transitions: Vec<Transition>,
    #[n(7)]
    pub noncurrent_transitions: Vec<NoncurrentTransition>,
}

/// What a rule is about: all that is named has to fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LifecycleFilter {
    /// How it was written, so that it is given back like that.
    #[n(0)]
    pub form: FilterForm,
    #[n(1)]
    pub prefix: Option<String>,
    /// Keys and values, in the order given.
    #[n(2)]
    pub tags: Vec<(String, String)>,
    #[n(3)]
    pub larger_than: Option<u64>,
    #[n(4)]
    pub smaller_than: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum FilterForm {
    /// A `Filter` with one element or none.
    #[default]
    #[n(0)]
    Single,
    /// A `Filter` with an `And`.
    #[n(1)]
    And,
    /// The deprecated `Prefix` of the rule itself.
    #[n(2)]
    Prefix,
}

/// When a current object expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Expiration {
    #[n(0)]
    Days(#[n(0)] u32),
    /// From this midnight on, Unix milliseconds.
    #[n(1)]
    Date(#[n(0)] i64),
    /// Whether delete markers go that cover nothing; the objects stay.
    #[n(2)]
    DeleteMarkers(#[n(0)] bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NoncurrentExpiration {
    /// Days since it was overwritten or deleted.
    #[n(0)]
    pub days: u32,
    /// So many that are newer, and not current either, stay.
    #[n(1)]
    pub newer_kept: Option<u32>,
}

/// When a current object gets another storage class.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Transition {
    #[n(0)]
    pub when: TransitionTime,
    #[n(1)]
    pub storage_class: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum TransitionTime {
    /// May be 0.
    #[n(0)]
    Days(#[n(0)] u32),
    /// From this midnight on, Unix milliseconds.
    #[n(1)]
    Date(#[n(0)] i64),
}

/// When a version that is not current gets another storage class.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NoncurrentTransition {
    /// May be 0.
    #[n(0)]
    pub days: u32,
    #[n(1)]
    pub storage_class: String,
    #[n(2)]
    pub newer_kept: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum TransitionMinimum {
    /// 128 KiB for every class.
    #[default]
    #[n(0)]
    All128KiB,
    /// 128 KiB, but nothing for the archives.
    #[n(1)]
    ByStorageClass,
}

/// How far the lifecycle job is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LifecycleProgressRecord {
    /// When the last sweep began, Unix milliseconds.
    #[n(0)]
    pub started_ms: i64,
    /// Where it goes on; `None` when it is done.
    #[n(1)]
    pub position: Option<LifecyclePosition>,
}

/// A place in a sweep: all before it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LifecyclePosition {
    /// The bucket's name.
    #[n(0)]
    pub bucket: String,
    #[n(1)]
    pub table: LifecycleTable,
    /// The first object key that is not done; empty at the beginning.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub key: Vec<u8>,
}

/// What a sweep goes through, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum LifecycleTable {
    #[default]
    #[n(0)]
    Objects,
    #[n(1)]
    Versions,
    #[n(2)]
    Uploads,
}
