//! The time of day, handed to whoever needs it, so that tests can turn it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a component gets the time from. Cloning shares the source.
#[derive(Clone, Debug)]
pub struct Clock {
    manual_ms: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Clock {
        Clock { manual_ms: None }
    }

    /// A clock that stands at `now_ms` until [`Clock::advance`] moves it.
    pub fn manual(now_ms: i64) -> Clock {
        Clock { manual_ms: Some(Arc::new(AtomicI64::new(now_ms))) }
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        match &self.manual_ms {
            Some(now) => now.load(Ordering::SeqCst),
            None => system_now_ms(),
        }
    }

    /// Moves a manual clock forward.
    ///
    /// # Panics
    /// If this is the machine's clock.
    pub fn advance(&self, ms: i64) {
        let now = self.manual_ms.as_ref().expect("only a manual clock can be moved");
        now.fetch_add(ms, Ordering::SeqCst);
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn system_now_ms() -> i64 {
    // A clock before 1970 is as wrong as one far in the future; signatures will be refused either way.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64)
}
