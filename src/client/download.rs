//! Downloading an object, from where the last run stopped.
//!
//! A large object comes in ranges, side by side, into `NAME.dovetail-part`, which has its full length from the start.
//! Every range is pinned by `If-Match` to the version that the download began with; when the object changes, the
//! download starts over and says so. The journal remembers each range with its digest, and a resumed run reads what
//! it has against these digests, because what a power cut did to the file is not in the journal. The file gets its
//! name only when it is whole and its checksum is the object's.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio_util::task::AbortOnDropHandle;

use crate::client::address::Address;
use crate::client::answers::ListedObject;
use crate::client::endpoint::Endpoint;
use crate::client::error::Error;
use crate::client::fetch::{Checks, Range, fetch, is_intact};
use crate::client::journal::{Direction, Entry, Header, Journal, Journals, Left};
use crate::client::part_file::{PartFile, discard, part_path};
use crate::client::plan::{Part, Plan};
use crate::client::requests::ObjectHead;
use crate::client::same::has_bytes_of;
use crate::client::sent_part::{checksum_text, digest_from_hex};
use crate::client::sink::{Gathered, Sink, lock};
use crate::client::source::Source;
use crate::client::tally::Event;
use crate::client::upload::Done;
use crate::wire::checksum::ObjectChecksum;
use crate::wire::limits::Limits;

/// An object that changes this often while it is downloaded is not going to stand still.
const STARTS_MAX: u32 = 3;
/// Up to this length an object is gathered in memory, and one thread makes, writes and names its file.
const GATHERED_LEN_MAX: u64 = 1 << 20;

/// How objects are downloaded.
#[derive(Clone, Debug, Default)]
pub struct GetOptions {
    /// Bytes of a range.
    pub part_len: Option<u64>,
    /// Fetch it even if the same bytes are there.
    pub always: bool,
    /// Wait until what was written would survive a power cut.
    pub sync: bool,
}

/// What is known about an object before it is looked at.
#[derive(Clone, Debug)]
pub enum Known {
    Nothing,
    Listed(ListedObject),
    Head(ObjectHead),
}

/// One object on its way into a file.
struct Download<'a> {
    endpoint: &'a Arc<Endpoint>,
    journals: &'a Journals,
    options: &'a GetOptions,
    address: &'a Address,
    path: PathBuf,
    part_path: PathBuf,
    /// Bytes of ranges that are there, in this attempt.
    arrived_len: Arc<AtomicU64>,
}

/// How an object is cut into ranges, and what is known of them.
struct Cut {
    plan: Plan,
    algorithm: Algorithm,
    checks: Option<Checks>,
}

/// Downloads one object. The caller has counted it in the tally.
pub async fn get_file(
    endpoint: &Arc<Endpoint>,
    journals: &Journals,
    address: &Address,
    path: &Path,
    options: &GetOptions,
    mut known: Known,
) -> Result<Done, Error> {
    let doing = format!("write {}", path.display());
    let path = std::path::absolute(path).map_err(|error| Error::file(&doing, error))?;
    let part_path = part_path(&path);
    let arrived_len = Arc::default();
    let download = Download { endpoint, journals, options, address, path, part_path, arrived_len };
    for _ in 0..STARTS_MAX {
        // What was known when an object has changed meanwhile is known no more.
        match download.run(std::mem::replace(&mut known, Known::Nothing)).await {
            Err(error) if error.status() == Some(412) => {
                endpoint.tally.note(address, "the object has changed on the server; starting over");
                endpoint.tally.discard(download.arrived_len.swap(0, Ordering::Relaxed));
                download.forget().await?;
            }
            result => return result,
        }
    }
    let reason = "it changes while it is read".into();
    Err(Error::Corrupt { doing: format!("download {address}"), reason })
}

