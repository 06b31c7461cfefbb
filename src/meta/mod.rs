//! An ordered, transactional key-value store, and the records that are kept in it.
//!
//! [`Store`] is what a database has to offer; [`Meta`] is how the engine uses it. The store knows tables, keys and
//! bytes; what they mean is written down in [`keys`] and [`records`], and what S3 makes of them is the engine's.

#[cfg(any(test, feature = "fail-points"))]
pub mod conformance;
pub mod keys;
pub mod memory;
mod overlay;
pub mod records;
pub mod rocksdb;

use bytes::Bytes;
use futures::future::BoxFuture;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The families of keys. A table's keys are ordered among themselves; no scan leaves its table.
///
/// The number is the table's prefix on disk and never changes its meaning. Keys are built in [`keys`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Table {
    /// Bucket name: [`records::BucketRecord`].
    Buckets = 1,
    /// Bucket and key: the current [`records::VersionRecord`], never a delete marker. What listings read.
    Objects = 2,
    /// Bucket, key, newest first: every other version, and every delete marker, also one that is the newest.
    Versions = 3,
    /// Bucket, key, upload: [`records::UploadRecord`] of open uploads.
    Uploads = 4,
    /// Upload: [`records::ProgressRecord`], rewritten with every part.
    Progress = 5,
    /// Content and part number: [`records::PartRecord`]; part number 0 holds the [`records::ContentIndex`].
    Parts = 6,
    /// Blob: [`records::BlobRecord`].
    Blobs = 7,
    /// Blob or content: how many records refer to it. No entry means one.
    References = 8,
    /// What the collector has to delete, oldest first.
    Garbage = 9,
    /// Content: the bytes of small objects. Kept in the store's value log.
    Inline = 10,
    /// Upload: [`records::CompletedRecord`], so that a repeated Complete gets the same answer.
    Completed = 11,
    /// Bucket and document name: the [`records::BucketDocument`]s, configuration of buckets.
    BucketDocuments = 12,
    /// [`records::UserRecord`]s of users made at run time, by name, and [`records::AccessKeyRecord`]s, by id.
    Users = 13,
    /// Bucket and key: the sequence of the key's null version, while that is in `Versions`.
    NullVersions = 14,
    /// Bucket and client token: [`records::RenameRecord`], so that a repeated RenameObject does nothing more.
    Renames = 15,
    /// Name of a background job: how far it is.
    Jobs = 17,
    /// Fingerprint: the [`records::MasterKeyRecord`]s of the master keys that something may be wrapped by.
    MasterKeys = 16,
}

impl Table {
    pub const ALL: [Table; 17] = [
        Table::Buckets,
        Table::Objects,
        Table::Versions,
        Table::Uploads,
        Table::Progress,
        Table::Parts,
        Table::Blobs,
        Table::References,
        Table::Garbage,
        Table::Inline,
        Table::Completed,
        Table::BucketDocuments,
        Table::Users,
        Table::NullVersions,
        Table::Renames,
        Table::Jobs,
        Table::MasterKeys,
    ];
}

/// What a scan does after an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Go on with the next key.
    Next,
    /// Go on with the first key at or after this one, which must be greater than the current key. Costs a seek,
    /// however many keys are passed over.
    Seek(Vec<u8>),
    Stop,
}

/// Reads from one consistent state of the store.
pub trait Read {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// Visits the entries of `table` in key order, from the first key at or after `from`, until `visit` stops it or
    /// the table ends.
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Step,
    ) -> Result<(), Error>;
}

/// A transaction: sees its own writes, and nothing written after it began.
pub trait Write: Read {
    fn put(&mut self, table: Table, key: &[u8], value: Vec<u8>);
    fn delete(&mut self, table: Table, key: &[u8]);
}

