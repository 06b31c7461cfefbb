//! What every command of the client has around it: an endpoint, journals, a display, and a way to be stopped.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use etcetera::BaseStrategy as _;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::connect::{Connect, Effort};
use crate::base::tasks::Tasks;
use crate::client::endpoint::Endpoint;
use crate::client::error::Error;
use crate::client::journal::Journals;
use crate::client::progress::{Display, Mode, printable};
use crate::client::tally::{Event, Tally};

/// What a command that was stopped still has to put right has this long.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Something failed for good.
pub const FAILED: u8 = 1;
/// Bad usage.
pub const USAGE: u8 = 2;
/// It did not work out this time; the same command goes on.
pub const RESUMABLE: u8 = 3;
/// Stopped by Ctrl-C, as shells count.
pub const INTERRUPTED: u8 = 130;

/// What is shown.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Print what happens as JSON, one object a line, on stdout
    #[arg(long)]
    pub json: bool,
    /// Print failures only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print every file and every retry, too
    #[arg(short, long)]
    pub verbose: bool,
}

/// What a command works with.
pub struct Session {
    pub endpoint: Arc<Endpoint>,
    pub journals: Journals,
    pub tally: Arc<Tally>,
    pub tasks: Tasks,
    pub display: Display,
    /// Cancelled by Ctrl-C, for what has to be put right before the end.
    pub stop: CancellationToken,
}

/// Runs a command that moves no bytes: it prints an answer.
pub fn ask<F>(connect: &Connect, job: F) -> ExitCode
where
    F: AsyncFnOnce(&Session) -> Result<(), Error>,
{
    let output = Output { quiet: true, ..Output::default() };
    run(connect, &Effort::default(), &output, OnStop::Leave, async |session| job(session).await.map(|()| 0))
}

/// The same for a command that leaves something behind unless it ends by itself: Ctrl-C cancels [`Session::stop`], and waits for it.
pub fn ask_until_stopped<F>(connect: &Connect, job: F) -> ExitCode
where
    F: AsyncFnOnce(&Session) -> Result<(), Error>,
{
    let output = Output { quiet: true, ..Output::default() };
    run(connect, &Effort::default(), &output, OnStop::Finish, async |session| job(session).await.map(|()| 0))
}

/// Prints a line of an answer. Whoever closed stdout has seen enough; an answer that cannot be written whole is a failure.
pub fn print_line(line: impl std::fmt::Display) {
    use std::io::Write as _;
    let mut stdout = std::io::stdout();
    let mut line = line.to_string();
    if stdout.is_terminal() {
        // What a key does to a terminal is nobody's wish; a program gets it as it is.
        line = printable(&line, |_| false).into_owned();
    }
    if let Err(error) = writeln!(stdout, "{line}") {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        std::process::exit(fail(&Error::Incomplete(format!("cannot write to stdout: {error}"))).into());
    }
}

/// What happens on Ctrl-C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStop {
    /// The same command goes on: say so.
    Resume,
    /// There is nothing to go on from.
    Leave,
    /// The command puts something right first.
    Finish,
}

impl Output {
    pub fn display(&self) -> Display {
        Display::new(self.mode(), self.verbose)
    }

    fn mode(&self) -> Mode {
        match (self.quiet, self.json, std::io::stderr().is_terminal()) {
            (true, ..) => Mode::Quiet,
            (_, true, _) => Mode::Json,
            (.., true) => Mode::Bar,
            (.., false) => Mode::Lines,
        }
    }
}

/// Runs a job to its end or to Ctrl-C. The job says how it went by an exit code, or fails with the reason.
pub fn run<F>(connect: &Connect, effort: &Effort, output: &Output, on_stop: OnStop, job: F) -> ExitCode
where
    F: AsyncFnOnce(&Session) -> Result<u8, Error>,
{
    ExitCode::from(run_for_code(connect, effort, output, on_stop, job))
}

/// The same for a command that runs several jobs, and a job without bytes: the exit code as a number.
pub fn run_for_code<F>(connect: &Connect, effort: &Effort, output: &Output, on_stop: OnStop, job: F) -> u8
where
    F: AsyncFnOnce(&Session) -> Result<u8, Error>,
{
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return give_up(output, &Error::file("start threads", error)),
    };
    let code = runtime.block_on(async {
        let tasks = Tasks::new();
        let display = output.display();
        let tally = Arc::new(display.tally());
        let endpoint = match connect.endpoint(effort, &tasks, &tally).await {
            Ok(endpoint) => endpoint,
            Err(error) => return end(&display, &tally, &error),
        };
        let stop = CancellationToken::new();
        let session = Session { endpoint, journals: journals(), tally, tasks, display, stop };
        let (display, tally) = (session.display.clone(), Arc::clone(&session.tally));
        let _shown = AbortOnDropHandle::new(session.tasks.spawn(async move { display.run(tally).await }));
        watch(&session, on_stop, job).await
    });
    // A thread may be waiting for a pipe that says nothing.
    runtime.shutdown_background();
    code
}

