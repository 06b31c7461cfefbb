//! `dovetail completions` and `dovetail man`: what shells and `man` know about the commands, from their definition.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use super::transfer;
use crate::client::error::Error;

pub const COMPLETIONS_HELP: &str = "\
Examples:
  dovetail completions bash > ~/.local/share/bash-completion/completions/dovetail
  dovetail completions zsh > \"${fpath[1]}/_dovetail\"
  dovetail completions fish > ~/.config/fish/completions/dovetail.fish";

pub const MAN_HELP: &str = "\
Example:
  dovetail man ~/.local/share/man/man1";

#[derive(Args, Debug)]
pub struct CompletionsArgs {
    shell: Shell,
}

#[derive(Args, Debug)]
pub struct ManArgs {
    /// Write a page for each command into this folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn completions(args: &CompletionsArgs, mut command: Command) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "dovetail", &mut text);
    match std::io::stdout().write_all(&text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => unwritten("stdout", &error),
    }
}

pub fn man(args: &ManArgs, command: Command) -> ExitCode {
    match write_pages(&args.folder, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => unwritten(args.folder.display(), &error),
    }
}

/// No transfer: there is nothing that goes on when there is room.
fn unwritten(place: impl std::fmt::Display, error: &std::io::Error) -> ExitCode {
    transfer::fail(&Error::Incomplete(format!("cannot write to {place}: {error}"))).into()
}

fn write_pages(folder: &Path, command: Command) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command, folder)
}
