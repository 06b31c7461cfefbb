//! How many requests move bytes at once: found by trying, and given back quickly when the server says so.
//!
//! Additive increase, multiplicative decrease. Each window of as many successes as there are workers is one
//! measurement; while a worker more made it faster, another one is tried. A 503 or a stall halves the number, once a
//! window, because what was in flight together fails together.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// What a transfer begins with.
const START: usize = 4;
/// A window must be this much faster than the best to earn another worker; less is noise.
const GAIN: f64 = 1.03;
/// After this many windows without a gain another worker is tried anyway, because conditions change.
const PROBE_WINDOWS: u32 = 16;
/// A request costs as much as this many bytes, so that many small files count as work.
const REQUEST_COST: u64 = 256 * 1024;

/// Hands out permits. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Workers {
    permits: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    limit_max: usize,
    /// Permits that are to vanish when they come back.
    debt: usize,
    window: Window,
    best_rate: f64,
    windows_without_gain: u32,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    successes: usize,
    cost: u64,
    has_shrunk: bool,
}

/// The right to have one request in flight.
#[derive(Debug)]
pub struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    workers: Workers,
}

impl Workers {
    /// From 1 to `limit_max` at once.
    pub fn new(limit_max: usize) -> Workers {
        let limit_max = limit_max.max(1);
        let limit = START.min(limit_max);
        let state = State {
            limit,
            limit_max,
            debt: 0,
            window: Window::new(),
            best_rate: 0.0,
            windows_without_gain: 0,
        };
        Workers { permits: Arc::new(Semaphore::new(limit)), state: Arc::new(Mutex::new(state)) }
    }

    /// Waits for a turn, in order of asking.
    pub async fn permit(&self) -> Permit {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        Permit { permit: Some(permit), workers: self.clone() }
    }

    /// How many may be in flight now.
    pub fn limit(&self) -> usize {
        self.lock().limit
    }

    /// How many may be in flight at most.
    pub fn limit_max(&self) -> usize {
        self.lock().limit_max
    }

    /// The endpoint says how many it takes at most.
    pub fn bound(&self, limit_max: usize) {
        let mut state = self.lock();
        state.limit_max = state.limit_max.min(limit_max.max(1));
        let limit = state.limit.min(state.limit_max);
        self.shrink(&mut state, limit);
    }

    /// A request over `len` bytes worked.
    pub fn succeeded(&self, len: u64) {
        let mut state = self.lock();
        state.window.successes += 1;
        state.window.cost += len + REQUEST_COST;
        if state.window.successes >= state.limit && state.end_window() {
            self.permits.add_permits(1);
        }
    }

    /// The server asked for less, or is too slow to answer: half as many from now on.
    pub fn throttled(&self) {
        let mut state = self.lock();
        if state.window.has_shrunk {
            return;
        }
        let limit = (state.limit / 2).max(1);
        self.shrink(&mut state, limit);
        state.best_rate = 0.0;
        state.window = Window { has_shrunk: true, ..Window::new() };
    }

    /// Permits that are out vanish when they come back.
    fn shrink(&self, state: &mut State, limit: usize) {
        let mut surplus = state.limit - limit;
        surplus -= self.permits.forget_permits(surplus);
        state.debt += surplus;
        state.limit = limit;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Judges the window and begins the next; whether there is a worker more.
    fn end_window(&mut self) -> bool {
        let window = std::mem::replace(&mut self.window, Window::new());
        let rate = window.cost as f64 / window.since.elapsed().as_secs_f64().max(1e-6);
        if rate > self.best_rate * GAIN {
            self.best_rate = rate;
            self.windows_without_gain = 0;
        } else {
            self.windows_without_gain += 1;
            if self.windows_without_gain < PROBE_WINDOWS {
                return false;
            }
            self.windows_without_gain = 0;
            self.best_rate = rate;
        }
        if self.limit == self.limit_max {
            return false;
        }
        self.limit += 1;
        if self.debt > 0 {
            self.debt -= 1;
            return false;
        }
        true
    }
}

impl Window {
    fn new() -> Window {
        Window { since: Instant::now(), successes: 0, cost: 0, has_shrunk: false }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.workers.lock();
        if let Some(permit) = self.permit.take()
            && state.debt > 0
        {
            state.debt -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn grows_while_it_gets_faster_and_not_beyond_its_limit() {
        let workers = Workers::new(8);
        for step in 1..100u64 {
            for _ in 0..workers.limit() {
                workers.succeeded(step * 1_000_000);
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(workers.limit(), 8);
        assert_eq!(workers.permits.available_permits(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn stays_where_more_workers_do_not_help() {
        let workers = Workers::new(64);
        for _ in 0..PROBE_WINDOWS {
            tokio::time::advance(Duration::from_secs(1)).await;
            let limit = workers.limit() as u64;
            for _ in 0..limit {
                workers.succeeded(100_000_000 / limit);
            }
        }
        assert!(workers.limit() <= START + 2, "{}", workers.limit());
    }

    #[tokio::test(start_paused = true)]
    async fn stays_under_what_the_endpoint_takes() {
        let workers = Workers::new(8);
        let held = [workers.permit().await, workers.permit().await, workers.permit().await];
        workers.bound(2);
        assert_eq!((workers.limit(), workers.limit_max()), (2, 2));
        drop(held);
        assert_eq!(workers.permits.available_permits(), 2);
        workers.bound(100);
        assert_eq!(workers.limit_max(), 2, "what was asked for first holds too");
        workers.bound(0);
        assert_eq!(workers.limit(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn halves_once_for_what_failed_together_and_never_reaches_zero() {
        let workers = Workers::new(8);
        let held =
            [workers.permit().await, workers.permit().await, workers.permit().await, workers.permit().await];
        for _ in 0..4 {
            workers.throttled();
        }
        assert_eq!(workers.limit(), 2);
        drop(held);
        assert_eq!(workers.permits.available_permits(), 2);
        for _ in 0..8 {
            workers.lock().window.has_shrunk = false;
            workers.throttled();
        }
        assert_eq!(workers.limit(), 1);
        assert_eq!(workers.permits.available_permits(), 1);
    }
}
