//! The headers that bring a key of the customer's (SSE-C): "Specifying server-side encryption with customer-provided keys (SSE-C)" in the
//! S3 user guide.

use http::HeaderName;

/// The three headers of one key.
pub struct KeyHeaders {
    pub algorithm: HeaderName,
    /// In base64.
    pub key: HeaderName,
    /// The MD5 of the key, in base64.
    pub key_md5: HeaderName,
}

/// Of the object that a request reads or writes.
pub const OWN: KeyHeaders = KeyHeaders {
    algorithm: HeaderName::from_static("x-amz-server-side-encryption-customer-algorithm"),
    key: HeaderName::from_static("x-amz-server-side-encryption-customer-key"),
    key_md5: HeaderName::from_static("x-amz-server-side-encryption-customer-key-md5"),
};
/// Of what is copied.
pub const COPY_SOURCE: KeyHeaders = KeyHeaders {
    algorithm: HeaderName::from_static("x-amz-copy-source-server-side-encryption-customer-algorithm"),
    key: HeaderName::from_static("x-amz-copy-source-server-side-encryption-customer-key"),
    key_md5: HeaderName::from_static("x-amz-copy-source-server-side-encryption-customer-key-md5"),
};
