//! `dovetail rm`: deletes objects.

use std::process::ExitCode;

use clap::Args;

use super::connect::Connect;
use super::transfer::{self, Session, print_line};
use crate::client::address::Address;
use crate::client::error::Error;

pub const HELP: &str = "\
Examples:
  dovetail rm s3://bucket/key s3://bucket/other
  dovetail rm -r --dry-run s3://bucket/old/";

#[derive(Args, Debug)]
pub struct RmArgs {
    /// s3://bucket/key, or s3://bucket/prefix with -r
    #[arg(required = true, value_name = "s3://BUCKET/KEY")]
    targets: Vec<String>,
    /// Delete every object under the prefix
    #[arg(short, long)]
    recursive: bool,
    /// Print what would be deleted, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connect: Connect,
}

pub fn rm(args: RmArgs) -> ExitCode {
    transfer::ask(&args.connect, async |session| {
        for target in &args.targets {
            let target = Address::parse(target)?;
            if args.recursive {
                args.delete_all(session, &target).await?;
            } else if target.key.is_empty() {
                return Err(Error::Usage(format!("{target} is a bucket; delete what is in it with -r")));
            } else if args.dry_run {
                print_line(format!("would delete {target}"));
            } else {
                session.endpoint.delete_object(&target).await?;
            }
        }
        Ok(())
    })
}

impl RmArgs {
    /// A page at a time: listed, then deleted in one request.
    async fn delete_all(&self, session: &Session, prefix: &Address) -> Result<(), Error> {
        let mut token: Option<String> = None;
        loop {
            let page = session.endpoint.list_objects(prefix, None, token.as_deref()).await?;
            let keys: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
            if self.dry_run {
                keys.iter().for_each(|key| print_line(format!("would delete s3://{}/{key}", prefix.bucket)));
            } else if !keys.is_empty() {
                let failures = session.endpoint.delete_objects(&prefix.bucket, &keys).await?;
                if let Some((key, reason)) = failures.first() {
                    let text =
                        format!("cannot delete {} objects; the first is {key}: {reason}", failures.len());
                    return Err(Error::Usage(text));
                }
            }
            token = page.next;
            if token.is_none() {
                return Ok(());
            }
        }
    }
}
