//! Blobs as objects in somebody else's store: S3, Google Cloud Storage, Azure Blob Storage.
//!
//! ```text
//! <prefix>/<2 hex>/<32 hex>         a finished blob
//! <prefix>/unfinished/<32 hex>      the upload id of a multipart upload under way, written before its first part
//! <prefix>/check                    rewritten by every `Store::check`
//! ```
//!
//! The `object_store` crate speaks the protocols. A blob of up to one window is a single request; a longer one is a
//! multipart upload with parts of one window, so that memory does not grow with the blob. Multipart uploads cannot be
//! listed through that crate, so each leaves its id in `unfinished/`, and [`Store::sweep_unfinished`] aborts those
//! whose process died. Only a process that dies between starting an upload and recording its id leaves one nobody
//! knows: give the bucket a lifecycle rule that aborts incomplete uploads. Azure has no upload ids; blocks that no
//! blob took disappear there by themselves after a week.
//!
//! One gateway owns a prefix: a sweep would abort another one's uploads.

mod reader;
mod upload;
mod writer;

#[cfg(test)]
mod tests;

use crate::base::tasks::Tasks;
use crate::blob::{BlobEntry, BlobId, Error, ErrorKind, Reader, Store, Writer};
use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use reader::RemoteReader;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use writer::RemoteWriter;

/// S3 takes no smaller parts but the last: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const WINDOW_LEN_MIN: usize = 5 << 20;
/// Parts of a multipart upload, by S3 and Google Cloud Storage; Azure takes five times as many.
const PARTS_MAX: usize = 10_000;
/// Memory is counted in units of this, because a semaphore counts to 2^32 at a time.
const MEMORY_UNIT: usize = 1024;

/// What can be tuned.
///
/// Memory is at most `write_memory_len_max + read_memory_len_max` whatever the number of blobs, plus what each read
/// under way asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes of a multipart part, and of the longest blob sent in one request. At least 5 MiB; 8 MiB reaches 78 GiB in
    /// 10,000 parts, far beyond the longest blob.
    pub window_len: usize,
    /// Bytes that all writers together may hold. A writer of a long or unknown length takes two windows when it is
    /// created (one being filled, one on its way), a shorter one its length, so no writer waits half-way.
    pub write_memory_len_max: usize,
    /// Bytes read ahead for all readers together. When they are spent, readers fetch just what is asked.
    pub read_memory_len_max: usize,
    /// How long a new writer waits for its memory before it is told [`ErrorKind::Unavailable`].
    pub memory_wait: Duration,
    pub connect_timeout: Duration,
    /// How long one attempt may go without a byte from the other side.
    pub read_timeout: Duration,
    /// How long one attempt of a request may take.
    pub attempt_timeout: Duration,
    /// Attempts after the first.
    pub retries_max: usize,
    /// How long one request may take with all its retries. Whatever the other side does, each call on a store, a
    /// reader or a writer ends after a few of these, as [`ErrorKind::Unavailable`].
    pub call_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            window_len: 8 << 20,
            write_memory_len_max: 256 << 20,
            read_memory_len_max: 128 << 20,
            memory_wait: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(20),
            attempt_timeout: Duration::from_secs(30),
            retries_max: 5,
            call_timeout: Duration::from_secs(90),
        }
    }
}

/// Blobs under one prefix of one bucket.
pub struct Remote {
    bucket: Arc<Bucket>,
}

/// What readers and writers share.
struct Bucket {
    objects: Arc<dyn ObjectStore>,
    uploads: Arc<dyn MultipartStore>,
    /// Empty, or ending in a slash.
    prefix: String,
    settings: Settings,
    /// Free memory of writers, in units of [`MEMORY_UNIT`]; `write_units_max` of them in all.
    write_memory: Arc<Semaphore>,
    write_units_max: u32,
    read_memory: Arc<Semaphore>,
    /// Cleaning up after dropped writers.
    tasks: Tasks,
    /// Multipart uploads of this process, which a sweep must leave alone.
    being_written: Mutex<HashSet<BlobId>>,
}