async fn watch<F>(session: &Session, on_stop: OnStop, job: F) -> u8
where
    F: AsyncFnOnce(&Session) -> Result<u8, Error>,
{
    let job = job(session);
    tokio::pin!(job);
    tokio::select! {
        done = &mut job => match done {
            Ok(code) => code,
            Err(error) => end(&session.display, &session.tally, &error),
        },
        () = interrupted() => {
            if on_stop == OnStop::Finish {
                session.stop.cancel();
                tokio::select! {
                    _ = tokio::time::timeout(STOP_TIMEOUT, &mut job) => {}
                    // Somebody means it.
                    () = interrupted() => {}
                }
            }
            let command = (on_stop == OnStop::Resume).then(command_line);
            session.display.end(Some(&Event::Interrupted { command: command.clone() }));
            eprintln!("dovetail: interrupted");
            if let Some(command) = &command {
                eprintln!("The same command goes on where this stopped:\n  {command}");
            }
            INTERRUPTED
        }
    }
}

/// Ctrl-C, `kill`, or a terminal that is gone, unless `nohup` says that this is nothing.
async fn interrupted() {
    let mut signals = vec![SignalKind::interrupt(), SignalKind::terminate()];
    if !ignores_hangup() {
        signals.push(SignalKind::hangup());
    }
    let waiting = signals.into_iter().filter_map(|kind| signal(kind).ok());
    let mut waiting: FuturesUnordered<_> =
        waiting.map(|mut signal| async move { signal.recv().await }).collect();
    if waiting.next().await.is_none() {
        std::future::pending().await
    }
}

/// Whether whoever started this process wants it to outlive its terminal (proc(5): `SigIgn`, a bit a signal, SIGHUP the first).
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Says on stdout what would be done, for `--dry-run`.
pub fn say_would(output: &Output, verb: &str, what: impl ToString, to: impl ToString) {
    let (what, to) = (what.to_string(), to.to_string());
    match output.json {
        true => print_line(serde_json::json!({"event": format!("would_{verb}"), "what": what, "to": to})),
        false => print_line(format!("would {verb} {what} to {to}")),
    }
}

/// Ends a command that moves bytes before it has begun.
pub fn give_up(output: &Output, error: &Error) -> u8 {
    let display = output.display();
    let tally = display.tally();
    end(&display, &tally, error)
}

/// The command as a whole has failed, before its first transfer or between two.
fn end(display: &Display, tally: &Tally, error: &Error) -> u8 {
    display.give_up(tally, &failure(None, None, error));
    fail(error)
}

/// Says why on stderr, with what to do about it.
pub fn fail(error: &Error) -> u8 {
    eprintln!("dovetail: {}", printable(&error.to_string(), |_| false));
    if let Some(advice) = error.advice() {
        eprintln!("  {advice}");
    }
    code_of(error)
}

/// The exit code of a failure.
pub fn code_of(error: &Error) -> u8 {
    match error {
        Error::Usage(_) => USAGE,
        Error::Interrupted => INTERRUPTED,
        error if error.is_resumable() => RESUMABLE,
        _ => FAILED,
    }
}

/// What is told of a transfer that has failed, or without a `what` of the command.
pub fn failure(what: Option<String>, to: Option<String>, error: &Error) -> Event {
    Event::Failed {
        what,
        to,
        error: error.to_string(),
        advice: error.advice(),
        resumable: error.is_resumable(),
    }
}

/// Where journals are: the platform's folder for state.
pub fn journals() -> Journals {
    let folder =
        etcetera::choose_base_strategy().map(|base| base.state_dir().unwrap_or_else(|| base.data_dir()));
    // Without a home there is still the folder one is in.
    Journals::new(folder.unwrap_or_else(|_| PathBuf::from(".")).join("dovetail").join("transfers"))
}

/// Names journals that cannot be read, for commands that go by journals alone.
pub fn tell_damaged(journals: &Journals) -> Result<(), Error> {
    for path in journals.damaged()? {
        let advice = "run the `put` or `get` again that began it, which says what is left on the server";
        eprintln!("dovetail: the journal {} is damaged: {advice}", path.display());
    }
    Ok(())
}

/// This command, as one would type it again.
fn command_line() -> String {
    std::env::args_os().map(|argument| quoted(&argument.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

/// As a shell reads it.
pub fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_typed_again() {
        for (argument, expected) in [
            ("s3://bucket/a-b_c.txt", "s3://bucket/a-b_c.txt"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
            ("$HOME", "'$HOME'"),
            ("a*", "'a*'"),
        ] {
            assert_eq!(quoted(argument), expected);
        }
    }
}
