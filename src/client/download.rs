//! Downloading an object, from where the last run stopped.
//!
//! A large object comes in ranges, side by side, into `NAME.dovetail-part`, which has its full length from the start.
//! Every range is pinned by `If-Match` to the version that the download began with; when the object changes, the
//! download starts over and says so. The journal remembers each range with its digest, and a resumed run reads what
//! it has against these digests, because what a power cut did to the file is not in the journal. The file gets its
//! name only when it is whole and its checksum is the object's.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest, Hasher};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use rustix::fs::{FallocateFlags, fallocate};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use crate::client::address::Address;
use crate::client::answers::ListedObject;
use crate::client::endpoint::Endpoint;
use crate::client::error::Error;
use crate::client::fetch::{Checks, Range, Sink, fetch, is_intact};
use crate::client::journal::{Direction, Entry, Header, Journal, Journals};
use crate::client::plan::{Part, Plan};
use crate::client::requests::{ObjectHead, is_encrypted, is_md5};
use crate::client::sent_part::{checksum_text, digest_from_hex};
use crate::client::source::Source;
use crate::client::tally::Event;
use crate::client::upload::Done;
use crate::wire::checksum::ObjectChecksum;

/// An object that changes this often while it is downloaded is not going to stand still.
const STARTS_MAX: u32 = 3;
const SUFFIX: &str = "dovetail-part";

/// The disk is told to write after so many bytes, so that it does not have everything before it at the end.
const SYNC_EVERY: u64 = 256 << 20;

/// How objects are downloaded.
#[derive(Clone, Debug, Default)]
pub struct GetOptions {
    /// Bytes of a range.
    pub part_len: Option<u64>,
    /// Fetch it even if the same bytes are there.
    pub always: bool,
}

/// One object on its way into a file.
struct Download<'a> {
    endpoint: &'a Arc<Endpoint>,
    journals: &'a Journals,
    options: &'a GetOptions,
    address: &'a Address,
    path: PathBuf,
    part_path: PathBuf,
}

/// Downloads one object. `listed` is what a listing has said about it. The caller has counted it in the tally.
pub async fn get_file(
    endpoint: &Arc<Endpoint>,
    journals: &Journals,
    address: &Address,
    path: &Path,
    options: &GetOptions,
    listed: Option<ListedObject>,
) -> Result<Done, Error> {
    let doing = format!("write {}", path.display());
    let path = std::path::absolute(path).map_err(|error| Error::file(&doing, error))?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{SUFFIX}"));
    let part_path = path.with_file_name(name);
    let download = Download { endpoint, journals, options, address, path, part_path };
    for _ in 0..STARTS_MAX {
        match download.run(listed.clone()).await {
            Err(error) if error.status() == Some(412) => {
                endpoint.tally.note(address, "the object has changed on the server; starting over");
                download.forget()?;
            }
            result => return result,
        }
    }
    let reason = "it changes while it is read".into();
    Err(Error::Corrupt { doing: format!("download {address}"), reason })
}

