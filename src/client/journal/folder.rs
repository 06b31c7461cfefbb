//! The folder of all journals: finding the one of a transfer, beginning one, and what to make of one that cannot be read.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, OFlags, linkat};
use rustix::io::Errno;

use super::{Direction, Header, Journal, Opened, doing, is_newer, parse};
use crate::client::Error;

pub(super) const SUFFIX: &str = "journal";
/// What a journal is called that cannot be read and was set aside. A later one of the same transfer takes its place.
const DAMAGED_SUFFIX: &str = "damaged";
/// How often, and after what pauses, a journal that is locked is looked at again.
const LET_GO_LOOKS: u32 = 30;
const LET_GO_PAUSE: Duration = Duration::from_millis(100);

/// The folder of all journals.
#[derive(Clone, Debug)]
pub struct Journals {
    folder: PathBuf,
    had_any: Arc<OnceLock<bool>>,
}

/// What earlier runs have left of a transfer.
#[derive(Debug)]
pub enum Left {
    Nothing,
    Journal(Box<Journal>),
    /// Nothing that one could go on from, but not nothing: an upload may still be open on the server.
    Damaged(Damaged),
}

/// A journal whose first line makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Where it was set aside.
    pub path: PathBuf,
    /// The upload, if as much as that can be read.
    pub upload_id: Option<String>,
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

    /// Whether a transfer has a journal, whatever is in it. Blocks.
    pub fn has(&self, header: &Header) -> bool {
        self.folder.join(header.file_name()).exists()
    }

    /// The journal of the transfer that `header` names, if there is one. One that makes no sense is set aside, once.
    ///
    /// # Errors
    /// [`Error::Busy`] while another process has it open; [`Error::Incomplete`] if only a newer program understands it.
    pub fn open(&self, header: &Header) -> Result<Left, Error> {
        let path = self.folder.join(header.file_name());
        let journal = Journal::open(&path).map_err(|error| Error::file(doing("read", &path), error))?;
        match journal {
            Opened::Absent => Ok(Left::Nothing),
            Opened::Busy => Err(Error::Busy { what: header.path.display().to_string() }),
            Opened::Newer => Err(Error::Incomplete(format!(
                "journal {} is from a newer dovetail: finish its transfer with that one, or remove it",
                path.display()
            ))),
            Opened::Journal(journal) => Ok(Left::Journal(journal)),
            Opened::Damaged(upload_id) => {
                let aside = path.with_extension(DAMAGED_SUFFIX);
                fs::rename(&path, &aside).map_err(|error| Error::file(doing("set aside", &path), error))?;
                Ok(Left::Damaged(Damaged { path: aside, upload_id }))
            }
        }
    }

    /// The same, but gives a process that was killed a moment to let go: the kernel keeps its lock until its last writes are over.
    pub async fn open_soon(&self, header: &Header) -> Result<Left, Error> {
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
        let texts = self.texts()?.into_iter();
        let mut found: Vec<_> = texts
            .filter_map(|(_, text)| parse(&text).map(|(header, entries)| (header, entries.len())))
            .collect();
        found.sort_by_key(|(header, _)| header.started_ms);
        Ok(found)
    }

    /// Those that cannot be read, and are not a newer program's.
    pub fn damaged(&self) -> Result<Vec<PathBuf>, Error> {
        let texts = self.texts()?.into_iter();
        let damaged = texts.filter(|(_, text)| parse(text).is_none() && !is_newer(text));
        Ok(damaged.map(|(path, _)| path).collect())
    }

    fn texts(&self) -> Result<Vec<(PathBuf, Vec<u8>)>, Error> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| Error::file(doing("read", &self.folder), error))?,
        };
        let paths = entries.flatten().map(|entry| entry.path());
        let journals = paths.filter(|path| path.extension().is_some_and(|suffix| suffix == SUFFIX));
        // One that is gone since it was listed was finished meanwhile.
        Ok(journals.filter_map(|path| fs::read(&path).ok().map(|text| (path, text))).collect())
    }

    /// Removes the journals of transfers that nobody wants any more, but for those that are under way, and tells which.
    pub fn forget(&self, is_meant: impl Fn(&Header) -> bool) -> Result<Vec<Header>, Error> {
        let mut forgotten = Vec::new();
        for (header, _) in self.all()?.into_iter().filter(|(header, _)| is_meant(header)) {
            match self.open(&header) {
                Ok(Left::Journal(journal)) => {
                    journal.remove()?;
                    forgotten.push(header);
                }
                Ok(Left::Nothing | Left::Damaged(_)) | Err(Error::Busy { .. }) => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::address::Address;

    fn header(path: &str) -> Header {
        let address = Address::parse("s3://bucket/key").unwrap();
        Header::new(Direction::Upload, "http://127.0.0.1:9000", &address, Path::new(path))
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
    fn what_is_forgotten_is_gone_unless_it_is_under_way() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::new(folder.path());
        for path in ["/a", "/b"] {
            journals.create(header(path)).unwrap();
        }
        let running = journals.open(&header("/b")).unwrap();
        let forgotten = journals.forget(|found| found.key == "key").unwrap();
        assert_eq!(forgotten, [header("/a")]);
        assert!(matches!(running, Left::Journal(_)) && journals.all().unwrap().len() == 1);
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
        assert!(matches!(held, Left::Journal(_)));
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
        assert!(matches!(journals.open(&header("/a")).unwrap(), Left::Journal(_)));
    }

    /// An upload is only known by its journal, so what is left of one is not thrown away.
    #[test]
    fn what_cannot_be_read_is_set_aside_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::new(folder.path());
        for garbage in [&b""[..], b"\0\0\0\0", b"{}", b"\"upload_id\":\"\"", b"\"upload_id\":\"a b\""] {
            let path = journals.create(header("/a")).unwrap().path;
            fs::write(&path, garbage).unwrap();
            assert_eq!(journals.damaged().unwrap(), std::slice::from_ref(&path));
            assert!(journals.all().unwrap().is_empty());
            let Left::Damaged(damaged) = journals.open(&header("/a")).unwrap() else { panic!("{garbage:?}") };
            assert_eq!((fs::read(&damaged.path).unwrap().as_slice(), damaged.upload_id), (garbage, None));
            assert!(journals.damaged().unwrap().is_empty() && !path.exists());
        }
        assert_eq!(fs::read_dir(journals.folder()).unwrap().count(), 1, "one is kept of each transfer");
    }
}
