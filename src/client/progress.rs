//! What a person or a program sees of transfers: bars on a terminal, a line a minute elsewhere, events as JSON.
//!
//! stdout is data, so only `--json` writes there; everything else goes to stderr.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use crate::client::tally::{Event, Snapshot, Tally};

/// The rate is that of the last so much, so that it follows what happens and does not jump.
const RATE_WINDOW: Duration = Duration::from_secs(8);
const BAR_TICK: Duration = Duration::from_millis(200);
const JSON_TICK: Duration = Duration::from_secs(1);
/// Often enough for a log, seldom enough not to fill one.
const LINE_TICK: Duration = Duration::from_secs(60);

/// What is said of bytes that arrived in the right number, of the right version, and that is all one knows.
const UNVERIFIED: &str = "; the server told no checksum to compare with";

/// A request that failed this often is told about once, so that nobody wonders what happens: after a second or two.
const STUCK_FROM: u32 = 5;

/// How much is shown, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing but failures.
    Quiet,
    /// For a terminal.
    Bar,
    /// For a log.
    Lines,
    /// One object a line, on stdout.
    Json,
}

/// Shows one run.
#[derive(Clone)]
pub struct Display {
    mode: Mode,
    /// Every retry and every file, too.
    verbose: bool,
    bar: ProgressBar,
    started: Instant,
    /// Of the file that was done last.
    checksum: Arc<Mutex<Option<String>>>,
    /// Whether it was told that a request fails again and again.
    is_stuck: Arc<AtomicBool>,
    /// Files that there was no checksum to compare with for.
    unverified: Arc<AtomicU64>,
    /// Whether the last word was said: transfers that are being dropped have nothing to add to it.
    is_over: Arc<Mutex<bool>>,
}

impl Display {
    pub fn new(mode: Mode, verbose: bool) -> Display {
        let bar = match mode {
            Mode::Bar => {
                let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
                let style = ProgressStyle::with_template("{bar:16} {percent:>3}% {wide_msg}");
                bar.set_style(style.expect("the template is right").progress_chars("=> "));
                bar
            }
            _ => ProgressBar::hidden(),
        };
        Display {
            mode,
            verbose,
            bar,
            started: Instant::now(),
            checksum: Arc::default(),
            is_stuck: Arc::default(),
            unverified: Arc::default(),
            is_over: Arc::default(),
        }
    }

    /// Sums that tell this display what happens.
    pub fn tally(&self) -> Tally {
        let display = self.clone();
        Tally::new(move |event| display.event(event))
    }

    /// Shows where everything stands, until dropped.
    pub async fn run(&self, tally: Arc<Tally>) {
        let tick = match self.mode {
            Mode::Quiet => return std::future::pending().await,
            Mode::Bar => BAR_TICK,
            Mode::Json => JSON_TICK,
            Mode::Lines => LINE_TICK,
        };
        let mut rate = Rate::default();
        loop {
            // The window needs more points than a line a minute has.
            let until = Instant::now() + tick;
            while Instant::now() < until {
                tokio::time::sleep(tick.min(JSON_TICK)).await;
                rate.add(Instant::now(), tally.snapshot().moved_len);
            }
            self.show(&tally.snapshot(), rate.bytes_per_s());
        }
    }

    /// What all of it came to. `verb` is "sent" or "received".
    pub fn finish(&self, tally: &Tally, verb: &str) {
        let Some(_floor) = self.floor() else { return };
        self.bar.finish_and_clear();
        let sums = tally.snapshot();
        let seconds = self.started.elapsed().as_secs_f64();
        match self.mode {
            Mode::Json => print_json(&Event::Summary {
                files: sums.files_done,
                failed: sums.files_failed,
                bytes: sums.done_len,
                moved_bytes: sums.moved_len,
                seconds,
                retries: sums.retries,
            }),
            Mode::Bar | Mode::Lines => {
                let checksum = self.checksum.lock().unwrap_or_else(PoisonError::into_inner).take();
                let checksum = checksum.filter(|_| sums.files_done == 1);
                let mut text = summary(&sums, seconds, verb, checksum.as_deref());
                match self.unverified.load(Ordering::Relaxed) {
                    0 => {}
                    count if count == sums.files_done => text += UNVERIFIED,
                    count => text += &format!("{UNVERIFIED} ({count} of them)"),
                }
                say(&text);
            }
            Mode::Quiet => {}
        }
    }

    /// The command ends without having done what it was to do. Programs are told here, people by whoever ends it.
    pub fn give_up(&self, tally: &Tally, failed: &Event) {
        if self.mode == Mode::Json {
            tally.tell(failed);
            self.finish(tally, "");
        }
        self.end(None);
    }