impl Download<'_> {
    async fn run(&self, listed: Option<ListedObject>) -> Result<Done, Error> {
        let journal = self.journals.open(&self.journal_header())?;
        let is_small = listed.as_ref().is_some_and(|object| {
            Plan::new(object.len, self.options.part_len).is_ok_and(|plan| plan.count() == 1)
        });
        let exists = self.path.exists();
        if let (Some(object), true, false, None) = (&listed, is_small, exists, &journal) {
            return self.fetch_small(object.len, &object.etag).await;
        }
        let head = self.endpoint.head_object(self.address).await?;
        if exists && !self.options.always && self.is_there(&head).await? {
            self.endpoint.tally.keep(head.len);
            return Ok(Done { was_there: true, kept_len: head.len, ..done(&head, None) });
        }
        let plan = Plan::new(head.len, self.options.part_len)?;
        if plan.count() == 1 {
            return self.fetch_small(head.len, &head.etag).await;
        }
        self.fetch_large(journal, head, plan).await
    }

    /// One request, no journal: there is nothing to resume.
    async fn fetch_small(&self, len: u64, etag: &str) -> Result<Done, Error> {
        let _permit = self.endpoint.workers.permit().await;
        let file = Arc::new(self.create_part_file(len)?);
        let part = Part { number: 1, offset: 0, len };
        let range = Range {
            address: self.address.clone(),
            etag: etag.to_owned(),
            whole_len: len,
            part,
            algorithm: Algorithm::Crc64Nvme,
            expected: None,
        };
        let result = fetch(self.endpoint, &range, &Sink::File(Arc::clone(&file))).await;
        let verified = match result {
            Ok((digest, head)) => {
                self.verify(&head, digest, Algorithm::Crc64Nvme, &file).await.map(|()| (head, digest))
            }
            Err(error) => Err(error),
        };
        match verified {
            Ok((head, digest)) => {
                self.endpoint.workers.succeeded(len);
                self.put_in_place()?;
                Ok(done(&head, Some((Algorithm::Crc64Nvme, digest))))
            }
            Err(error) => {
                let _ = fs::remove_file(&self.part_path);
                Err(error)
            }
        }
    }

    async fn fetch_large(
        &self,
        journal: Option<Journal>,
        head: ObjectHead,
        plan: Plan,
    ) -> Result<Done, Error> {
        let parts = self.endpoint.object_parts(self.address, &head.etag).await?;
        let checks = Checks::of(&parts, head.len);
        let algorithm = match (head.checksum, &checks) {
            (Some(ObjectChecksum { algorithm, part_count: None, .. }), _) if algorithm.is_crc() => algorithm,
            (_, Some(checks)) => checks.algorithm,
            _ => Algorithm::Crc64Nvme,
        };
        let plan = match &checks {
            // Cut like the object, so that each range is checked by itself.
            Some(checks) if self.options.part_len.is_none() => {
                Plan { len: head.len, part_len: checks.part_len }
            }
            _ => plan,
        };
        let journal = journal.filter(|journal| {
            journal.header.etag.as_ref() == Some(&head.etag) || {
                self.endpoint.tally.note(self.address, "the object has changed on the server; starting over");
                false
            }
        });
        let resumed = journal.filter(|journal| {
            journal.header.len == head.len
                && journal.header.algorithm == algorithm.name()
                && fs::metadata(&self.part_path).is_ok_and(|metadata| metadata.len() == head.len)
        });
        let (mut journal, file) = match resumed {
            Some(journal) => {
                let file = OpenOptions::new().read(true).write(true).open(&self.part_path);
                (journal, file.map_err(|error| self.file_error(error))?)
            }
            None => {
                self.forget()?;
                let file = self.create_part_file(head.len)?;
                let header = Header {
                    len: head.len,
                    part_len: plan.part_len,
                    etag: Some(head.etag.clone()),
                    algorithm: algorithm.name().to_owned(),
                    started_ms: self.endpoint.now_ms(),
                    ..self.journal_header()
                };
                let journals = self.journals.clone();
                let created =
                    self.endpoint.around.tasks.spawn_blocking(move || journals.create(header)).await;
                let created = created.map_err(|error| self.file_error(io::Error::other(error)))??;
                (created, file)
            }
        };
        let plan = Plan { len: head.len, part_len: journal.header.part_len };
        let checks =
            checks.filter(|checks| checks.part_len == plan.part_len && checks.algorithm == algorithm);
        self.tell_start(&journal, plan);
        let file = Arc::new(file);
        let digests = self.fetch_parts(&mut journal, &head, plan, algorithm, checks, &file).await?;
        let whole = plan.parts().fold(dovetail_digest::digest(algorithm, b""), |whole, part| {
            dovetail_digest::combine(algorithm, &whole, &digests[&part.number], part.len)
        });
        if let Err(error) = self.verify(&head, whole, algorithm, &file).await {
            // Which range is wrong cannot be told, so none is kept.
            journal.remove()?;
            let _ = fs::remove_file(&self.part_path);
            return Err(error);
        }
        self.sync(&file).await?;
        self.put_in_place()?;
        let kept_len = 0;
        journal.remove()?;
        Ok(Done { kept_len, ..done(&head, Some((algorithm, whole))) })
    }

    async fn fetch_parts(
        &self,
        journal: &mut Journal,
        head: &ObjectHead,
        plan: Plan,
        algorithm: Algorithm,
        checks: Option<Checks>,
        file: &Arc<File>,
    ) -> Result<BTreeMap<u16, Digest>, Error> {
        let mut digests = BTreeMap::new();
        let mut running = FuturesUnordered::new();
        let (mut syncing, mut unsynced_len) = (None, 0);
        for part in plan.parts() {
            unsynced_len += part.len;
            if unsynced_len >= SYNC_EVERY && syncing.as_ref().is_none_or(JoinHandle::is_finished) {
                let file = Arc::clone(file);
                // What fails here fails again in the sync that counts, at the end.
                syncing = Some(self.endpoint.around.tasks.spawn_blocking(move || drop(file.sync_data())));
                unsynced_len = 0;
            }
            let permit = loop {
                tokio::select! {
                    biased;
                    Some(arrived) = running.next() => self.arrived(journal, &mut digests, arrived)?,
                    permit = self.endpoint.workers.permit() => break permit,
                }
            };
            let range = Range {
                address: self.address.clone(),
                etag: head.etag.clone(),
                whole_len: head.len,
                part,
                algorithm,
                expected: checks.as_ref().map(|checks| checks.digests[usize::from(part.number) - 1]),
            };
            let before = journal.entries.get(&part.number).and_then(|entry| digest_from_hex(&entry.digest));
            let (endpoint, file, path) =
                (Arc::clone(self.endpoint), Arc::clone(file), self.part_path.clone());
            running.push(AbortOnDropHandle::new(self.endpoint.around.tasks.spawn(async move {
                let _permit = permit;
                if let Some(before) = before
                    && is_intact(&endpoint, &file, &path, &range, before).await?
                {
                    endpoint.tally.keep(part.len);
                    return Ok((part.number, before, false));
                }
                let (digest, _) = fetch(&endpoint, &range, &Sink::File(file)).await?;
                endpoint.workers.succeeded(part.len);
                Ok((part.number, digest, true))
            })));
        }
        while let Some(arrived) = running.next().await {
            self.arrived(journal, &mut digests, arrived)?;
        }
        Ok(digests)
    }

    fn arrived(
        &self,
        journal: &mut Journal,
        digests: &mut BTreeMap<u16, Digest>,
        arrived: Result<Result<(u16, Digest, bool), Error>, tokio::task::JoinError>,
    ) -> Result<(), Error> {
        let (number, digest, is_new) =
            arrived.map_err(|error| self.file_error(io::Error::other(error)))??;
        if is_new {
            let at_ms = self.endpoint.now_ms();
            journal.record(Entry { part: number, etag: String::new(), digest: digest.to_hex(), at_ms })?;
        }
        digests.insert(number, digest);
        Ok(())
    }

    /// Compares what has arrived with whatever the server says about the whole object.
    async fn verify(
        &self,
        head: &ObjectHead,
        digest: Digest,
        algorithm: Algorithm,
        file: &Arc<File>,
    ) -> Result<(), Error> {
        let doing = format!("download {}", self.address);
        let is_right = match head.checksum {
            Some(checksum) if checksum.part_count.is_none() && checksum.algorithm == algorithm => {
                checksum.digest == digest
            }
            Some(checksum) if checksum.part_count.is_none() => {
                let source = whole_source(file, &self.part_path, head.len);
                self.endpoint.digest(&source, checksum.algorithm, &doing).await? == checksum.digest
            }
            _ if is_md5(&head.etag) && !is_encrypted(&head.headers) => {
                let source = whole_source(file, &self.part_path, head.len);
                self.endpoint.digest(&source, Algorithm::Md5, &doing).await?.to_hex() == head.etag
            }
            // The lengths and the version of every range have been checked; there is nothing else to check.
            _ => true,
        };
        if is_right {
            return Ok(());
        }
        Err(Error::Corrupt {
            doing,
            reason: "what arrived has not the object's checksum; nothing was kept".into(),
        })
    }

    /// Whether the file is already the object, as far as checksums can tell.
    async fn is_there(&self, head: &ObjectHead) -> Result<bool, Error> {
        let Ok(metadata) = fs::metadata(&self.path) else { return Ok(false) };
        if !metadata.is_file() {
            let error = io::Error::new(io::ErrorKind::AlreadyExists, "it is there and no regular file");
            return Err(Error::file(format!("write {}", self.path.display()), error));
        }
        let checksum = head.checksum.filter(|checksum| checksum.part_count.is_none());
        let expected = match checksum {
            Some(checksum) => Some((checksum.algorithm, checksum.digest)),
            None if is_md5(&head.etag) && !is_encrypted(&head.headers) => {
                digest_from_hex(&head.etag).map(|digest| (Algorithm::Md5, digest))
            }
            None => None,
        };
        let Some((algorithm, expected)) = expected.filter(|_| metadata.len() == head.len) else {
            return Ok(false);
        };
        let doing = format!("read {}", self.path.display());
        let file = Arc::new(File::open(&self.path).map_err(|error| Error::file(&doing, error))?);
        let source = whole_source(&file, &self.path, head.len);
        Ok(self.endpoint.digest(&source, algorithm, &doing).await? == expected)
    }

    /// An empty file of the full length, for which there is room.
    fn create_part_file(&self, len: u64) -> Result<File, Error> {
        let create = || {
            if let Some(folder) = self.part_path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(&self.part_path)?;
            if len > 0 {
                match fallocate(&file, FallocateFlags::empty(), 0, len) {
                    Ok(()) => {}
                    // Not every file system can.
                    Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(len)?,
                    Err(error) => {
                        let _ = fs::remove_file(&self.part_path);
                        return Err(error.into());
                    }
                }
            }
            Ok(file)
        };
        create().map_err(|error| self.file_error(error))
    }

    async fn sync(&self, file: &Arc<File>) -> Result<(), Error> {
        let file = Arc::clone(file);
        let synced = self.endpoint.around.tasks.spawn_blocking(move || file.sync_data()).await;
        synced.map_err(io::Error::other).flatten().map_err(|error| self.file_error(error))
    }

    fn put_in_place(&self) -> Result<(), Error> {
        fs::rename(&self.part_path, &self.path).map_err(|error| self.file_error(error))
    }

    /// Removes what an earlier run has left.
    fn forget(&self) -> Result<(), Error> {
        if let Some(journal) = self.journals.open(&self.journal_header())? {
            journal.remove()?;
        }
        match fs::remove_file(&self.part_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.file_error(error)),
            _ => Ok(()),
        }
    }

    fn tell_start(&self, journal: &Journal, plan: Plan) {
        let has = |part: &Part| journal.entries.contains_key(&part.number);
        let kept_bytes = plan.parts().filter(has).map(|part| part.len).sum();
        self.endpoint.tally.tell(&Event::Started {
            what: self.address.to_string(),
            bytes: Some(plan.len),
            kept_bytes,
            upload_id: None,
        });
        if kept_bytes > 0 {
            let text = format!("going on: {} of {} ranges are there", journal.entries.len(), plan.count());
            self.endpoint.tally.note(self.address, text);
        }
    }

    fn journal_header(&self) -> Header {
        Header::new(Direction::Download, &self.endpoint.name(), self.address, &self.path)
    }

    fn file_error(&self, error: io::Error) -> Error {
        Error::file(format!("write {}", self.part_path.display()), error)
    }
}

