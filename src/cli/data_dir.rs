//! The data directory: whose it is, which format it has, and that one process uses it at a time.
//!
//! ```text
//! <data_dir>/
//!   FORMAT        format version of everything beside it
//!   LOCK          held by the process that uses the directory
//!   credentials   the key pair made on a first start without users
//!   master.key    the master key of encryption made on a first start without one
//!   user-secrets.key   what the secrets of users made at run time are sealed with
//!   meta/         RocksDB
//!   blobs/        the local backend
//!   tmp/          unfinished blobs; emptied at start
//! ```

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The format this program writes, and the newest it reads.
const FORMAT: u32 = 1;
/// What stands in front of the number.
const FORMAT_WORD: &str = "dovetail";
/// What the first start makes when everything else is there: where it is, there was metadata.
pub const MADE_LAST: &str = "user-secrets.key";
/// What a new file system holds of its own.
const FOREIGN_BUT_FINE: &[&str] = &["lost+found"];

/// A data directory that no other process uses while this value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Whether a start on it has come to its end before, so that there must be metadata.
    was_in_use: bool,
    /// The kernel gives the lock back when this is closed, in whatever way the process ends.
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{path} is in use by another dovetail process{holder}: stop it first, or choose another data_dir"
    )]
    InUse { path: String, holder: String },
    #[error(
        "{path} has format {found}, and this dovetail reads formats up to {FORMAT}: start the newer dovetail that wrote it"
    )]
    Newer { path: String, found: u32 },
    #[error(
        "{path} is not empty and was not made by dovetail (it holds {found}): choose an empty or new folder as data_dir"
    )]
    Foreign { path: String, found: String },
    #[error("{path} holds no data of dovetail")]
    Missing { path: String },
    #[error(
        "{path} has been in use, but its metadata is not there ({path}/meta/CURRENT): is its disk mounted? Put meta/ back from a backup, or choose an empty folder as data_dir; nothing was changed"
    )]
    MetadataLost { path: String },
    #[error(
        "{path} holds no blobs, but the metadata names some: is its disk mounted? Put them back from a backup, or name the right place in blobs.url; nothing was changed"
    )]
    BlobsLost { path: String },
    #[error("cannot read the format of {path}: `{found}` is not `{FORMAT_WORD} <number>`")]
    BadFormat { path: String, found: String },
    #[error("cannot {step} {path}: {source}")]
    Io { step: &'static str, path: String, source: io::Error },
}

impl DataDir {
    /// Takes the directory, which is made and marked with the format when it is new. Nothing is written to a
    /// directory that is not ours.
    pub fn open(path: &Path) -> Result<DataDir, Error> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_error("create", path))?;
        let is_new = !exists(&path.join("FORMAT"))?;
        if is_new {
            refuse_foreign(path)?;
        }
        let lock = take_lock(path)?;
        if is_new {
            write_durably(path, "FORMAT", format!("{FORMAT_WORD} {FORMAT}\n").as_bytes(), 0o644)?;
        } else {
            check_format(path)?;
        }
        let was_in_use = exists(&path.join(MADE_LAST))?;
        Ok(DataDir { path: path.to_path_buf(), was_in_use, _lock: lock })
    }

    /// Takes a directory that holds data already.
    pub fn open_existing(path: &Path) -> Result<DataDir, Error> {
        if !exists(&path.join("FORMAT"))? {
            return Err(Error::Missing { path: shown(path) });
        }
        Ok(DataDir { was_in_use: true, ..DataDir::open(path)? })
    }

    /// Refuses to go on where there was metadata and is none (`is_made` says whether there is): an empty store in its
    /// place would serve nothing, and whoever repaired that would delete every blob.
    pub fn check_metadata(&self, is_made: bool) -> Result<(), Error> {
        match is_made || !self.was_in_use {
            true => Ok(()),
            false => Err(Error::MetadataLost { path: shown(&self.path) }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the metadata store is.
    pub fn meta(&self) -> PathBuf {
        self.path.join("meta")
    }
}

/// An error when it cannot be known: what may not be looked at may be there.
fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(io_error("look for", path))
}

/// A folder with things of others in it, perhaps somebody's home, is a mistake in the configuration.
fn refuse_foreign(path: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(path).map_err(io_error("read", path))? {
        let name = entry.map_err(io_error("read", path))?.file_name().to_string_lossy().into_owned();
        // LOCK, and FORMAT under its first name, are what is left of a start that was cut off.
        let ours = name == "LOCK" || name == "FORMAT.new";
        if !ours && !FOREIGN_BUT_FINE.contains(&name.as_str()) {
            return Err(Error::Foreign { path: shown(path), found: name });
        }
    }
    Ok(())
}

fn take_lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("LOCK");
    let opened =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(&path);
    let mut lock = opened.map_err(io_error("open", &path))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let mut pid = String::new();
            let _ = lock.read_to_string(&mut pid);
            let holder = if pid.trim().is_empty() { String::new() } else { format!(" ({})", pid.trim()) };
            return Err(Error::InUse { path: shown(dir), holder });
        }
        Err(errno) => return Err(io_error("lock", &path)(errno.into())),
    }
    // For the message of whoever comes second; the lock itself does not depend on it.
    let _ = lock.set_len(0);
    let _ = lock.write_all(format!("process {}\n", std::process::id()).as_bytes());
    Ok(lock)
}

