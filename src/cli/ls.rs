//! `dovetail ls`: buckets, prefixes and objects.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::connect::Connect;
use super::transfer::{self, Session, print_line};
use crate::client::address::Address;
use crate::client::error::Error;
use crate::client::progress::size;
use crate::wire::http_date;

pub const HELP: &str = "\
Examples:
  dovetail ls
  dovetail ls s3://bucket/photos/
  dovetail ls -r --json s3://bucket

Exit code 1 when nothing begins like this.";

#[derive(Args, Debug)]
pub struct LsArgs {
    /// s3://bucket/prefix; without it, buckets are listed
    #[arg(value_name = "s3://BUCKET/PREFIX")]
    prefix: Option<String>,
    /// Everything under the prefix
    #[arg(short, long)]
    recursive: bool,
    /// Sizes for people
    #[arg(short = 'H', long)]
    human: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

pub fn ls(args: LsArgs) -> ExitCode {
    transfer::ask(&args.connect, async |session| match &args.prefix {
        None => args.buckets(session).await,
        Some(prefix) => args.objects(session, &Address::parse(prefix)?).await,
    })
}

impl LsArgs {
    async fn buckets(&self, session: &Session) -> Result<(), Error> {
        for (name, created_s) in session.endpoint.list_buckets().await? {
            let created = http_date::iso8601(created_s);
            match self.json {
                true => print_line(json!({"bucket": name, "created": created})),
                false => print_line(format!("{created}  s3://{name}/")),
            }
        }
        Ok(())
    }

    async fn objects(&self, session: &Session, prefix: &Address) -> Result<(), Error> {
        let delimiter = (!self.recursive).then_some("/");
        let (mut token, mut is_empty): (Option<String>, bool) = (None, true);
        loop {
            let page = session.endpoint.list_objects(prefix, delimiter, token.as_deref()).await?;
            is_empty &= page.prefixes.is_empty() && page.objects.is_empty();
            for name in page.prefixes {
                match self.json {
                    true => print_line(json!({"prefix": name})),
                    false => print_line(format!("{:24}  {:>14}  {name}", "", "-")),
                }
            }
            for object in page.objects {
                let modified = http_date::iso8601(object.modified_s);
                if self.json {
                    print_line(json!({
                        "key": object.key, "bytes": object.len, "etag": object.etag, "modified": modified,
                    }));
                    continue;
                }
                let len = if self.human { size(object.len) } else { object.len.to_string() };
                print_line(format!("{modified:24}  {len:>14}  {}", object.key));
            }
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        // An empty bucket is there, a prefix of nothing is not: scripts ask by the exit code, as with aws-cli.
        match is_empty && !prefix.key.is_empty() {
            true => Err(Error::Incomplete(format!("there is nothing under {prefix}"))),
            false => Ok(()),
        }
    }
}
