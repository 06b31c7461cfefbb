//! Who goes first at a disk: commits, which clients of small requests wait for, or the bytes of large bodies.
//!
//! A commit's sync waits for everything that the disk was given before it. Eight writes of 1 MiB are 5 ms on a fast
//! disk, and 30 ms and more on one of 250 MB/s. So large writes ask for their turn. They hold back while a commit is
//! being synced, for a bounded time; and when commits take much longer than they do on the quiet disk, fewer bytes are
//! given to the disk at a time, in smaller pieces, until they do not. A disk that answers slowly to everybody is no
//! reason to do that: then depth is what gives it speed. And large bodies make no room for their own commits: a few
//! milliseconds are nothing to who has sent megabytes, and small pieces cost a fifth more CPU.
//!
//! ```text
//! commits slow:  bytes in flight x 0.7 each time, down to IN_FLIGHT_MIN
//! commits fast:  bytes in flight + IN_FLIGHT_STEP each time, up to IN_FLIGHT_MAX
//! no commits but those of large bodies for a while:  IN_FLIGHT_MAX
//! ```

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of large writes that the disk has at a time while nobody is disturbed: what eight threads can give it.
const IN_FLIGHT_MAX: usize = 8 << 20;
/// And at least: two pieces of 128 KiB keep a disk of 300 MB/s as busy as eight of 1 MiB do.
const IN_FLIGHT_MIN: usize = 256 << 10;
const IN_FLIGHT_STEP: usize = 128 << 10;
/// A piece is at most half of what may be in flight, a multiple of this, and no more than a body's chunk.
const PIECE_UNIT: usize = 128 << 10;
const PIECE_MAX: usize = 1 << 20;
/// A commit is slow when it takes longer than so many times the fastest of late, and this: what is quicker is quick
/// enough, and may be the wait for a core.
const SLOW_FACTOR: u32 = 4;
const SLOW_AT_LEAST: Duration = Duration::from_millis(1);
/// The fastest commit is that of the last one to two of these.
const FASTEST_WINDOW: Duration = Duration::from_secs(30);
/// The longest that a large write holds back for commits: they may come without a gap, and it must get on.
const HOLD_MAX: Duration = Duration::from_millis(3);
/// Who has not committed for so long does not wait for the disk.
const DISTURBED_FOR: Duration = Duration::from_secs(1);
/// Of large bodies that were finished, as many are expected to commit at most. The others have been refused.
const FINISHED_MAX: usize = 64;

/// The turns at one disk. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct DiskTurns(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Being synced, but for those of large bodies.
    commits: usize,
    /// Large bodies whose commit is still to come.
    finished: usize,
    in_flight: usize,
    in_flight_max: usize,
    fastest: Fastest,
    /// When the last one ended that was not a large body's.
    committed_at: Option<Instant>,
}

impl Default for State {
    fn default() -> State {
        State {
            commits: 0,
            finished: 0,
            in_flight: 0,
            in_flight_max: IN_FLIGHT_MAX,
            fastest: Fastest::default(),
            committed_at: None,
        }
    }
}

/// The shortest commit of this window and the one before.
#[derive(Debug, Default)]
struct Fastest {
    began: Option<Instant>,
    now: Option<Duration>,
    before: Option<Duration>,
}

impl DiskTurns {
    /// To be held while a commit of so many transactions is made durable.
    pub fn commit(&self, transactions: usize) -> Committing {
        let mut state = self.0.lock();
        let large = state.finished.min(transactions);
        state.finished -= large;
        let is_of_large = large == transactions;
        state.commits += usize::from(!is_of_large);
        drop(state);
        Committing { turns: self.clone(), began: Instant::now(), is_of_large }
    }

    /// A large body has been written: one of the next transactions is its own. Which one does not matter.
    pub fn finished(&self) {
        let mut state = self.0.lock();
        state.finished = (state.finished + 1).min(FINISHED_MAX);
    }

    /// Waits until `wanted` bytes, or the first part of them, may be written. Blocks its thread.
    pub fn write(&self, wanted: usize) -> Writing {
        let held_until = Instant::now() + HOLD_MAX;
        let mut state = self.0.lock();
        loop {
            let len = wanted.min(state.piece());
            let hold = held_until.saturating_duration_since(Instant::now());
            let has_room = state.in_flight == 0 || state.in_flight + len <= state.in_flight_max;
            if has_room && (state.commits == 0 || hold.is_zero()) {
                state.in_flight += len;
                return Writing { turns: self.clone(), len };
            }
            state = if has_room {
                self.0.changed.wait_timeout(state, hold).unwrap_or_else(PoisonError::into_inner).0
            } else {
                self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn piece(&self) -> usize {
        (self.in_flight_max / 2 / PIECE_UNIT * PIECE_UNIT).clamp(PIECE_UNIT, PIECE_MAX)
    }

    /// Learns from the end of a commit that had only large bodies in it.
    fn committed_large(&mut self, now: Instant) {
        if self.committed_at.is_none_or(|at| now.saturating_duration_since(at) > DISTURBED_FOR) {
            self.in_flight_max = IN_FLIGHT_MAX;
        }
    }

    /// Learns from any other commit that took so long.
    fn committed(&mut self, took: Duration, now: Instant) {
        self.committed_at = Some(now);
        let fastest = self.fastest.learn(took, now);
        if took > (fastest * SLOW_FACTOR).max(SLOW_AT_LEAST) {
            self.in_flight_max = (self.in_flight_max * 7 / 10).max(IN_FLIGHT_MIN);
        } else {
            self.in_flight_max = (self.in_flight_max + IN_FLIGHT_STEP).min(IN_FLIGHT_MAX);
        }
    }
}

impl Fastest {
    fn learn(&mut self, took: Duration, now: Instant) -> Duration {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) > FASTEST_WINDOW) {
            *self = Fastest { began: Some(now), now: None, before: self.now };
        }
        let shortest = self.now.map_or(took, |now| now.min(took));
        self.now = Some(shortest);
        self.before.map_or(shortest, |before| before.min(shortest))
    }
}

/// A commit on its way to the disk.
#[derive(Debug)]
pub struct Committing {
    turns: DiskTurns,
    began: Instant,
    is_of_large: bool,
}

impl Drop for Committing {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.turns.0.lock();
        if self.is_of_large {
            state.committed_large(now);
        } else {
            state.commits -= 1;
            state.committed(now - self.began, now);
        }
        drop(state);
        self.turns.0.changed.notify_all();
    }
}

