//! What a transfer remembers between runs: one small file each, in the platform's folder for state.
//!
//! The first line says what is being moved, each further line which part has arrived, all as JSON. The file appears
//! whole (written aside, linked into place) before the first part moves, so `kill -9` leaves either no journal or a
//! true one. An upload's is synced then, as its folder is: a power cut must not lose the id of an upload that stays
//! open on the server. A download's is not: what a power cut could lose with it is not on the disk either, and one that
//! is over within seconds then never touches the disk, which is busy with its bytes. Lines are appended without a sync:
//! what a power cut loses or tears is only a part that will be compared with the server again, or read again. Whoever
//! has the file open holds its lock, so that no two processes move the same thing. A first line that makes no sense is damage, which
//! is set aside and told: the server may still have its upload.

mod folder;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::client::Error;
use crate::client::address::Address;
use crate::client::identity::FileIdentity;
use crate::wire::sigv4::sha256_hex;

pub use folder::{Damaged, Journals, Left};

/// Goes up when older programs could not understand a journal; theirs are left alone.
const VERSION: u32 = 1;

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
        format!("{}.{}", &sha256_hex(&text)[..32], folder::SUFFIX)
    }
}

enum Opened {
    Absent,
    Busy,
    Newer,
    /// With the id of its upload, if that can be read.
    Damaged(Option<String>),
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
            None => Ok(Opened::Damaged(upload_id_in(&text))),
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

/// The upload's id in what is left of a first line.
fn upload_id_in(text: &[u8]) -> Option<String> {
    const NAME: &[u8] = b"\"upload_id\":\"";
    let at = text.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let id = &text[at..at + text[at..].iter().position(|byte| *byte == b'"')?];
    let is_id = !id.is_empty() && id.iter().all(u8::is_ascii_graphic);
    is_id.then(|| String::from_utf8_lossy(id).into_owned())
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

    fn opened(journals: &Journals) -> Journal {
        match journals.open(&header("/a")).unwrap() {
            Left::Journal(journal) => *journal,
            other => panic!("{other:?}"),
        }
    }

    fn entry(part: u16) -> Entry {
        Entry { part, etag: format!("etag-{part}"), digest: "00".into(), at_ms: 7 }
    }

    #[test]
    fn remembers_what_it_was_told_and_forgets_when_removed() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::new(folder.path().join("deep/state"));
        assert!(matches!(journals.open(&header("/a")).unwrap(), Left::Nothing));
        assert!(journals.all().unwrap().is_empty());
        let mut journal = journals.create(Header { len: 10, ..header("/a") }).unwrap();
        journal.record(entry(3)).unwrap();
        journal.record(entry(1)).unwrap();
        drop(journal);
        let journal = opened(&journals);
        assert_eq!(journal.header.len, 10);
        assert_eq!(journal.entries.keys().copied().collect::<Vec<_>>(), [1, 3]);
        assert!(
            matches!(journals.open(&header("/b")).unwrap(), Left::Nothing),
            "another file is another transfer"
        );
        assert_eq!(journals.all().unwrap()[0].1, 2);
        journal.remove().unwrap();
        assert!(matches!(journals.open(&header("/a")).unwrap(), Left::Nothing));
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
    fn survives_being_cut_anywhere() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::new(folder.path());
        let mut journal =
            journals.create(Header { upload_id: Some("my-id".into()), ..header("/a") }).unwrap();
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
                let mut journal = match journals.open(&header("/a")).unwrap() {
                    Left::Nothing => panic!("cut at {len}: it is there"),
                    Left::Journal(journal) => journal,
                    Left::Damaged(damaged) => {
                        assert!(len <= header_len, "cut at {len}");
                        assert!(len < header_len || !tail.is_empty(), "cut at {len}");
                        assert!(damaged.path.exists() && !path.exists(), "it was set aside");
                        let id_end = whole.windows(7).position(|window| window == b"my-id\",").unwrap() + 6;
                        let id = (len >= id_end).then(|| "my-id".to_owned());
                        assert_eq!(damaged.upload_id, id, "cut at {len}");
                        assert!(matches!(journals.open(&header("/a")).unwrap(), Left::Nothing));
                        continue;
                    }
                };
                assert!(journal.entries.values().all(|found| *found == entry(found.part)));
                journal.record(entry(9)).unwrap();
                drop(journal);
                let journal = opened(&journals);
                assert!(journal.entries.contains_key(&9), "what comes after a torn line is read");
            }
        }
    }
}
