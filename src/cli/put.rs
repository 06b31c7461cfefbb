//! `dovetail put`: uploads files, folders and pipes, and goes on where an earlier run stopped.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::connect::{Connect, Effort, byte_count};
use super::many::Many;
use super::transfer::{self, OnStop, Output, Session};
use crate::client::address::Address;
use crate::client::answers::ListedObject;
use crate::client::error::Error;
use crate::client::pipe::{PipeOptions, put_pipe};
use crate::client::upload::{Done, PutOptions, Target, put_file};

pub const HELP: &str = "\
Examples:
  dovetail put backup.tar s3://bucket/
      run it again after anything went wrong: it goes on where it stopped
  dovetail put -r photos s3://bucket/photos/
  pg_dump db | dovetail put - s3://bucket/db.sql
  dovetail put --resume-from-server disk.img s3://bucket/disk.img
      go on with an upload that was begun on another machine

Exit codes: 0 done, 1 failed, 2 bad usage, 3 not this time: the same command goes on, 130 interrupted.";

/// From so many files on, what is there is learnt from listings rather than by asking for each.
const LISTING_FROM: usize = 8;
/// A listing that is this many times longer than what is uploaded is given up.
const LISTING_EXCESS: usize = 20;

#[derive(Args, Debug)]
pub struct PutArgs {
    /// Files, folders with -r, or - for stdin; then s3://bucket/key or s3://bucket/prefix/
    #[arg(required = true, num_args = 2.., value_names = ["FILE", "s3://BUCKET/KEY"])]
    paths: Vec<String>,
    /// Upload folders with everything in them
    #[arg(short, long)]
    recursive: bool,
    /// Without a journal, go on with the newest open upload of the same key
    #[arg(long)]
    resume_from_server: bool,
    /// Upload even what is already there
    #[arg(long)]
    force: bool,
    /// Say what would be uploaded, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// What the object is, such as text/plain [default: by the file's ending]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Metadata to keep with the object
    #[arg(long, value_name = "NAME=VALUE")]
    metadata: Vec<String>,
    /// Such as STANDARD_IA
    #[arg(long, value_name = "NAME")]
    storage_class: Option<String>,
    /// When a pipe fails, keep what has arrived as an open upload instead of aborting it
    #[arg(long)]
    keep: bool,
    /// Fail unless exactly so many bytes come out of the pipe
    #[arg(long, value_name = "BYTES", value_parser = byte_count)]
    expected_size: Option<u64>,
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    effort: Effort,
    #[command(flatten)]
    output: Output,
}

/// A file and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Job {
    path: PathBuf,
    address: Address,
    len: u64,
}

pub fn put(args: PutArgs) -> ExitCode {
    let is_pipe = args.paths.iter().any(|path| path == "-");
    let on_stop = if is_pipe { OnStop::Finish } else { OnStop::Resume };
    let (connect, effort, output) = (args.connect.clone(), args.effort.clone(), args.output.clone());
    transfer::run(&connect, &effort, &output, on_stop, async |session| {
        let (target, sources) = args.paths.split_last().expect("clap wants at least two");
        let target = Address::parse(target)?;
        let headers = args.headers()?;
        if is_pipe {
            args.put_stdin(session, sources, &target, headers).await
        } else {
            args.put_files(session, sources, &target, headers).await
        }
    })
}

impl PutArgs {
    async fn put_stdin(
        &self,
        session: &Session,
        sources: &[String],
        target: &Address,
        headers: HeaderMap,
    ) -> Result<u8, Error> {
        if sources.len() != 1 || target.is_prefix() {
            return Err(Error::Usage(
                "stdin goes to one key: producer | dovetail put - s3://bucket/key".into(),
            ));
        }
        if self.dry_run {
            eprintln!("would upload stdin to {target}");
            return Ok(0);
        }
        session.tally.add_file(0);
        let options = PutOptions { part_len: self.effort.part_size, headers, ..PutOptions::default() };
        let pipe = PipeOptions {
            keep: self.keep,
            memory_len: self.effort.memory,
            spool_folder: session.journals.folder().to_owned(),
            expected_len: self.expected_size,
            stop: session.stop.clone(),
        };
        let (endpoint, address) = (Arc::clone(&session.endpoint), target.clone());
        let mut many = Many::new(session);
        let upload = async move { put_pipe(&endpoint, std::io::stdin(), &address, &options, &pipe).await };
        many.start(target.to_string(), upload).await;
        Ok(many.finish("sent").await)
    }

