//! Immutable blobs: written once under a name of our own, never changed, deleted when nothing names them.
//!
//! A blob's name is 16 random bytes, never anything a client sent. Who still needs a blob is the engine's to know.

#[cfg(any(test, feature = "fail-points"))]
pub mod conformance;
#[cfg(any(test, feature = "fail-points"))]
pub mod faulty;
pub mod local;
pub mod memory;
pub mod metered;
pub mod open;
pub mod remote;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::fmt;

pub use open::{OpenError, open_url};

/// The name of a blob: 16 random bytes, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobId(pub [u8; 16]);

impl BlobId {
    /// A name that no blob has had before.
    pub fn random() -> BlobId {
        BlobId(crate::base::random::bytes())
    }

    /// Reads the 32 lower-case hexadecimal digits that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<BlobId> {
        let digits = text.as_bytes();
        if digits.len() != 32 || digits.iter().any(|digit| !matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(BlobId(id))
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({self})")
    }
}

/// Where blobs are kept.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Begins a blob under a name that has not been used. `len` is its length when that is known; space is reserved
    /// for it, and [`ErrorKind::NoSpace`] returned at once when there is none. Nothing is visible to
    /// [`Store::open`] before [`Writer::finish`].
    async fn create(&self, id: BlobId, len: Option<u64>) -> Result<Box<dyn Writer>, Error>;

    /// Opens a finished blob. A local reader keeps its bytes even when the blob is deleted meanwhile.
    async fn open(&self, id: BlobId) -> Result<Box<dyn Reader>, Error>;

    /// Deletes a blob; one that is not there is fine. When this returns the deletion need not be durable: it is
    /// repeated until the record that asks for it is gone.
    async fn delete(&self, id: BlobId) -> Result<(), Error>;

    /// Every finished blob, in no order, for `fsck`.
    fn list(&self) -> BoxStream<'_, Result<BlobEntry, Error>>;

    /// Removes what unfinished writes of an earlier process left behind.
    async fn sweep_unfinished(&self) -> Result<(), Error>;

    /// A record names this blob, durably. Until this is said, or the blob is deleted, a backend that can remembers that it
    /// may be one which nobody will ever name. Returns at once; it is as good if it comes to nothing.
    fn settle(&self, id: BlobId);

    /// Finished blobs of an earlier process that were neither settled nor deleted: each is named by a record or by none,
    /// and whoever has the records knows. A backend that cannot tell has none.
    async fn unsettled(&self) -> Result<Vec<BlobId>, Error>;

    /// Whether the backend can be written now; the reason when not.
    async fn check(&self) -> Result<(), Error>;
}

/// A blob being written. Dropping it abandons it: what was written is removed, at the latest by
/// [`Store::sweep_unfinished`].
#[async_trait]
pub trait Writer: Send {
    /// Appends `bytes`. Cheap when `bytes` is a whole aligned chunk of `base::buffers`; the buffer is released as
    /// soon as it is written, which may be after this returns. An error may also be reported by a later call.
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error>;

    /// Makes the blob durable under its name. When this returns `Ok`, a power cut cannot lose it (invariant 1).
    async fn finish(self: Box<Self>) -> Result<(), Error>;
}

/// A finished blob, opened for reading.
#[async_trait]
pub trait Reader: Send + Sync {
    /// The bytes from `offset`, exactly `len` of them; fewer are [`ErrorKind::Corrupt`].
    async fn read(&self, offset: u64, len: usize) -> Result<Bytes, Error>;
}

/// An entry of [`Store::list`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobEntry {
    pub id: BlobId,
    pub len: u64,
}

/// What went wrong in a backend.
#[derive(Debug, thiserror::Error)]
#[error("{step}{}", .source.as_ref().map(|source| format!(": {source}")).unwrap_or_default())]
pub struct Error {
    pub kind: ErrorKind,
    /// What was being done, on what.
    pub step: String,
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What a caller can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The blob is not there.
    Missing,
    /// The backend does not answer, or is too busy. Trying again later may help.
    Unavailable,
    /// No space is left.
    NoSpace,
    /// What is there cannot be what was written.
    Corrupt,
    Io,
}

impl Error {
    pub fn new(kind: ErrorKind, step: impl Into<String>) -> Error {
        Error { kind, step: step.into(), source: None }
    }

    pub fn with_source(
        kind: ErrorKind,
        step: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error { kind, step: step.into(), source: Some(source.into()) }
    }

    /// Whether the same call may succeed later without anybody's help.
    pub fn is_transient(&self) -> bool {
        self.kind == ErrorKind::Unavailable
    }
}