impl Remote {
    /// Blobs in `objects` under `prefix`, which may be empty. Nothing is sent yet. What dropped writers leave is
    /// removed by `tasks`.
    pub fn new<S: ObjectStore + MultipartStore>(
        objects: Arc<S>,
        prefix: &str,
        settings: Settings,
        tasks: Tasks,
    ) -> Remote {
        let settings = Settings { window_len: settings.window_len.max(WINDOW_LEN_MIN), ..settings };
        let prefix = prefix.trim_matches('/');
        let write_units_max = units(settings.write_memory_len_max.max(2 * settings.window_len));
        Remote {
            bucket: Arc::new(Bucket {
                uploads: Arc::clone(&objects) as Arc<dyn MultipartStore>,
                objects,
                prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
                write_memory: Arc::new(Semaphore::new(write_units_max as usize)),
                write_units_max,
                read_memory: Arc::new(Semaphore::new(units(settings.read_memory_len_max) as usize)),
                settings,
                tasks,
                being_written: Mutex::default(),
            }),
        }
    }
}

#[async_trait]
impl Store for Remote {
    async fn create(&self, id: BlobId, len: Option<u64>) -> Result<Box<dyn Writer>, Error> {
        let memory = self.bucket.write_memory(id, len).await?;
        Ok(Box::new(RemoteWriter::new(Arc::clone(&self.bucket), id, len, memory)))
    }

    async fn open(&self, id: BlobId) -> Result<Box<dyn Reader>, Error> {
        let path = self.bucket.place(id);
        let found =
            self.bucket.bounded(format!("cannot open blob {id}"), self.bucket.objects.head(&path)).await?;
        Ok(Box::new(RemoteReader::new(Arc::clone(&self.bucket), id, found.size)))
    }

    async fn delete(&self, id: BlobId) -> Result<(), Error> {
        self.bucket.delete(&self.bucket.place(id), format!("cannot delete blob {id}")).await
    }

    fn list(&self) -> BoxStream<'_, Result<BlobEntry, Error>> {
        self.bucket
            .list(&self.bucket.prefix)
            .try_filter_map(move |object| async move {
                let id = self.bucket.id_at(&object.location);
                Ok(id.map(|id| BlobEntry { id, len: object.size }))
            })
            .boxed()
    }

    async fn sweep_unfinished(&self) -> Result<(), Error> {
        let markers = self.bucket.list(&format!("{}unfinished/", self.bucket.prefix));
        // Aborting changes what is listed, so the listing comes first. Markers are as many as uploads a process had
        // open at once.
        let markers: Vec<_> = markers.try_collect().await?;
        for marker in markers {
            let id = marker.location.filename().and_then(BlobId::parse);
            if let Some(id) = id.filter(|id| !self.bucket.being_written().contains(id)) {
                upload::abort_left(&self.bucket, id).await?;
            }
        }
        Ok(())
    }

    /// Remembering it would cost a request for each blob.
    fn settle(&self, _: BlobId) {}

    async fn unsettled(&self) -> Result<Vec<BlobId>, Error> {
        Ok(Vec::new())
    }

    async fn check(&self) -> Result<(), Error> {
        let path = self.bucket.path("check");
        let put = self.bucket.objects.put(&path, PutPayload::from_static(b"dovetail"));
        self.bucket.bounded("cannot write to the bucket", put).await.map(drop)
    }
}