    async fn put_files(
        &self,
        session: &Session,
        sources: &[String],
        target: &Address,
        headers: HeaderMap,
    ) -> Result<u8, Error> {
        let (sources, target, recursive) = (sources.to_vec(), target.clone(), self.recursive);
        let walk = session.tasks.spawn_blocking({
            let target = target.clone();
            move || find_jobs(&sources, &target, recursive)
        });
        let (jobs, skipped) =
            walk.await.map_err(|error| Error::file("look for files", std::io::Error::other(error)))??;
        for text in skipped {
            session.tally.note("skipped", text);
        }
        if self.dry_run {
            jobs.iter().for_each(|job| println!("would upload {} to {}", job.path.display(), job.address));
            return Ok(0);
        }
        jobs.iter().for_each(|job| session.tally.add_file(job.len));
        let listed = self.listed(session, &jobs, &target).await?;
        let mut many = Many::new(session);
        for job in jobs {
            let target = match &listed {
                None => Target::Unknown,
                Some(listed) => listed
                    .get(&job.address.key)
                    .map_or(Target::Absent, |object| Target::Listed(object.clone())),
            };
            let mut headers = headers.clone();
            if let (None, Some(kind)) = (&self.content_type, content_type(&job.path)) {
                headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            let options = PutOptions {
                part_len: self.effort.part_size,
                headers,
                resume_from_server: self.resume_from_server,
                always: self.force,
            };
            let (endpoint, journals) = (Arc::clone(&session.endpoint), session.journals.clone());
            let what = job.path.display().to_string();
            let upload = async move {
                put_file(&endpoint, &journals, &job.path, &job.address, &options, target).await
            };
            many.start(what, upload).await;
        }
        Ok(many.finish("sent").await)
    }

    /// What is already under the target, if many files go there and the listing is not much longer than they are.
    async fn listed(
        &self,
        session: &Session,
        jobs: &[Job],
        target: &Address,
    ) -> Result<Option<HashMap<String, ListedObject>>, Error> {
        if self.force || jobs.len() < LISTING_FROM {
            return Ok(None);
        }
        let mut found = HashMap::new();
        let mut token: Option<String> = None;
        loop {
            let page = match session.endpoint.list_objects(target, None, token.as_deref()).await {
                // Whoever may write may not always list.
                Err(error) if error.status() == Some(403) => return Ok(None),
                page => page?,
            };
            found.extend(page.objects.into_iter().map(|object| (object.key.clone(), object)));
            match page.next {
                Some(_) if found.len() > jobs.len() * LISTING_EXCESS => return Ok(None),
                Some(next) => token = Some(next),
                None => return Ok(Some(found)),
            }
        }
    }

    fn headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        let mut add = |name: &str, value: &str| {
            let name = HeaderName::try_from(name);
            let value = HeaderValue::try_from(value);
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(Error::Usage("metadata has names and values that HTTP can carry".into()));
            };
            headers.append(name, value);
            Ok(())
        };
        if let Some(kind) = &self.content_type {
            add("content-type", kind)?;
        }
        if let Some(class) = &self.storage_class {
            add("x-amz-storage-class", class)?;
        }
        for pair in &self.metadata {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(Error::Usage(format!("--metadata is NAME=VALUE, not {pair:?}")));
            };
            add(&format!("x-amz-meta-{name}"), value)?;
        }
        Ok(headers)
    }
}

