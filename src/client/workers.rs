//! How many requests move bytes at once: found by trying, and given back quickly when the server says so.
//!
//! Additive increase, multiplicative decrease. Each window of as many successes as there are workers, and not too short a time,
//! is one measurement. At first the number doubles while that makes it faster, and a doubling that did not is taken back; from
//! then on, while a worker more made it faster, another one is tried. A 503 or a stall halves the number, once a window, because
//! what was in flight together fails together.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// What a transfer begins with.
const START: usize = 4;
/// A shorter window measures luck.
const WINDOW_MIN: Duration = Duration::from_millis(30);
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
    /// Whether every doubling so far has helped.
    is_doubling: bool,
}

/// What a window leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Stay,
    Grow(usize),
    Shrink(usize),
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
            is_doubling: true,
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
        if state.window.successes < state.limit || state.window.since.elapsed() < WINDOW_MIN {
            return;
        }
        match state.end_window() {
            Verdict::Stay => {}
            Verdict::Grow(limit) => self.permits.add_permits(state.grow(limit)),
            Verdict::Shrink(limit) => self.shrink(&mut state, limit),
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
        state.is_doubling = false;
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
    /// Judges the window and begins the next.
    fn end_window(&mut self) -> Verdict {
        let window = std::mem::replace(&mut self.window, Window::new());
        let rate = window.cost as f64 / window.since.elapsed().as_secs_f64().max(1e-6);
        if rate > self.best_rate * GAIN {
            self.best_rate = rate;
            self.windows_without_gain = 0;
            return Verdict::Grow(if self.is_doubling { self.limit * 2 } else { self.limit + 1 });
        }
        if std::mem::take(&mut self.is_doubling) && self.limit > START {
            return Verdict::Shrink((self.limit / 2).max(START.min(self.limit_max)));
        }
        self.windows_without_gain += 1;
        if self.windows_without_gain < PROBE_WINDOWS {
            return Verdict::Stay;
        }
        self.windows_without_gain = 0;
        self.best_rate = rate;
        Verdict::Grow(self.limit + 1)
    }

    /// How many permits there are more.
    fn grow(&mut self, limit: usize) -> usize {
        let added = limit.min(self.limit_max) - self.limit;
        self.limit += added;
        let paid = added.min(self.debt);
        self.debt -= paid;
        added - paid
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

    #[tokio::test(start_paused = true)]
    async fn grows_while_it_gets_faster_and_not_beyond_its_limit() {
        let workers = Workers::new(8);
        for step in 1..100u64 {
            tokio::time::advance(Duration::from_secs(1)).await;
            for _ in 0..workers.limit() {
                workers.succeeded(step * 1_000_000);
            }
        }
        assert_eq!(workers.limit(), 8);
        assert_eq!(workers.permits.available_permits(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn doubles_while_that_helps_and_takes_the_last_doubling_back() {
        let workers = Workers::new(64);
        let mut limits = Vec::new();
        for rate in [100, 200, 400, 400, 400, 500] {
            limits.push(workers.limit());
            let limit = workers.limit() as u64;
            for _ in 0..limit - 1 {
                workers.succeeded(rate * 1_000_000 / limit);
            }
            workers.succeeded(rate * 1_000_000 / limit);
            assert_eq!(workers.limit() as u64, limit, "a moment is no measurement");
            tokio::time::advance(Duration::from_secs(1)).await;
            workers.succeeded(0);
        }
        limits.push(workers.limit());
        assert_eq!(limits, [4, 8, 16, 32, 16, 16, 17]);
        assert_eq!(workers.permits.available_permits(), 17);
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
