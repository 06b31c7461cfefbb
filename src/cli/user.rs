//! `dovetail user`: the users of a running gateway.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::connect::Connect;
use super::transfer::{self, print_line};
use crate::client::error::Error;
use crate::client::operations::administration::{NewUser, UserEntry};

pub const HELP: &str = "\
Examples:
  dovetail user add backup --policy backup.json
      a user of the gateway's first account, who may do what the policy allows
  dovetail user add guest --account team
  dovetail user policy backup backup.json
      replace the policy; without a file print it, with --remove take it away
  dovetail user list --json
  dovetail user remove backup
      with its keys; its account keeps what it made

The keys of a user of the configuration file are needed, in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile, and the
gateway's address in --endpoint-url or AWS_ENDPOINT_URL. A user without a policy may do what the policies of buckets allow.
`dovetail key create` makes keys.";

#[derive(Args, Debug)]
pub struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Subcommand, Debug)]
enum UserCommand {
    /// Make a user, who has no keys yet
    Add {
        #[arg(value_name = "NAME")]
        name: String,
        /// The user of the configuration who owns what this one makes [default: the first]
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
        /// A file with an IAM-style policy: what the user may do
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        #[command(flatten)]
        connect: Connect,
    },
    /// Show the users and their keys, without secrets
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connect: Connect,
    },
    /// Remove a user and its keys
    Remove {
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        connect: Connect,
    },
    /// Print a user's policy, or replace it
    Policy {
        #[arg(value_name = "NAME")]
        name: String,
        /// A file with the new policy
        #[arg(value_name = "FILE", conflicts_with = "remove")]
        file: Option<PathBuf>,
        /// Leave the user without one
        #[arg(long)]
        remove: bool,
        #[command(flatten)]
        connect: Connect,
    },
}

pub fn user(args: UserArgs) -> ExitCode {
    match args.command {
        UserCommand::Add { name, account, policy, connect } => transfer::ask(&connect, async |session| {
            let policy = policy.as_deref().map(read).transpose()?;
            session.endpoint.add_user(&name, &NewUser { account, policy }).await
        }),
        UserCommand::List { json, connect } => transfer::ask(&connect, async |session| {
            for user in session.endpoint.users().await? {
                show(&user, json)?;
            }
            Ok(())
        }),
        UserCommand::Remove { name, connect } => {
            transfer::ask(&connect, async |session| session.endpoint.remove_user(&name).await)
        }
        UserCommand::Policy { name, file, remove, connect } => transfer::ask(&connect, async |session| {
            if file.is_none() && !remove {
                let policy = session.endpoint.user_policy(&name).await?;
                policy.iter().for_each(|policy| print_line(policy.trim_end()));
                return Ok(());
            }
            let policy = file.as_deref().map(read).transpose()?;
            session.endpoint.set_user_policy(&name, policy).await
        }),
    }
}

fn show(user: &UserEntry, json: bool) -> Result<(), Error> {
    if json {
        print_line(serde_json::to_string(user).map_err(|err| Error::Usage(err.to_string()))?);
        return Ok(());
    }
    let policy = if user.has_policy { "with a policy" } else { "without a policy" };
    print_line(format!("{}  account {}  {policy}  since {}", user.name, user.account, user.created));
    for key in &user.keys {
        print_line(format!("  {}  since {}", key.access_key_id, key.created));
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path)
        .map_err(|err| Error::Usage(format!("cannot read the policy {}: {err}", path.display())))
}