/// A large write that has its turn.
#[derive(Debug)]
pub struct Writing {
    turns: DiskTurns,
    len: usize,
}

impl Writing {
    /// Bytes that may be written.
    pub fn bytes(&self) -> usize {
        self.len
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.turns.0.lock().in_flight -= self.len;
        self.turns.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn slow_commits_make_large_writes_fewer_and_smaller_until_they_are_fast_again() {
        let (mut state, now) = (State::default(), Instant::now());
        state.committed(MS / 5, now);
        assert_eq!((state.in_flight_max, state.piece()), (IN_FLIGHT_MAX, PIECE_MAX));
        for _ in 0..3 {
            state.committed(40 * MS, now);
        }
        assert!((2 << 20..3 << 20).contains(&state.in_flight_max), "{}", state.in_flight_max);
        for _ in 0..30 {
            state.committed(40 * MS, now);
        }
        assert_eq!((state.in_flight_max, state.piece()), (IN_FLIGHT_MIN, IN_FLIGHT_MIN / 2));
        for _ in 0..100 {
            state.committed(MS / 2, now);
        }
        assert_eq!((state.in_flight_max, state.piece()), (IN_FLIGHT_MAX, PIECE_MAX));
    }

    #[test]
    fn a_disk_that_is_slow_for_everybody_keeps_its_depth() {
        let (mut state, mut now) = (State::default(), Instant::now());
        state.committed(MS, now);
        // What was measured on a quicker disk, or by mistake, is forgotten.
        for _ in 0..3 {
            now += FASTEST_WINDOW + MS;
            (0..200).for_each(|_| state.committed(20 * MS, now));
        }
        assert_eq!(state.in_flight_max, IN_FLIGHT_MAX);
    }

    #[test]
    fn large_bodies_make_no_room_for_their_own_commits_unless_others_commit_too() {
        let turns = DiskTurns::default();
        turns.finished();
        turns.finished();
        let own = turns.commit(2);
        assert_eq!(turns.0.lock().commits, 0);
        drop(own);
        turns.finished();
        let both = turns.commit(2);
        assert_eq!(turns.0.lock().commits, 1, "one of the two is not a large body's");
        drop(both);
        assert_eq!(turns.0.lock().finished, 0);
        let (mut state, now) = (State::default(), Instant::now());
        state.committed(MS / 5, now);
        (0..30).for_each(|_| state.committed(40 * MS, now));
        state.committed_large(now + DISTURBED_FOR);
        assert_eq!(state.in_flight_max, IN_FLIGHT_MIN);
        state.committed_large(now + DISTURBED_FOR + MS);
        assert_eq!(state.in_flight_max, IN_FLIGHT_MAX);
    }

    #[test]
    fn bodies_that_were_finished_and_never_committed_are_not_waited_for_without_end() {
        let turns = DiskTurns::default();
        (0..2 * FINISHED_MAX).for_each(|_| turns.finished());
        drop(turns.commit(FINISHED_MAX));
        let _other = turns.commit(1);
        assert_eq!(turns.0.lock().commits, 1);
    }

    #[test]
    fn a_write_waits_for_room_and_holds_back_for_a_commit_but_not_for_ever() {
        let turns = DiskTurns::default();
        turns.0.lock().in_flight_max = IN_FLIGHT_MIN;
        let first = turns.write(1 << 20);
        let second = turns.write(1 << 20);
        assert_eq!((first.bytes(), second.bytes()), (IN_FLIGHT_MIN / 2, IN_FLIGHT_MIN / 2));
        let (begun, has_begun) = mpsc::channel();
        let third = std::thread::spawn({
            let turns = turns.clone();
            move || begun.send(turns.write(1 << 20).bytes())
        });
        assert!(has_begun.try_recv().is_err());
        let _commit = turns.commit(1);
        drop(first);
        assert_eq!(has_begun.recv().unwrap(), IN_FLIGHT_MIN / 2, "the commit goes on, and so does the write");
        third.join().unwrap().unwrap();
        drop(second);
        assert_eq!(turns.0.lock().in_flight, 0);
    }
}
