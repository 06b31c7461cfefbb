//! `dovetail get`: downloads objects and prefixes, and goes on where an earlier run stopped.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::connect::{Connect, Effort};
use super::encryption::KeyFile;
use super::filter::Filter;
use super::many::Many;
use super::transfer::{self, OnStop, Output, Session};
use super::version::Version;
use crate::client::address::Address;
use crate::client::answers::ListedObject;
use crate::client::download::part_file::is_part_name;
use crate::client::download::print::get_pipe;
use crate::client::download::sink::RANGE_MEMORY_LEN;
use crate::client::download::{GetOptions, Known, get_file, would_get};
use crate::client::error::Error;
use crate::client::journal::Header;
use crate::client::upload::Done;

pub const HELP: &str = "\
Examples:
  dovetail get s3://bucket/backup.tar .
      run it again after anything went wrong: it goes on where it stopped
  dovetail get -r s3://bucket/photos/ photos
  dovetail get s3://bucket/db.sql - | psql db
  dovetail get --version-id 0192... s3://bucket/report.pdf old.pdf
      an older version; `ls --versions` shows which there are
  dovetail get --sse-c-key-file key s3://bucket/secret .

A file gets its name when it is whole and its checksum is right; until then it is NAME.dovetail-part.
Exit codes: 0 done, 1 failed, 2 bad usage, 3 not this time: the same command goes on, 130 interrupted.";

#[derive(Args, Debug)]
pub struct GetArgs {
    /// s3://bucket/key, or s3://bucket/folder/ with -r
    #[arg(value_name = "s3://BUCKET/KEY")]
    source: String,
    /// A file, a folder, or - for stdout
    #[arg(value_name = "FILE")]
    target: String,
    /// Download every object in the folder, which ends at a slash whether it is typed or not
    #[arg(short, long)]
    recursive: bool,
    /// Download even what is already there
    #[arg(long)]
    force: bool,
    /// Wait for the disk too, so that what was downloaded survives a power cut
    #[arg(long)]
    sync: bool,
    /// Say what would be downloaded, and do nothing; files are compared with objects of their length
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    version: Version,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    key: KeyFile,
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    effort: Effort,
    #[command(flatten)]
    output: Output,
}

pub fn get(args: GetArgs) -> ExitCode {
    let on_stop = if args.target == "-" { OnStop::Leave } else { OnStop::Resume };
    let (connect, effort, output) =
        (args.connect.with_key(&args.key), args.effort.clone(), args.output.clone());
    if args.target == "-" && output.json {
        return transfer::fail(&Error::Usage("stdout is either the object or --json".into())).into();
    }
    transfer::run(&connect, &effort, &output, on_stop, async |session| {
        let source = Address::parse(&args.source)?;
        if Address::is_address(&args.target) {
            let reason = format!("{} is no local file; `dovetail cp` copies on the server", args.target);
            return Err(Error::Usage(reason));
        }
        session.endpoint.workers.bound((args.effort.memory / RANGE_MEMORY_LEN) as usize);
        args.version.is_of_one(args.recursive)?;
        if args.recursive {
            return args.get_all(session, &source.folder()).await;
        }
        // A key may end in a slash, but then it names no file.
        if source.key.is_empty() || source.is_prefix() && args.names_folder() {
            return Err(no_object(&source));
        }
        args.get_one(session, args.version.of(source)?).await
    })
}

impl GetArgs {
    fn options(&self) -> GetOptions {
        GetOptions { part_len: self.effort.part_size, always: self.force, sync: self.sync }
    }

    async fn get_one(&self, session: &Session, source: Address) -> Result<u8, Error> {
        let path = self.target_path(source.file_name());
        let (endpoint, journals, options) =
            (Arc::clone(&session.endpoint), session.journals.clone(), self.options());
        let (is_pipe, memory_len) = (self.target == "-", self.effort.memory);
        let mut many = Many::new(session);
        let what = source.to_string();
        if self.dry_run {
            let to = path.display().to_string();
            let would = async move {
                let would = would_get(&endpoint, &journals, &source, &path, &options, Known::Nothing).await?;
                Ok(is_pipe || would)
            };
            many.would(&self.output, "download", [(what, to, would)]).await;
            return Ok(many.finish_said(&self.output));
        }
        let to = (!is_pipe).then(|| path.display().to_string());
        let download = async move {
            if is_pipe {
                endpoint.tally.add_file(0);
                return get_pipe(&endpoint, &source, std::io::stdout(), &options, memory_len).await;
            }
            let head = match endpoint.look_at(&source).await {
                Err(error) if source.is_prefix() && error.is_not_found() => return Err(no_object(&source)),
                head => head?,
            };
            endpoint.tally.add_file(head.len);
            get_file(&endpoint, &journals, &source, &path, &options, Known::Head(head)).await
        };
        many.start(what, to, download).await;
        Ok(many.finish("received").await)
    }