/// A job against a snapshot. It may block, and so runs off the async threads.
pub type ReadJob = Box<dyn FnOnce(&dyn Read) + Send>;
/// A job in a transaction; `true` commits, `false` drops what it wrote. It may run again after a conflict, so it
/// touches nothing but the transaction and its own result.
pub type WriteJob = Box<dyn FnMut(&mut dyn Write) -> bool + Send>;

/// An ordered, transactional key-value store.
pub trait Store: Send + Sync + 'static {
    /// Runs `job` against a snapshot that holds every transaction acknowledged before this call.
    fn read(&self, job: ReadJob) -> BoxFuture<'static, Result<(), Error>>;

    /// The value of a key, if memory alone can tell it at once; `None` when it takes a [`Store::read`] to find out.
    /// Sees every transaction acknowledged before this call. May be called on an async thread.
    fn get_in_memory(&self, _table: Table, _key: &[u8]) -> Option<Option<Bytes>> {
        None
    }

    /// Runs `job` as one serialisable transaction. When this returns `Ok`, what it wrote and everything it read is
    /// durable (also when the job asked for nothing to be written). A future dropped half-way leaves the transaction
    /// either committed or not begun. After `Err` it is not known to be committed.
    fn transact(&self, job: WriteJob) -> BoxFuture<'static, Result<(), Error>>;

    /// Whether the store can take a transaction now; the reason when not.
    fn check(&self) -> Result<(), Error>;

    /// Name and value of what an operator may want to see (sizes, pending compactions, stalls), for metrics.
    fn gauges(&self) -> Vec<(&'static str, f64)>;
}

/// The store as the engine uses it: typed results from jobs. Cloning shares the store.
#[derive(Clone)]
pub struct Meta(Arc<dyn Store>);

impl Meta {
    pub fn new(store: Arc<dyn Store>) -> Meta {
        Meta(store)
    }

    pub fn store(&self) -> &dyn Store {
        &*self.0
    }

    /// Runs `job` against a snapshot and returns what it returned.
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&dyn Read) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (give, result) = tokio::sync::oneshot::channel();
        self.0
            .read(Box::new(move |read| {
                let _ = give.send(job(read));
            }))
            .await?;
        result.await.unwrap_or_else(|_| Err(Error::lost_job().into()))
    }

    /// The value of one key: without a thread's wake-up if memory holds it.
    pub async fn get(&self, table: Table, key: Vec<u8>) -> Result<Option<Bytes>, Error> {
        match self.0.get_in_memory(table, &key) {
            Some(found) => Ok(found),
            None => self.read(move |read| read.get(table, &key)).await,
        }
    }

    /// Runs `job` as one transaction. Its `Ok` is returned once the commit is durable; its `Err` drops what it wrote,
    /// and is returned once everything it read is durable.
    pub async fn transact<T, E, F>(&self, mut job: F) -> Result<T, E>
    where
        F: FnMut(&mut dyn Write) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        // A job that ran again after a conflict has left a result for each run: the last one counts.
        let result = Arc::new(Mutex::new(None));
        let give = Arc::clone(&result);
        self.0
            .transact(Box::new(move |tx| {
                let outcome = job(tx);
                let commit = outcome.is_ok();
                *give.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
                commit
            }))
            .await?;
        let last = result.lock().unwrap_or_else(PoisonError::into_inner).take();
        last.unwrap_or_else(|| Err(Error::lost_job().into()))
    }
}

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meta")
    }
}

/// What went wrong in the store.
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
    /// Another transaction got in between, too often. Trying again may help.
    Conflict,
    /// The store is stopping or cannot be reached. Trying again later may help.
    Unavailable,
    /// No space is left on the device.
    NoSpace,
    /// What was read cannot be what was written.
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
        matches!(self.kind, ErrorKind::Conflict | ErrorKind::Unavailable)
    }

    fn panicked_job() -> Error {
        Error::new(ErrorKind::Io, "a job of the metadata store panicked")
    }

    fn lost_job() -> Error {
        Error::new(ErrorKind::Unavailable, "the metadata store dropped a job")
    }
}
