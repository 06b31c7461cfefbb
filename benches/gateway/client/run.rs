//! One client as a process: how long it takes, what it costs, how much memory it needs.

use crate::client::tools::Tool;
use crate::process::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use crate::table;
use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often a process is asked for its memory. Its peak is the kernel's own, so only the last moments can be missed.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The kernel counts the time of processes in hundredths of a second.
const TICKS_PER_S: f64 = 100.0;

/// A client with what it is told.
pub struct Run<'a> {
    pub tool: &'a Tool,
    pub arguments: Vec<String>,
    /// Host and port.
    pub endpoint: &'a str,
    /// Where a client keeps what it remembers.
    pub home: &'a Path,
}

#[derive(Clone, Copy)]
pub struct Cost {
    pub wall_s: f64,
    /// User and system time of the process and its children.
    pub cpu_s: f64,
    /// Of the process and its children, each at its peak.
    pub peak_mib: f64,
}

impl Run<'_> {
    /// Runs to the end, which has to be a good one.
    pub fn cost(&self) -> Cost {
        let mut command = Command::new(self.tool.program());
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        for name in [
            "AWS_PROFILE",
            "AWS_CA_BUNDLE",
            "AWS_CONFIG_FILE",
            "AWS_SHARED_CREDENTIALS_FILE",
            "AWS_SESSION_TOKEN",
        ] {
            command.env_remove(name);
        }
        command
            .env("HOME", self.home)
            .env("XDG_STATE_HOME", self.home.join("state"))
            .env("XDG_CACHE_HOME", self.home.join("cache"))
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.endpoint))
            .env("S3_ENDPOINT_URL", format!("http://{}", self.endpoint))
            .env("RCLONE_S3_ENDPOINT", format!("http://{}", self.endpoint));
        let (cpu_before, started) = (children_cpu_s(), Instant::now());
        let mut child = command.spawn().unwrap_or_else(|err| panic!("cannot start {command:?}: {err}"));
        let mut stderr = child.stderr.take().expect("it was asked for");
        let said = std::thread::spawn(move || {
            let mut said = String::new();
            let _ = stderr.read_to_string(&mut said);
            said
        });
        let mut peaks = std::collections::BTreeMap::new();
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                break status;
            }
            look(child.id(), &mut peaks);
            std::thread::sleep(LOOK_EVERY);
        };
        let wall_s = started.elapsed().as_secs_f64();
        let said = said.join().expect("the reader ends");
        assert!(status.success(), "{} {:?} ended with {status}: {said}", self.tool.name(), self.arguments);
        Cost { wall_s, cpu_s: children_cpu_s() - cpu_before, peak_mib: peaks.values().sum() }
    }
}

impl Cost {
    /// The run in the middle by how long it took, with the highest peak of all.
    pub fn middle(runs: Vec<Cost>) -> Cost {
        let peak_mib = runs.iter().map(|cost| cost.peak_mib).fold(0.0, f64::max);
        Cost { peak_mib, ..table::middle(runs, |cost| cost.wall_s) }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:6.2} s, {:6.2} s of CPU, {:4.0} MiB", self.wall_s, self.cpu_s, self.peak_mib)
    }
}

/// Remembers the peak of a process and of its children, by process id.
fn look(id: u32, peaks: &mut std::collections::BTreeMap<u32, f64>) {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{id}/{name}")).unwrap_or_default();
    let status = read("status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    if let Some(kib) = peak.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok()) {
        peaks.insert(id, kib / 1024.0);
    }
    for child in read(&format!("task/{id}/children")).split_whitespace().filter_map(|id| id.parse().ok()) {
        look(child, peaks);
    }
}

/// The time of all children that have been waited for, and of theirs.
fn children_cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("the kernel tells it");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    // cutime and cstime, the fields 16 and 17 of man 5 proc_pid_stat; the first behind the name is field 3.
    let ticks = |field: usize| fields[field - 3].parse::<f64>().expect("a number");
    (ticks(16) + ticks(17)) / TICKS_PER_S
}

/// A file of bytes that do not compress and do not repeat, other bytes for each name.
pub fn write_noise(path: &Path, len: u64) {
    let name = path.to_string_lossy();
    let mut state =
        name.bytes().fold(7u64, |state, byte| state.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut file = File::create(path).expect("a file can be made");
    let mut left = len;
    while left > 0 {
        let piece: Vec<u8> = (0..left.min(1 << 20).div_ceil(8))
            .flat_map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()
            })
            .collect();
        let take = (left as usize).min(piece.len());
        file.write_all(&piece[..take]).expect("there is room");
        left -= take as u64;
    }
}

pub fn same_bytes(one: &Path, other: &Path) -> bool {
    let (mut one, mut other) =
        (File::open(one).expect("it is there"), File::open(other).expect("it is there"));
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let len = one.read(&mut left).expect("it can be read");
        if len == 0 {
            return other.read(&mut right).expect("it can be read") == 0;
        }
        if other.read_exact(&mut right[..len]).is_err() || left[..len] != right[..len] {
            return false;
        }
    }
}
