//! What waits for a thread of the store: bounded, filled from async code, emptied by threads.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::meta::{Error, ErrorKind};

/// A bounded queue. When it is full, [`Queue::push`] waits without blocking a thread.
#[derive(Debug)]
pub struct Queue<T> {
    room: Arc<Semaphore>,
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<(T, OwnedSemaphorePermit)>,
    /// Threads that wait for an item. To wake one is a system call, also when there is none.
    idle: usize,
    stopped: bool,
}

impl<T> State<T> {
    /// There is nothing to take, and there may still be.
    fn is_quiet(&mut self) -> bool {
        self.waiting.is_empty() && !self.stopped
    }
}

/// What came of waiting for an item.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<T> {
    Item(T),
    /// The time ran out.
    Nothing,
    /// The queue is stopped and empty.
    Stopped,
}

impl<T> Queue<T> {
    pub fn new(len_max: usize) -> Queue<T> {
        Queue {
            room: Arc::new(Semaphore::new(len_max)),
            state: Mutex::new(State { waiting: VecDeque::new(), idle: 0, stopped: false }),
            changed: Condvar::new(),
        }
    }

    /// Adds `item` once there is room. Dropped before that, it has added nothing.
    pub async fn push(&self, item: T) -> Result<(), Error> {
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| stopping())?;
        let mut state = self.lock();
        if state.stopped {
            return Err(stopping());
        }
        state.waiting.push_back((item, room));
        let is_awaited = state.idle > 0;
        drop(state);
        if is_awaited {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Waits for an item and takes it; `None` when the queue is stopped and empty.
    pub fn take(&self) -> Option<T> {
        let mut state = self.lock();
        state.idle += 1;
        let waited = self.changed.wait_while(state, State::is_quiet);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        state.waiting.pop_front().map(|(item, _room)| item)
    }

    /// Like [`Queue::take`], but waits at most `timeout`.
    pub fn take_within(&self, timeout: Duration) -> Taken<T> {
        let mut state = self.lock();
        state.idle += 1;
        let waited = self.changed.wait_timeout_while(state, timeout, State::is_quiet);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        match state.waiting.pop_front() {
            Some((item, _room)) => Taken::Item(item),
            None if state.stopped => Taken::Stopped,
            None => Taken::Nothing,
        }
    }

    /// An item if one is waiting.
    pub fn take_waiting(&self) -> Option<T> {
        self.lock().waiting.pop_front().map(|(item, _room)| item)
    }

    pub fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Refuses what comes from now on. What is in the queue can still be taken.
    pub fn stop(&self) {
        self.room.close();
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a caller hears whose job the store will not run.
pub fn stopping() -> Error {
    Error::new(ErrorKind::Unavailable, "the metadata store is stopping")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_full_queue_makes_callers_wait() {
        let queue = Queue::new(1);
        queue.push(1).await.unwrap();
        let mut second = Box::pin(queue.push(2));
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(queue.take(), Some(1));
        second.await.unwrap();
        assert_eq!(queue.take(), Some(2));
    }

    #[test]
    fn every_item_wakes_a_thread_that_waits() {
        let queue = Arc::new(Queue::new(3));
        let takers = [(); 3].map(|()| {
            std::thread::spawn({
                let queue = Arc::clone(&queue);
                move || queue.take()
            })
        });
        for item in 0..3 {
            while queue.lock().idle != takers.len() - item {
                std::thread::yield_now();
            }
            queue.push(item).now_or_never().unwrap().unwrap();
        }
        let mut taken = takers.map(|taker| taker.join().unwrap());
        taken.sort();
        assert_eq!(taken, [Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn an_empty_queue_is_waited_for_no_longer_than_told() {
        assert_eq!(Queue::<()>::new(1).take_within(Duration::from_millis(1)), Taken::Nothing);
    }

    #[tokio::test]
    async fn a_stopped_queue_gives_out_what_it_holds_and_takes_nothing() {
        let queue = Queue::new(2);
        queue.push(1).await.unwrap();
        queue.push(0).await.unwrap();
        assert_eq!(queue.take_within(Duration::ZERO), Taken::Item(1));
        queue.stop();
        assert_eq!(queue.push(2).await.unwrap_err().kind, ErrorKind::Unavailable);
        assert_eq!((queue.take(), queue.take()), (Some(0), None));
        assert_eq!(queue.take_within(Duration::MAX), Taken::Stopped);
    }
}
