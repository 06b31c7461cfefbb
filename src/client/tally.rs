//! What has happened so far, in numbers and in events: written by transfers, read by `progress`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// One thing that happened, as `--json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A transfer begins or goes on. `kept_bytes` need not be sent again.
    Started { what: String, bytes: Option<u64>, kept_bytes: u64, upload_id: Option<String> },
    /// A bucket turns out to be in another region than the endpoint, and is looked for there.
    Region { bucket: String, region: String },
    /// Something a person should know.
    Note { what: String, text: String },
    /// A request failed and will be sent again.
    Retry { what: String, error: String, attempt: u32, pause_ms: u64 },
    /// A transfer is complete and verified.
    Done {
        what: String,
        /// Where it went: what `Started` calls it, for an upload.
        to: Option<String>,
        bytes: u64,
        sent_bytes: u64,
        etag: Option<String>,
        checksum: Option<String>,
        /// Whether there was a checksum to compare the bytes with.
        verified: bool,
        skipped: bool,
    },
    /// A transfer ended without success, or without a `what` the command, which could not even begin or go on. `resumable`: the same
    /// command goes on where it stopped.
    Failed {
        what: Option<String>,
        to: Option<String>,
        error: String,
        advice: Option<String>,
        resumable: bool,
    },
    /// Where everything together stands; once a second while bytes move.
    Progress(Snapshot),
    /// Somebody stopped the command. `command` goes on where it stopped, where something can.
    Interrupted { command: Option<String> },
    /// The end.
    Summary { files: u64, failed: u64, bytes: u64, moved_bytes: u64, seconds: f64, retries: u64 },
}

/// Sums over all transfers of a run.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Snapshot {
    pub files_total: u64,
    pub files_done: u64,
    /// Transfers that ended without success; the command itself, too, if it did.
    pub files_failed: u64,
    /// Bytes of all transfers, 0 for those of unknown length.
    #[serde(rename = "bytes_total")]
    pub total_len: u64,
    /// Bytes that arrived, in this run or before.
    #[serde(rename = "bytes_done")]
    pub done_len: u64,
    /// Bytes that moved in this run.
    #[serde(rename = "bytes_moved")]
    pub moved_len: u64,
    pub parts_in_flight: u64,
    pub retries: u64,
}

type Listener = Box<dyn Fn(&Event) + Send + Sync>;

/// The sums, and who listens to events.
pub struct Tally {
    files_total: AtomicU64,
    files_done: AtomicU64,
    files_failed: AtomicU64,
    total_len: AtomicU64,
    kept_len: AtomicU64,
    moved_len: AtomicU64,
    /// Bytes that moved in vain or were kept in vain, and move again.
    wasted_len: AtomicU64,
    parts_in_flight: AtomicU64,
    retries: AtomicU64,
    listener: Listener,
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.snapshot().fmt(f)
    }
}

impl Tally {
    pub fn new(listener: impl Fn(&Event) + Send + Sync + 'static) -> Tally {
        Tally {
            files_total: AtomicU64::new(0),
            files_done: AtomicU64::new(0),
            files_failed: AtomicU64::new(0),
            total_len: AtomicU64::new(0),
            kept_len: AtomicU64::new(0),
            moved_len: AtomicU64::new(0),
            wasted_len: AtomicU64::new(0),
            parts_in_flight: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            listener: Box::new(listener),
        }
    }

    /// Nobody listens.
    pub fn silent() -> Tally {
        Tally::new(|_| {})
    }

    pub fn tell(&self, event: &Event) {
        match event {
            Event::Retry { .. } => drop(self.retries.fetch_add(1, Ordering::Relaxed)),
            Event::Failed { .. } => drop(self.files_failed.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        (self.listener)(event);
    }

    pub fn note(&self, what: impl ToString, text: impl Into<String>) {
        self.tell(&Event::Note { what: what.to_string(), text: text.into() });
    }

    /// A file was found that is to be moved.
    pub fn add_file(&self, len: u64) {
        self.files_total.fetch_add(1, Ordering::Relaxed);
        self.total_len.fetch_add(len, Ordering::Relaxed);
    }

    /// A transfer of unknown length turns out to have `len` bytes more.
    pub fn add_len(&self, len: u64) {
        self.total_len.fetch_add(len, Ordering::Relaxed);
    }

    /// Bytes that are already where they should be.
    pub fn keep(&self, len: u64) {
        self.kept_len.fetch_add(len, Ordering::Relaxed);
    }

    /// A transfer starts over: what was kept or has arrived of it is worth nothing.
    pub fn discard(&self, len: u64) {
        self.wasted_len.fetch_add(len, Ordering::Relaxed);
    }

    pub fn file_done(&self) {
        self.files_done.fetch_add(1, Ordering::Relaxed);
    }

    pub fn snapshot(&self) -> Snapshot {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let moved_len = load(&self.moved_len);
        let arrived_len = load(&self.kept_len) + moved_len;
        Snapshot {
            files_total: load(&self.files_total),
            files_done: load(&self.files_done),
            files_failed: load(&self.files_failed),
            total_len: load(&self.total_len),
            done_len: arrived_len.saturating_sub(load(&self.wasted_len)),
            moved_len,
            parts_in_flight: load(&self.parts_in_flight),
            retries: load(&self.retries),
        }
    }
}

/// Counts the bytes of one attempt at one part. What was counted is taken back when it is dropped without having
/// been finished, because the bytes will move again.
#[derive(Debug)]
pub struct Meter {
    tally: Arc<Tally>,
    len: u64,
    moved: AtomicU64,
    activity: AtomicU64,
    finished: AtomicU64,
}

impl Meter {
    pub fn new(tally: &Arc<Tally>, len: u64) -> Meter {
        tally.parts_in_flight.fetch_add(1, Ordering::Relaxed);
        let zero = || AtomicU64::new(0);
        Meter { tally: Arc::clone(tally), len, moved: zero(), activity: zero(), finished: zero() }
    }

    /// Bytes moved. More than the part has are framing, and not counted.
    pub fn add(&self, len: u64) {
        self.activity.fetch_add(1, Ordering::Relaxed);
        let before = self.moved.load(Ordering::Relaxed);
        let counted = len.min(self.len - before);
        self.moved.store(before + counted, Ordering::Relaxed);
        self.tally.moved_len.fetch_add(counted, Ordering::Relaxed);
    }

    /// Changes whenever something moves.
    pub fn activity(&self) -> u64 {
        self.activity.load(Ordering::Relaxed)
    }

    /// The part has arrived.
    pub fn finish(&self) {
        self.finished.store(1, Ordering::Relaxed);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.tally.parts_in_flight.fetch_sub(1, Ordering::Relaxed);
        if self.finished.load(Ordering::Relaxed) == 0 {
            self.tally.wasted_len.fetch_add(self.moved.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_in_vain_counts_as_moved_but_not_as_done() {
        let tally = Arc::new(Tally::silent());
        tally.add_file(100);
        tally.keep(20);
        let meter = Meter::new(&tally, 80);
        meter.add(50);
        assert_eq!(tally.snapshot().done_len, 70);
        drop(meter);
        assert_eq!((tally.snapshot().done_len, tally.snapshot().moved_len), (20, 50));
        let meter = Meter::new(&tally, 80);
        meter.add(500);
        meter.finish();
        drop(meter);
        assert_eq!((tally.snapshot().done_len, tally.snapshot().parts_in_flight), (100, 0));
        tally.discard(100);
        assert_eq!((tally.snapshot().done_len, tally.snapshot().moved_len), (0, 130), "it starts over");
    }
}