impl Download<'_> {
    async fn run(&self, known: Known) -> Result<Done, Error> {
        let journal = match self.journals.open_soon(&self.journal_header()).await? {
            Left::Nothing => None,
            Left::Journal(journal) => Some(*journal),
            Left::Damaged(damaged) => {
                let aside = damaged.path.display();
                let text = format!("its journal is damaged and was set aside as {aside}; starting over");
                self.endpoint.tally.note(self.address, text);
                None
            }
        };
        if let Some(journal) = &journal {
            let begun = journal.header.customer_key.as_deref();
            self.endpoint.customer_keys.check_begun_with(begun, self.address)?;
        }
        let exists = self.path.exists();
        if let (Known::Listed(object), false, None) = (&known, exists, &journal) {
            let plan = Plan::new(object.len, self.options.part_len, &Limits::default());
            if plan.is_ok_and(|plan| plan.count() == 1) {
                return self.fetch_small(object.len, &object.etag).await;
            }
        }
        let head = match known {
            Known::Head(head) => head,
            _ => self.endpoint.look_at(self.address).await?,
        };
        if exists && !self.options.always && self.is_there(&head).await? {
            if let Some(journal) = journal {
                // Nobody needs to go on. A part file that another download is at stays.
                journal.remove()?;
                let part_path = self.part_path.clone();
                let _ = self.blocking(move || discard(&part_path)).await;
            }
            self.endpoint.tally.keep(head.len);
            return Ok(Done { was_there: true, kept_len: head.len, ..done(&head, None, true) });
        }
        let plan = Plan::new(head.len, self.options.part_len, &Limits::default())?;
        if plan.count() == 1 {
            // It was cut otherwise before.
            journal.map(Journal::remove).transpose()?;
            return self.fetch_small(head.len, &head.etag).await;
        }
        self.fetch_large(journal, head, plan).await
    }

    /// One request, no journal: there is nothing to resume.
    async fn fetch_small(&self, len: u64, etag: &str) -> Result<Done, Error> {
        let _permit = self.endpoint.workers.permit().await;
        let range = Range {
            address: self.address.clone(),
            etag: etag.to_owned(),
            whole_len: len,
            part: Part { number: 1, offset: 0, len },
            algorithm: Algorithm::Crc64Nvme,
            expected: None,
        };
        let (head, digest, verified) = match len <= GATHERED_LEN_MAX {
            true => self.fetch_gathered(&range).await?,
            false => self.fetch_into_file(&range).await?,
        };
        self.endpoint.workers.succeeded(len);
        Ok(done(&head, Some((range.algorithm, digest)), verified))
    }

    async fn fetch_gathered(&self, range: &Range) -> Result<(ObjectHead, Digest, bool), Error> {
        let gathered = Gathered::default();
        let (digest, head) = fetch(self.endpoint, range, &Sink::Memory(Arc::clone(&gathered))).await?;
        let bytes = Bytes::from(lock(&gathered).concat());
        let verified = self.verify(&head, digest, range.algorithm, &Source::Memory(bytes.clone())).await?;
        let (part_path, path, sync) = (self.part_path.clone(), self.path.clone(), self.options.sync);
        let folders = self.endpoint.folders.clone();
        self.blocking(move || {
            // Those who wait for the disk can wait together.
            let _turn = (!sync).then(|| folders.turn(&path));
            let file = PartFile::create(&part_path, 0)?;
            let named = file.write_all_at(&bytes, 0).and_then(|_| file.rename(&path, sync));
            named.inspect_err(|_| file.remove())
        })
        .await?;
        Ok((head, digest, verified))
    }

    async fn fetch_into_file(&self, range: &Range) -> Result<(ObjectHead, Digest, bool), Error> {
        let file = self.create_part_file(range.whole_len).await?;
        let fetched = async {
            let (digest, head) = fetch(self.endpoint, range, &Sink::File(Arc::clone(&file))).await?;
            let verified =
                self.verify(&head, digest, range.algorithm, &whole_source(&file, head.len)).await?;
            let (file, path, sync) = (Arc::clone(&file), self.path.clone(), self.options.sync);
            self.blocking(move || file.rename(&path, sync)).await?;
            Ok((head, digest, verified))
        };
        fetched.await.inspect_err(|_| file.remove())
    }

    async fn fetch_large(
        &self,
        journal: Option<Journal>,
        head: ObjectHead,
        plan: Plan,
    ) -> Result<Done, Error> {
        self.endpoint.limits().await;
        let cut = self.cut(&head, plan).await?;
        let (mut journal, file) = self.take_up(journal, &head, &cut).await?;
        let plan = Plan { len: head.len, part_len: journal.header.part_len };
        let checks =
            cut.checks.filter(|checks| checks.part_len == plan.part_len && checks.algorithm == cut.algorithm);
        let cut = Cut { plan, checks, ..cut };
        self.tell_start(&journal, plan);
        self.endpoint.bound_by_rate(plan.part_len);
        let digests = self.fetch_parts(&mut journal, &head, &cut, &file).await?;
        let whole = plan.parts().fold(dovetail_digest::digest(cut.algorithm, b""), |whole, part| {
            dovetail_digest::combine(cut.algorithm, &whole, &digests[&part.number], part.len)
        });
        let verified = match self.verify(&head, whole, cut.algorithm, &whole_source(&file, head.len)).await {
            Ok(verified) => verified || cut.checks.is_some(),
            Err(error) => {
                // Which range is wrong cannot be told, so none is kept.
                journal.remove()?;
                file.remove();
                return Err(error);
            }
        };
        let (path, sync) = (self.path.clone(), self.options.sync);
        self.blocking(move || file.rename(&path, sync)).await?;
        journal.remove()?;
        Ok(done(&head, Some((cut.algorithm, whole)), verified))
    }

    /// Cuts the object like its parts when the endpoint tells their checksums, so that each range is checked by itself.
    async fn cut(&self, head: &ObjectHead, plan: Plan) -> Result<Cut, Error> {
        let parts = self.endpoint.object_parts(self.address, &head.etag).await?;
        let checks = Checks::of(&parts, head.len);
        let algorithm = match (head.checksum, &checks) {
            (Some(ObjectChecksum { algorithm, part_count: None, .. }), _) if algorithm.is_crc() => algorithm,
            (_, Some(checks)) => checks.algorithm,
            _ => Algorithm::Crc64Nvme,
        };
        let plan = match &checks {
            Some(checks) if self.options.part_len.is_none() => {
                Plan { len: head.len, part_len: checks.part_len }
            }
            _ => plan,
        };
        Ok(Cut { plan, algorithm, checks })
    }

    /// The journal and the part file of an earlier run if they are of this version and cut, else new ones.
    async fn take_up(
        &self,
        journal: Option<Journal>,
        head: &ObjectHead,
        cut: &Cut,
    ) -> Result<(Journal, Arc<PartFile>), Error> {
        let journal = journal.filter(|journal| {
            journal.header.etag.as_ref() == Some(&head.etag) || {
                let text = match journal.header.version_id == self.address.version {
                    true => "the object has changed on the server; starting over",
                    false => "another version was begun before; starting over",
                };
                self.endpoint.tally.note(self.address, text);
                false
            }
        });
        let resumed = journal.filter(|journal| {
            journal.header.len == head.len
                && journal.header.algorithm == cut.algorithm.name()
                && fs::metadata(&self.part_path).is_ok_and(|metadata| metadata.len() == head.len)
        });
        if let Some(journal) = resumed {
            let part_path = self.part_path.clone();
            let file = self.blocking(move || PartFile::open(&part_path)).await?;
            return Ok((journal, Arc::new(file)));
        }
        self.forget().await?;
        let file = self.create_part_file(head.len).await?;
        let header = Header {
            len: head.len,
            part_len: cut.plan.part_len,
            etag: Some(head.etag.clone()),
            algorithm: cut.algorithm.name().to_owned(),
            customer_key: self.endpoint.customer_keys.digest(),
            started_ms: self.endpoint.now_ms(),
            ..self.journal_header()
        };
        let journals = self.journals.clone();
        let created = self.endpoint.around.tasks.spawn_blocking(move || journals.create(header)).await;
        Ok((created.map_err(|error| self.file_error(io::Error::other(error)))??, file))
    }

    async fn fetch_parts(
        &self,
        journal: &mut Journal,
        head: &ObjectHead,
        cut: &Cut,
        file: &Arc<PartFile>,
    ) -> Result<BTreeMap<u16, Digest>, Error> {
        let mut digests = BTreeMap::new();
        let mut running = FuturesUnordered::new();
        for part in cut.plan.parts() {
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
                algorithm: cut.algorithm,
                expected: cut.checks.as_ref().map(|checks| checks.digests[usize::from(part.number) - 1]),
            };
            let before = journal.entries.get(&part.number).and_then(|entry| digest_from_hex(&entry.digest));
            let (endpoint, file) = (Arc::clone(self.endpoint), Arc::clone(file));
            let arrived_len = Arc::clone(&self.arrived_len);
            running.push(AbortOnDropHandle::new(self.endpoint.around.tasks.spawn(async move {
                let _permit = permit;
                if let Some(before) = before
                    && is_intact(&endpoint, &file, &range, before).await?
                {
                    endpoint.tally.keep(part.len);
                    arrived_len.fetch_add(part.len, Ordering::Relaxed);
                    return Ok((part.number, before, false));
                }
                let (digest, _) = fetch(&endpoint, &range, &Sink::File(file)).await?;
                endpoint.workers.succeeded(part.len);
                arrived_len.fetch_add(part.len, Ordering::Relaxed);
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

    /// Compares what has arrived with whatever the server says about the whole object. False when that is nothing: then the
    /// lengths and the version of every range have been checked, and that is all.
    async fn verify(
        &self,
        head: &ObjectHead,
        digest: Digest,
        algorithm: Algorithm,
        source: &Source,
    ) -> Result<bool, Error> {
        let doing = format!("download {}", self.address);
        let Some((told, expected)) = head.whole_digest() else { return Ok(false) };
        let digest = match told == algorithm {
            true => digest,
            false => self.endpoint.digest(source, told, &doing).await?,
        };
        if digest == expected {
            return Ok(true);
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
            let error = io::Error::new(
                io::ErrorKind::AlreadyExists,
                "it is there and no regular file; `-` prints an object",
            );
            return Err(Error::file(format!("write {}", self.path.display()), error));
        }
        if metadata.len() != head.len {
            return Ok(false);
        }
        let doing = format!("read {}", self.path.display());
        let file = fs::File::open(&self.path).map_err(|error| Error::file(&doing, error))?;
        let source =
            Source::File { file: Arc::new(file), path: self.path.as_path().into(), offset: 0, len: head.len };
        has_bytes_of(self.endpoint, self.address, head, &source, &doing).await
    }

    async fn create_part_file(&self, len: u64) -> Result<Arc<PartFile>, Error> {
        let path = self.part_path.clone();
        self.blocking(move || PartFile::create(&path, len)).await.map(Arc::new)
    }

    /// Does something with the part file on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let done = self.endpoint.around.tasks.spawn_blocking(job).await;
        done.map_err(io::Error::other).flatten().map_err(|error| self.file_error(error))
    }

    /// Removes what an earlier run has left. What is left of this one lets go meanwhile: its tasks may be waiting for this thread.
    async fn forget(&self) -> Result<(), Error> {
        if let Left::Journal(journal) = self.journals.open(&self.journal_header())? {
            journal.remove()?;
        }
        let part_path = self.part_path.clone();
        self.blocking(move || discard(&part_path)).await
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

fn whole_source(file: &PartFile, len: u64) -> Source {
    Source::File { file: Arc::clone(file.file()), path: file.path().into(), offset: 0, len }
}

/// What is told of an object that has arrived.
pub fn done(head: &ObjectHead, digest: Option<(Algorithm, Digest)>, verified: bool) -> Done {
    Done {
        len: head.len,
        etag: head.etag.clone(),
        checksum: digest.map(|(algorithm, digest)| checksum_text(algorithm, &digest)),
        verified,
        was_there: false,
        kept_len: 0,
    }
}
