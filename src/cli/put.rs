//! `dovetail put`: uploads files, folders and pipes, and goes on where an earlier run stopped.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::connect::{Connect, Effort, byte_count};
use super::description::{Description, comparable};
use super::encryption::Encryption;
use super::filter::Filter;
use super::many::Many;
use super::pipe_input::take_stdin;
use super::sources::{Found, Job, content_type, find_jobs};
use super::transfer::{self, OnStop, Output, Session};
use crate::client::address::Address;
use crate::client::answers::ListedObject;
use crate::client::error::Error;
use crate::client::journal::Header;
use crate::client::upload::pipe::{PipeOptions, put_pipe};
use crate::client::upload::{Done, PutOptions, Target, put_file, would_put};

pub const HELP: &str = "\
Examples:
  dovetail put backup.tar s3://bucket/
      run it again after anything went wrong: it goes on where it stopped
  dovetail put -r photos s3://bucket/photos/
  pg_dump db | dovetail put - s3://bucket/db.sql
  dovetail put --sse-c-key-file key secret s3://bucket/
      encrypted with a key that the server does not keep (head -c 32 /dev/urandom > key; chmod 600 key)
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
    // One list, so that options may stand anywhere between; shown as what it is.
    #[arg(required = true, num_args = 1.., value_name = "FILE> <s3://BUCKET/KEY")]
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
    /// Say what would be uploaded, and do nothing; files are compared with objects of their length, open uploads are not looked at
    #[arg(long)]
    dry_run: bool,
    /// When a pipe fails, keep what has arrived as an open upload instead of aborting it
    #[arg(long)]
    keep: bool,
    /// Fail unless exactly so many bytes come out of the pipe
    #[arg(long, value_name = "BYTES", value_parser = byte_count)]
    expected_size: Option<u64>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    description: Description,
    #[command(flatten)]
    encryption: Encryption,
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    effort: Effort,
    #[command(flatten)]
    output: Output,
}

pub fn put(args: PutArgs) -> ExitCode {
    let is_pipe = args.paths.iter().any(|path| path == "-");
    let on_stop = if is_pipe { OnStop::Finish } else { OnStop::Resume };
    let (connect, effort, output) =
        (args.connect.with_key(&args.encryption.key), args.effort.clone(), args.output.clone());
    transfer::run(&connect, &effort, &output, on_stop, async |session| {
        let (target, sources) = args.paths.split_last().expect("clap wants at least one");
        let target = Address::parse(target)?;
        if sources.is_empty() {
            return Err(Error::Usage(format!("name a file that is to become {target}")));
        }
        let mut headers = args.description.headers()?;
        args.encryption.add_to(&mut headers)?;
        if !is_pipe && args.expected_size.is_some() {
            return Err(Error::Usage("--expected-size is for a pipe: producer | dovetail put - ...".into()));
        }
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
            transfer::say_would(&self.output, "upload", "stdin", target);
            return Ok(0);
        }
        let stdin = take_stdin().map_err(|error| Error::file("read stdin", error))?;
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
        let upload = async move { put_pipe(&endpoint, stdin, &address, &options, &pipe).await };
        many.start("stdin".into(), Some(target.to_string()), upload).await;
        Ok(many.finish("sent").await)
    }

    async fn put_files(
        &self,
        session: &Session,
        sources: &[String],
        target: &Address,
        headers: HeaderMap,
    ) -> Result<u8, Error> {
        let (sources, target) = (sources.to_vec(), target.clone());
        let (filter, recursive) = (self.filter.clone(), self.recursive);
        let walk = session.tasks.spawn_blocking({
            let target = target.clone();
            move || find_jobs(&sources, &target, recursive, &filter)
        });
        let Found { jobs, skipped, failed } =
            walk.await.map_err(|error| Error::file("look for files", std::io::Error::other(error)))??;
        for text in skipped {
            session.tally.note("skipped", text);
        }
        let mut many = Many::new(session);
        failed.iter().for_each(|(what, error)| many.failed(what, None, error));
        jobs.iter().for_each(|job| session.tally.add_file(job.len));
        let listed = self.listed(session, &jobs, &target).await?;
        let with = |job: &Job| {
            let target = match &listed {
                None => Target::Unknown,
                Some(listed) => listed
                    .get(&job.address.key)
                    .map_or(Target::Absent, |object| Target::Listed(object.clone())),
            };
            let options = self.options_of(job, &headers);
            (Arc::clone(&session.endpoint), session.journals.clone(), options, target)
        };
        if self.dry_run {
            let asked = jobs.into_iter().map(|job| {
                let (endpoint, journals, options, target) = with(&job);
                let (what, to) = (job.path.display().to_string(), job.address.to_string());
                let would = async move {
                    would_put(&endpoint, &journals, &job.path, &job.address, &options, target).await
                };
                (what, to, would)
            });
            many.would(&self.output, "upload", asked).await;
            return Ok(many.finish_said(&self.output));
        }
        for job in jobs {
            let (endpoint, journals, options, target) = with(&job);
            let (what, to) = (job.path.display().to_string(), job.address.to_string());
            let upload = async move {
                put_file(&endpoint, &journals, &job.path, &job.address, &options, target).await
            };
            many.start(what, Some(to), upload).await;
        }
        Ok(many.finish("sent").await)
    }

    fn options_of(&self, job: &Job, headers: &HeaderMap) -> PutOptions {
        let wanted = comparable(headers);
        let mut headers = headers.clone();
        if let Some(kind) = content_type(&job.path) {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
        }
        PutOptions {
            part_len: self.effort.part_size,
            headers,
            wanted,
            resume_from_server: self.resume_from_server,
            always: self.force,
        }
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
}

/// Uploads the file of a journal again; for `dovetail resume`.
pub fn resume(session: &Session, header: Header) -> impl Future<Output = Result<Done, Error>> + Send + use<> {
    let (endpoint, journals) = (Arc::clone(&session.endpoint), session.journals.clone());
    let headers = header.headers.iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    });
    let options = PutOptions { headers: headers.collect(), ..PutOptions::default() };
    let (path, address) = (header.path.clone(), header.address());
    async move { put_file(&endpoint, &journals, &path, &address, &options, Target::Unknown).await }
}
