//! `dovetail key`: the access keys of a running gateway's users.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::connect::Connect;
use super::transfer::{self, print_line};
use crate::client::error::Error;

pub const HELP: &str = "\
Examples:
  dovetail key create backup
      the secret is shown now and never again
  dovetail key create backup --json > backup-key.json
  dovetail key revoke DTABCDEFGHIJKLMNOPQR
      nothing that it signs is accepted any more

To change keys without a gap: create the new one, use it, revoke the old one. `dovetail user list` shows which there are.";

#[derive(Args, Debug)]
pub struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Subcommand, Debug)]
enum KeyCommand {
    /// Make a key pair for a user and show it
    Create {
        #[arg(value_name = "USER")]
        user: String,
        /// One JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connect: Connect,
    },
    /// Take a key away, at once
    Revoke {
        #[arg(value_name = "ACCESS_KEY_ID")]
        id: String,
        #[command(flatten)]
        connect: Connect,
    },
}

pub fn key(args: KeyArgs) -> ExitCode {
    match args.command {
        KeyCommand::Create { user, json, connect } => transfer::ask(&connect, async |session| {
            let key = session.endpoint.create_key(&user).await?;
            if json {
                print_line(serde_json::to_string(&key).map_err(|err| Error::Usage(err.to_string()))?);
            } else {
                print_line(format!("AWS_ACCESS_KEY_ID={}", key.access_key_id));
                print_line(format!("AWS_SECRET_ACCESS_KEY={}", key.secret_access_key));
            }
            Ok(())
        }),
        KeyCommand::Revoke { id, connect } => {
            transfer::ask(&connect, async |session| session.endpoint.revoke_key(&id).await)
        }
    }
}
