//! Downloading an object, from where the last run stopped.
//!
//! A large object comes in ranges, side by side, into `NAME.dovetail-part`, which has its full length from the start.
//! Every range is pinned by `If-Match` to the version that the download began with; when the object changes, the
//! download starts over and says so. The journal remembers each range with its digest, and a resumed run reads what
//! it has against these digests, because what a power cut did to the file is not in the journal. The file gets its
//! name only when it is whole and its checksum is the object's.

pub mod disk_pace;
pub mod fetch;
pub mod folders;
pub mod part_file;
pub mod print;
mod ranges;
pub mod sink;

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest};

use crate::client::address::Address;
use crate::client::answers::ListedObject;
use crate::client::download::fetch::{Range, fetch};
use crate::client::download::part_file::{PartFile, discard, part_path};
use crate::client::download::sink::{Gathered, Sink, lock};
use crate::client::endpoint::Endpoint;
use crate::client::error::Error;
use crate::client::journal::{Direction, Header, Journal, Journals, Left};
use crate::client::operations::requests::{ObjectHead, is_md5};
use crate::client::plan::{Part, Plan};
use crate::client::same::has_bytes_of;
use crate::client::source::Source;
use crate::client::upload::Done;
use crate::client::upload::sent_part::checksum_text;
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

/// Downloads one object. The caller has counted it in the tally.
pub async fn get_file(
    endpoint: &Arc<Endpoint>,
    journals: &Journals,
    address: &Address,
    path: &Path,
    options: &GetOptions,
    mut known: Known,
) -> Result<Done, Error> {
    let download = Download::of(endpoint, journals, address, path, options)?;
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

/// Whether [`get_file`] would fetch anything. Reads a file of the object's length to compare them, and changes nothing.
pub async fn would_get(
    endpoint: &Arc<Endpoint>,
    journals: &Journals,
    address: &Address,
    path: &Path,
    options: &GetOptions,
    known: Known,
) -> Result<bool, Error> {
    let download = Download::of(endpoint, journals, address, path, options)?;
    let Some(file) = download.file()?.filter(|_| !options.always) else {
        // Whoever was listed is there to be fetched.
        if matches!(known, Known::Nothing) {
            download.head(known).await?;
        }
        return Ok(true);
    };
    if let Known::Listed(object) = &known
        && download.is_as_listed(object, &file).await?
    {
        return Ok(false);
    }
    let head = download.head(known).await?;
    Ok(!download.is_there(&head, &file).await?)
}

impl<'a> Download<'a> {
    fn of(
        endpoint: &'a Arc<Endpoint>,
        journals: &'a Journals,
        address: &'a Address,
        path: &Path,
        options: &'a GetOptions,
    ) -> Result<Download<'a>, Error> {
        let doing = format!("write {}", path.display());
        let path = std::path::absolute(path).map_err(|error| Error::file(doing, error))?;
        let part_path = part_path(&path);
        let arrived_len = Arc::default();
        Ok(Download { endpoint, journals, options, address, path, part_path, arrived_len })
    }

    async fn head(&self, known: Known) -> Result<ObjectHead, Error> {
        match known {
            Known::Head(head) => Ok(head),
            _ => self.endpoint.look_at(self.address).await,
        }
    }

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
        let file = self.file()?.filter(|_| !self.options.always);
        if let (Known::Listed(object), None) = (&known, &journal)
            && self.is_one_request(object.len)
        {
            match &file {
                Some(file) if file.len() == object.len => {
                    if self.is_as_listed(object, file).await? {
                        return Ok(self.was_there(object.len, &object.etag));
                    }
                }
                _ => return self.fetch_small(object.len, &object.etag).await,
            }
        }
        let head = self.head(known).await?;
        if let Some(file) = &file
            && self.is_there(&head, file).await?
        {
            if let Some(journal) = journal {
                // Nobody needs to go on. A part file that another download is at stays.
                journal.remove()?;
                let part_path = self.part_path.clone();
                let _ = self.blocking(move || discard(&part_path)).await;
            }
            return Ok(self.was_there(head.len, &head.etag));
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
            let named = file.write_all_at(&bytes, 0).and_then(|_| file.rename(&path, sync, &folders));
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
            self.name(&file).await?;
            Ok((head, digest, verified))
        };
        fetched.await.inspect_err(|_| file.remove())
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

    /// The file that the object may replace, if there is one. Nothing else is replaced: no pipe, and no device.
    fn file(&self) -> Result<Option<Metadata>, Error> {
        match fs::metadata(&self.path) {
            Ok(metadata) if !metadata.is_file() => {
                let reason = "it is there and no regular file; `-` prints an object";
                let error = io::Error::new(io::ErrorKind::AlreadyExists, reason);
                Err(Error::file(format!("write {}", self.path.display()), error))
            }
            found => Ok(found.ok()),
        }
    }

    fn is_one_request(&self, len: u64) -> bool {
        Plan::new(len, self.options.part_len, &Limits::default()).is_ok_and(|plan| plan.count() == 1)
    }

    /// Whether the file is already the object, as far as checksums can tell.
    async fn is_there(&self, head: &ObjectHead, file: &Metadata) -> Result<bool, Error> {
        self.is_file_of(head.len, file, async |bytes, doing| {
            has_bytes_of(self.endpoint, self.address, head, bytes, doing).await
        })
        .await
    }

    /// Whether a small file is already the object because its MD5 is the listed ETag; nothing need be asked then. Any other ETag
    /// says nothing.
    async fn is_as_listed(&self, object: &ListedObject, file: &Metadata) -> Result<bool, Error> {
        let tells = is_md5(&object.etag) && self.endpoint.customer_keys.is_empty();
        if !tells || !self.is_one_request(object.len) {
            return Ok(false);
        }
        self.is_file_of(object.len, file, async |bytes, doing| {
            Ok(self.endpoint.digest(bytes, Algorithm::Md5, doing).await?.to_hex() == object.etag)
        })
        .await
    }

    /// Whether the file has `len` bytes, the ones that `compare` looks for, and is no other object's of this run.
    async fn is_file_of(
        &self,
        len: u64,
        metadata: &Metadata,
        compare: impl AsyncFnOnce(&Source, &str) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        if metadata.len() != len {
            return Ok(false);
        }
        let doing = format!("read {}", self.path.display());
        let file = fs::File::open(&self.path).map_err(|error| Error::file(&doing, error))?;
        let path = self.path.as_path().into();
        let bytes = Source::File { file: Arc::new(file), path, offset: 0, len };
        Ok(compare(&bytes, &doing).await? && self.endpoint.folders.keep(&self.path, metadata))
    }

    /// Nothing has to be done.
    fn was_there(&self, len: u64, etag: &str) -> Done {
        self.endpoint.tally.keep(len);
        let etag = etag.to_owned();
        Done { len, etag, checksum: None, verified: true, was_there: true, kept_len: len }
    }

    /// Gives the file its name. It is left as it is when that fails.
    async fn name(&self, file: &Arc<PartFile>) -> Result<(), Error> {
        let (file, path, sync) = (Arc::clone(file), self.path.clone(), self.options.sync);
        let folders = self.endpoint.folders.clone();
        self.blocking(move || file.rename(&path, sync, &folders)).await
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
