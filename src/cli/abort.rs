//! `dovetail abort`: drops open uploads and their parts.

use std::process::ExitCode;

use clap::Args;

use super::connect::Connect;
use super::deed::Deed;
use super::transfer::{self, Session};
use crate::client::address::Address;
use crate::client::error::Error;

pub const HELP: &str = "\
Examples:
  dovetail abort s3://bucket/key
  dovetail abort s3://bucket/key --upload-id 0192...
  dovetail abort --all s3://bucket/old/
      every open upload whose key begins with old/";

#[derive(Args, Debug)]
pub struct AbortArgs {
    #[arg(value_name = "s3://BUCKET/KEY")]
    target: String,
    /// Only this upload
    #[arg(long, value_name = "ID")]
    upload_id: Option<String>,
    /// Every upload whose key begins like this
    #[arg(long, conflicts_with = "upload_id")]
    all: bool,
    #[command(flatten)]
    deed: Deed,
    #[command(flatten)]
    connect: Connect,
}

pub fn abort(args: AbortArgs) -> ExitCode {
    transfer::ask(&args.connect, async |session| {
        let target = Address::parse(&args.target)?;
        if let Some(id) = &args.upload_id {
            return args.abort_one(session, &target, id).await;
        }
        let mut uploads = session.endpoint.list_uploads(&target).await?;
        if !args.all {
            uploads.retain(|upload| upload.key == target.key);
            if uploads.len() > 1 {
                let reason = format!(
                    "{target} has {} open uploads: name one by --upload-id, or all by --all",
                    uploads.len()
                );
                return Err(Error::Usage(reason));
            }
        }
        if uploads.is_empty() {
            return Err(Error::Incomplete(format!("{target} has no open upload")));
        }
        for upload in uploads {
            let address = Address { bucket: target.bucket.clone(), key: upload.key };
            args.abort_one(session, &address, &upload.id).await?;
        }
        Ok(())
    })
}

impl AbortArgs {
    async fn abort_one(&self, session: &Session, address: &Address, id: &str) -> Result<(), Error> {
        if !self.deed.only_said("abort", format!("{address} {id}")) {
            session.endpoint.abort_upload(address, id).await?;
            let text = format!("aborted {address} {id}");
            self.deed.done("aborted", address, &[("upload_id", id.into())], Some(text));
        }
        Ok(())
    }
}