fn check_format(dir: &Path) -> Result<(), Error> {
    let path = dir.join("FORMAT");
    let text = fs::read_to_string(&path).map_err(io_error("read", &path))?;
    let number = text.trim().strip_prefix(FORMAT_WORD).and_then(|number| number.trim().parse::<u32>().ok());
    match number {
        Some(FORMAT) => Ok(()),
        Some(found) if found > FORMAT => Err(Error::Newer { path: shown(dir), found }),
        _ => Err(Error::BadFormat { path: shown(dir), found: text.trim().chars().take(40).collect() }),
    }
}

/// Writes a file under its name whole or not at all; durable when this returns.
pub fn write_durably(dir: &Path, name: &str, content: &[u8], mode: u32) -> Result<(), Error> {
    let (new, path) = (dir.join(format!("{name}.new")), dir.join(name));
    let write = || -> io::Result<()> {
        // One left by a start that was cut off may have another mode.
        match fs::remove_file(&new) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(io_error("write", &path))
}

fn io_error(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = shown(path);
    move |source| Error::Io { step, path, source }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_marked_and_locked_and_can_be_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/data");
        let first = DataDir::open(&path).unwrap();
        assert_eq!(fs::read_to_string(path.join("FORMAT")).unwrap(), "dovetail 1\n");
        let second = DataDir::open(&path).unwrap_err().to_string();
        assert!(second.contains("in use by another dovetail process (process "), "{second}");
        drop(first);
        fs::create_dir(path.join("meta")).unwrap();
        DataDir::open_existing(&path).unwrap();
    }

    #[test]
    fn metadata_must_be_there_once_a_start_has_come_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        DataDir::open(folder.path()).unwrap().check_metadata(false).expect("a first start was cut off");
        let checked = DataDir::open_existing(folder.path()).unwrap().check_metadata(false);
        assert!(matches!(checked, Err(Error::MetadataLost { .. })));
        fs::write(folder.path().join(MADE_LAST), "key").unwrap();
        let checked = DataDir::open(folder.path()).unwrap().check_metadata(false);
        assert!(matches!(checked, Err(Error::MetadataLost { .. })));
        DataDir::open(folder.path()).unwrap().check_metadata(true).unwrap();
    }

    #[test]
    fn refuses_newer_and_unreadable_formats() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("FORMAT"), "dovetail 2\n").unwrap();
        assert!(matches!(DataDir::open(folder.path()), Err(Error::Newer { found: 2, .. })));
        fs::write(folder.path().join("FORMAT"), "something else").unwrap();
        assert!(matches!(DataDir::open(folder.path()), Err(Error::BadFormat { .. })));
    }

    #[test]
    fn writes_nothing_to_a_folder_of_somebody_else() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(DataDir::open_existing(folder.path()), Err(Error::Missing { .. })));
        fs::write(folder.path().join("letters.txt"), "dear").unwrap();
        assert!(matches!(DataDir::open(folder.path()), Err(Error::Foreign { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
