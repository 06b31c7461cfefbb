//! Whether a disk keeps up with what arrives, and what is kept from it when it does not.
//!
//! A single late write says nothing: disks pause, and threads wait for processors. A disk that keeps writers waiting on average is spared
//! for a while, then tried again, and spared for twice as long when nothing has changed.

use std::time::Duration;

/// So many writes are judged together.
const WRITES: u32 = 16;
/// What their writers may have waited on average, for a disk that is quick enough, and what a single one counts for at most.
const WAIT_MAX: Duration = Duration::from_millis(8);
const WAIT_COUNTED_MAX: Duration = Duration::from_millis(40);
/// Bytes that a disk is spared at first, and at most.
const SPARED_LEN: u64 = 64 << 20;
const SPARED_LEN_MAX: u64 = 1 << 30;

#[derive(Debug)]
pub struct DiskPace {
    /// Of those that are judged next.
    writes: u32,
    waited: Duration,
    /// Bytes that the disk is still spared.
    spared_left: u64,
    /// What it is spared when it is too slow again.
    spared_next: u64,
}

impl Default for DiskPace {
    fn default() -> DiskPace {
        DiskPace { writes: 0, waited: Duration::ZERO, spared_left: 0, spared_next: SPARED_LEN }
    }
}

impl DiskPace {
    /// Whether the next `len` bytes are for the disk.
    pub fn takes(&mut self, len: u64) -> bool {
        let is_spared = self.spared_left > 0;
        self.spared_left = self.spared_left.saturating_sub(len);
        !is_spared
    }

    /// The disk has done a write, for which what came after it had to wait so long.
    pub fn written(&mut self, waited: Duration) {
        self.writes += 1;
        self.waited += waited.min(WAIT_COUNTED_MAX);
        if self.writes < WRITES {
            return;
        }
        if self.waited > WRITES * WAIT_MAX {
            self.spared_left = self.spared_next;
            self.spared_next = (2 * self.spared_next).min(SPARED_LEN_MAX);
        } else {
            self.spared_next = SPARED_LEN;
        }
        (self.writes, self.waited) = (0, Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(pace: &mut DiskPace, count: u32, waited_ms: u64) {
        (0..count).for_each(|_| pace.written(Duration::from_millis(waited_ms)));
    }

    #[test]
    fn a_disk_that_is_late_now_and_then_is_not_spared() {
        let mut pace = DiskPace::default();
        for (late, late_ms) in [(1, 60_000), (3, 60_000), (WRITES, 7)] {
            writes(&mut pace, WRITES - late, 0);
            writes(&mut pace, late, late_ms);
            assert!(pace.takes(1), "{late} of {WRITES}");
        }
    }

    #[test]
    fn a_disk_that_stays_late_is_spared_for_longer_each_time() {
        let mut pace = DiskPace::default();
        let mut lens = Vec::new();
        for (late, late_ms) in [(WRITES, 9), (4, 60_000), (8, 20), (WRITES, 9), (WRITES, 9), (WRITES, 9)] {
            writes(&mut pace, WRITES - late, 0);
            writes(&mut pace, late, late_ms);
            lens.push((1..).find(|_| pace.takes(1 << 20)).unwrap() - 1);
        }
        assert_eq!(lens, [64, 128, 256, 512, 1024, 1024]);
        writes(&mut pace, WRITES, 0);
        writes(&mut pace, WRITES, 9);
        assert!(!pace.takes(SPARED_LEN) && pace.takes(1), "in time once, and it begins anew");
    }
}
