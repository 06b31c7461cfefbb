//! `dovetail abort`: drops open uploads with their parts, and what this machine remembers of them and of downloads.

use std::process::ExitCode;

use clap::Args;

use super::connect::Connect;
use super::deed::Deed;
use super::transfer::{self, Session};
use crate::client::address::Address;
use crate::client::download::part_file::{discard, part_path};
use crate::client::error::Error;
use crate::client::journal::{Direction, Header};
use crate::wire::error_code::ErrorCode;

pub const HELP: &str = "\
Examples:
  dovetail abort s3://bucket/key
  dovetail abort s3://bucket/key --upload-id 0192...
  dovetail abort --all s3://bucket/old/
      every open upload whose key begins with old/

A download of these keys that was begun here and not finished is given up, too.";

#[derive(Args, Debug)]
pub struct AbortArgs {
    #[arg(value_name = "s3://BUCKET/KEY")]
    target: String,
    /// Only this upload
    #[arg(long, value_name = "ID")]
    upload_id: Option<String>,
    /// Everything whose key begins like this
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
        let mut uploads = args.uploads(session, &target).await?;
        if !args.all {
            uploads.retain(|(address, _)| *address == target);
            if uploads.len() > 1 {
                let reason = format!(
                    "{target} has {} open uploads: name one by --upload-id, or all by --all",
                    uploads.len()
                );
                return Err(Error::Usage(reason));
            }
        }
        for (address, id) in &uploads {
            args.abort_one(session, address, id).await?;
        }
        if args.forget(session, &target)? == 0 && uploads.is_empty() {
            let reason = format!("{target} has no open upload, and nothing of it was begun here");
            return Err(Error::Incomplete(reason));
        }
        Ok(())
    })
}

impl AbortArgs {
    /// The open uploads that may be meant: where, and which.
    async fn uploads(&self, session: &Session, target: &Address) -> Result<Vec<(Address, String)>, Error> {
        if let Some(id) = &self.upload_id {
            return Ok(vec![(target.clone(), id.clone())]);
        }
        let listed = match session.endpoint.list_uploads(target).await {
            // What is left of them here can be forgotten still.
            Err(error)
                if error.code() == Some(ErrorCode::NoSuchBucket) && self.is_known(session, target)? =>
            {
                return Ok(Vec::new());
            }
            listed => listed?,
        };
        let address = |key: String| Address::new(&target.bucket, key);
        Ok(listed.into_iter().map(|upload| (address(upload.key), upload.id)).collect())
    }

    async fn abort_one(&self, session: &Session, address: &Address, id: &str) -> Result<(), Error> {
        if !self.deed.only_said("abort", format!("{address} {id}")) {
            session.endpoint.abort_upload(address, id).await?;
            let text = format!("aborted {address} {id}");
            self.deed.done("aborted", address, &[("upload_id", id.into())], Some(text));
        }
        Ok(())
    }

    /// Whether a transfer that was begun here is meant. A download has no id.
    fn is_meant(&self, session: &Session, target: &Address, header: &Header) -> bool {
        let is_key = header.key == target.key || self.all && header.key.starts_with(&target.key);
        let is_id = self.upload_id.is_none() || header.upload_id == self.upload_id;
        header.endpoint == session.endpoint.name() && header.bucket == target.bucket && is_key && is_id
    }

    fn is_known(&self, session: &Session, target: &Address) -> Result<bool, Error> {
        let all = session.journals.all()?;
        Ok(all.iter().any(|(header, _)| self.is_meant(session, target, header)))
    }

    /// Drops what this machine remembers, with what has come of a download, and says how many transfers that were.
    fn forget(&self, session: &Session, target: &Address) -> Result<usize, Error> {
        let is_meant = |header: &Header| self.is_meant(session, target, header);
        if self.deed.dry_run {
            let all = session.journals.all()?;
            let meant = all.into_iter().filter(|(header, _)| is_meant(header));
            return Ok(meant.filter(|(header, _)| self.deed.only_said("forget", described(header))).count());
        }
        let forgotten = session.journals.forget(is_meant)?;
        for header in &forgotten {
            if header.direction == Direction::Download {
                let part_path = part_path(&header.path);
                discard(&part_path)
                    .map_err(|error| Error::file(format!("remove {}", part_path.display()), error))?;
            }
            let text = format!("forgot {}", described(header));
            let file = header.path.display().to_string();
            self.deed.done("forgotten", header.address(), &[("file", file.into())], Some(text));
        }
        Ok(forgotten.len())
    }
}

fn described(header: &Header) -> String {
    match header.direction {
        Direction::Upload => format!("{} -> {}", header.path.display(), header.address()),
        Direction::Download => format!("{} -> {}", header.address(), header.path.display()),
    }
}
