//! The commands, and the configuration that puts the other layers together.
//!
//! Exit codes: 0 done, 1 failed while running, 2 bad usage or configuration; the client's commands have 3 for what
//! the same command may finish later, and 130 for Ctrl-C. stdout is what was asked for, stderr is
//! progress and logs.

mod abort;
mod aws;
mod client;
mod completions;
pub mod config;
mod connect;
mod cp;
pub mod credentials;
pub mod data_dir;
mod deed;
mod description;
mod encryption;
mod failure;
mod filter;
mod fsck;
mod get;
mod key;
mod ls;
mod many;
mod master_keys;
mod mb;
mod pipe_input;
mod presign;
mod put;
mod rb;
mod resume;
mod rm;
mod sealing_key;
mod serve;
mod signals;
mod sources;
mod stat;
mod stores;
mod transfer;
mod uploads;
mod user;
mod version;
mod welcome;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

use config::Flags;

#[derive(Parser)]
#[command(
    name = "dovetail",
    version,
    about = "An S3 gateway that makes large uploads survive anything",
    after_help = "Configuration: one TOML file, DOVETAIL_* variables, flags. Every key is in docs/configuration.md."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a gateway and stay in the foreground
    #[command(after_help = SERVE_HELP)]
    Serve(ServeArgs),
    /// Check that metadata and blobs agree, while no gateway runs on them
    #[command(after_help = FSCK_HELP)]
    Fsck(FsckArgs),
    #[command(flatten)]
    Client(client::ClientCommand),
}

const SERVE_HELP: &str = "\
Examples:
  dovetail serve
      on 127.0.0.1:9000 with data in ./data and a key pair made on the first start
  dovetail serve --config /etc/dovetail.toml
  DOVETAIL_ACCESS_KEY_ID=me DOVETAIL_SECRET_ACCESS_KEY=secret-secret dovetail serve --listen 0.0.0.0:9000

SIGTERM or SIGINT lets requests in flight finish, a second one exits at once. SIGHUP reads the TLS certificate anew.
DOVETAIL_LOG sets the level of the log: error, warn, info, debug, trace.";

const FSCK_HELP: &str = "\
Examples:
  dovetail fsck --data-dir ./data
  dovetail fsck --config /etc/dovetail.toml --deep --json
      read every blob and compare it with its checksums; one JSON object a line

Exit code 0 when nothing is wrong with what is kept, else 1. Blobs that a crash left behind are no failure: they only take
up space, until --repair deletes them.";

#[derive(Args)]
struct ServeArgs {
    /// Read this TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Accept connections here [default: 127.0.0.1:9000]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Keep metadata and blobs here [default: ./data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// How log lines look: text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

#[derive(Args)]
struct FsckArgs {
    /// Read this TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory of the gateway [default: ./data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Delete blobs that nothing refers to, which a crash can leave behind
    #[arg(long)]
    repair: bool,
    /// Read every blob and compare it with its checksums
    #[arg(long)]
    deep: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs the command of this process's arguments, and says how it went.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => {
            let ServeArgs { config, listen, data_dir, log_format } = args;
            serve::serve(Flags { config, listen, data_dir, log_format })
        }
        Command::Fsck(args) => {
            let flags = Flags { config: args.config, data_dir: args.data_dir, ..Flags::default() };
            fsck::fsck(flags, args.deep, args.repair, args.json)
        }
        Command::Client(command) => return client::run(command, Cli::command()),
    };
    done.map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}
