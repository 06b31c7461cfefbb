//! The commands that talk to a server rather than being one.

use std::process::ExitCode;

use clap::{Command, Subcommand};

use super::{abort, completions, cp, get, key, ls, mb, presign, put, rb, resume, rm, stat, uploads, user};

#[derive(Subcommand)]
pub enum ClientCommand {
    /// Upload files, folders or a pipe; run it again to go on where it stopped
    #[command(after_help = put::HELP)]
    Put(Box<put::PutArgs>),
    /// Download objects; run it again to go on where it stopped
    #[command(after_help = get::HELP)]
    Get(Box<get::GetArgs>),
    /// Go on with every transfer that was begun here and not finished
    #[command(after_help = resume::HELP)]
    Resume(Box<resume::ResumeArgs>),
    /// List uploads that are not finished
    #[command(after_help = uploads::HELP)]
    Uploads(uploads::UploadsArgs),
    /// Drop transfers that are not finished
    #[command(after_help = abort::HELP)]
    Abort(abort::AbortArgs),
    /// List buckets or objects
    #[command(after_help = ls::HELP)]
    Ls(ls::LsArgs),
    /// Delete objects
    #[command(after_help = rm::HELP)]
    Rm(Box<rm::RmArgs>),
    /// Copy objects on the server
    #[command(after_help = cp::HELP)]
    Cp(Box<cp::CpArgs>),
    /// Show what is known of an object
    #[command(after_help = stat::HELP)]
    Stat(Box<stat::StatArgs>),
    /// Make a bucket
    #[command(after_help = mb::HELP)]
    Mb(mb::MbArgs),
    /// Remove an empty bucket
    #[command(after_help = rb::HELP)]
    Rb(rb::RbArgs),
    /// Print a URL that whoever has it may use
    #[command(after_help = presign::HELP)]
    Presign(presign::PresignArgs),
    /// Make, list and remove the users of a running gateway
    #[command(after_help = user::HELP)]
    User(user::UserArgs),
    /// Make and revoke the access keys of its users
    #[command(after_help = key::HELP)]
    Key(key::KeyArgs),
    /// Print what a shell needs to complete these commands
    #[command(after_help = completions::COMPLETIONS_HELP)]
    Completions(completions::CompletionsArgs),
    /// Write manual pages
    #[command(after_help = completions::MAN_HELP)]
    Man(completions::ManArgs),
}

/// Runs one. `whole` describes all commands of the program.
pub fn run(command: ClientCommand, whole: Command) -> ExitCode {
    match command {
        ClientCommand::Put(args) => put::put(*args),
        ClientCommand::Get(args) => get::get(*args),
        ClientCommand::Resume(args) => resume::resume(*args),
        ClientCommand::Uploads(args) => uploads::uploads(args),
        ClientCommand::Abort(args) => abort::abort(args),
        ClientCommand::Ls(args) => ls::ls(args),
        ClientCommand::Rm(args) => rm::rm(*args),
        ClientCommand::Cp(args) => cp::cp(*args),
        ClientCommand::Stat(args) => stat::stat(*args),
        ClientCommand::Mb(args) => mb::mb(args),
        ClientCommand::Rb(args) => rb::rb(args),
        ClientCommand::Presign(args) => presign::presign(args),
        ClientCommand::User(args) => user::user(args),
        ClientCommand::Key(args) => key::key(args),
        ClientCommand::Completions(args) => completions::completions(&args, whole),
        ClientCommand::Man(args) => completions::man(&args, whole),
    }
}
