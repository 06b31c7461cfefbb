//! Uploading a file, from where the last run stopped.
//!
//! ```text
//! journal? --no--> open upload (--resume-from-server)? --no--> already there whole? --no--> small? one PUT
//!    |                        |                                    yes: done            large: begin an upload
//!    +----- what has the server? compare by checksum -----> send the rest -----> complete -----> remove journal
//! ```
//!
//! What counts as arrived is decided by checksums: the journal's of what was read from the unchanged file against
//! the server's of what it has. Where the journal says nothing, the part is read and hashed again, which is still
//! cheaper than sending it. A forgotten upload and a changed file start over, and say so.

mod adopt;
pub mod pipe;
mod present;
mod send;
pub mod sent_part;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::base::limits::PART_LEN_MIN;
use crate::client::address::Address;
use crate::client::answers::{ListedObject, ListedPart};
use crate::client::chunks::CHUNK_LEN;
use crate::client::endpoint::Endpoint;
use crate::client::error::{Class, Error};
use crate::client::identity::FileIdentity;
use crate::client::journal::{Direction, Header, Journal, Journals, Left};
use crate::client::operations::multipart::{NewUpload, SentPart};
use crate::client::operations::requests::Written;
use crate::client::plan::{Part, Plan};
use crate::client::source::Source;
use crate::client::tally::Event;
use crate::wire::limits::Limits;
use adopt::Adopted;

/// An upload that keeps vanishing is being aborted by somebody; going on would be a fight.
const STARTS_MAX: u32 = 3;
/// A file up to this length is read once, into memory: each further thread that is woken for it would cost more than that.
const GATHERED_LEN_MAX: u64 = CHUNK_LEN as u64;
/// A file up to this length is sent in one request whatever the endpoint prefers.
const ONE_REQUEST_LEN_MAX: u64 = PART_LEN_MIN;

/// How files are uploaded.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    pub part_len: Option<u64>,
    /// What describes the object: content type, metadata, storage class.
    pub headers: HeaderMap,
    /// Those of them that somebody asked for: an object that is already there has to say the same.
    pub wanted: HeaderMap,
    /// Without a journal, look for an open upload of the same key.
    pub resume_from_server: bool,
    /// Send it even if the same bytes are there.
    pub always: bool,
}

impl PutOptions {
    /// Whether even a file that fits into one request may become a multipart upload, which has a journal.
    fn may_be_multipart_whatever_its_length(&self) -> bool {
        self.part_len.is_some() || self.resume_from_server
    }
}

/// What is known about the target before it is looked at.
#[derive(Clone, Debug)]
pub enum Target {
    Unknown,
    Absent,
    Listed(ListedObject),
}

/// A transfer that is over.
#[derive(Clone, Debug)]
pub struct Done {
    pub len: u64,
    pub etag: String,
    pub checksum: Option<String>,
    /// Both sides have the same bytes, by a checksum. Only a download may lack one to compare with.
    pub verified: bool,
    /// Nothing had to move.
    pub was_there: bool,
    /// Bytes that were there before this run.
    pub kept_len: u64,
}

/// One file on its way.
struct Upload<'a> {
    endpoint: &'a Arc<Endpoint>,
    journals: &'a Journals,
    options: &'a PutOptions,
    address: &'a Address,
    path: PathBuf,
    file: Arc<File>,
    identity: FileIdentity,
    /// All of a small file.
    bytes: Option<Bytes>,
    may_have_journal: bool,
    plan: Plan,
}

/// A file and what it is now.
struct Opened {
    file: File,
    /// Absolute and without links, as journals know it, if there may be one.
    path: PathBuf,
    identity: FileIdentity,
    bytes: Option<Bytes>,
    may_have_journal: bool,
}

/// An open upload and what is known of its parts.
struct Session {
    journal: Journal,
    upload: NewUpload,
    plan: Plan,
    /// Verified to have arrived.
    sent: BTreeMap<u16, SentPart>,
    /// The server has them, but whether they are ours is to be seen.
    doubtful: BTreeMap<u16, ListedPart>,
}

/// Headers as a journal remembers them; all that describe an object are text.
fn header_pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

/// Uploads one file. The caller has counted it in the tally (`add_file`).
pub async fn put_file(
    endpoint: &Arc<Endpoint>,
    journals: &Journals,
    path: &Path,
    address: &Address,
    options: &PutOptions,
    target: Target,
) -> Result<Done, Error> {
    Upload::of(endpoint, journals, path, address, options).await?.run(target).await
}

