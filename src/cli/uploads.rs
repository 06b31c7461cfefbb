//! `dovetail uploads`: what is not finished, on the server or in this machine's journals.

use std::process::ExitCode;

use clap::Args;
use futures::stream::{self, StreamExt as _};
use serde_json::json;

use super::connect::Connect;
use super::transfer::{self, Session, print_line};
use crate::base::clock::Clock;
use crate::client::address::Address;
use crate::client::error::Error;
use crate::client::journal::{Direction, Header};
use crate::client::progress::{duration, size};
use crate::wire::http_date;

pub const HELP: &str = "\
Examples:
  dovetail uploads s3://bucket
      every open upload of the bucket: age, parts, bytes, key, upload id
  dovetail uploads --mine
      the transfers that this machine can resume; asks no server";

/// Uploads whose parts are asked for side by side.
const LOOKS_AT_ONCE: usize = 8;

#[derive(Args, Debug)]
pub struct UploadsArgs {
    /// s3://bucket/prefix
    #[arg(value_name = "s3://BUCKET/PREFIX", required_unless_present = "mine")]
    prefix: Option<String>,
    /// The transfers in this machine's journals, both ways
    #[arg(long, conflicts_with = "prefix")]
    mine: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

pub fn uploads(args: UploadsArgs) -> ExitCode {
    let Some(prefix) = &args.prefix else {
        return match args.mine() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => transfer::fail(&error).into(),
        };
    };
    transfer::ask(&args.connect, async |session| args.on_server(session, &Address::parse(prefix)?).await)
}

impl UploadsArgs {
    async fn on_server(&self, session: &Session, prefix: &Address) -> Result<(), Error> {
        let now_s = session.endpoint.now_ms() / 1000;
        let uploads = session.endpoint.list_uploads(prefix).await?;
        let mut looked = stream::iter(uploads)
            .map(async |upload| {
                let address = Address::new(&prefix.bucket, &upload.key);
                let parts = session.endpoint.list_parts(&address, &upload.id).await;
                (address, upload, parts)
            })
            .buffered(LOOKS_AT_ONCE);
        while let Some((address, upload, parts)) = looked.next().await {
            let parts = match parts {
                // Finished meanwhile.
                Err(error) if error.is_no_such_upload() => continue,
                // One that is encrypted with a key of its owner's tells its parts to nobody else.
                Err(error) if error.is_about_encryption() => None,
                parts => Some(parts?),
            };
            let count = parts.as_ref().map(Vec::len);
            let len = parts.map(|parts| parts.iter().map(|part| part.len).sum::<u64>());
            if self.json {
                print_line(json!({
                    "key": address.key, "upload_id": upload.id, "parts": count, "bytes": len,
                    "initiated": http_date::iso8601(upload.initiated_s),
                }));
                continue;
            }
            let age = duration((now_s - upload.initiated_s).max(0) as f64);
            print_line(format!(
                "{age:>12}  {:>5} parts  {:>10}  {address}  {}",
                count.map_or("?".into(), |count| count.to_string()),
                len.map_or("?".into(), size),
                upload.id
            ));
        }
        Ok(())
    }

    fn mine(&self) -> Result<(), Error> {
        let now_ms = Clock::system().now_ms();
        let journals = transfer::journals();
        transfer::tell_damaged(&journals)?;
        for (header, arrived) in journals.all()? {
            let total = header.len.div_ceil(header.part_len.max(1)).max(1);
            if self.json {
                print_line(json!({
                    "direction": header.direction, "file": header.path, "bucket": header.bucket, "key": header.key,
                    "version_id": header.version_id, "endpoint": header.endpoint, "upload_id": header.upload_id, "bytes": header.len,
                    "parts": total, "parts_arrived": arrived, "started_ms": header.started_ms,
                }));
                continue;
            }
            let age = duration((now_ms - header.started_ms).max(0) as f64 / 1000.0);
            let way = way(&header);
            print_line(format!("{age:>12}  {arrived} of {total} parts  {:>10}  {way}", size(header.len)));
        }
        Ok(())
    }
}

/// `file -> s3://bucket/key at endpoint`
fn way(header: &Header) -> String {
    let (file, address) = (header.path.display(), header.address());
    match header.direction {
        Direction::Upload => format!("{file} -> {address} at {}", header.endpoint),
        Direction::Download => format!("{address} at {} -> {file}", header.endpoint),
    }
}
