//! `dovetail cp`: copies objects on the server.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use futures::stream::{self, StreamExt as _};
use http::HeaderMap;
use tokio_util::sync::CancellationToken;

use super::connect::Connect;
use super::deed::Deed;
use super::encryption::{Encryption, KeyFiles};
use super::filter::Filter;
use super::transfer::{self, Session};
use super::version::Version;
use crate::client::address::Address;
use crate::client::error::Error;
use crate::client::operations::copy;

pub const HELP: &str = "\
Examples:
  dovetail cp s3://bucket/key s3://other/prefix/
  dovetail cp --version-id 0192... s3://bucket/key s3://bucket/key
      an older version becomes the newest again
  dovetail cp -r s3://bucket/photos/ s3://other/photos/
  dovetail cp --source-sse-c-key-file old --sse-c-key-file new s3://bucket/key s3://bucket/key
      another key for the same bytes

Metadata and tags are copied along. No byte passes through this machine; `put` and `get` move files.";

/// Objects copied side by side, each with requests of its own.
const COPIES_AT_ONCE: usize = 8;

#[derive(Args, Debug)]
pub struct CpArgs {
    #[arg(value_name = "s3://BUCKET/KEY")]
    source: String,
    /// s3://bucket/key, or s3://bucket/prefix/ to keep the name
    #[arg(value_name = "s3://BUCKET/KEY")]
    target: String,
    /// Copy every object in the folder, which ends at a slash whether it is typed or not
    #[arg(short, long)]
    recursive: bool,
    #[command(flatten)]
    version: Version,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    deed: Deed,
    #[command(flatten)]
    encryption: Encryption,
    /// The key (SSE-C) of what is copied; --sse-c-key-file is that of the copy
    #[arg(long, value_name = "FILE", help_heading = "Encryption")]
    source_sse_c_key_file: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

pub fn cp(args: CpArgs) -> ExitCode {
    let keys = KeyFiles {
        own: args.encryption.key.sse_c_key_file.clone(),
        copy_source: args.source_sse_c_key_file.clone(),
    };
    let connect = Connect { keys, ..args.connect.clone() };
    transfer::ask_until_stopped(&connect, async |session| {
        let (source, target) = (Address::parse(&args.source)?, Address::parse(&args.target)?);
        args.version.is_of_one(args.recursive)?;
        if args.recursive {
            return args.copy_all(session, &source.folder(), &target.folder()).await;
        }
        let no_object = || Error::Usage(format!("{source} is no object; copy what is in it with -r"));
        if source.key.is_empty() {
            return Err(no_object());
        }
        let target = if target.is_prefix() { target.join(source.file_name()) } else { target };
        let copied = args.copy_one(session, args.version.of(source.clone())?, target, &session.stop).await;
        // A key may end in a slash, but that is seldom what is meant.
        copied.map_err(|error| if source.is_prefix() && error.is_not_found() { no_object() } else { error })
    })
}

impl CpArgs {
    async fn copy_one(
        &self,
        session: &Session,
        source: Address,
        target: Address,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        if self.deed.only_said("copy", format!("{source} to {target}")) {
            return Ok(());
        }
        let mut headers = HeaderMap::new();
        self.encryption.add_to(&mut headers)?;
        let (len, written) = copy::copy(&session.endpoint, &source, &target, &headers, stop).await?;
        let more =
            [("from", source.to_string().into()), ("bytes", len.into()), ("etag", written.etag.into())];
        self.deed.done("copied", target, &more, None);
        Ok(())
    }

    /// A page at a time. What the server refuses is told, and the rest goes on; what may work later ends it.
    async fn copy_all(&self, session: &Session, source: &Address, target: &Address) -> Result<(), Error> {
        if source.bucket == target.bucket && target.key.starts_with(&source.key) {
            return Err(Error::Usage(format!("{target} is in {source}: it would be copied into itself")));
        }
        let (mut token, mut is_empty, mut failed): (Option<String>, bool, u64) = (None, true, 0);
        let stop = session.stop.child_token();
        loop {
            let page = session.endpoint.list_objects(source, None, token.as_deref()).await?;
            is_empty &= page.objects.is_empty();
            let copies = page.objects.into_iter().filter_map(|object| {
                let name = object.key.strip_prefix(&source.key).filter(|name| self.filter.takes(name))?;
                let target = Address::new(&target.bucket, format!("{}{name}", target.key));
                Some(self.copy_one(session, Address::new(&source.bucket, object.key), target, &stop))
            });
            let mut copies = stream::iter(copies).buffer_unordered(COPIES_AT_ONCE);
            let mut ended = None;
            while let Some(copied) = copies.next().await {
                match copied {
                    Ok(()) => {}
                    // Those under way end soon, and leave nothing open.
                    Err(_) if ended.is_some() => {}
                    Err(error) if error.is_resumable() || matches!(error, Error::Interrupted) => {
                        stop.cancel();
                        ended = Some(error);
                    }
                    Err(error) => {
                        transfer::fail(&error);
                        failed += 1;
                    }
                }
            }
            if let Some(error) = ended {
                return Err(error);
            }
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        if is_empty && !source.key.is_empty() {
            return Err(Error::Incomplete(format!("there is nothing in {source}")));
        }
        match failed {
            0 => Ok(()),
            _ => Err(Error::Incomplete(format!("{failed} objects were not copied"))),
        }
    }
}
