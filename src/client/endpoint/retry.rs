//! When to send something again, and when to stop.
//!
//! Exponential backoff with full jitter, so that many clients that fail together do not return together; a
//! `Retry-After` is honoured. Two bounds hold: one request is not repeated for ever, and when *nothing* has worked for
//! [`Retry::patience`] since something failed, everything stops, so that a dead endpoint fails in a time one can wait for. The time
//! before the first failure does not count: on a slow link a part takes longer than that, and so does who presses Ctrl-Z.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::client::error::Class;

/// The first pause is a random time up to this.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// Pauses grow up to this, so that a server that comes back is noticed soon.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// A server may ask for a longer pause than we would make, but not for an endless one.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// One request that fails this often while others work will not get better.
const ATTEMPTS_MAX: u32 = 25;
/// Damage on the way that is still there after so many attempts is not on the way.
const RESENDS_MAX: u32 = 6;

/// The budget that all requests of one run share.
#[derive(Debug)]
pub struct Retry {
    patience: Duration,
    /// When something failed first since something worked last.
    failing_since: Mutex<Option<Instant>>,
}

impl Retry {
    /// Gives up once everything has failed for `patience`.
    pub fn new(patience: Duration) -> Retry {
        Retry { patience, failing_since: Mutex::new(None) }
    }

    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Something worked: the endpoint is alive.
    pub fn succeeded(&self) {
        *self.failing_since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How long to wait before the next attempt after the failure number `failures` (from 1), or `None` to give up.
    /// `random` is uniform in 0..1.
    pub fn pause(
        &self,
        failures: u32,
        class: Class,
        retry_after: Option<Duration>,
        random: f64,
    ) -> Option<Duration> {
        let failures_max = match class {
            Class::Stop => return None,
            Class::Refresh => 1,
            Class::Resend => RESENDS_MAX,
            Class::Retry | Class::Throttled => ATTEMPTS_MAX,
        };
        let mut failing_since = self.failing_since.lock().unwrap_or_else(PoisonError::into_inner);
        let failing_for = failing_since.get_or_insert_with(Instant::now).elapsed();
        drop(failing_since);
        if failures > failures_max || failing_for >= self.patience {
            return None;
        }
        let ceiling = BACKOFF_FIRST.saturating_mul(1 << (failures - 1).min(16)).min(BACKOFF_MAX);
        let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        Some(asked + ceiling.mul_f64(random))
    }
}

/// A number in 0..1 for the jitter.
pub fn random_fraction() -> f64 {
    f64::from(u32::from_be_bytes(crate::base::random::bytes())) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_stay_bounded() {
        let retry = Retry::new(Duration::from_secs(3600));
        let pause = |failures| retry.pause(failures, Class::Retry, None, 1.0).unwrap();
        assert_eq!(pause(1), BACKOFF_FIRST);
        assert_eq!(pause(3), BACKOFF_FIRST * 4);
        assert_eq!(pause(20), BACKOFF_MAX);
        assert_eq!(retry.pause(5, Class::Retry, None, 0.0), Some(Duration::ZERO));
        assert_eq!(retry.pause(ATTEMPTS_MAX + 1, Class::Retry, None, 0.5), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_may_ask_for_a_longer_pause_but_not_for_an_endless_one() {
        let retry = Retry::new(Duration::from_secs(3600));
        let pause = |asked| retry.pause(1, Class::Throttled, Some(Duration::from_secs(asked)), 0.0);
        assert_eq!(pause(7), Some(Duration::from_secs(7)));
        assert_eq!(pause(1_000_000), Some(RETRY_AFTER_MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_endpoint_fails_in_bounded_time_and_a_living_one_is_given_more() {
        let retry = Retry::new(Duration::from_secs(60));
        let later = async |seconds, failures| {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            retry.pause(failures, Class::Retry, None, 0.5).is_some()
        };
        assert!(later(0, 1).await);
        assert!(later(59, 3).await);
        retry.succeeded();
        assert!(later(59, 4).await);
        assert!(later(59, 5).await);
        assert!(!later(1, 6).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_took_long_and_failed_once_is_tried_again() {
        let retry = Retry::new(Duration::from_secs(60));
        for _ in 0..2 {
            // A part over a slow link, or a night in which the process was stopped.
            tokio::time::advance(Duration::from_secs(3600)).await;
            assert!(retry.pause(1, Class::Retry, None, 0.5).is_some());
            retry.succeeded();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_get_better_is_not_repeated() {
        let retry = Retry::new(Duration::from_secs(60));
        assert_eq!(retry.pause(1, Class::Stop, None, 0.5), None);
        assert!(retry.pause(1, Class::Refresh, None, 0.5).is_some());
        assert_eq!(retry.pause(2, Class::Refresh, None, 0.5), None);
        assert_eq!(retry.pause(RESENDS_MAX + 1, Class::Resend, None, 0.5), None);
    }
}
