//! How the bytes of a content are encrypted. No key is ever written down, but wrapped by another one.

use super::{BucketDocument, DocumentKind};
use minicbor::{Decode, Encode};

/// The encryption of a version, or of the object that an upload will become. Versions that share a content may differ
/// here: the content's key is the same, who can unwrap it is not.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EncryptionRecord {
    #[n(0)]
    pub method: EncryptionMethod,
    #[n(1)]
    pub key: WrappedKey,
    /// `x-amz-server-side-encryption-bucket-key-enabled`: said again, and nothing else.
    #[cbor(n(2), default)]
    pub bucket_key: bool,
    /// `x-amz-server-side-encryption-context` as it was sent; said again, and nothing else.
    #[cbor(n(3), default)]
    pub context: Option<String>,
}

/// Whose key wraps the content's.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum EncryptionMethod {
    /// SSE-S3: the gateway's master key.
    #[n(0)]
    S3,
    /// SSE-KMS: a key of the operator's, by its name.
    #[n(1)]
    Kms(#[n(0)] String),
    /// The same, asked for as `aws:kms:dsse`.
    #[n(2)]
    KmsDualLayer(#[n(0)] String),
    /// SSE-C: the client's, which comes with every request and is not kept, not even as a hash.
    #[n(3)]
    Customer,
}

impl EncryptionMethod {
    /// Whether a client may be told the MD5 of the bytes, as their ETag.
    pub fn shows_md5(&self) -> bool {
        matches!(self, EncryptionMethod::S3)
    }
}

/// A content's key, encrypted with AES-256-GCM under a key that is used for nothing else: it is derived from the
/// wrapping key and the salt.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WrappedKey {
    /// The fingerprint of the wrapping key; empty when that is the client's.
    #[n(0)]
    pub by: String,
    /// Random.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub salt: [u8; 32],
    /// The key and the tag.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub sealed: [u8; 48],
}

/// A master key that contents may be wrapped by, kept under its fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MasterKeyRecord {
    /// When a gateway first started with it, Unix milliseconds.
    #[n(0)]
    pub since_ms: i64,
}

/// What becomes of new objects of a bucket whose client asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct BucketEncryptionRecord {
    /// `None`: the bytes are kept as they come.
    #[n(0)]
    pub method: Option<RuleMethod>,
    #[n(1)]
    pub bucket_key: bool,
    /// Writes with the client's own key are refused.
    #[n(2)]
    pub blocks_customer_keys: bool,
    /// `BlockedEncryptionTypes` was given, with or without a type in it: GetBucketEncryption says it again.
    #[n(3)]
    pub names_blocked: bool,
}

/// A method that needs nothing from the client. Key ids are kept as they came; `None` is the default key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum RuleMethod {
    #[n(0)]
    S3,
    #[n(1)]
    Kms(#[n(0)] Option<String>),
    #[n(2)]
    KmsDualLayer(#[n(0)] Option<String>),
}

impl BucketDocument for BucketEncryptionRecord {
    const KIND: DocumentKind = DocumentKind::Encryption;
}
