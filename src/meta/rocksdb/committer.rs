//! The one thread that writes: it runs the transactions that wait, one after the other, and makes them durable
//! together with one synced write.
//!
//! Because nobody else writes, each job sees everything before it and nothing half done: serialisable without locks
//! or conflicts. The order within a group: run every job, write, and only then answer. That goes for those too that
//! failed or wrote nothing, since what they read may be in the same write.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

use super::database::{Database, Slot, View, failed};
use super::queue::{Queue, Taken};
use super::space::Space;
use crate::base::disk_turns::DiskTurns;
use crate::base::fail_point;
use crate::meta::overlay::{Overlay, Transaction};
use crate::meta::{Error, ErrorKind, WriteJob};
use crate::telemetry::metrics;

/// Bytes of writes after which a group is committed although more transactions wait: bounds its memory, which is held
/// twice while it is being written.
const GROUP_LEN_MAX: usize = 4 << 20;
/// Transactions after which a group is committed although more wait: bounds how long its first one waits.
const GROUP_COUNT_MAX: usize = 1024;

/// How often a store that met a full disk looks whether it can go on.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// Where the outcome of a transaction goes.
pub type Answer = oneshot::Sender<Result<(), Error>>;

/// A transaction that waits for its turn.
pub struct Request {
    pub job: WriteJob,
    pub answer: Answer,
}

/// Why no transaction is taken at the moment: a commit failed.
///
/// After a failed write nobody knows how much of it will be there after the next start. A commit that followed could
/// build on what is lost, or acknowledge what is read from it; so none follows until the database has been opened
/// again. After a full disk that happens by itself as soon as there is room; after anything else the disk is not to be
/// trusted, and somebody has to look and restart.
#[derive(Debug, Default)]
pub struct Failure(Mutex<Option<(ErrorKind, String)>>);

impl Failure {
    pub fn check(&self) -> Result<(), Error> {
        let failure = self.lock();
        let Some((kind, reason)) = &*failure else { return Ok(()) };
        let (kind, until) = match kind {
            ErrorKind::NoSpace => (ErrorKind::NoSpace, "there is room again"),
            _ => (ErrorKind::Unavailable, "the next start"),
        };
        Err(Error::new(kind, format!("no commits until {until}, because one failed: {reason}")))
    }

    pub fn set(&self, error: &Error) {
        self.lock().get_or_insert_with(|| (error.kind, error.to_string()));
    }

    fn kind(&self) -> Option<ErrorKind> {
        self.lock().as_ref().map(|(kind, _)| *kind)
    }

    fn clear(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<(ErrorKind, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub struct Committer {
    pub database: Arc<Slot>,
    pub queue: Arc<Queue<Request>>,
    pub space: Arc<Space>,
    pub failure: Arc<Failure>,
    pub turns: DiskTurns,
}

impl Committer {
    /// Commits until the queue is stopped and empty.
    pub fn run(&self) {
        let mut group = Group { overlay: Overlay::default(), answers: Vec::new() };
        while let Some(first) = self.next() {
            self.database
                .with(|database| self.commit_group(database, first, &mut group))
                .expect("the database is open unless a failure is set");
        }
    }

    fn next(&self) -> Option<Request> {
        let mut look_again_at = Instant::now() + REOPEN_AFTER;
        while let Some(kind) = self.failure.kind() {
            if kind == ErrorKind::NoSpace && Instant::now() >= look_again_at {
                self.reopen();
                look_again_at = Instant::now() + REOPEN_AFTER;
                continue;
            }
            match self.queue.take_within(REOPEN_AFTER) {
                Taken::Item(request) => self.refuse(request),
                Taken::Nothing => {}
                Taken::Stopped => return None,
            }
        }
        self.queue.take()
    }

    /// Opens the database again if the disk has room: then what its log holds is known to be the state.
    fn reopen(&self) {
        if self.space.check().is_err() {
            return;
        }
        match self.database.reopen() {
            Ok(()) => {
                self.failure.clear();
                tracing::info!("the disk has room again and the metadata store takes commits");
            }
            Err(error) => {
                tracing::error!(%error, "the metadata store could not be opened again after a full disk")
            }
        }
    }

    fn refuse(&self, request: Request) {
        let _ = request.answer.send(self.failure.check());
    }

    fn commit_group(&self, database: &Database, first: Request, group: &mut Group) {
        let base = database.latest();
        self.execute(first, &base, group);
        while group.has_room()
            && let Some(request) = self.queue.take_waiting()
        {
            self.execute(request, &base, group);
        }
        self.commit(database, group);
    }

    fn execute(&self, request: Request, base: &View<'_>, group: &mut Group) {
        let Request { mut job, answer } = request;
        // Whoever asked has gone: not begun is one of the two outcomes a dropped transaction may have.
        if answer.is_closed() {
            return;
        }
        let outcome = self.failure.check().and_then(|()| self.run_job(&mut job, base, &mut group.overlay));
        group.answers.push((answer, outcome));
    }

    /// Runs one job and leaves its writes in `overlay` if they are to be committed, and nothing otherwise.
    fn run_job(&self, job: &mut WriteJob, base: &View<'_>, overlay: &mut Overlay) -> Result<(), Error> {
        let mut tx = Transaction::begin(base, overlay);
        let outcome = match catch_unwind(AssertUnwindSafe(|| job(&mut tx))) {
            Ok(true) if tx.changes().is_empty() => return Ok(()),
            Ok(true) => self.space.allows(tx.changes()),
            Ok(false) => {
                tx.roll_back();
                return Ok(());
            }
            Err(_) => Err(Error::panicked_job()),
        };
        if outcome.is_err() {
            tx.roll_back();
        }
        outcome
    }

    fn commit(&self, database: &Database, group: &mut Group) {
        let written = if group.overlay.is_empty() {
            Ok(())
        } else {
            let committed = group.answers.iter().filter(|(_, outcome)| outcome.is_ok()).count();
            let begun = Instant::now();
            let turn = self.turns.commit(committed);
            let written = self.write(database, &group.overlay);
            drop(turn);
            metrics::COMMIT_SECONDS.record(begun.elapsed().as_secs_f64(), &[]);
            metrics::COMMIT_BATCH.record(committed as f64, &[]);
            metrics::COMMITS.add(if written.is_ok() { committed as u64 } else { 0 }, &[]);
            written
        };
        group.overlay.clear();
        for (answer, outcome) in group.answers.drain(..) {
            let outcome = match &written {
                Ok(()) => outcome,
                Err(error) => Err(Error::new(error.kind, error.to_string())),
            };
            // Nobody may be listening any more; what was committed stays committed.
            let _ = answer.send(outcome);
        }
    }

    fn write(&self, database: &Database, overlay: &Overlay) -> Result<(), Error> {
        fail_point::reach("meta::rocksdb::before_write");
        let written = database.write(overlay);
        fail_point::reach("meta::rocksdb::after_write");
        written.map_err(|source| {
            let error = failed("cannot commit to the metadata store", source);
            self.failure.set(&error);
            tracing::error!(%error, "a commit failed and no more are taken");
            error
        })
    }
}

impl Drop for Committer {
    /// Nobody waits for a committer that is gone, not even after a panic in it.
    fn drop(&mut self) {
        self.queue.stop();
        while self.queue.take_waiting().is_some() {}
    }
}

/// Transactions that will be made durable by one write.
struct Group {
    overlay: Overlay,
    answers: Vec<(Answer, Result<(), Error>)>,
}

impl Group {
    fn has_room(&self) -> bool {
        self.overlay.len() < GROUP_LEN_MAX && self.answers.len() < GROUP_COUNT_MAX
    }
}
