//! The embedded store: RocksDB in a directory of its own.
//!
//! Threads: one that writes (`committer`), a few that read; nobody else waits for the disk. A transaction is taken
//! into a bounded queue, run and written by the committer together with its neighbours, and answered when it is
//! durable. A read gets a RocksDB snapshot. Which gateway may use the directory, and in which format, is the
//! caller's concern; RocksDB only refuses a second process.

mod committer;
mod database;
mod options;
mod queue;
mod space;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use futures::future::BoxFuture;
use std::ffi::CStr;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

use self::committer::{Committer, Failure};
use self::database::{Database, Slot};
use self::queue::{Queue, stopping};
use self::space::Space;
use crate::base::disk_turns::DiskTurns;
use crate::meta::{Error, ErrorKind, ReadJob, Store, Table, WriteJob};

/// Transactions that may wait for the committer; further callers wait for a place. Each may hold the bytes of a small
/// object, so this bounds memory too (16 MiB).
const COMMITS_WAITING_MAX: usize = 256;
/// Reads that may wait for a thread; further callers wait for a place.
const READS_WAITING_MAX: usize = 1024;

/// What of RocksDB's properties an operator may want to see, of both column families together.
const GAUGES: [(&str, &CStr); 9] = [
    ("keys", c"rocksdb.estimate-num-keys"),
    ("table_file_bytes", c"rocksdb.live-sst-files-size"),
    ("blob_file_bytes", c"rocksdb.live-blob-file-size"),
    ("memtable_bytes", c"rocksdb.cur-size-all-mem-tables"),
    ("compaction_pending_bytes", c"rocksdb.estimate-pending-compaction-bytes"),
    ("compactions_pending", c"rocksdb.compaction-pending"),
    ("flushes_pending", c"rocksdb.mem-table-flush-pending"),
    ("write_stopped", c"rocksdb.is-write-stopped"),
    ("background_errors", c"rocksdb.background-errors"),
];
/// The same of the database as a whole.
const GAUGES_OF_WHOLE: [(&str, &CStr); 2] = [
    ("compactions_running", c"rocksdb.num-running-compactions"),
    ("flushes_running", c"rocksdb.num-running-flushes"),
];

/// How the store uses memory and disk. The defaults keep it below 110 MiB of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of blocks, indexes and filters kept in memory.
    pub block_cache_len: usize,
    /// Bytes of recent writes kept in memory, over all tables. When they are full and the disk is behind, commits
    /// wait.
    pub write_buffer_len: usize,
    /// Bytes of write-ahead log after which the oldest writes are flushed; bounds what the next start has to replay.
    pub max_wal_len: u64,
    /// Values of the inline table from this many bytes on live in blob files, so that compactions do not copy them.
    pub inline_blob_min_len: u64,
    /// Table and blob files kept open; more are opened and closed as needed.
    pub open_files_max: i32,
    /// Threads that read.
    pub read_threads: usize,
    /// Free bytes of the file system below which only transactions that make room are taken.
    pub free_min_len: u64,
    /// Free bytes of the file system below which no transaction is taken.
    pub free_floor_len: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            block_cache_len: 32 << 20,
            write_buffer_len: 64 << 20,
            max_wal_len: 64 << 20,
            inline_blob_min_len: 4 << 10,
            open_files_max: 256,
            read_threads: 3,
            free_min_len: 64 << 20,
            free_floor_len: 32 << 20,
        }
    }
}

/// A store in a RocksDB directory. Dropping it runs the transactions that were already taken and closes the database.
pub struct RocksDb {
    database: Arc<Slot>,
    commits: Arc<Queue<committer::Request>>,
    reads: Arc<Queue<ReadRequest>>,
    space: Arc<Space>,
    failure: Arc<Failure>,
    threads: Vec<JoinHandle<()>>,
}

struct ReadRequest {
    job: ReadJob,
    answer: oneshot::Sender<Result<(), Error>>,
}

impl RocksDb {
    /// Opens the store in `dir`, which is created if need be, and replays what an unclean end left in its log. A
    /// directory that is open already, here or in another process, is [`ErrorKind::Unavailable`].
    pub fn open(dir: &Path, settings: Settings) -> Result<Arc<RocksDb>, Error> {
        RocksDb::open_beside(dir, settings, &DiskTurns::default())
    }

    /// Whether there is a store in `dir`: RocksDB writes CURRENT when it makes one, and replaces it ever after.
    pub fn is_made(dir: &Path) -> bool {
        dir.join("CURRENT").is_file()
    }