    /// Takes the bar away and tells programs the last event: what transfers say from now on is not shown.
    pub fn end(&self, last: Option<&Event>) {
        let Some(mut is_over) = self.floor() else { return };
        *is_over = true;
        self.bar.finish_and_clear();
        if let Some(last) = last.filter(|_| self.mode == Mode::Json) {
            print_json(last);
        }
    }

    /// The right to speak, one at a time, until the last word was said.
    fn floor(&self) -> Option<MutexGuard<'_, bool>> {
        let is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        (!*is_over).then_some(is_over)
    }

    fn show(&self, sums: &Snapshot, bytes_per_s: f64) {
        let Some(_floor) = self.floor() else { return };
        match self.mode {
            Mode::Bar => {
                self.bar.set_length(sums.total_len.max(1));
                self.bar.set_position(sums.done_len);
                self.bar.set_message(status(sums, bytes_per_s));
            }
            Mode::Json => print_json(&Event::Progress(*sums)),
            Mode::Lines => say(&status(sums, bytes_per_s)),
            Mode::Quiet => {}
        }
    }

    fn event(&self, event: &Event) {
        let Some(_floor) = self.floor() else { return };
        if self.mode == Mode::Json {
            return print_json(event);
        }
        if let Event::Done { checksum, verified, .. } = event {
            self.checksum.lock().unwrap_or_else(PoisonError::into_inner).clone_from(checksum);
            self.unverified.fetch_add(u64::from(!verified), Ordering::Relaxed);
        }
        let text = match event {
            Event::Failed { what, error, advice, .. } => {
                let what = what.as_deref().unwrap_or("dovetail");
                let advice = advice.as_ref().map(|advice| format!("\n  {advice}"));
                format!("{what}: {error}{}", advice.unwrap_or_default())
            }
            Event::Retry { error, attempt, .. }
                if !self.verbose
                    && *attempt >= STUCK_FROM
                    && !self.is_stuck.swap(true, Ordering::Relaxed) =>
            {
                format!("{error}; trying again, for as long as --patience says")
            }
            _ if self.mode == Mode::Quiet => return,
            Event::Note { what, text } => format!("{what}: {text}"),
            Event::Retry { error, attempt, pause_ms, .. } if self.verbose => {
                format!("{error}; attempt {} follows in {pause_ms} ms", attempt + 1)
            }
            Event::Region { bucket, region } if self.verbose => format!("s3://{bucket}/: it is in {region}"),
            Event::Started { what, upload_id: Some(id), .. } if self.verbose => {
                format!("{what}: upload {id}")
            }
            Event::Done { what, bytes, checksum, verified, skipped, .. } if self.verbose => {
                let verb = if *skipped { "was there already" } else { "done" };
                let checksum = checksum.as_deref().unwrap_or("no checksum");
                let doubt = if *verified { "" } else { UNVERIFIED };
                format!("{what}: {verb}, {}, {checksum}{doubt}", size(*bytes))
            }
            _ => return,
        };
        self.bar.suspend(|| say(&text));
    }
}

/// Bytes a second over the last [`RATE_WINDOW`].
#[derive(Debug, Default)]
struct Rate {
    points: VecDeque<(Instant, u64)>,
}

impl Rate {
    fn add(&mut self, now: Instant, moved_len: u64) {
        self.points.push_back((now, moved_len));
        while self.points.len() > 2 && now - self.points[0].0 > RATE_WINDOW {
            self.points.pop_front();
        }
    }

    fn bytes_per_s(&self) -> f64 {
        let (Some(first), Some(last)) = (self.points.front(), self.points.back()) else { return 0.0 };
        let seconds = (last.0 - first.0).as_secs_f64();
        if seconds > 0.0 { (last.1 - first.1) as f64 / seconds } else { 0.0 }
    }
}

/// `1.2 GiB of 4.0 GiB, 850 MiB/s, 3 s left, 8 parts in flight, 2 retries`
fn status(sums: &Snapshot, bytes_per_s: f64) -> String {
    let mut text = size(sums.done_len);
    if sums.total_len > 0 {
        text += &format!(" of {}", size(sums.total_len));
    }
    text += &format!(", {}/s", size(bytes_per_s as u64));
    let left = sums.total_len.saturating_sub(sums.done_len);
    if bytes_per_s >= 1.0 && left > 0 {
        text += &format!(", {} left", duration(left as f64 / bytes_per_s));
    }
    if sums.files_total > 1 {
        text += &format!(", {} of {} files", sums.files_done, sums.files_total);
    }
    if sums.parts_in_flight > 0 {
        text += &format!(", {} in flight", sums.parts_in_flight);
    }
    if sums.retries > 0 {
        text += &format!(", {} retries", sums.retries);
    }
    text
}

