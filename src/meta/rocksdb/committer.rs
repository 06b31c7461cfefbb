//! The one thread that writes: it runs the transactions that wait, one after the other, and makes them durable
//! together with one synced write.
//!
//! Because nobody else writes, each job sees everything before it and nothing half done: serialisable without locks
//! or conflicts. The order within a group: run every job, write, and only then answer. That goes for those too that
//! failed or wrote nothing, since what they read may be in the same write.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use tokio::sync::oneshot;

use super::database::{Database, View, failed};
use super::queue::Queue;
use super::space::Space;
use crate::base::fail_point;
use crate::meta::overlay::{Overlay, Transaction};
use crate::meta::{Error, ErrorKind, WriteJob};

/// Bytes of writes after which a group is committed although more transactions wait: bounds its memory, which is held
/// twice while it is being written.
const GROUP_LEN_MAX: usize = 4 << 20;
/// Transactions after which a group is committed although more wait: bounds how long its first one waits.
const GROUP_COUNT_MAX: usize = 1024;

/// Where the outcome of a transaction goes.
pub type Answer = oneshot::Sender<Result<(), Error>>;

/// A transaction that waits for its turn.
pub struct Request {
    pub job: WriteJob,
    pub answer: Answer,
}

/// Why no transaction is taken any more. Set once, by the commit that failed.
///
/// After a failed write nobody knows how much of it will be there after the next start. A commit that followed could
/// build on what is lost, or acknowledge what is read from it; so none follows until the store is opened again.
#[derive(Debug, Default)]
pub struct Failure(OnceLock<(ErrorKind, String)>);

impl Failure {
    pub fn check(&self) -> Result<(), Error> {
        let Some((kind, reason)) = self.0.get() else { return Ok(()) };
        let kind = if *kind == ErrorKind::NoSpace { ErrorKind::NoSpace } else { ErrorKind::Unavailable };
        Err(Error::new(kind, format!("no commits until the next start, because one failed: {reason}")))
    }

    pub fn set(&self, error: &Error) {
        let _ = self.0.set((error.kind, error.to_string()));
    }
}

pub struct Committer {
    pub database: Arc<Database>,
    pub queue: Arc<Queue<Request>>,
    pub space: Arc<Space>,
    pub failure: Arc<Failure>,
}

impl Committer {
    /// Commits until the queue is stopped and empty.
    pub fn run(&self) {
        let base = self.database.latest();
        let mut group = Group { overlay: Overlay::default(), answers: Vec::new() };
        while let Some(request) = self.queue.take() {
            self.execute(request, &base, &mut group);
            while group.has_room()
                && let Some(request) = self.queue.take_waiting()
            {
                self.execute(request, &base, &mut group);
            }
            self.commit(&mut group);
        }
    }

    fn execute(&self, request: Request, base: &View<'_>, group: &mut Group) {
        let Request { mut job, answer } = request;
        // Whoever asked has gone: not begun is one of the two outcomes a dropped transaction may have.
        if answer.is_closed() {
            return;
        }
        let outcome = match self.failure.check() {
            Ok(()) => self.run_job(&mut job, base, &mut group.overlay),
            Err(error) => Err(error),
        };
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

    fn commit(&self, group: &mut Group) {
        let written = if group.overlay.is_empty() { Ok(()) } else { self.write(&group.overlay) };
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

    fn write(&self, overlay: &Overlay) -> Result<(), Error> {
        fail_point::reach("meta::rocksdb::before_write");
        let written = self.database.write(overlay);
        fail_point::reach("meta::rocksdb::after_write");
        written.map_err(|source| {
            let error = failed("cannot commit to the metadata store", source);
            self.failure.set(&error);
            tracing::error!(%error, "a commit failed; no more are taken until the next start");
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