    /// The same on a disk that others write to as well: commits go before their large writes.
    pub fn open_beside(dir: &Path, settings: Settings, turns: &DiskTurns) -> Result<Arc<RocksDb>, Error> {
        create_dir(dir)?;
        let read_threads = settings.read_threads.max(1);
        let mut store = RocksDb {
            commits: Arc::new(Queue::new(COMMITS_WAITING_MAX)),
            reads: Arc::new(Queue::new(READS_WAITING_MAX)),
            space: Arc::new(Space::new(dir, settings.free_min_len, settings.free_floor_len)),
            failure: Arc::default(),
            threads: Vec::new(),
            database: Arc::new(Slot::open(dir, settings)?),
        };
        store.start_committer(turns.clone())?;
        for number in 0..read_threads {
            store.start_reader(number)?;
        }
        Ok(Arc::new(store))
    }

    fn start_committer(&mut self, turns: DiskTurns) -> Result<(), Error> {
        let committer = Committer {
            database: Arc::clone(&self.database),
            queue: Arc::clone(&self.commits),
            space: Arc::clone(&self.space),
            failure: Arc::clone(&self.failure),
            turns,
        };
        self.start_thread("meta-commit".to_string(), move || committer.run())
    }

    fn start_reader(&mut self, number: usize) -> Result<(), Error> {
        let (database, queue) = (Arc::clone(&self.database), Arc::clone(&self.reads));
        self.start_thread(format!("meta-read-{number}"), move || {
            while let Some(request) = queue.take() {
                run_read(&database, request);
            }
        })
    }

    fn start_thread(&mut self, name: String, body: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let step = format!("cannot start thread {name}");
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(body)
            .map_err(|source| Error::with_source(ErrorKind::Io, step, source))?;
        self.threads.push(thread);
        Ok(())
    }
}

/// A panic costs its own read, not the thread.
fn run_read(database: &Slot, request: ReadRequest) {
    let ReadRequest { job, answer } = request;
    if answer.is_closed() {
        return;
    }
    let run = |database: &Database| catch_unwind(AssertUnwindSafe(|| job(&database.snapshot())));
    let outcome = match database.with(run) {
        Ok(outcome) => outcome.map_err(|_| Error::panicked_job()),
        Err(closed) => Err(closed),
    };
    let _ = answer.send(outcome);
}

/// Creates `dir` so that it is still there after a power cut; RocksDB syncs what it puts inside.
fn create_dir(dir: &Path) -> Result<(), Error> {
    if dir.is_dir() {
        return Ok(());
    }
    let sync_parent = || std::fs::File::open(dir.parent().unwrap_or(dir))?.sync_all();
    std::fs::create_dir_all(dir).and_then(|()| sync_parent()).map_err(|source| {
        Error::with_source(ErrorKind::Io, format!("cannot create directory {}", dir.display()), source)
    })
}

impl Store for RocksDb {
    fn read(&self, job: ReadJob) -> BoxFuture<'static, Result<(), Error>> {
        let queue = Arc::clone(&self.reads);
        Box::pin(async move {
            let (answer, outcome) = oneshot::channel();
            queue.push(ReadRequest { job, answer }).await?;
            outcome.await.unwrap_or_else(|_| Err(stopping()))
        })
    }

    fn get_in_memory(&self, table: Table, key: &[u8]) -> Option<Option<Bytes>> {
        self.database.try_with(|database| database.get_in_memory(table, key)).flatten()
    }

    fn transact(&self, job: WriteJob) -> BoxFuture<'static, Result<(), Error>> {
        let queue = Arc::clone(&self.commits);
        Box::pin(async move {
            let (answer, outcome) = oneshot::channel();
            queue.push(committer::Request { job, answer }).await?;
            outcome.await.unwrap_or_else(|_| Err(stopping()))
        })
    }

    fn check(&self) -> Result<(), Error> {
        self.failure.check()?;
        self.space.check()
    }

    fn gauges(&self) -> Vec<(&'static str, f64)> {
        let mut gauges = vec![
            ("commits_waiting", self.commits.len() as f64),
            ("reads_waiting", self.reads.len() as f64),
            ("disk_free_bytes", self.space.free_len().unwrap_or(0) as f64),
        ];
        // A database that could not be opened again has no properties; `check` says why.
        let _ = self.database.with(|database| {
            gauges.extend(GAUGES.map(|(name, property)| (name, database.sum(property))));
            gauges.extend(GAUGES_OF_WHOLE.map(|(name, property)| (name, database.whole(property))));
        });
        gauges
    }
}

impl Drop for RocksDb {
    fn drop(&mut self) {
        self.commits.stop();
        self.reads.stop();
        let current = std::thread::current().id();
        for thread in self.threads.drain(..) {
            // The last owner may be a job: its thread cannot wait for itself, and ends right after it.
            if thread.thread().id() != current {
                let _ = thread.join();
            }
        }
    }
}

impl fmt::Debug for RocksDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RocksDb")
    }
}