fn summary(sums: &Snapshot, seconds: f64, verb: &str, checksum: Option<&str>) -> String {
    let files = if sums.files_done == 1 { "1 file".to_owned() } else { format!("{} files", sums.files_done) };
    let mut text = format!("{files}, {}", size(sums.done_len));
    if sums.moved_len != sums.done_len {
        text += &format!(" ({} {verb})", size(sums.moved_len));
    }
    text += &format!(" in {}", duration(seconds));
    if sums.moved_len > 0 && seconds > 0.0 {
        text += &format!(", {}/s", size((sums.moved_len as f64 / seconds) as u64));
    }
    if sums.retries > 0 {
        text += &format!(", {} retries", sums.retries);
    }
    if let Some(checksum) = checksum {
        text += &format!(", {checksum}");
    }
    if sums.files_failed > 0 {
        text += &format!(", {} failed", sums.files_failed);
    }
    text
}

/// `12.3 MiB`
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 9.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// `1 h 20 min`
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 9.95 => format!("{seconds:.1} s"),
        0..120 => format!("{whole} s"),
        120..7200 => format!("{} min", whole / 60),
        7200..172_800 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} days", whole / 86_400),
    }
}

/// Whoever closed stderr does not want to know.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(text, |c| c == '\n'));
}

/// With control characters spelt out, so that a name from elsewhere can neither colour nor forge what a terminal shows.
pub fn printable(text: &str, is_kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_meant = |c: char| !c.is_control() || is_kept(c);
    if text.chars().all(is_meant) {
        return Cow::Borrowed(text);
    }
    let spelt = |c: char| if is_meant(c) { c.to_string() } else { c.escape_default().to_string() };
    Cow::Owned(text.chars().map(spelt).collect())
}

fn print_json(event: &Event) {
    let line = serde_json::to_string(event).expect("events are plain values");
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_read_well() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (10 << 10, "10 KiB"),
            (1_048_575, "1.0 MiB"),
            (4 << 30, "4.0 GiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (seconds, text) in
            [(0.04, "0.0 s"), (59.0, "59 s"), (150.0, "2 min"), (7300.0, "2 h 1 min"), (1e6, "11 days")]
        {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn names_do_nothing_to_a_terminal() {
        for (text, expected) in [
            ("plain ü", "plain ü"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\rb\u{7}", "a\\rb\\u{7}"),
            ("two\nlines", "two\nlines"),
            ("\u{9b}2J", "\\u{9b}2J"),
        ] {
            assert_eq!(printable(text, |c| c == '\n'), expected);
        }
        assert_eq!(printable("two\nlines", |_| false), "two\\nlines");
    }

    #[test]
    fn the_status_says_only_what_is_known() {
        let pipe = Snapshot { done_len: 3 << 20, moved_len: 3 << 20, ..Snapshot::default() };
        assert_eq!(status(&pipe, 0.0), "3.0 MiB, 0 B/s");
        let files = Snapshot {
            files_total: 3,
            files_done: 1,
            files_failed: 1,
            total_len: 4 << 30,
            done_len: 1 << 30,
            moved_len: 1 << 30,
            parts_in_flight: 8,
            retries: 2,
        };
        let expected = "1.0 GiB of 4.0 GiB, 512 MiB/s, 6.0 s left, 1 of 3 files, 8 in flight, 2 retries";
        assert_eq!(status(&files, (512 << 20) as f64), expected);
        assert_eq!(
            summary(&files, 2.0, "sent", None),
            "1 file, 1.0 GiB in 2.0 s, 512 MiB/s, 2 retries, 1 failed"
        );
        assert_eq!(
            summary(&pipe, 0.0, "sent", Some("CRC64NVME:AAAAAAAAAAA=")),
            "0 files, 3.0 MiB in 0.0 s, CRC64NVME:AAAAAAAAAAA="
        );
    }

    /// Whoever listens from then on hears nothing, whichever thread still has something to say.
    #[test]
    fn nothing_is_said_after_the_last_word() {
        let display = Display::new(Mode::Json, false);
        assert!(display.floor().is_some());
        display.end(Some(&Event::Interrupted { command: None }));
        assert!(display.floor().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_follows_a_sliding_window() {
        let mut rate = Rate::default();
        let start = Instant::now();
        for second in 0..60 {
            let bytes = if second < 30 { second * 1000 } else { 30_000 };
            rate.add(start + Duration::from_secs(second), bytes);
            if second == 29 {
                assert_eq!(rate.bytes_per_s() as u64, 1000);
            }
        }
        assert_eq!(rate.bytes_per_s() as u64, 0);
    }
}
