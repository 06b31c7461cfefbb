//! What a transfer remembers between runs: one small file each, in the platform's folder for state.
//!
//! The first line says what is being moved, each further line which part has arrived, all as JSON. The file appears
//! whole (written aside, linked into place) before the first part moves, so `kill -9` leaves either no journal or a
//! true one. An upload's is synced then, as its folder is: a power cut must not lose the id of an upload that stays
//! open on the server. A download's is not: what a power cut could lose with it is not on the disk either, and one that
//! is over within seconds then never touches the disk, which is busy with its bytes. Lines are appended without a sync:
//! what a power cut loses or tears is only a part that will be compared with the server again, or read again. Whoever
//! has the file open holds its lock, so that no two processes move the same thing.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, OFlags, linkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::client::Error;
use crate::client::address::Address;
use crate::client::identity::FileIdentity;
use crate::wire::sigv4::sha256_hex;

/// Goes up when older programs could not understand a journal; theirs are left alone.
const VERSION: u32 = 1;
const SUFFIX: &str = "journal";
/// How often, and after what pauses, a journal that is locked is looked at again.
const LET_GO_LOOKS: u32 = 30;
const LET_GO_PAUSE: Duration = Duration::from_millis(100);

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Upload,
    Download,
}

/// The first line: what is being moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub version: u32,
    pub direction: Direction,
    pub endpoint: String,
    pub bucket: String,
    pub key: String,
    /// The local file; absolute.
    pub path: PathBuf,
    pub len: u64,
    pub part_len: u64,
    /// Of an upload.
    pub upload_id: Option<String>,
    /// Of an upload: what the file was.
    pub identity: Option<FileIdentity>,
    /// Of a download: what the object was.
    pub etag: Option<String>,
    /// Of a download: the version that was asked for, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// What [`Entry::digest`] is, by S3's name.
    pub algorithm: String,
    /// Which key of the customer's the object has, by its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_key: Option<String>,
    /// In Unix milliseconds.
    pub started_ms: i64,
    /// Of an upload: what describes the object, should it have to start over.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

/// A further line: a part that has arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub part: u16,
    pub etag: String,
    /// In hexadecimal.
    pub digest: String,
    /// In Unix milliseconds.
    pub at_ms: i64,
}

/// The folder of all journals.
#[derive(Clone, Debug)]
pub struct Journals {
    folder: PathBuf,
    had_any: Arc<OnceLock<bool>>,
}

/// An open journal, locked.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    pub header: Header,
    /// By part number.
    pub entries: BTreeMap<u16, Entry>,
}

impl Header {
    /// An upload or a download that has only begun.
    pub fn new(direction: Direction, endpoint: &str, address: &Address, path: &Path) -> Header {
        Header {
            version: VERSION,
            direction,
            endpoint: endpoint.to_owned(),
            bucket: address.bucket.clone(),
            key: address.key.clone(),
            path: path.to_owned(),
            len: 0,
            part_len: 0,
            upload_id: None,
            identity: None,
            etag: None,
            version_id: address.version.clone(),
            algorithm: String::new(),
            customer_key: None,
            started_ms: 0,
            headers: Vec::new(),
        }
    }

    pub fn address(&self) -> Address {
        Address { version: self.version_id.clone(), ..Address::new(&self.bucket, &self.key) }
    }

    /// The same for the same transfer, and for no other.
    fn file_name(&self) -> String {
        let mut text = Vec::new();
        let direction = if self.direction == Direction::Upload { "put" } else { "get" };
        for field in [direction, &self.endpoint, &self.bucket, &self.key] {
            text.extend_from_slice(field.as_bytes());
            text.push(0);
        }
        text.extend_from_slice(self.path.as_os_str().as_bytes());
        format!("{}.{SUFFIX}", &sha256_hex(&text)[..32])
    }
}

impl Journals {
    pub fn new(folder: impl Into<PathBuf>) -> Journals {
        Journals { folder: folder.into(), had_any: Arc::default() }
    }

