//! A limit on bytes a second, over all transfers together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A part takes about this long at least when many share the rate: what is in flight is lost with the process.
const PART_TIME: Duration = Duration::from_secs(10);
/// While one part waits for its answer, another one moves.
const PARTS_MIN: u64 = 2;

/// Hands out time: whoever moves bytes asks how long to wait first.
#[derive(Debug)]
pub struct Throttle {
    /// `None`: as fast as it goes.
    bytes_per_s: Option<u64>,
    /// When everything promised so far will have moved.
    free_at: Mutex<Instant>,
}

impl Throttle {
    pub fn new(bytes_per_s: Option<u64>) -> Throttle {
        Throttle { bytes_per_s: bytes_per_s.filter(|rate| *rate > 0), free_at: Mutex::new(Instant::now()) }
    }

    pub fn is_limited(&self) -> bool {
        self.bytes_per_s.is_some()
    }

    /// How many parts of a length the rate fills in a sensible time; `None` without a limit. More would each take longer, and none be done
    /// earlier.
    pub fn parts_at_once(&self, part_len: u64) -> Option<usize> {
        let rate = self.bytes_per_s?;
        let count = rate.saturating_mul(PART_TIME.as_secs()) / part_len.max(1);
        Some(usize::try_from(count.max(PARTS_MIN)).unwrap_or(usize::MAX))
    }

    /// How long to wait before moving `len` bytes. The time is taken, whether or not they move.
    pub fn reserve(&self, len: u64) -> Duration {
        let Some(rate) = self.bytes_per_s else { return Duration::ZERO };
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let start = (*free_at).max(now);
        *free_at = start + Duration::from_secs_f64(len as f64 / rate as f64);
        start - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_low_rate_is_shared_by_few_parts() {
        let mib = 1 << 20;
        for (rate, part_len, expected) in [
            (2 * mib, 16 * mib, Some(2)),
            (mib / 10, 16 * mib, Some(2)),
            (10 * mib, 16 * mib, Some(6)),
            (100 * mib, 16 * mib, Some(62)),
            (10 * mib, 5 * mib, Some(20)),
            (u64::MAX, 0, Some(usize::MAX)),
            (0, 16 * mib, None),
        ] {
            assert_eq!(Throttle::new(Some(rate)).parts_at_once(part_len), expected, "{rate} {part_len}");
        }
        assert_eq!(Throttle::new(None).parts_at_once(mib), None);
    }

    #[tokio::test(start_paused = true)]
    async fn spreads_bytes_over_time() {
        let throttle = Throttle::new(Some(1000));
        assert_eq!(throttle.reserve(500), Duration::ZERO);
        assert_eq!(throttle.reserve(500), Duration::from_millis(500));
        assert_eq!(throttle.reserve(1), Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(throttle.reserve(1), Duration::ZERO);
        assert_eq!(Throttle::new(None).reserve(u64::MAX), Duration::ZERO);
    }
}