/// Prints an object, in order, while the next ranges are already on their way.
pub async fn get_pipe<W: io::Write + Send + 'static>(
    endpoint: &Arc<Endpoint>,
    address: &Address,
    mut output: W,
    options: &GetOptions,
    memory_len: u64,
) -> Result<Done, Error> {
    let head = endpoint.head_object(address).await?;
    endpoint.tally.add_len(head.len);
    let plan = Plan::new(head.len, Some(options.part_len.unwrap_or(PIPE_RANGE_LEN)))?;
    let ahead = (memory_len / plan.part_len).clamp(1, endpoint.workers.limit_max() as u64) as usize;
    let algorithm = match head.checksum {
        Some(ObjectChecksum { algorithm, part_count: None, .. }) => algorithm,
        _ => Algorithm::Crc64Nvme,
    };
    let ranges = plan.parts().filter(|part| part.len > 0).map(|part| {
        let range = Range {
            address: address.clone(),
            etag: head.etag.clone(),
            whole_len: head.len,
            part,
            algorithm: Algorithm::Crc64Nvme,
            expected: None,
        };
        let endpoint = Arc::clone(endpoint);
        let tasks = endpoint.around.tasks.clone();
        AbortOnDropHandle::new(tasks.spawn(async move {
            let _permit = endpoint.workers.permit().await;
            let gathered = Arc::new(std::sync::Mutex::new(Vec::new()));
            fetch(&endpoint, &range, &Sink::Memory(Arc::clone(&gathered))).await?;
            endpoint.workers.succeeded(part.len);
            let pieces =
                std::mem::take(&mut *gathered.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
            Ok::<Vec<Bytes>, Error>(pieces)
        }))
    });
    let mut arrived = futures::stream::iter(ranges).buffered(ahead);
    let mut hasher = Hasher::new(algorithm);
    while let Some(pieces) = arrived.next().await {
        let pieces = pieces.map_err(|error| Error::file("read a range", io::Error::other(error)))??;
        let written = endpoint.around.tasks.spawn_blocking(move || {
            for piece in &pieces {
                hasher.update(piece);
                output.write_all(piece)?;
            }
            Ok::<_, io::Error>((output, hasher))
        });
        let written = written.await.map_err(io::Error::other).flatten();
        (output, hasher) = written.map_err(|error| Error::file("write to the pipe", error))?;
    }
    output.flush().map_err(|error| Error::file("write to the pipe", error))?;
    let digest = hasher.finish();
    if let Some(checksum) = head.checksum
        && checksum.part_count.is_none()
        && checksum.digest != digest
    {
        let reason = "what was printed has not the object's checksum".into();
        return Err(Error::Corrupt { doing: format!("download {address}"), reason });
    }
    Ok(done(&head, Some((algorithm, digest))))
}

/// Ranges that are held in memory are smaller, so that several fit.
const PIPE_RANGE_LEN: u64 = 8 << 20;

fn whole_source(file: &Arc<File>, path: &Path, len: u64) -> Source {
    Source::File { file: Arc::clone(file), path: path.into(), offset: 0, len }
}

fn done(head: &ObjectHead, digest: Option<(Algorithm, Digest)>) -> Done {
    Done {
        len: head.len,
        etag: head.etag.clone(),
        checksum: digest.map(|(algorithm, digest)| checksum_text(algorithm, &digest)),
        was_there: false,
        kept_len: 0,
    }
}
