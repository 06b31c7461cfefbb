//! Configuration documents of buckets: what a client has set, checked and taken apart, so that nobody who uses one
//! has to parse what was sent.

use super::Record;
use minicbor::{Decode, Encode};

/// What a bucket can have a document about, at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    Accelerate,
    Cors,
    Lifecycle,
    Encryption,
    Policy,
    PublicAccessBlock,
    Tags,
    Website,
}

impl DocumentKind {
    /// The end of the document's key. It never changes.
    pub fn name(self) -> &'static str {
        match self {
            DocumentKind::Accelerate => "accelerate",
            DocumentKind::Cors => "cors",
            DocumentKind::Lifecycle => "lifecycle",
            DocumentKind::Encryption => "encryption",
            DocumentKind::Policy => "policy",
            DocumentKind::PublicAccessBlock => "public-access-block",
            DocumentKind::Tags => "tags",
            DocumentKind::Website => "website",
        }
    }
}

/// A record that is a bucket's document.
pub trait BucketDocument: Record + Send + Sync + 'static {
    const KIND: DocumentKind;
}

/// The rules by which a browser may let pages of other origins use a bucket. The first that fits counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct CorsRecord {
    #[n(0)]
    pub rules: Vec<CorsRule>,
}

/// Who may ask for what. Patterns hold at most one `*`, which stands for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct CorsRule {
    #[n(0)]
    pub id: Option<String>,
    /// Patterns of origins, `https://*.example.com`; their case counts.
    #[n(1)]
    pub allowed_origins: Vec<String>,
    /// Of GET, PUT, POST, DELETE and HEAD.
    #[n(2)]
    pub allowed_methods: Vec<String>,
    /// Patterns of names of request headers, in any case.
    #[n(3)]
    pub allowed_headers: Vec<String>,
    /// Names of answer headers that a page may read.
    #[n(4)]
    pub expose_headers: Vec<String>,
    /// How long a browser may remember the answer to a preflight.
    #[n(5)]
    pub max_age_seconds: Option<u32>,
}

impl BucketDocument for CorsRecord {
    const KIND: DocumentKind = DocumentKind::Cors;
}

/// The tags of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct TagsRecord {
    /// Keys and values, in the order given.
    #[n(0)]
    pub tags: Vec<(String, String)>,
}

impl BucketDocument for TagsRecord {
    const KIND: DocumentKind = DocumentKind::Tags;
}

/// That transfer acceleration was switched off: it is never on, but a client that has said so reads it back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct AccelerateRecord {}

impl BucketDocument for AccelerateRecord {
    const KIND: DocumentKind = DocumentKind::Accelerate;
}
