//! `dovetail resume`: goes on with every transfer that this machine has begun and not finished.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use futures::FutureExt as _;

use super::connect::{Connect, Effort};
use super::encryption::KeyFile;
use super::many::Many;
use super::transfer::{self, OnStop, Output, Session};
use super::{get, put};
use crate::client::error::Error;
use crate::client::journal::{Direction, Header};
use crate::client::overtaken::{check_not_overtaken, have_one_target};

pub const HELP: &str = "\
Examples:
  dovetail resume
      everything that `dovetail uploads --mine` shows
  dovetail resume backup.tar

Keys and region are found as for `put`; each endpoint is the one that its transfer began with. What was
written to the same place since is not replaced: the command that began the transfer does that.";

#[derive(Args, Debug)]
pub struct ResumeArgs {
    /// Only the transfers of these files
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Say what would go on, and do nothing; no server is asked whether it still has it, or something newer
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    key: KeyFile,
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    effort: Effort,
    #[command(flatten)]
    output: Output,
}

pub fn resume(args: ResumeArgs) -> ExitCode {
    let found = match args.transfers() {
        Ok(found) => found,
        Err(error) => return transfer::give_up(&args.output, &error).into(),
    };
    if args.dry_run {
        for Waiting { header, .. } in found.into_values().flatten().filter(|waiting| !waiting.is_overtaken) {
            let (path, address) = (header.path.display(), header.address());
            match header.direction {
                Direction::Upload => transfer::say_would(&args.output, "upload", path, address),
                Direction::Download => transfer::say_would(&args.output, "download", address, path),
            }
        }
        return ExitCode::SUCCESS;
    }
    if found.is_empty() {
        let display = args.output.display();
        display.finish(&display.tally(), "moved");
    }
    let mut worst = 0;
    for ((endpoint, has_key), waiting) in found {
        // What was begun without a key goes on without one.
        let connect = if has_key { args.connect.with_key(&args.key) } else { args.connect.clone() };
        let connect = Connect { endpoint_url: Some(endpoint), ..connect };
        let code =
            transfer::run_for_code(&connect, &args.effort, &args.output, OnStop::Resume, async |session| {
                let mut many = Many::new(session);
                for waiting in waiting {
                    waiting.go_on(session, &mut many).await;
                }
                Ok(many.finish("moved").await)
            });
        if code == transfer::INTERRUPTED {
            return code.into();
        }
        worst = worst.max(code);
    }
    worst.into()
}

impl ResumeArgs {
    /// The journals by endpoint, and by whether their objects have a key.
    fn transfers(&self) -> Result<BTreeMap<(String, bool), Vec<Waiting>>, Error> {
        let mut found: BTreeMap<(String, bool), Vec<Waiting>> = BTreeMap::new();
        let wanted: Vec<_> = self.files.iter().map(|file| absolute(file)).collect();
        let journals = transfer::journals();
        transfer::tell_damaged(&journals)?;
        // Oldest first.
        let mut headers = journals.all()?.into_iter().map(|(header, _)| header);
        while let Some(header) = headers.next() {
            if wanted.is_empty() || wanted.contains(&header.path) {
                let place = (header.endpoint.clone(), header.customer_key.is_some());
                let is_overtaken = headers.clone().any(|later| have_one_target(&header, &later));
                found.entry(place).or_default().push(Waiting { header, is_overtaken });
            }
        }
        if found.is_empty() && !wanted.is_empty() {
            return Err(Error::Usage(
                "no transfer of these files is waiting; see `dovetail uploads --mine`".into(),
            ));
        }
        Ok(found)
    }
}

/// A transfer that was not finished.
struct Waiting {
    header: Header,
    /// A later one goes to the same place.
    is_overtaken: bool,
}

impl Waiting {
    async fn go_on(self, session: &Session, many: &mut Many<'_>) {
        let Waiting { header, is_overtaken } = self;
        session.tally.add_file(header.len);
        let (path, address) = (header.path.display().to_string(), header.address().to_string());
        let (what, to) = match header.direction {
            Direction::Upload => (path, address.clone()),
            Direction::Download => (address.clone(), path),
        };
        if is_overtaken {
            return many.failed(&what, Some(to.clone()), &Error::Overtaken { target: to, address });
        }
        let endpoint = Arc::clone(&session.endpoint);
        let begun = header.clone();
        let transfer = match header.direction {
            Direction::Upload => put::resume(session, header).boxed(),
            Direction::Download => get::resume(session, header).boxed(),
        };
        let checked = async move {
            check_not_overtaken(&endpoint, &begun).await?;
            transfer.await
        };
        many.start(what, Some(to), checked).await;
    }
}

fn absolute(file: &str) -> std::path::PathBuf {
    let path = Path::new(file);
    std::fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}
