//! The real binary on a folder of its own, to be started, killed and started again.

use crate::client::Client;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const ACCESS_KEY_ID: &str = "test-access-key";
pub const SECRET_ACCESS_KEY: &str = "test-secret-key";
/// Starting on a loaded machine takes a while; never reached when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway and its data. Dropping it kills it.
pub struct Gateway {
    child: Option<Child>,
    port: u16,
    data: TempDir,
    environment: Vec<(String, String)>,
}

impl Gateway {
    /// Starts a gateway on an empty folder and waits until it is ready.
    pub async fn start() -> Gateway {
        Gateway::start_with(&[]).await
    }

    /// The same with environment variables, which a restart has too.
    pub async fn start_with(environment: &[(&str, &str)]) -> Gateway {
        let mut gateway = Gateway::prepare(environment);
        gateway.spawn(&[]);
        gateway.wait_ready().await;
        gateway
    }

    /// A gateway that has not been started.
    pub fn prepare(environment: &[(&str, &str)]) -> Gateway {
        Gateway::prepare_in(&std::env::temp_dir(), environment)
    }

    /// The same with its data below `folder`.
    pub fn prepare_in(folder: &Path, environment: &[(&str, &str)]) -> Gateway {
        let data = tempfile::tempdir_in(folder).expect("a temporary folder can be made");
        let environment = environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let environment = environment.collect();
        Gateway { child: None, port: free_port(), data, environment }
    }

    /// Writes the configuration file that every start from now on is given.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.configuration(), text).expect("the configuration can be written");
    }

    fn configuration(&self) -> PathBuf {
        self.data.path().join("dovetail.toml")
    }

    /// Starts the process again on the same data, without waiting. `environment` is for this start alone.
    pub fn spawn(&mut self, environment: &[(&str, &str)]) {
        assert!(self.child.is_none(), "the gateway is already running");
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.data.path().join("test.log"));
        let log = log.expect("the log can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_dovetail"));
        if self.configuration().exists() {
            command.args(["serve", "--config"]).arg(self.configuration());
        } else {
            command.arg("serve");
        }
        let child = command
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .arg("--data-dir")
            .arg(self.data.path().join("data"))
            .env("DOVETAIL_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("DOVETAIL_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file handle can be copied"))
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("the gateway can be started"));
    }

    /// Waits until the gateway answers that it is ready.
    ///
    /// # Panics
    /// If it ends before that, with its log.
    pub async fn wait_ready(&mut self) {
        let http = reqwest::Client::new();
        let url = format!("{}/_/ready", self.endpoint());
        let started = Instant::now();
        loop {
            if let Ok(answer) = http.get(&url).send().await
                && answer.status() == 200
            {
                return;
            }
            if let Some(status) = self.try_wait() {
                panic!("the gateway ended with {status} before it was ready:\n{}", self.log());
            }
            assert!(started.elapsed() < PATIENCE, "the gateway is not ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `kill -9`: nothing is flushed.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// `kill -9`, then the same command again.
    pub async fn restart(&mut self) {
        self.kill();
        self.spawn(&[]);
        self.wait_ready().await;
    }

    /// SIGTERM, without waiting for what comes of it.
    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// SIGHUP, for which the gateway reads its certificate again.
    pub fn hang_up(&self) {
        self.signal(rustix::process::Signal::HUP);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(self.child.as_ref().expect("the gateway is running"));
        rustix::process::kill_process(pid, signal).expect("the process is ours");
    }

    /// SIGTERM; how the process ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.terminate();
        let mut child = self.child.take().expect("the gateway is running");
        child.wait().expect("the process can be waited for")
    }

    /// The exit status, if the process has ended.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().expect("the process can be asked");
        if status.is_some() {
            self.child = None;
        }
        status
    }

    pub fn is_running(&mut self) -> bool {
        self.try_wait();
        self.child.is_some()
    }

    /// Starts it and waits for the end that it comes to by itself; its exit code.
    ///
    /// # Panics
    /// If it goes on running.
    pub fn refused_start(&mut self) -> Option<i32> {
        self.spawn(&[]);
        let begun = Instant::now();
        loop {
            if let Some(status) = self.try_wait() {
                return status.code();
            }
            assert!(begun.elapsed() < PATIENCE, "it runs: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `dovetail fsck` on the data of a gateway that is not running.
    pub fn fsck(&mut self, arguments: &[&str]) -> Output {
        assert!(!self.is_running(), "fsck needs the gateway to be stopped");
        let mut command = Command::new(env!("CARGO_BIN_EXE_dovetail"));
        command.arg("fsck").arg("--data-dir").arg(self.data.path().join("data")).args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.output().expect("fsck can be started")
    }

    /// Every byte is read, and there is not even a blob that a crash left behind.
    ///
    /// # Panics
    /// If there is something.
    pub fn check_that_fsck_finds_nothing(&mut self) {
        let checked = self.fsck(&["--deep"]);
        let text = [checked.stdout, checked.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(checked.status.success() && text.contains("everything is as it should be"), "{text}");
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn client(&self) -> Client {
        Client::new(&self.endpoint(), ACCESS_KEY_ID, SECRET_ACCESS_KEY)
    }

    /// The port of 127.0.0.1 that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The sum of a metric over its labels; 0 for one that is not there yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = reqwest::get(format!("{}/_/metrics", self.endpoint())).await.expect("the gateway answers");
        let text = text.text().await.expect("metrics are text");
        let lines = text
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits until a metric is this: some are looked up every few seconds only.
    ///
    /// # Panics
    /// If that does not come.
    pub async fn wait_for_metric(&self, name: &str, wanted: f64) {
        let begun = Instant::now();
        while self.metric(name).await != wanted {
            assert!(begun.elapsed() < PATIENCE, "{name} does not become {wanted}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Every file of the local backend, finished (`blobs`) and unfinished (`tmp`); one that is in both until it is settled is
    /// told once, as finished.
    pub fn blob_files(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.data_dir().join("blobs"), self.data_dir().join("tmp")];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            // A folder that is not there has no files.
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        let tmp = self.data_dir().join("tmp");
        let (unfinished, finished): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| file.starts_with(&tmp));
        let is_finished = |file: &PathBuf| finished.iter().any(|other| other.file_name() == file.file_name());
        let unfinished = unfinished.into_iter().filter(|file| !is_finished(file)).collect();
        [finished.clone(), unfinished].concat()
    }

    /// Waits until there are as many files of blobs as this.
    ///
    /// # Panics
    /// If that does not come.
    pub async fn wait_for_blob_files(&self, count: usize) -> Vec<PathBuf> {
        let begun = Instant::now();
        loop {
            let files = self.blob_files();
            if files.len() == count {
                return files;
            }
            assert!(begun.elapsed() < PATIENCE, "{count} files were expected: {files:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn data_dir(&self) -> PathBuf {
        self.data.path().join("data")
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the gateway is running").id()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("test.log")).unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(30).collect();
            eprintln!("the gateway's last lines:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("a bound socket has an address").port()
}
