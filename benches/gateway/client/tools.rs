//! Which clients there are, and how each is told to do the same.

use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Dovetail,
    AwsCli,
    Rclone,
    S5cmd,
}

/// Ours, and those of the others that are installed.
pub fn all() -> Vec<Tool> {
    let others = [Tool::AwsCli, Tool::Rclone, Tool::S5cmd].into_iter().filter(|tool| {
        let is_there = tool.program().exists();
        if !is_there {
            println!("{} is not there and is not compared", tool.name());
        }
        is_there
    });
    std::iter::once(Tool::Dovetail).chain(others).collect()
}

impl Tool {
    pub fn name(self) -> &'static str {
        match self {
            Tool::Dovetail => "dovetail",
            Tool::AwsCli => "aws-cli",
            Tool::Rclone => "rclone",
            Tool::S5cmd => "s5cmd",
        }
    }

    pub fn program(self) -> PathBuf {
        match self {
            Tool::Dovetail => {
                std::env::var_os("GATEWAY").map_or_else(|| "target/release/dovetail".into(), PathBuf::from)
            }
            Tool::AwsCli => clients().join("aws"),
            Tool::Rclone => clients().join("rclone"),
            Tool::S5cmd => clients().join("s5cmd"),
        }
    }

    pub fn put(self, file: &Path, key: &str) -> Vec<String> {
        match self {
            Tool::Dovetail => told(&["put", &text(file), &s3(key)]),
            Tool::AwsCli => told(&["s3", "cp", "--only-show-errors", &text(file), &s3(key)]),
            Tool::Rclone => told(&["copyto", &text(file), &remote(key)]),
            Tool::S5cmd => told(&["cp", &text(file), &s3(key)]),
        }
    }

    pub fn get(self, key: &str, file: &Path) -> Vec<String> {
        match self {
            Tool::Dovetail => told(&["get", &s3(key), &text(file)]),
            Tool::AwsCli => told(&["s3", "cp", "--only-show-errors", &s3(key), &text(file)]),
            Tool::Rclone => told(&["copyto", &remote(key), &text(file)]),
            Tool::S5cmd => told(&["cp", &s3(key), &text(file)]),
        }
    }

    /// Everything below a folder.
    pub fn put_all(self, folder: &Path, prefix: &str) -> Vec<String> {
        let target = format!("{}/", s3(prefix));
        match self {
            Tool::Dovetail => told(&["put", "-r", &text(folder), &target]),
            Tool::AwsCli => told(&["s3", "cp", "--recursive", "--only-show-errors", &text(folder), &target]),
            Tool::Rclone => told(&["copy", &text(folder), &remote(prefix)]),
            Tool::S5cmd => told(&["cp", &format!("{}/", text(folder)), &target]),
        }
    }

    /// Everything under a prefix.
    pub fn get_all(self, prefix: &str, folder: &Path) -> Vec<String> {
        let source = format!("{}/", s3(prefix));
        match self {
            Tool::Dovetail => told(&["get", "-r", &source, &text(folder)]),
            Tool::AwsCli => told(&["s3", "cp", "--recursive", "--only-show-errors", &source, &text(folder)]),
            Tool::Rclone => told(&["copy", &remote(prefix), &text(folder)]),
            Tool::S5cmd => told(&["cp", &format!("{source}*"), &format!("{}/", text(folder))]),
        }
    }
}

/// The folder of the other programs.
fn clients() -> &'static Path {
    static CLIENTS: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    CLIENTS.get_or_init(|| {
        if let Some(folder) = std::env::var_os("CLIENTS") {
            return folder.into();
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let installed = Command::new(root.join("tools/compat-clients")).output();
        let printed = installed.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
        printed.unwrap_or_default().into()
    })
}

fn s3(key: &str) -> String {
    format!("s3://bench/{key}")
}

/// An rclone remote out of the environment.
fn remote(key: &str) -> String {
    format!(":s3,provider=Other,env_auth=true,no_check_bucket=true:bench/{key}")
}

fn text(path: &Path) -> String {
    std::path::absolute(path).expect("a path").to_str().expect("the names are ours").to_string()
}

fn told(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| argument.to_string()).collect()
}