    /// Whether there were any when this was asked first. If not, nothing was left by an earlier run. Blocks.
    pub fn had_any(&self) -> bool {
        *self.had_any.get_or_init(|| match fs::read_dir(&self.folder) {
            Ok(mut entries) => entries.any(|entry| {
                entry.is_ok_and(|entry| entry.path().extension().is_some_and(|suffix| suffix == SUFFIX))
            }),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The journal of the transfer that `header` names, if there is one that makes sense.
    ///
    /// # Errors
    /// [`Error::Busy`] while another process has it open; [`Error::Incomplete`] if only a newer program understands it.
    pub fn open(&self, header: &Header) -> Result<Option<Journal>, Error> {
        let path = self.folder.join(header.file_name());
        let journal = Journal::open(&path).map_err(|error| Error::file(doing("read", &path), error))?;
        match journal {
            Opened::Absent => Ok(None),
            Opened::Busy => Err(Error::Busy { what: header.path.display().to_string() }),
            Opened::Newer => Err(Error::Incomplete(format!(
                "journal {} is from a newer dovetail: finish its transfer with that one, or remove it",
                path.display()
            ))),
            Opened::Journal(journal) => Ok(Some(*journal)),
        }
    }

    /// The same, but gives a process that was killed a moment to let go: the kernel keeps its lock until its last writes are over.
    pub async fn open_soon(&self, header: &Header) -> Result<Option<Journal>, Error> {
        for _ in 0..LET_GO_LOOKS {
            match self.open(header) {
                Err(Error::Busy { .. }) => tokio::time::sleep(LET_GO_PAUSE).await,
                opened => return opened,
            }
        }
        self.open(header)
    }

    /// Begins a journal. That of an upload is on disk when this returns.
    ///
    /// # Errors
    /// [`Error::Busy`] if another process has begun one meanwhile.
    pub fn create(&self, header: Header) -> Result<Journal, Error> {
        let path = self.folder.join(header.file_name());
        self.write(&path, &header)
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Error::Busy { what: header.path.display().to_string() },
                _ => Error::file(doing("write", &path), error),
            })
            .map(|file| Journal { file, path, header, entries: BTreeMap::new() })
    }

    /// What every journal says, with the number of parts that have arrived, oldest first. Those that are being
    /// written to are read as they are.
    pub fn all(&self) -> Result<Vec<(Header, usize)>, Error> {
        let mut found = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            entries => entries.map_err(|error| Error::file(doing("read", &self.folder), error))?,
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|suffix| suffix == SUFFIX)
                && let Ok(text) = fs::read(&path)
                && let Some((header, entries)) = parse(&text)
            {
                found.push((header, entries.len()));
            }
        }
        found.sort_by_key(|(header, _)| header.started_ms);
        Ok(found)
    }

    /// Removes the journals of transfers that nobody wants any more, but for those that are under way, and tells which.
    pub fn forget(&self, is_meant: impl Fn(&Header) -> bool) -> Result<Vec<Header>, Error> {
        let mut forgotten = Vec::new();
        for (header, _) in self.all()?.into_iter().filter(|(header, _)| is_meant(header)) {
            match self.open(&header) {
                Ok(Some(journal)) => {
                    journal.remove()?;
                    forgotten.push(header);
                }
                Ok(None) | Err(Error::Busy { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(forgotten)
    }

    fn write(&self, path: &Path, header: &Header) -> io::Result<File> {
        fs::create_dir_all(&self.folder)?;
        let file = match self.link_unnamed(path, header)? {
            Some(file) => file,
            None => self.link_aside(path, header)?,
        };
        if header.direction == Direction::Upload {
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(file)
    }

    /// A file without a name is gone when the process is, so `kill -9` leaves nothing behind. `None` where the file
    /// system has no such files.
    fn link_unnamed(&self, path: &Path, header: &Header) -> io::Result<Option<File>> {
        let flags = OFlags::TMPFILE.bits().cast_signed();
        let options = OpenOptions::new().append(true).read(true).mode(0o600).custom_flags(flags).clone();
        let Ok(mut file) = options.open(&self.folder) else { return Ok(None) };
        write_header(&mut file, header)?;
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        match linkat(CWD, &unnamed, CWD, path, AtFlags::SYMLINK_FOLLOW) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::EXIST) => Err(Errno::EXIST.into()),
            // Without /proc there is another way.
            Err(_) => Ok(None),
        }
    }

    fn link_aside(&self, path: &Path, header: &Header) -> io::Result<File> {
        let random: [u8; 8] = crate::base::random::bytes();
        let aside = self.folder.join(format!("{}.new", u64::from_be_bytes(random)));
        let linked = write_aside(&aside, header).and_then(|file| {
            // Unlike a rename this fails when there is one already.
            fs::hard_link(&aside, path)?;
            Ok(file)
        });
        let _ = fs::remove_file(&aside);
        linked
    }
}

fn write_aside(aside: &Path, header: &Header) -> io::Result<File> {
    // Names of files and uploads are nobody else's business.
    let options = OpenOptions::new().append(true).read(true).create_new(true).mode(0o600).clone();
    let mut file = options.open(aside)?;
    write_header(&mut file, header)?;
    Ok(file)
}

/// Whoever finds the file under its name finds it locked and whole.
fn write_header(file: &mut File, header: &Header) -> io::Result<()> {
    file.try_lock().map_err(io::Error::from)?;
    let mut line = serde_json::to_vec(header)?;
    line.push(b'\n');
    file.write_all(&line)?;
    match header.direction {
        Direction::Upload => file.sync_all(),
        Direction::Download => Ok(()),
    }
}

enum Opened {
    Absent,
    Busy,
    Newer,
    Journal(Box<Journal>),
}

impl Journal {
    fn open(path: &Path) -> io::Result<Opened> {
        let mut file = match OpenOptions::new().read(true).append(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Opened::Absent),
            file => file?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Opened::Busy),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Removed between opening and locking it.
        if file.metadata()?.nlink() == 0 {
            return Ok(Opened::Absent);
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        match parse(&text) {
            Some((header, entries)) => {
                // After a torn line the next one would be torn too.
                if !text.ends_with(b"\n") {
                    file.write_all(b"\n")?;
                }
                Ok(Opened::Journal(Box::new(Journal { file, path: path.to_owned(), header, entries })))
            }
            None if is_newer(&text) => Ok(Opened::Newer),
            // Nothing that anybody can go on from.
            None => {
                fs::remove_file(path)?;
                Ok(Opened::Absent)
            }
        }
    }

    /// Remembers that a part has arrived. A short write to the page cache, so it may be called where waiting is not
    /// allowed.
    pub fn record(&mut self, entry: Entry) -> Result<(), Error> {
        let write = |file: &mut File| {
            let mut line = serde_json::to_vec(&entry)?;
            line.push(b'\n');
            file.write_all(&line)
        };
        write(&mut self.file).map_err(|error| Error::file(doing("write", &self.path), error))?;
        self.entries.insert(entry.part, entry);
        Ok(())
    }

    /// The transfer is over.
    pub fn remove(self) -> Result<(), Error> {
        fs::remove_file(&self.path).map_err(|error| Error::file(doing("remove", &self.path), error))
    }
}

/// The header and the parts. Lines that make no sense were torn by a power cut, and are passed over.
fn parse(text: &[u8]) -> Option<(Header, BTreeMap<u16, Entry>)> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let header: Header = serde_json::from_slice(lines.next()?).ok()?;
    if header.version != VERSION {
        return None;
    }
    let entries = lines.filter_map(|line| serde_json::from_slice::<Entry>(line).ok());
    Some((header, entries.map(|entry| (entry.part, entry)).collect()))
}

/// Whether this is the journal of a program that came after this one.
fn is_newer(text: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Any {
        version: u32,
    }
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice::<Any>(line).is_ok_and(|any| any.version > VERSION)
}

fn doing(verb: &str, path: &Path) -> String {
    format!("{verb} journal {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(path: &str) -> Header {
        let address = Address::parse("s3://bucket/key").unwrap();
        Header::new(Direction::Upload, "http://127.0.0.1:9000", &address, Path::new(path))
    }

    fn entry(part: u16) -> Entry {
        Entry { part, etag: format!("etag-{part}"), digest: "00".into(), at_ms: 7 }
    }

    #[test]
    fn whether_there_were_any_is_what_an_earlier_run_has_left() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::new(folder.path().join("state"));
        assert!(!journals.had_any());
        let _journal = journals.create(header("/a")).unwrap();
        assert!(!journals.had_any(), "its own is none of an earlier run");
        assert!(Journals::new(folder.path().join("state")).had_any());
    }

    #[test]
    fn remembers_what_it_was_told_and_forgets_when_removed() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::new(folder.path().join("deep/state"));
        assert!(journals.open(&header("/a")).unwrap().is_none());
        assert!(journals.all().unwrap().is_empty());
        let mut journal = journals.create(Header { len: 10, ..header("/a") }).unwrap();
        journal.record(entry(3)).unwrap();
        journal.record(entry(1)).unwrap();
        drop(journal);
        let journal = journals.open(&header("/a")).unwrap().unwrap();
        assert_eq!(journal.header.len, 10);
        assert_eq!(journal.entries.keys().copied().collect::<Vec<_>>(), [1, 3]);
        assert!(journals.open(&header("/b")).unwrap().is_none(), "another file is another transfer");
        assert_eq!(journals.all().unwrap()[0].1, 2);
        journal.remove().unwrap();
        assert!(journals.open(&header("/a")).unwrap().is_none());
        assert_eq!(fs::read_dir(journals.folder()).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn what_a_newer_program_has_written_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::new(folder.path());
        let path = journals.create(header("/a")).unwrap().path;
        let newer = br#"{"version":2,"direction":"sideways"}"#;
        fs::write(&path, newer).unwrap();
        assert!(matches!(journals.open(&header("/a")), Err(Error::Incomplete(_))));
        assert_eq!(fs::read(&path).unwrap(), newer);
    }

    #[test]
    fn what_is_forgotten_is_gone_unless_it_is_under_way() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::new(folder.path());
        for path in ["/a", "/b"] {
            journals.create(header(path)).unwrap();
        }
        let running = journals.open(&header("/b")).unwrap();
        let forgotten = journals.forget(|found| found.key == "key").unwrap();
        assert_eq!(forgotten, [header("/a")]);
        assert!(running.is_some() && journals.all().unwrap().len() == 1);
        assert!(journals.forget(|found| found.key == "other").unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_is_about_to_be_gone_is_waited_for_and_another_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::new(folder.path());
        let held = journals.create(header("/a")).unwrap();
        let looked = header("/a");
        let goes = async {
            tokio::time::sleep(LET_GO_PAUSE * 5).await;
            drop(held);
        };
        let (opened, ()) = tokio::join!(journals.open_soon(&looked), goes);
        let held = opened.unwrap();
        assert!(held.is_some());
        assert!(matches!(journals.open_soon(&looked).await, Err(Error::Busy { .. })));
    }

    #[test]
    fn two_processes_cannot_have_the_same_journal() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::new(folder.path());
        let first = journals.create(header("/a")).unwrap();
        assert!(matches!(journals.open(&header("/a")), Err(Error::Busy { .. })));
        assert!(matches!(journals.create(header("/a")), Err(Error::Busy { .. })));
        drop(first);
        assert!(journals.open(&header("/a")).unwrap().is_some());
    }

    #[test]
    fn survives_being_cut_anywhere() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::new(folder.path());
        let mut journal = journals.create(header("/a")).unwrap();
        for part in 1..=3 {
            journal.record(entry(part)).unwrap();
        }
        let path = journal.path.clone();
        drop(journal);
        let whole = fs::read(&path).unwrap();
        let header_len = whole.iter().position(|byte| *byte == b'\n').unwrap();
        for len in 0..=whole.len() {
            for tail in [&b""[..], &[0; 20]] {
                fs::write(&path, [&whole[..len], tail].concat()).unwrap();
                let opened = journals.open(&header("/a")).unwrap();
                if tail.is_empty() {
                    assert_eq!(opened.is_some(), len >= header_len, "cut at {len}");
                }
                let Some(mut journal) = opened else { continue };
                assert!(journal.entries.values().all(|found| *found == entry(found.part)));
                journal.record(entry(9)).unwrap();
                drop(journal);
                let journal = journals.open(&header("/a")).unwrap().unwrap();
                assert!(journal.entries.contains_key(&9), "what comes after a torn line is read");
            }
        }
    }
}
