//! `dovetail resume`: goes on with every transfer that this machine has begun and not finished.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::connect::{Connect, Effort};
use super::encryption::KeyFile;
use super::many::Many;
use super::transfer::{self, OnStop, Output};
use super::{get, put};
use crate::client::error::Error;
use crate::client::journal::{Direction, Header};

pub const HELP: &str = "\
Examples:
  dovetail resume
      everything that `dovetail uploads --mine` shows
  dovetail resume backup.tar

Keys and region are found as for `put`; each endpoint is the one that its transfer began with.";

#[derive(Args, Debug)]
pub struct ResumeArgs {
    /// Only the transfers of these files
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Say what would go on, and do nothing
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
        Err(error) => return transfer::fail(&error).into(),
    };
    if args.dry_run {
        for header in found.into_values().flatten() {
            let (path, address) = (header.path.display(), header.address());
            match header.direction {
                Direction::Upload => transfer::say_would(&args.output, "upload", path, address),
                Direction::Download => transfer::say_would(&args.output, "download", address, path),
            }
        }
        return ExitCode::SUCCESS;
    }
    let mut worst = 0;
    for ((endpoint, has_key), headers) in found {
        // What was begun without a key goes on without one.
        let connect = if has_key { args.connect.with_key(&args.key) } else { args.connect.clone() };
        let connect = Connect { endpoint_url: Some(endpoint), ..connect };
        let code =
            transfer::run_for_code(&connect, &args.effort, &args.output, OnStop::Resume, async |session| {
                let mut many = Many::new(session);
                for header in headers {
                    session.tally.add_file(header.len);
                    let address = header.address();
                    match header.direction {
                        Direction::Upload => {
                            let what = header.path.display().to_string();
                            many.start(what, Some(address.to_string()), put::resume(session, header)).await;
                        }
                        Direction::Download => {
                            let what = address.to_string();
                            let to = Some(header.path.display().to_string());
                            many.start(what, to, get::resume(session, header)).await;
                        }
                    }
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
    fn transfers(&self) -> Result<BTreeMap<(String, bool), Vec<Header>>, Error> {
        let mut found: BTreeMap<(String, bool), Vec<Header>> = BTreeMap::new();
        let wanted: Vec<_> = self.files.iter().map(|file| absolute(file)).collect();
        let journals = transfer::journals();
        transfer::tell_damaged(&journals)?;
        for (header, _) in journals.all()? {
            if wanted.is_empty() || wanted.contains(&header.path) {
                let place = (header.endpoint.clone(), header.customer_key.is_some());
                found.entry(place).or_default().push(header);
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

fn absolute(file: &str) -> std::path::PathBuf {
    let path = Path::new(file);
    std::fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}