/// Every file with its place, in order, and what is passed over.
fn find_jobs(
    sources: &[String],
    target: &Address,
    recursive: bool,
) -> Result<(Vec<Job>, Vec<String>), Error> {
    let (mut jobs, mut skipped) = (Vec::new(), Vec::new());
    for source in sources {
        if Address::is_address(source) {
            return Err(Error::Usage(format!(
                "{source} is no local file; `dovetail cp` copies on the server"
            )));
        }
        let path = Path::new(source);
        let metadata =
            std::fs::metadata(path).map_err(|error| Error::file(format!("read {source}"), error))?;
        if metadata.is_dir() {
            if !recursive {
                return Err(Error::Usage(format!("{source} is a folder; upload it with -r")));
            }
            walk(path, "", target, &mut jobs, &mut skipped)?;
            continue;
        }
        let address = if target.is_prefix() || sources.len() > 1 {
            let name = path.file_name().and_then(|name| name.to_str());
            target.join(name.ok_or_else(|| Error::Usage(format!("the name of {source:?} is no text")))?)
        } else {
            target.clone()
        };
        jobs.push(Job { path: path.to_owned(), address, len: metadata.len() });
    }
    Ok((jobs, skipped))
}

/// Links to files are followed, links to folders are not: they may lead in circles.
fn walk(
    folder: &Path,
    prefix: &str,
    target: &Address,
    jobs: &mut Vec<Job>,
    skipped: &mut Vec<String>,
) -> Result<(), Error> {
    let fail = |error| Error::file(format!("read {}", folder.display()), error);
    let mut entries =
        std::fs::read_dir(folder).map_err(fail)?.collect::<Result<Vec<_>, _>>().map_err(fail)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            skipped.push(format!("{}: its name is no text", path.display()));
            continue;
        };
        let name = format!("{prefix}{name}");
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() && is_link => {
                skipped.push(format!("{}: a link to a folder", path.display()))
            }
            Ok(metadata) if metadata.is_dir() => walk(&path, &format!("{name}/"), target, jobs, skipped)?,
            Ok(metadata) if metadata.is_file() => {
                jobs.push(Job { path, address: target.join(&name), len: metadata.len() });
            }
            Ok(_) => skipped.push(format!("{}: no regular file", path.display())),
            Err(error) => skipped.push(format!("{}: {error}", path.display())),
        }
    }
    Ok(())
}

/// What browsers need to know to show a file, by its ending.
fn content_type(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    Some(match ending.as_str() {
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "js" | "mjs" => "text/javascript",
        "txt" | "log" | "md" => "text/plain",
        "csv" => "text/csv",
        "xml" => "application/xml",
        "json" => "application/json",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "tar" => "application/x-tar",
        "zst" => "application/zstd",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "ico" => "image/x-icon",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

/// Uploads one file of a journal again; for `dovetail resume`.
pub fn resume(
    session: &Session,
    path: PathBuf,
    address: Address,
) -> impl Future<Output = Result<Done, Error>> + Send + use<> {
    let (endpoint, journals) = (Arc::clone(&session.endpoint), session.journals.clone());
    async move { put_file(&endpoint, &journals, &path, &address, &PutOptions::default(), Target::Unknown).await }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(sources: &[&str], target: &str, recursive: bool) -> Result<Vec<String>, Error> {
        let sources: Vec<String> = sources.iter().map(|source| source.to_string()).collect();
        let (jobs, _) = find_jobs(&sources, &Address::parse(target).unwrap(), recursive)?;
        Ok(jobs.into_iter().map(|job| job.address.key).collect())
    }

    #[test]
    fn files_and_folders_get_the_keys_one_expects() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        std::fs::create_dir_all(folder.path().join("d/e")).unwrap();
        for name in ["a.txt", "d/b", "d/e/c"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        std::os::unix::fs::symlink("..", folder.path().join("d/circle")).unwrap();
        let file = format!("{root}/a.txt");
        assert_eq!(keys(&[&file], "s3://bucket/key", false).unwrap(), ["key"]);
        assert_eq!(keys(&[&file], "s3://bucket/p/", false).unwrap(), ["p/a.txt"]);
        assert_eq!(keys(&[&file], "s3://bucket", false).unwrap(), ["a.txt"]);
        assert_eq!(
            keys(&[&file, &format!("{root}/d/b")], "s3://bucket/p", false).unwrap(),
            ["p/a.txt", "p/b"]
        );
        assert_eq!(keys(&[root], "s3://bucket/p", true).unwrap(), ["p/a.txt", "p/d/b", "p/d/e/c"]);
        assert!(matches!(keys(&[root], "s3://bucket/p", false), Err(Error::Usage(_))));
        assert!(matches!(keys(&["/no/such/file"], "s3://bucket/p", false), Err(Error::File { .. })));
    }
}