    async fn get_all(&self, session: &Session, source: &Address) -> Result<u8, Error> {
        if self.target == "-" {
            return Err(Error::Usage("stdout takes one object".into()));
        }
        let folder = PathBuf::from(&self.target);
        if folder.exists() && !folder.is_dir() {
            return Err(Error::Usage(format!("{} is no folder", self.target)));
        }
        let with = || (Arc::clone(&session.endpoint), session.journals.clone(), self.options());
        let mut many = Many::new(session);
        let mut is_empty = true;
        let mut token: Option<String> = None;
        loop {
            let page = session.endpoint.list_objects(source, None, token.as_deref()).await?;
            is_empty &= page.objects.is_empty();
            let wanted = self.wanted(&mut many, source, &folder, page.objects);
            if self.dry_run {
                let asked = wanted.into_iter().map(|(address, path, object)| {
                    let (endpoint, journals, options) = with();
                    let (what, to) = (address.to_string(), path.display().to_string());
                    let known = Known::Listed(object);
                    let would = async move {
                        would_get(&endpoint, &journals, &address, &path, &options, known).await
                    };
                    (what, to, would)
                });
                many.would(&self.output, "download", asked).await;
            } else {
                for (address, path, object) in wanted {
                    session.tally.add_file(object.len);
                    let (endpoint, journals, options) = with();
                    let (what, to) = (address.to_string(), path.display().to_string());
                    let known = Known::Listed(object);
                    let download =
                        async move { get_file(&endpoint, &journals, &address, &path, &options, known).await };
                    many.start(what, Some(to), download).await;
                }
            }
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        if is_empty && !source.key.is_empty() {
            return Err(Error::Incomplete(format!("there is nothing in {source}")));
        }
        if self.dry_run {
            return Ok(many.finish_said(&self.output));
        }
        Ok(many.finish("received").await)
    }

    /// Which objects of a page are meant, and where each goes. What has no place is told.
    fn wanted(
        &self,
        many: &mut Many<'_>,
        source: &Address,
        folder: &Path,
        page: Vec<ListedObject>,
    ) -> Vec<(Address, PathBuf, ListedObject)> {
        let mut wanted = Vec::new();
        for object in page {
            let address = Address::new(&source.bucket, &object.key);
            if !object.key.strip_prefix(&source.key).is_some_and(|name| self.filter.takes(name)) {
                continue;
            }
            // What consoles make to show an empty folder.
            if object.key.ends_with('/') && object.len == 0 {
                continue;
            }
            let reason = match local_path(folder, &source.key, &object.key) {
                None => "its key is no path below the folder: get it alone, under a name of your own",
                // Where the object without this suffix would come in.
                Some(path) if path.file_name().is_some_and(is_part_name) => {
                    "its name is that of a download under way: get it alone, under another name"
                }
                Some(path) => {
                    wanted.push((address, path, object));
                    continue;
                }
            };
            many.failed(&address.to_string(), None, &Error::Incomplete(reason.into()));
        }
        wanted
    }

    fn target_path(&self, name: &str) -> PathBuf {
        let path = PathBuf::from(&self.target);
        let path = if self.names_folder() { path.join(name) } else { path };
        // A link stands for what it leads to, as where a shell writes: whoever names /dev/stdout does not want to replace it.
        match path.is_symlink() {
            true => std::fs::canonicalize(&path).unwrap_or(path),
            false => path,
        }
    }

    fn names_folder(&self) -> bool {
        self.target.ends_with('/') || Path::new(&self.target).is_dir()
    }
}

fn no_object(source: &Address) -> Error {
    Error::Usage(format!("{source} is no object; download what is under it with -r"))
}

/// Where an object of a folder goes: below the local one, whatever its key says, and where no other key goes.
fn local_path(local: &Path, folder: &str, key: &str) -> Option<PathBuf> {
    let name = key.strip_prefix(folder)?;
    let is_path = !name.contains('\0') && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    is_path.then(|| local.join(name))
}

/// Downloads one object of a journal again; for `dovetail resume`.
pub fn resume(session: &Session, header: Header) -> impl Future<Output = Result<Done, Error>> + Send + use<> {
    let (endpoint, journals) = (Arc::clone(&session.endpoint), session.journals.clone());
    let (path, address) = (header.path.clone(), header.address());
    // Cut otherwise, the object might fit into one request, which does not go on from anything.
    let options = GetOptions { part_len: Some(header.part_len), ..GetOptions::default() };
    async move { get_file(&endpoint, &journals, &address, &path, &options, Known::Nothing).await }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_leads_out_of_the_folder_or_into_another_one_s_place() {
        let path =
            |folder, key| local_path(Path::new("f"), folder, key).map(|path| path.display().to_string());
        assert_eq!(path("", "a/b").as_deref(), Some("f/a/b"));
        assert_eq!(path("a/", "a/b").as_deref(), Some("f/b"));
        assert_eq!(path("/", "/etc/passwd").as_deref(), Some("f/etc/passwd"));
        assert_eq!(path("a//", "a//b").as_deref(), Some("f/b"));
        assert_eq!(path("a/", "ab"), None);
        for key in ["../b", "a/../../b", "..", "", "./a", "a/./b", "a/.", "a\0b", "/etc/passwd", "a//b", "a/"]
        {
            assert_eq!(path("", key), None, "{key:?}");
        }
    }
}
