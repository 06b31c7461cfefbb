//! The real `dovetail put` and `get`, with a state folder of their own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::gateway::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use crate::seed::Seed;

/// Somebody's machine: files, journals, and where the server is.
pub struct Machine {
    folder: TempDir,
    endpoint: String,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Said {
    #[track_caller]
    pub fn expect(self, code: i32) -> Said {
        assert_eq!(self.code, code, "{}", self.stderr);
        self
    }

    #[track_caller]
    pub fn expect_words(self, words: &str) -> Said {
        assert!(self.stderr.contains(words), "no {words:?} in: {}", self.stderr);
        self
    }
}

impl Machine {
    pub fn new(endpoint: &str) -> Machine {
        Machine { folder: tempfile::tempdir().expect("a temporary folder"), endpoint: endpoint.to_string() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of random bytes.
    pub fn file(&self, name: &str, len: usize, seed: &mut Seed) -> Vec<u8> {
        let bytes = seed.bytes(len);
        std::fs::write(self.path(name), &bytes).expect("the file can be written");
        bytes
    }

    /// Writes `~/.aws/config`.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.path("aws-config"), text).expect("the configuration can be written");
    }

    pub fn journals(&self) -> usize {
        let folder = self.path("state/dovetail/transfers");
        std::fs::read_dir(folder).map_or(0, |entries| entries.count())
    }

    pub fn forget_journals(&self) {
        let _ = std::fs::remove_dir_all(self.path("state"));
    }

    /// `dovetail` in the machine's folder. A dead server is given up after a few seconds.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dovetail"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("AWS_PROFILE")
            .env("HOME", self.folder.path())
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("AWS_CONFIG_FILE", self.path("aws-config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.path("aws-credentials"))
            // Nobody asks a cloud's metadata service from a test.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null());
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Said {
        let mut command = self.command(arguments);
        said(tokio::task::spawn_blocking(move || command.output()).await)
    }

    /// With these bytes on stdin.
    pub async fn run_with(&self, arguments: &[&str], input: &Path) -> Said {
        let mut command = self.command(arguments);
        command.stdin(std::fs::File::open(input).expect("the input is there"));
        said(tokio::task::spawn_blocking(move || command.output()).await)
    }

    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the client can be started")
    }
}

fn said(output: Result<std::io::Result<Output>, tokio::task::JoinError>) -> Said {
    let output = output.expect("the thread ends").expect("the client can be started");
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
