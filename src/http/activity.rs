//! What a connection is doing, and since when, so that one that waits for its client too long is ended.
//!
//! hyper has one time-out for both an idle connection and a slow header, and none for an HTTP/2 stream whose client
//! does not read. Here each has its own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::telemetry::metrics;

/// Why a connection is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// A header that was begun has not come to its end.
    Header,
    /// No request was begun.
    Idle,
    /// Another connection is waiting, and this one asks nothing.
    Displaced,
    /// A client has not taken the next piece of an answer (HTTP/2; for HTTP/1.1 the socket says so).
    StalledReader,
}

/// The state of one connection, shared by its socket, its requests and its watch.
#[derive(Debug)]
pub struct Activity {
    limits: Limits,
    /// HTTP/2 has frames between requests that begin nothing, so only HTTP/1.1 is watched for slow headers.
    multiplexed: AtomicBool,
    /// Requests whose answer has not been sent in full.
    requests: AtomicUsize,
    between: Mutex<Between>,
    answers: Mutex<Vec<Weak<AnswerClock>>>,
    displaced: CancellationToken,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub header: Duration,
    pub idle: Duration,
    pub write: Duration,
}

/// What happens while no request is in flight.
#[derive(Clone, Copy, Debug)]
struct Between {
    since: Instant,
    /// Whether a byte came since then.
    header_begun: bool,
}

impl Activity {
    pub fn new(limits: Limits) -> Arc<Activity> {
        Arc::new(Activity {
            limits,
            multiplexed: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
            between: Mutex::new(Between { since: Instant::now(), header_begun: false }),
            answers: Mutex::default(),
            displaced: CancellationToken::new(),
        })
    }

    /// The connection turned out to be HTTP/2.
    pub fn set_multiplexed(&self) {
        self.multiplexed.store(true, Ordering::Relaxed);
    }

    pub fn is_multiplexed(&self) -> bool {
        self.multiplexed.load(Ordering::Relaxed)
    }

    /// Bytes came from the client.
    pub fn bytes_came(&self) {
        if self.requests.load(Ordering::Acquire) > 0 || self.is_multiplexed() {
            return;
        }
        let mut between = self.between();
        if !between.header_begun {
            *between = Between { since: Instant::now(), header_begun: true };
        }
    }

    /// Whether the client is sending a header, and nothing else goes on.
    pub fn is_reading_header(&self) -> bool {
        self.requests.load(Ordering::Acquire) == 0 && self.between().header_begun
    }

    /// A request's header is complete. The request is in flight until the guard is dropped.
    pub fn begin_request(self: &Arc<Activity>) -> InFlight {
        self.requests.fetch_add(1, Ordering::AcqRel);
        InFlight { activity: Arc::clone(self), _gauge: metrics::REQUESTS_IN_FLIGHT.enter() }
    }

    /// A clock for an answer's body, or `None` where the socket's own time-out is enough.
    pub fn answer_clock(&self) -> Option<Arc<AnswerClock>> {
        if !self.is_multiplexed() {
            return None;
        }
        let clock = Arc::new(AnswerClock::default());
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|answer| answer.strong_count() > 0);
        answers.push(Arc::downgrade(&clock));
        Some(clock)
    }

    /// Since when nothing has been asked; `None` while a request is in flight.
    pub fn waits_since(&self) -> Option<Instant> {
        (self.requests.load(Ordering::Acquire) == 0).then(|| self.between().since)
    }

    /// The connection makes room for another one.
    pub fn displace(&self) {
        self.displaced.cancel();
    }

    /// Resolves when it has to make room.
    pub async fn displaced(&self) {
        self.displaced.cancelled().await;
    }

    /// Resolves when the connection has waited for its client too long, or is displaced.
    pub async fn overdue(&self) -> Overdue {
        tokio::select! {
            biased;
            () = self.displaced() => Overdue::Displaced,
            overdue = self.too_long() => overdue,
        }
    }

    async fn too_long(&self) -> Overdue {
        // Whatever begins after a look is not overdue before the shortest limit has passed.
        let look_again = self.limits.header.min(self.limits.idle).min(self.limits.write);
        loop {
            let now = Instant::now();
            let wake_up = match self.waiting() {
                Some((deadline, overdue)) if deadline <= now => return overdue,
                Some((deadline, _)) => deadline.min(now + look_again),
                None => now + look_again,
            };
            tokio::time::sleep_until(wake_up).await;
        }
    }

    /// What the connection waits for its client for, and until when that is fine.
    fn waiting(&self) -> Option<(Instant, Overdue)> {
        if self.requests.load(Ordering::Acquire) == 0 {
            let Between { since, header_begun } = *self.between();
            return Some(if header_begun {
                (since + self.limits.header, Overdue::Header)
            } else {
                (since + self.limits.idle, Overdue::Idle)
            });
        }
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting =
            answers.iter().filter_map(Weak::upgrade).filter_map(|clock| clock.waiting_since()).min();
        waiting.map(|since| (since + self.limits.write, Overdue::StalledReader))
    }

    fn between(&self) -> MutexGuard<'_, Between> {
        self.between.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in flight.
#[derive(Debug)]
pub struct InFlight {
    activity: Arc<Activity>,
    _gauge: metrics::Entered,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // The time first: once the count is 0 the watch may look at it.
        *self.activity.between() = Between { since: Instant::now(), header_begun: false };
        self.activity.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Since when an answer waits for its client to take what there is.
#[derive(Debug, Default)]
pub struct AnswerClock(Mutex<Option<Instant>>);

impl AnswerClock {
    /// The client has room for more.
    pub fn asked(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A piece was handed over.
    pub fn handed_over(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn waiting_since(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            header: Duration::from_secs(3),
            idle: Duration::from_secs(10),
            write: Duration::from_secs(5),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_overdue_after_the_idle_time_and_a_begun_header_sooner() {
        let start = Instant::now();
        let activity = Activity::new(limits());
        assert_eq!(activity.overdue().await, Overdue::Idle);
        assert_eq!(start.elapsed().as_secs(), 10);
        let activity = Activity::new(limits());
        let begin = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            activity.bytes_came();
            Instant::now()
        };
        let (overdue, begun) = tokio::join!(activity.overdue(), begin);
        assert_eq!(overdue, Overdue::Header);
        assert_eq!(begun.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_flight_is_never_overdue_and_time_starts_anew_after_it() {
        let activity = Activity::new(limits());
        let in_flight = activity.begin_request();
        let waited = tokio::time::timeout(Duration::from_secs(100), activity.overdue()).await;
        assert!(waited.is_err());
        drop(in_flight);
        let start = Instant::now();
        assert_eq!(activity.overdue().await, Overdue::Idle);
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn an_http2_answer_that_is_not_taken_is_overdue() {
        let activity = Activity::new(limits());
        activity.set_multiplexed();
        let _in_flight = activity.begin_request();
        let clock = activity.answer_clock().unwrap();
        let waiting_for_the_backend =
            tokio::time::timeout(Duration::from_secs(100), activity.overdue()).await;
        assert!(waiting_for_the_backend.is_err());
        clock.handed_over();
        assert_eq!(activity.overdue().await, Overdue::StalledReader);
        clock.asked();
        assert!(tokio::time::timeout(Duration::from_secs(100), activity.overdue()).await.is_err());
    }
}
