//! `dovetail rb`: removes an empty bucket.

use std::process::ExitCode;

use clap::Args;

use super::connect::Connect;
use super::deed::Deed;
use super::transfer;
use crate::client::address::Address;

pub const HELP: &str = "\
Example:
  dovetail rb s3://bucket

A bucket with anything in it stays: empty it with `dovetail rm -r` first.";

#[derive(Args, Debug)]
pub struct RbArgs {
    #[arg(value_name = "s3://BUCKET")]
    bucket: String,
    #[command(flatten)]
    deed: Deed,
    #[command(flatten)]
    connect: Connect,
}

pub fn rb(args: RbArgs) -> ExitCode {
    transfer::ask(&args.connect, async |session| {
        let address = Address::parse_bucket(&args.bucket)?;
        if !args.deed.only_said("remove", &address) {
            session.endpoint.delete_bucket(&address.bucket).await?;
            args.deed.done("removed", address, &[], None);
        }
        Ok(())
    })
}
