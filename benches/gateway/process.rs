//! Servers as processes of their own, and what they cost.

use crate::load::Load;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const ACCESS_KEY_ID: &str = "bench-access-key";
pub const SECRET_ACCESS_KEY: &str = "bench-secret-key";

/// A server that is still busy on its own after this long is measured as it is, and the report says so.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(300);
/// CPU time within half a second below which a server does nothing on its own.
const RESTING_CPU_S: f64 = 0.005;
/// Longer than the gateway's figures about its store are old.
const RESTING_TIME: Duration = Duration::from_secs(6);

/// A running server with a folder of its own; dropping it kills it and removes the folder.
pub struct Server {
    child: Child,
    command: StartCommand,
    pub address: String,
    folder: TempDir,
}

/// How to start a server at an address with a folder.
type StartCommand = Box<dyn Fn(&str, &std::path::Path) -> Command>;

/// The cost of some work.
#[derive(Clone, Copy)]
pub struct Measured {
    /// The server's CPU seconds for every 10^9 bytes.
    pub cpu_per_gb: f64,
    pub gb_per_s: f64,
}

impl Server {
    /// The gateway, on local disk.
    pub fn gateway() -> Server {
        Server::gateway_with(&[])
    }

    /// The same with more of its environment.
    pub fn gateway_with(environment: &'static [(&'static str, &'static str)]) -> Server {
        Server::start(move |address, folder| {
            let bin = std::env::var("GATEWAY").unwrap_or_else(|_| "target/release/dovetail".to_string());
            let mut command = Command::new(bin);
            command.args(["serve", "--listen", address, "--data-dir"]).arg(folder.join("data"));
            command
                .env("DOVETAIL_ACCESS_KEY_ID", ACCESS_KEY_ID)
                .env("DOVETAIL_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY);
            command.env("DOVETAIL_LOG", "warn").envs(environment.iter().copied());
            command
        })
    }

    /// The bare hyper server of `baseline.rs`.
    pub fn baseline() -> Server {
        Server::start(|address, folder| {
            let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
            command.args(["baseline", address]).arg(folder);
            command
        })
    }

    fn start(command: impl Fn(&str, &std::path::Path) -> Command + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        drop(listener);
        // Beside the build, on a real disk: /tmp may be memory.
        let folder =
            tempfile::tempdir_in(std::env::var("BENCH_DIR").unwrap_or_else(|_| "target".to_string()));
        let folder = folder.expect("a folder for the data can be made");
        let child = spawn(&mut command(&address, folder.path()), &address);
        Server { child, command: Box::new(command), address, folder }
    }

    /// `kill -9`, then the same again; returns when it answers.
    pub fn restart(&mut self) {
        self.kill();
        self.start_again();
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// After a kill; returns when it answers.
    pub fn start_again(&mut self) {
        self.child = spawn(&mut (self.command)(&self.address, self.folder.path()), &self.address);
    }

    /// Where a gateway keeps its metadata.
    pub fn metadata(&self) -> std::path::PathBuf {
        self.folder.path().join("data/meta")
    }

    /// Runs `work`, which returns how many bytes it moved.
    pub fn measure(&self, work: impl FnOnce() -> u64) -> Measured {
        let (cpu, started) = (self.cpu_s(), Instant::now());
        let gb = work() as f64 / 1e9;
        Measured { cpu_per_gb: (self.cpu_s() - cpu) / gb, gb_per_s: gb / started.elapsed().as_secs_f64() }
    }

    /// User and system time so far, in seconds.
    pub fn cpu_s(&self) -> f64 {
        // schedstat counts nanoseconds a thread; stat would round to hundredths of a second.
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("the server runs");
        let nanoseconds: u64 = tasks
            .flatten()
            .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
            .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
            .sum();
        nanoseconds as f64 / 1e9
    }

    /// Waits until a gateway has nothing left to do on its own: its threads rest, and its store has nothing to sort.
    pub fn settle(&self) {
        let (load, started) = (Load::new(self), Instant::now());
        let (mut cpu_s, mut resting_since) = (self.cpu_s(), started);
        while started.elapsed() < SETTLE_TIME_MAX {
            std::thread::sleep(Duration::from_millis(500));
            let now_s = self.cpu_s();
            if now_s - cpu_s >= RESTING_CPU_S {
                resting_since = Instant::now();
            }
            cpu_s = now_s;
            if resting_since.elapsed() >= RESTING_TIME && load.store_is_sorted() {
                return;
            }
        }
        println!("measured before the store had come to rest, after {SETTLE_TIME_MAX:?}");
    }

    pub fn resident_mib(&self) -> f64 {
        self.status("VmRSS:")
    }

    pub fn peak_resident_mib(&self) -> f64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> f64 {
        let text =
            std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the server runs");
        let line = text.lines().find(|line| line.starts_with(name)).expect("the kernel tells it");
        let kib: f64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
        kib / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(command: &mut Command, address: &str) -> Child {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let child = child.unwrap_or_else(|err| panic!("cannot start {command:?}: {err}"));
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(started.elapsed() < Duration::from_secs(60), "the server does not answer: {command:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}
