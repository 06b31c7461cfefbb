//! Who makes room when every connection is taken: the one that has waited longest for its client to ask something.
//!
//! Clients keep connections for later, and a hostile one opens as many as it can. Without this, whoever comes next
//! would wait until one of them runs into its time-out, the probe that asks whether the process lives among them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

use super::activity::Activity;

/// A connection that has waited for less is about to be used again, or has only just come.
const WAITED_MIN: Duration = Duration::from_secs(1);

/// The connections that are open.
#[derive(Debug, Default)]
pub struct Crowd {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    activities: BTreeMap<u64, Arc<Activity>>,
}

impl Crowd {
    /// Counts a connection in until the guard is dropped.
    pub fn enter(self: &Arc<Crowd>, activity: &Arc<Activity>) -> Entered {
        let mut open = self.open();
        let number = open.next;
        open.next += 1;
        open.activities.insert(number, Arc::clone(activity));
        Entered { crowd: Arc::clone(self), number }
    }

    /// Ends the connection that has waited longest between requests, if one has waited long enough.
    pub fn displace_one(&self) {
        let open = self.open();
        let waiting =
            open.activities.values().filter_map(|activity| Some((activity.waits_since()?, activity)));
        if let Some((since, activity)) = waiting.min_by_key(|(since, _)| *since)
            && Instant::now().duration_since(since) >= WAITED_MIN
        {
            activity.displace();
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is open.
#[derive(Debug)]
pub struct Entered {
    crowd: Arc<Crowd>,
    number: u64,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.crowd.open().activities.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::super::activity::{Limits, Overdue};
    use super::*;

    fn activity() -> Arc<Activity> {
        let hour = Duration::from_secs(3600);
        Activity::new(Limits { header: hour, idle: hour, write: hour })
    }

    async fn is_displaced(activity: &Activity) -> bool {
        let overdue = tokio::time::timeout(Duration::from_millis(1), activity.overdue()).await;
        overdue.is_ok_and(|overdue| overdue == Overdue::Displaced)
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_has_waited_longest_goes_and_never_one_that_is_busy() {
        let crowd = Arc::new(Crowd::default());
        let (busy, older, newer) = (activity(), activity(), activity());
        let _in_flight = busy.begin_request();
        let entered = [crowd.enter(&busy), crowd.enter(&newer), crowd.enter(&older)];
        crowd.displace_one();
        for activity in [&busy, &older, &newer] {
            assert!(!is_displaced(activity).await, "nobody has waited for long");
        }
        tokio::time::advance(WAITED_MIN / 2).await;
        newer.bytes_came();
        tokio::time::advance(WAITED_MIN / 2).await;
        crowd.displace_one();
        assert!(is_displaced(&older).await && !is_displaced(&newer).await && !is_displaced(&busy).await);
        drop(entered);
        assert!(crowd.open().activities.is_empty());
    }
}