impl Bucket {
    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}{name}", self.prefix))
    }

    /// Where a finished blob is.
    fn place(&self, id: BlobId) -> Path {
        self.path(&format!("{:02x}/{id}", id.0[0]))
    }

    fn id_at(&self, location: &Path) -> Option<BlobId> {
        let id = BlobId::parse(location.filename()?)?;
        (self.place(id) == *location).then_some(id)
    }

    fn being_written(&self) -> MutexGuard<'_, HashSet<BlobId>> {
        self.being_written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the memory for one writer, for as long as it lives.
    async fn write_memory(&self, id: BlobId, len: Option<u64>) -> Result<OwnedSemaphorePermit, Error> {
        let window_len = self.settings.window_len;
        let len = match len.and_then(|len| usize::try_from(len).ok()) {
            Some(len) if len <= window_len => len,
            _ => 2 * window_len,
        };
        let wanted = units(len).min(self.write_units_max);
        let memory = Arc::clone(&self.write_memory).acquire_many_owned(wanted);
        match tokio::time::timeout(self.settings.memory_wait, memory).await {
            Ok(memory) => Ok(memory.expect("the semaphore is never closed")),
            Err(_) => {
                let message = format!("no memory came free to write blob {id}");
                Err(Error::new(ErrorKind::Unavailable, message))
            }
        }
    }

    /// Waits for one request, but not for ever.
    async fn bounded<T>(
        &self,
        step: impl Into<String>,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(self.settings.call_timeout, request).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(err)) => Err(failed(err, step)),
            Err(_) => {
                let message = format!("{}: no answer within {:?}", step.into(), self.settings.call_timeout);
                Err(Error::new(ErrorKind::Unavailable, message))
            }
        }
    }

    /// Deletes an object; one that is not there is fine.
    async fn delete(&self, path: &Path, step: String) -> Result<(), Error> {
        match self.bounded(step, self.objects.delete(path)).await {
            Err(err) if err.kind == ErrorKind::Missing => Ok(()),
            result => result,
        }
    }

    /// Lists objects by prefix; each page is given the time of one request.
    fn list(&self, prefix: &str) -> BoxStream<'_, Result<object_store::ObjectMeta, Error>> {
        let prefix = Path::from(prefix);
        let pages = self.objects.list(Some(&prefix));
        futures::stream::unfold(Some(pages), async |pages| {
            let mut pages = pages?;
            let next = async { pages.next().await.transpose() };
            match self.bounded("cannot list the bucket", next).await {
                Ok(object) => object.map(|object| (Ok(object), Some(pages))),
                Err(err) => Some((Err(err), None)),
            }
        })
        .boxed()
    }

    /// Starts work that nobody waits for but the shutdown. Outside the runtime there is none to be had, and the next
    /// sweep or `fsck` has to do it.
    fn clean_up(&self, work: impl Future<Output = ()> + Send + 'static) {
        if tokio::runtime::Handle::try_current().is_ok() {
            self.tasks.spawn(work);
        }
    }
}

fn units(len: usize) -> u32 {
    u32::try_from(len.div_ceil(MEMORY_UNIT)).unwrap_or(u32::MAX)
}

/// The kind of an error of `object_store`. It keeps the HTTP status only in its text, once its own retries are over.
fn failed(err: object_store::Error, step: impl Into<String>) -> Error {
    use object_store::Error as Remote;
    let kind = match &err {
        Remote::NotFound { .. } => ErrorKind::Missing,
        Remote::Generic { source, .. } => kind_of(&source.to_string()),
        // A task of theirs was cancelled with the runtime.
        Remote::JoinError { .. } => ErrorKind::Unavailable,
        _ => ErrorKind::Io,
    };
    Error::with_source(kind, step, err)
}

fn kind_of(text: &str) -> ErrorKind {
    let status = text.split("status code: ").nth(1).and_then(|rest| rest.get(..3)?.parse::<u16>().ok());
    match status {
        // Insufficient Storage (RFC 4918, section 11.5), which several servers answer.
        Some(507) => ErrorKind::NoSpace,
        // Range Not Satisfiable: the object is shorter than when it was opened.
        Some(416) => ErrorKind::Corrupt,
        Some(408 | 429 | 500..) => ErrorKind::Unavailable,
        Some(_) => ErrorKind::Io,
        // No answer at all: refused, reset, timed out, unreadable.
        None => ErrorKind::Unavailable,
    }
}
