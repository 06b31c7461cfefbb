//! `dovetail cp`: copies an object on the server.

use std::process::ExitCode;

use clap::Args;

use super::connect::Connect;
use super::deed::Deed;
use super::transfer;
use crate::client::address::Address;
use crate::client::copy;
use crate::client::error::Error;

pub const HELP: &str = "\
Example:
  dovetail cp s3://bucket/key s3://other/prefix/

Metadata is copied along. No byte passes through this machine; `put` and `get` move files.";

#[derive(Args, Debug)]
pub struct CpArgs {
    #[arg(value_name = "s3://BUCKET/KEY")]
    source: String,
    /// s3://bucket/key, or s3://bucket/prefix/ to keep the name
    #[arg(value_name = "s3://BUCKET/KEY")]
    target: String,
    #[command(flatten)]
    deed: Deed,
    #[command(flatten)]
    connect: Connect,
}

pub fn cp(args: CpArgs) -> ExitCode {
    transfer::ask(&args.connect, async |session| {
        let (source, target) = (Address::parse(&args.source)?, Address::parse(&args.target)?);
        if source.is_prefix() {
            return Err(Error::Usage(format!("{source} is no object")));
        }
        let target = if target.is_prefix() { target.join(source.file_name()) } else { target };
        if args.deed.only_said("copy", format!("{source} to {target}")) {
            return Ok(());
        }
        let (len, written) = copy::copy(&session.endpoint, &source, &target).await?;
        let more =
            [("from", source.to_string().into()), ("bytes", len.into()), ("etag", written.etag.into())];
        args.deed.done("copied", target, &more, None);
        Ok(())
    })
}
