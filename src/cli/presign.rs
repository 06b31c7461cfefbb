//! `dovetail presign`: a URL that whoever has it may use.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use http::Method;

use super::connect::Connect;
use super::transfer::{self, print_line};
use super::version::Version;
use crate::client::address::Address;
use crate::client::endpoint::call::Call;
use crate::client::error::Error;
use crate::wire::sigv4::EXPIRES_MAX_S;

pub const HELP: &str = "\
Examples:
  dovetail presign s3://bucket/key
  dovetail presign --version-id 0192... s3://bucket/key
  curl -T file \"$(dovetail presign --method put --expires 600 s3://bucket/key)\"";

#[derive(Args, Debug)]
pub struct PresignArgs {
    #[arg(value_name = "s3://BUCKET/KEY")]
    object: String,
    /// What the URL is for
    #[arg(long, value_name = "METHOD", default_value = "get")]
    method: Use,
    /// Seconds that the URL can be used, at most a week
    #[arg(long, value_name = "SECONDS", default_value_t = 3600,
          value_parser = clap::value_parser!(u32).range(1..=EXPIRES_MAX_S))]
    expires: u32,
    #[command(flatten)]
    version: Version,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Use {
    Get,
    Head,
    Put,
    Delete,
}

pub fn presign(args: PresignArgs) -> ExitCode {
    transfer::ask(&args.connect, async |session| {
        let address = Address::parse(&args.object)?;
        if address.key.is_empty() {
            return Err(Error::Usage(format!("{address} is no object")));
        }
        args.version.is_of_one(args.method == Use::Put)?;
        let address = args.version.of(address)?;
        let method = match args.method {
            Use::Get => Method::GET,
            Use::Head => Method::HEAD,
            Use::Put => Method::PUT,
            Use::Delete => Method::DELETE,
        };
        let call = Call::about(format!("presign {address}"), method, &address);
        print_line(session.endpoint.presign(&call, args.expires).await?);
        Ok(())
    })
}