/// Whether [`put_file`] would send anything. Reads the file to compare it with an object of its length, and changes nothing.
pub async fn would_put(
    endpoint: &Arc<Endpoint>,
    journals: &Journals,
    path: &Path,
    address: &Address,
    options: &PutOptions,
    target: Target,
) -> Result<bool, Error> {
    let upload = Upload::of(endpoint, journals, path, address, options).await?;
    let goes_on = upload.may_have_journal && journals.has(&upload.journal_header());
    Ok(goes_on || upload.already_there(target).await?.is_none())
}

async fn open(
    endpoint: &Endpoint,
    journals: &Journals,
    path: &Path,
    options: &PutOptions,
) -> Result<Opened, Error> {
    let (owned, journals) = (path.to_owned(), journals.clone());
    let may_be_multipart = options.may_be_multipart_whatever_its_length();
    let opened = endpoint.around.tasks.spawn_blocking(move || {
        let file = File::open(&owned)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(std::io::Error::other("it is no regular file"));
        }
        if metadata.len() <= GATHERED_LEN_MAX
            && let Some((identity, bytes)) = FileIdentity::with_bytes(&file, &metadata)?
        {
            // One request makes no journal, and what makes the full name costs as much as reading the file.
            let may_have_journal = may_be_multipart || journals.had_any();
            let path = if may_have_journal { std::fs::canonicalize(&owned)? } else { owned };
            return Ok(Opened { file, path, identity, bytes: Some(bytes), may_have_journal });
        }
        let (path, identity) = (std::fs::canonicalize(&owned)?, FileIdentity::of(&file)?);
        Ok(Opened { file, path, identity, bytes: None, may_have_journal: true })
    });
    let doing = format!("read {}", path.display());
    let opened = opened.await.map_err(|error| Error::file(&doing, std::io::Error::other(error)))?;
    opened.map_err(|error| Error::file(doing, error))
}

