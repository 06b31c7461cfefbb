//! `dovetail rm`: deletes objects.

use std::process::ExitCode;

use clap::Args;

use super::connect::Connect;
use super::deed::Deed;
use super::filter::Filter;
use super::transfer::{self, Session};
use super::version::Version;
use crate::client::address::Address;
use crate::client::error::Error;

pub const HELP: &str = "\
Examples:
  dovetail rm s3://bucket/key s3://bucket/other
  dovetail rm -r --dry-run s3://bucket/old/
  dovetail rm --version-id 0192... s3://bucket/key
      for good, where a bucket keeps versions; a delete marker goes the same way
  dovetail rm -r --include '*.log' --exclude 'keep/*' s3://bucket/logs/";

#[derive(Args, Debug)]
pub struct RmArgs {
    /// s3://bucket/key, or s3://bucket/folder/ with -r
    #[arg(required = true, value_name = "s3://BUCKET/KEY")]
    targets: Vec<String>,
    /// Delete every object in the folder, which ends at a slash whether it is typed or not
    #[arg(short, long)]
    recursive: bool,
    #[command(flatten)]
    version: Version,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    deed: Deed,
    #[command(flatten)]
    connect: Connect,
}

pub fn rm(args: RmArgs) -> ExitCode {
    transfer::ask(&args.connect, async |session| {
        args.version.is_of_one(args.recursive || args.targets.len() > 1)?;
        for target in &args.targets {
            let target = Address::parse(target)?;
            if args.recursive {
                args.delete_all(session, &target.folder()).await?;
                continue;
            }
            if target.key.is_empty() {
                return Err(Error::Usage(format!("{target} is a bucket; delete what is in it with -r")));
            }
            let target = args.version.of(target)?;
            if !args.deed.only_said("delete", &target) {
                session.endpoint.delete_object(&target).await?;
                args.deed.done("deleted", &target, &[], None);
            }
        }
        Ok(())
    })
}

impl RmArgs {
    /// A page at a time: listed, then deleted in one request. What cannot be deleted does not keep the rest.
    async fn delete_all(&self, session: &Session, folder: &Address) -> Result<(), Error> {
        let mut token: Option<String> = None;
        let mut failures: Vec<(String, String)> = Vec::new();
        loop {
            let page = session.endpoint.list_objects(folder, None, token.as_deref()).await?;
            let mut keys: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
            keys.retain(|key| key.strip_prefix(&folder.key).is_some_and(|name| self.filter.takes(name)));
            let address = |key: &String| Address::new(&folder.bucket, key);
            if self.deed.dry_run {
                for key in &keys {
                    self.deed.only_said("delete", address(key));
                }
            } else if !keys.is_empty() {
                let refused = session.endpoint.delete_objects(&folder.bucket, &keys).await?;
                let has_failed = |key: &String| refused.iter().any(|(failed, _)| failed == key);
                for key in keys.iter().filter(|key| !has_failed(key)) {
                    self.deed.done("deleted", address(key), &[], None);
                }
                failures.extend(refused);
            }
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        let Some((key, reason)) = failures.first() else { return Ok(()) };
        let text = format!("cannot delete {} objects; the first is {key}: {reason}", failures.len());
        Err(Error::Incomplete(text))
    }
}
