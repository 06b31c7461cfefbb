//! `dovetail mb`: makes a bucket.

use std::process::ExitCode;

use clap::Args;

use super::connect::Connect;
use super::deed::Deed;
use super::transfer;
use crate::client::address::Address;
use crate::wire::error_code::ErrorCode;

pub const HELP: &str = "\
Example:
  dovetail mb s3://bucket

A bucket that is already yours is no error.";

#[derive(Args, Debug)]
pub struct MbArgs {
    #[arg(value_name = "s3://BUCKET")]
    bucket: String,
    #[command(flatten)]
    deed: Deed,
    #[command(flatten)]
    connect: Connect,
}

pub fn mb(args: MbArgs) -> ExitCode {
    transfer::ask(&args.connect, async |session| {
        let address = Address::parse_bucket(&args.bucket)?;
        if args.deed.only_said("make", &address) {
            return Ok(());
        }
        // Only the oldest region of AWS wants its name not to be said.
        let region = session.endpoint.region();
        let location = (session.endpoint.is_aws() && region != "us-east-1").then_some(region);
        match session.endpoint.create_bucket(&address.bucket, location).await {
            Err(error) if error.code() == Some(ErrorCode::BucketAlreadyOwnedByYou) => {}
            made => made?,
        }
        args.deed.done("made", address, &[], None);
        Ok(())
    })
}
