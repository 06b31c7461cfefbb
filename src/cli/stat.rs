//! `dovetail stat`: what is known of an object.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::connect::Connect;
use super::encryption::KeyFile;
use super::transfer::{self, print_line};
use super::version::Version;
use crate::client::address::Address;
use crate::client::error::Error;
use crate::wire::http_date;

pub const HELP: &str = "\
Examples:
  dovetail stat --json s3://bucket/key
  dovetail stat --version-id 0192... s3://bucket/key
  dovetail stat --sse-c-key-file key s3://bucket/secret";

/// What is worth showing of the headers.
const SHOWN: [&str; 9] = [
    "content-type",
    "content-encoding",
    "cache-control",
    "x-amz-checksum-type",
    "x-amz-storage-class",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-version-id",
];

#[derive(Args, Debug)]
pub struct StatArgs {
    #[arg(value_name = "s3://BUCKET/KEY")]
    object: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    version: Version,
    #[command(flatten)]
    key: KeyFile,
    #[command(flatten)]
    connect: Connect,
}

pub fn stat(args: StatArgs) -> ExitCode {
    transfer::ask(&args.connect.with_key(&args.key), async |session| {
        let address = Address::parse(&args.object)?;
        if address.key.is_empty() {
            return Err(Error::Usage(format!("{address} is no object")));
        }
        let address = args.version.of(address)?;
        let head = session.endpoint.look_at(&address).await?;
        let mut fields = vec![
            ("key", address.key.clone()),
            ("bytes", head.len.to_string()),
            ("etag", head.etag),
            ("modified", head.modified_s.map(http_date::iso8601).unwrap_or_default()),
        ];
        if let Some(checksum) = head.checksum {
            fields.push(("checksum", format!("{}:{}", checksum.algorithm.name(), checksum.encode())));
        }
        for (name, value) in &head.headers {
            if let Ok(value) = value.to_str()
                && (SHOWN.contains(&name.as_str()) || name.as_str().starts_with("x-amz-meta-"))
            {
                fields.push((name.as_str(), value.to_owned()));
            }
        }
        if args.json {
            let number = |name: &str, value: &str| match name {
                "bytes" => json!(head.len),
                _ => json!(value),
            };
            let object: serde_json::Map<String, serde_json::Value> =
                fields.iter().map(|(name, value)| (name.to_string(), number(name, value))).collect();
            print_line(serde_json::Value::Object(object));
        } else {
            fields.iter().for_each(|(name, value)| print_line(format!("{name}: {value}")));
        }
        Ok(())
    })
}
