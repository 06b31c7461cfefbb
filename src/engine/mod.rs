//! What S3 means: buckets, uploads, parts, versions, conditions, listing, references, background jobs.
//!
//! One operation, one file in `ops`, one transaction. The engine knows neither HTTP nor XML, nor which store or
//! backend it has. Front ends check who may do what; the engine does it.

pub mod access;
pub mod body;
pub mod bucket_documents;
pub mod bucket_settings;
mod checksums;
pub mod conditions;
pub mod copy_source;
#[cfg(test)]
mod cost;
pub mod encryption;
mod error;
pub mod extents;
pub mod fsck;
mod ingest;
pub mod inline;
pub mod jobs;
pub mod lifecycle;
pub mod named_bucket;
pub mod object_lock;
pub mod objects;
pub mod ops;
mod prefixes;
pub mod readers;
pub mod reading;
pub mod references;
pub mod selection;
#[cfg(test)]
pub mod testing;
pub mod uploads;
pub mod users;
mod writing;

pub use error::Error;

use crate::base::buffers::{BufferPool, Lease};
use crate::base::clock::Clock;
use crate::base::tasks::Tasks;
use crate::blob;
use crate::meta::Meta;
use crate::telemetry::metrics;
use dovetail_digest::Md5Lanes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// What an operator can set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Objects up to this many bytes live in the metadata store rather than in a blob of their own.
    pub inline_len_max: u64,
    /// Memory for request bodies, in bytes (invariant 6).
    pub body_memory_len: usize,
    /// How long a body waits for memory before it gets SlowDown.
    pub body_memory_wait: Duration,
    /// An open upload is aborted when it is this old.
    pub upload_expire_after: Duration,
    /// How long a repeated Complete gets the same answer.
    pub complete_repeat_window: Duration,
    /// How often uploads are looked through for expired ones.
    pub sweep_interval: Duration,
    /// How often lifecycle rules are carried out, counted from midnight UTC.
    pub lifecycle_interval: Duration,
    /// How long a day of a lifecycle rule lasts. Anything but a day is for tests.
    pub lifecycle_day: Duration,
    /// The keys that wrap the keys of encrypted contents.
    pub keyring: Arc<encryption::Keyring>,
}

impl Default for Settings {
    fn default() -> Settings {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Settings {
            inline_len_max: 64 << 10,
            body_memory_len: 128 << 20,
            body_memory_wait: Duration::from_secs(10),
            upload_expire_after: 7 * DAY,
            complete_repeat_window: 2 * DAY,
            sweep_interval: Duration::from_secs(60 * 60),
            lifecycle_interval: DAY,
            lifecycle_day: DAY,
            keyring: Arc::default(),
        }
    }
}

/// The engine: metadata, blobs, and the few shared things that operations need. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) meta: Meta,
    pub(crate) blobs: Arc<dyn blob::Store>,
    pub(crate) lanes: Md5Lanes,
    pub(crate) buffers: BufferPool,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
    pub(crate) settings: Arc<Settings>,
    pub(crate) readers: readers::Readers,
    pub(crate) bucket_settings: Arc<bucket_settings::SettingsCache>,
    collector: Arc<Notify>,
}

impl Engine {
    /// An engine over these stores. Background jobs start with [`Engine::start_jobs`].
    pub fn new(
        meta: Meta,
        blobs: Arc<dyn blob::Store>,
        clock: Clock,
        tasks: Tasks,
        settings: Settings,
    ) -> Engine {
        let collector = Arc::new(Notify::new());
        Engine {
            meta,
            blobs,
            lanes: Md5Lanes::start(),
            buffers: BufferPool::new(settings.body_memory_len),
            clock,
            tasks,
            settings: Arc::new(settings),
            readers: readers::Readers::new(Arc::clone(&collector)),
            bucket_settings: Arc::default(),
            collector,
        }
    }

    /// Starts what runs in the background. It stops when the engine's tasks are told to.
    pub fn start_jobs(&self) {
        self.tasks.spawn(jobs::collector::run(self.clone()));
        self.tasks.spawn(jobs::upload_sweeper::run(self.clone()));
        self.tasks.spawn(jobs::lifecycle::run(self.clone()));
        self.tasks.spawn(jobs::key_rewrapper::run(self.clone()));
    }

    /// To be called after a commit that may have queued something for the collector. Forgetting it only costs time:
    /// the collector looks every few seconds.
    pub(crate) fn wake_collector(&self) {
        self.collector.notify_one();
    }

    /// Memory for one body. When none comes free in time the request is refused, and may be repeated.
    pub(crate) async fn lease_body_memory(&self) -> Result<Lease, Error> {
        self.buffers.lease(self.settings.body_memory_wait).await.ok_or_else(slow_down)
    }

    /// The same for a body that is encrypted.
    pub(crate) async fn lease_memory_to_seal(&self) -> Result<Lease, Error> {
        self.buffers.lease_to_seal(self.settings.body_memory_wait).await.ok_or_else(slow_down)
    }

    /// The memory that request bodies share.
    pub fn body_memory(&self) -> &BufferPool {
        &self.buffers
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

fn slow_down() -> Error {
    metrics::SLOWDOWNS.add(1, &[]);
    Error::SlowDown
}
