//! Threads that may block on a file, so that no async thread ever does.
//!
//! They are our own rather than the runtime's blocking pool: their number bounds the calls the disk sees at once,
//! reading never waits behind syncing, and a writer that is dropped outside the runtime can still clean up. Writing
//! blobs of 64 MiB costs the same either way (0.2 to 0.4 CPU seconds a GB); those of 1 MiB a third less this way.

use crate::blob::{Error, ErrorKind};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads and the jobs that wait for them, first come, first served. Dropping it finishes what
/// is queued.
pub(super) struct Threads {
    queue: Arc<Queue>,
    slots: Arc<Semaphore>,
    handles: Vec<JoinHandle<()>>,
}

/// The right to put one job in the queue.
pub(super) struct Slot(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Threads {
    /// Starts `count` threads, at least one. At most `queue_len` jobs wait or run; whoever brings another one
    /// waits for a slot.
    pub(super) fn start(name: &str, count: usize, queue_len: usize) -> Result<Threads, Error> {
        let queue = Arc::<Queue>::default();
        let mut threads = Threads {
            queue: Arc::clone(&queue),
            slots: Arc::new(Semaphore::new(queue_len.max(1))),
            handles: Vec::new(),
        };
        for number in 0..count.max(1) {
            let queue = Arc::clone(&queue);
            let handle = std::thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || queue.work())
                .map_err(|err| {
                    Error::with_source(ErrorKind::Io, format!("cannot start thread {name}"), err)
                })?;
            threads.handles.push(handle);
        }
        Ok(threads)
    }

    /// Waits for a place in the queue.
    pub(super) async fn slot(&self) -> Slot {
        Slot(Arc::clone(&self.slots).acquire_owned().await.expect("the semaphore is never closed"))
    }

    /// Queues `job`. Its result waits in the receiver; when that is dropped, the result is dropped too, here or on
    /// the thread.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        slot: Slot,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (send, receive) = oneshot::channel();
        self.queue.push(Box::new(move || {
            let result = job();
            drop(slot);
            let _ = send.send(result);
        }));
        receive
    }

    /// Runs `job` and waits for its result. When the caller stops waiting, the job is done all the same.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let slot = self.slot().await;
        self.begin(slot, job).await.map_err(|_| panicked())
    }

    /// Queues `job` without waiting for a slot: for the one last step of a writer that was dropped.
    pub(super) fn clean_up(&self, job: impl FnOnce() + Send + 'static) {
        self.queue.push(Box::new(job));
    }
}

/// A job ended without a result.
pub(super) fn panicked() -> Error {
    Error::new(ErrorKind::Io, "a file thread panicked")
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.changed.notify_all();
        let this_thread = std::thread::current().id();
        for handle in self.handles.drain(..) {
            if handle.thread().id() != this_thread {
                let _ = handle.join();
            }
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job) {
        self.lock().jobs.push_back(job);
        self.changed.notify_one();
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            // The thread outlives a panic: the job's sender is dropped, which tells whoever waits for it.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