impl<'a> Upload<'a> {
    async fn of(
        endpoint: &'a Arc<Endpoint>,
        journals: &'a Journals,
        path: &Path,
        address: &'a Address,
        options: &'a PutOptions,
    ) -> Result<Upload<'a>, Error> {
        let opened = open(endpoint, journals, path, options).await?;
        let Opened { file, path, identity, bytes, may_have_journal } = opened;
        // What fits into one small request needs no limits.
        let plan = match identity.len > ONE_REQUEST_LEN_MAX || options.part_len.is_some() {
            true => Plan::new(identity.len, options.part_len, endpoint.limits().await)?,
            false => Plan::new(identity.len, None, &Limits::default())?,
        };
        let file = Arc::new(file);
        Ok(Upload {
            endpoint,
            journals,
            options,
            address,
            path,
            file,
            identity,
            bytes,
            may_have_journal,
            plan,
        })
    }

    async fn run(&self, target: Target) -> Result<Done, Error> {
        let left = match self.may_have_journal {
            true => self.journals.open_soon(&self.journal_header()).await?,
            false => Left::Nothing,
        };
        let mut session = match left {
            Left::Journal(journal) => match self.adopt(*journal).await? {
                Adopted::Done(done) => return Ok(done),
                Adopted::Session(session) => Some(*session),
                Adopted::Nothing => None,
            },
            Left::Damaged(damaged) => self.adopt_damaged(&damaged).await?,
            Left::Nothing => None,
        };
        if session.is_none() && self.options.resume_from_server {
            session = self.adopt_from_server().await?;
        }
        if session.is_none() {
            if let Some(done) = self.already_there(target).await? {
                return Ok(done);
            }
            if self.plan.count() == 1 {
                return self.put_whole().await;
            }
        }
        for _ in 0..STARTS_MAX {
            let mut current = match session.take() {
                Some(session) => session,
                None => self.begin().await?,
            };
            let kept_len: u64 = current.sent.values().map(|part| part.len).sum();
            self.tell_start(&current, kept_len);
            self.endpoint.bound_by_rate(current.plan.part_len);
            match self.finish(&mut current).await {
                Ok(written) => {
                    current.journal.remove()?;
                    return Ok(self.done(written, kept_len));
                }
                Err(error) if error.is_no_such_upload() => {
                    self.note("the server has forgotten the upload; starting over");
                    let sent_len: u64 = current.sent.values().map(|part| part.len).sum();
                    self.endpoint.tally.discard(sent_len);
                    current.journal.remove()?;
                }
                Err(error) => {
                    let error = self.blamed(error).await;
                    if matches!(error, Error::Changed { .. }) {
                        self.endpoint.abort_upload(self.address, &current.upload.id).await?;
                        current.journal.remove()?;
                    }
                    return Err(error);
                }
            }
        }
        let reason = "the upload vanished again and again: somebody aborts it";
        Err(Error::Incomplete(format!("cannot upload {}: {reason}", self.path.display())))
    }

    async fn put_whole(&self) -> Result<Done, Error> {
        let _permit = self.endpoint.workers.permit().await;
        let source = self.source(self.plan.part(1));
        let written = match self.endpoint.put_object(self.address, &source, &self.options.headers).await {
            Ok(written) => written,
            Err(error) => return Err(self.blamed(error).await),
        };
        self.endpoint.workers.succeeded(self.plan.len);
        self.check_unchanged().await?;
        Ok(self.done(written, 0))
    }

    async fn begin(&self) -> Result<Session, Error> {
        let upload = self.endpoint.create_upload(self.address, &self.options.headers).await?;
        match self.create_journal(&upload, self.plan).await {
            Ok(journal) => Ok(Session {
                journal,
                upload,
                plan: self.plan,
                sent: BTreeMap::new(),
                doubtful: BTreeMap::new(),
            }),
            Err(error) => {
                // Without a journal nobody would ever finish it.
                self.endpoint.abort_upload(self.address, &upload.id).await?;
                Err(error)
            }
        }
    }

    async fn create_journal(&self, upload: &NewUpload, plan: Plan) -> Result<Journal, Error> {
        let header = Header {
            len: plan.len,
            part_len: plan.part_len,
            upload_id: Some(upload.id.clone()),
            identity: Some(self.identity.clone()),
            algorithm: upload.protection.algorithm().name().to_owned(),
            headers: header_pairs(&self.options.headers),
            customer_key: self.endpoint.customer_keys.digest(),
            started_ms: self.endpoint.now_ms(),
            ..self.journal_header()
        };
        let journals = self.journals.clone();
        let created = self.endpoint.around.tasks.spawn_blocking(move || journals.create(header)).await;
        created.map_err(|error| Error::file("write the journal", std::io::Error::other(error)))?
    }

    /// A file that is written to while it is read has no content one could speak of.
    async fn check_unchanged(&self) -> Result<(), Error> {
        if self.bytes.is_some() {
            return Ok(());
        }
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        let doing = format!("read {}", path.display());
        let now = self.endpoint.around.tasks.spawn_blocking(move || FileIdentity::of(&file)).await;
        let now = now.map_err(|error| Error::file(&doing, std::io::Error::other(error)))?;
        let now = now.map_err(|error| Error::file(&doing, error))?;
        if self.identity.was_written(&now) {
            return Err(Error::Changed { path });
        }
        Ok(())
    }

    /// Bytes that the server finds damaged again and again were not damaged on the way when the file has changed.
    async fn blamed(&self, error: Error) -> Error {
        match error.class() {
            Class::Stop | Class::Resend => self.check_unchanged().await.err().unwrap_or(error),
            _ => error,
        }
    }

    fn source(&self, part: Part) -> Source {
        if let Some(bytes) = &self.bytes {
            return Source::Memory(bytes.slice(part.offset as usize..(part.offset + part.len) as usize));
        }
        Source::File {
            file: Arc::clone(&self.file),
            path: Arc::from(self.path.as_path()),
            offset: part.offset,
            len: part.len,
        }
    }

    fn journal_header(&self) -> Header {
        Header::new(Direction::Upload, &self.endpoint.name(), self.address, &self.path)
    }

    fn done(&self, written: Written, kept_len: u64) -> Done {
        Done {
            len: self.identity.len,
            etag: written.etag,
            checksum: written
                .checksum
                .map(|checksum| format!("{}:{}", checksum.algorithm.name(), checksum.encode())),
            verified: true,
            was_there: false,
            kept_len,
        }
    }

    fn tell_start(&self, session: &Session, kept_len: u64) {
        self.endpoint.tally.keep(kept_len);
        self.endpoint.tally.tell(&Event::Started {
            what: self.address.to_string(),
            bytes: Some(session.plan.len),
            kept_bytes: kept_len,
            upload_id: Some(session.upload.id.clone()),
        });
        if kept_len > 0 {
            let (has, all) = (session.sent.len(), session.plan.count());
            self.note(&format!("going on: {has} of {all} parts have arrived before"));
        }
    }

    fn note(&self, text: &str) {
        self.endpoint.tally.note(self.address, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever makes a journal has to look for one first, by the file's full name.
    #[test]
    fn a_small_file_may_go_on_with_an_upload_of_the_server() {
        let plain = PutOptions::default();
        assert!(!plain.may_be_multipart_whatever_its_length());
        let cut = PutOptions { part_len: Some(5 << 20), ..PutOptions::default() };
        let from_server = PutOptions { resume_from_server: true, ..PutOptions::default() };
        assert!(cut.may_be_multipart_whatever_its_length());
        assert!(from_server.may_be_multipart_whatever_its_length());
    }
}
