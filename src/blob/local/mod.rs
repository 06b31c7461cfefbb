//! Blobs as files on a local disk, durable when their writer says so.
//!
//! ```text
//! tmp/<32 hex>                             being written; nobody opens it
//!   written, fdatasync, link, fsync of the directory
//! tmp/<32 hex>, blobs/<2 hex>/<32 hex>     finished: complete and durable, and perhaps named by no record
//!   settled: unlink
//! blobs/<2 hex>/<32 hex>                   named by a record
//! ```
//!
//! The final name comes after the data is on the disk, so a file under it is whole. A crash leaves at most files in
//! `tmp/`: those that have no final name are removed by [`Store::sweep_unfinished`], the others are
//! [`Store::unsettled`]. Where a file system has no hard links, a blob is renamed: then one that a crash leaves without
//! a record is `fsck`'s.
//!
//! Large blobs are written past the page cache (`O_DIRECT`, man 2 open): it costs a tenth of the CPU of buffered
//! writing, and the metadata's syncs do not have to wait behind other people's dirty pages.

mod reader;
mod threads;
mod writer;

#[cfg(test)]
mod tests;

use crate::base::disk_turns::DiskTurns;
use crate::base::{fail_point, limits::MIB, random};
use crate::blob::{BlobEntry, BlobId, Error, ErrorKind, Reader, Store, Writer};
use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use reader::{LocalReader, Spares};
use rustix::fs::{self, AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use threads::Threads;
use writer::{LocalWriter, Unfinished};

/// Fan-out directories: few enough to make at once, many enough that a million blobs are 4,000 files in each.
const FAN_OUT: usize = 256;

/// What can be tuned. The defaults are for one disk and a few cores.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads that write, sync, rename and delete. Each is one call the disk sees at a time.
    pub write_threads: usize,
    /// Threads that read what the page cache does not hold.
    pub read_threads: usize,
    /// Jobs that may wait for either kind of thread. Beyond it callers wait, and with them their clients.
    pub queue_len_max: usize,
    /// Blobs of at least this many bytes are written past the page cache.
    pub direct_len_min: u64,
    /// Free bytes below which no blob is begun and [`Store::check`] fails: the metadata, which shares the disk,
    /// must still be able to record deletions.
    pub free_len_min: u64,
    /// Bytes of read buffers kept for the next read instead of being given back to the allocator.
    pub spare_len_max: usize,
    /// Shared with the metadata when that is on the same disk: its commits go before large writes.
    pub turns: DiskTurns,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            write_threads: 8,
            read_threads: 4,
            queue_len_max: 1024,
            direct_len_min: 8 * MIB,
            free_len_min: 256 * MIB,
            spare_len_max: 32 << 20,
            turns: DiskTurns::default(),
        }
    }
}

/// Blobs under one directory.
pub struct Local {
    folders: Arc<Folders>,
    write_threads: Arc<Threads>,
    read_threads: Arc<Threads>,
    spares: Arc<Spares>,
    /// Whether the kernel and the file system can read without blocking; found out by trying.
    can_read_nowait: Arc<AtomicBool>,
    settings: Settings,
}

/// The two directories, open for as long as anything uses them.
struct Folders {
    blobs: OwnedFd,
    tmp: OwnedFd,
    /// Blobs that this process is writing or has not settled, which a sweep must leave alone.
    being_written: Mutex<HashSet<BlobId>>,
}

impl Local {
    /// Whether blobs were ever kept in `blobs`. Not so where a disk that holds them is not mounted.
    pub fn is_made(blobs: &Path) -> bool {
        blobs.join(fan_out(0)).is_dir()
    }

    /// Opens, and makes where missing, `blobs` with its fan-out directories and `tmp`. Both must be on one file
    /// system. Two processes must not share them: the lock on `data_dir` sees to that.
    pub fn open(blobs: &Path, tmp: &Path, settings: Settings) -> Result<Local, Error> {
        let folders = Folders {
            blobs: open_directory(blobs)?,
            tmp: open_directory(tmp)?,
            being_written: Mutex::default(),
        };
        folders.check_one_file_system(blobs, tmp)?;
        folders.make_fan_out()?;
        sync_parent(blobs)?;
        sync_parent(tmp)?;
        Ok(Local {
            folders: Arc::new(folders),
            write_threads: Arc::new(Threads::start(
                "blob-write",
                settings.write_threads,
                settings.queue_len_max,
            )?),
            read_threads: Arc::new(Threads::start(
                "blob-read",
                settings.read_threads,
                settings.queue_len_max,
            )?),
            spares: Arc::new(Spares::new(settings.spare_len_max)),
            can_read_nowait: Arc::new(AtomicBool::new(true)),
            settings,
        })
    }
}

#[async_trait]
impl Store for Local {
    async fn create(&self, id: BlobId, len: Option<u64>) -> Result<Box<dyn Writer>, Error> {
        let folders = Arc::clone(&self.folders);
        let settings = self.settings.clone();
        let unfinished =
            self.write_threads.run(move || Unfinished::create(folders, id, len, &settings)).await??;
        Ok(Box::new(LocalWriter::new(Arc::clone(&self.write_threads), unfinished)))
    }

    async fn open(&self, id: BlobId) -> Result<Box<dyn Reader>, Error> {
        // Inline: opening a file is a few microseconds, less than a thread's wake-up, unless its directory has been
        // evicted from memory.
        let file =
            retry(|| fs::openat(&self.folders.blobs, place(id), OFlags::RDONLY | OFlags::CLOEXEC, none()))
                .map_err(|errno| failed(errno, format!("cannot open blob {id}")))?;
        let len = fs::fstat(&file).map_err(|errno| failed(errno, format!("cannot stat blob {id}")))?.st_size;
        Ok(Box::new(LocalReader {
            id,
            file: Arc::new(file),
            len: u64::try_from(len).expect("a file's length is not negative"),
            threads: Arc::clone(&self.read_threads),
            spares: Arc::clone(&self.spares),
            can_read_nowait: Arc::clone(&self.can_read_nowait),
        }))
    }

    async fn delete(&self, id: BlobId) -> Result<(), Error> {
        let folders = Arc::clone(&self.folders);
        self.write_threads.run(move || folders.delete(id)).await?
    }

    fn list(&self) -> BoxStream<'_, Result<BlobEntry, Error>> {
        // One directory at a time is held in memory.
        stream::iter(0..FAN_OUT)
            .then(move |number| {
                let folders = Arc::clone(&self.folders);
                async move { self.read_threads.run(move || folders.list(number)).await.and_then(|found| found) }
            })
            .flat_map(|found| match found {
                Ok(entries) => stream::iter(entries.into_iter().map(Ok).collect::<Vec<_>>()),
                Err(err) => stream::iter(vec![Err(err)]),
            })
            .boxed()
    }

    async fn sweep_unfinished(&self) -> Result<(), Error> {
        let folders = Arc::clone(&self.folders);
        self.write_threads.run(move || folders.sweep()).await?
    }

    /// Nobody waits for it. What is queued here is bounded by the blobs that are being finished: they go through the same
    /// threads, one after the other.
    fn settle(&self, id: BlobId) {
        let folders = Arc::clone(&self.folders);
        self.write_threads.clean_up(move || folders.settle(id));
    }

    async fn unsettled(&self) -> Result<Vec<BlobId>, Error> {
        let folders = Arc::clone(&self.folders);
        self.write_threads.run(move || folders.unsettled()).await?
    }

    async fn check(&self) -> Result<(), Error> {
        let folders = Arc::clone(&self.folders);
        let free_len_min = self.settings.free_len_min;
        self.write_threads.run(move || folders.check(free_len_min)).await?
    }
}

impl Folders {
    fn being_written(&self) -> MutexGuard<'_, HashSet<BlobId>> {
        self.being_written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A rename cannot cross file systems, so this is found out before the first blob.
    fn check_one_file_system(&self, blobs: &Path, tmp: &Path) -> Result<(), Error> {
        let device = |fd: &OwnedFd, path: &Path| match fs::fstat(fd) {
            Ok(stat) => Ok(stat.st_dev),
            Err(errno) => Err(failed(errno, format!("cannot stat {}", path.display()))),
        };
        if device(&self.blobs, blobs)? != device(&self.tmp, tmp)? {
            let message = format!("{} and {} must be on one file system", blobs.display(), tmp.display());
            return Err(Error::new(ErrorKind::Io, message));
        }
        Ok(())
    }

    fn make_fan_out(&self) -> Result<(), Error> {
        for number in 0..FAN_OUT {
            match fs::mkdirat(&self.blobs, fan_out(number), Mode::from_raw_mode(0o700)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => {
                    return Err(failed(errno, format!("cannot make directory blobs/{}", fan_out(number))));
                }
            }
        }
        // Also when none was made: the process that made them may have died before its sync.
        fs::fsync(&self.blobs).map_err(|errno| failed(errno, "cannot sync directory blobs"))
    }

    fn open_fan_out(&self, number: usize) -> Result<OwnedFd, Error> {
        retry(|| fs::openat(&self.blobs, fan_out(number), directory_flags(), none()))
            .map_err(|errno| failed(errno, format!("cannot open directory blobs/{}", fan_out(number))))
    }

    fn sync_fan_out(&self, id: BlobId) -> Result<(), Error> {
        let number = usize::from(id.0[0]);
        // Writers that sync one directory at the same time share the file system's journal commit.
        fs::fsync(self.open_fan_out(number)?)
            .map_err(|errno| failed(errno, format!("cannot sync directory blobs/{}", fan_out(number))))
    }

    fn delete(&self, id: BlobId) -> Result<(), Error> {
        match fs::unlinkat(&self.blobs, place(id), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(errno, format!("cannot delete blob {id}"))),
        }
        fail_point::reach("blob::local::after_delete");
        // Only now, so that a crash in between leaves something to find.
        self.unlink_tmp(id).map_err(|errno| failed(errno, format!("cannot remove tmp/{id}")))
    }

    fn settle(&self, id: BlobId) {
        fail_point::reach("blob::local::before_settle");
        // If this fails, the next start finds that a record names it, and tries again.
        let _ = self.unlink_tmp(id);
    }

    fn unlink_tmp(&self, id: BlobId) -> Result<(), Errno> {
        let unlinked = fs::unlinkat(&self.tmp, id.to_string(), AtFlags::empty());
        self.being_written().remove(&id);
        match unlinked {
            Err(Errno::NOENT) => Ok(()),
            unlinked => unlinked,
        }
    }

    fn has(&self, id: BlobId) -> Result<bool, Error> {
        match fs::statat(&self.blobs, place(id), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(failed(errno, format!("cannot stat blob {id}"))),
        }
    }

    /// What earlier processes left in `tmp/`.
    fn left(&self) -> Result<Vec<String>, Error> {
        let mut names = names(&self.tmp).map_err(|errno| failed(errno, "cannot list directory tmp"))?;
        let being_written = self.being_written();
        names.retain(|name| BlobId::parse(name).is_none_or(|id| !being_written.contains(&id)));
        Ok(names)
    }

    fn unsettled(&self) -> Result<Vec<BlobId>, Error> {
        let mut found = Vec::new();
        for id in self.left()?.iter().filter_map(|name| BlobId::parse(name)) {
            if self.has(id)? {
                found.push(id);
            }
        }
        Ok(found)
    }

    fn list(&self, number: usize) -> Result<Vec<BlobEntry>, Error> {
        let step = |errno| failed(errno, format!("cannot list directory blobs/{}", fan_out(number)));
        let directory = self.open_fan_out(number)?;
        let mut entries = Vec::new();
        for name in names(&directory).map_err(step)? {
            // Anything else was not put there by us.
            let Some(id) = BlobId::parse(&name).filter(|id| usize::from(id.0[0]) == number) else { continue };
            match fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => entries.push(BlobEntry { id, len: u64::try_from(stat.st_size).unwrap_or(0) }),
                // Deleted since its directory was read.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(step(errno)),
            }
        }
        Ok(entries)
    }

    fn sweep(&self) -> Result<(), Error> {
        for name in self.left()? {
            if let Some(id) = BlobId::parse(&name)
                && self.has(id)?
            {
                continue;
            }
            match fs::unlinkat(&self.tmp, &name, AtFlags::empty()) {
                // Only a directory is not ours to remove.
                Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => {}
                Err(errno) => return Err(failed(errno, format!("cannot remove tmp/{name}"))),
            }
        }
        Ok(())
    }

    fn check(&self, free_len_min: u64) -> Result<(), Error> {
        self.check_free_len(free_len_min)?;
        let name = format!("check-{:032x}", u128::from_le_bytes(random::bytes()));
        let step = |errno| failed(errno, "cannot write to directory tmp");
        let file = fs::openat(&self.tmp, &name, create_flags(), file_mode()).map_err(step)?;
        let written = rustix::io::write(&file, b"check").and_then(|_| fs::fsync(&file));
        let removed = fs::unlinkat(&self.tmp, &name, AtFlags::empty());
        written.and(removed).map_err(step)
    }

    fn check_free_len(&self, free_len_min: u64) -> Result<(), Error> {
        let stat = fs::fstatvfs(&self.blobs)
            .map_err(|errno| failed(errno, "cannot read the free space of blobs"))?;
        let free_len = stat.f_bavail.saturating_mul(stat.f_frsize);
        if free_len < free_len_min {
            let message =
                format!("only {free_len} bytes are free, less than the {free_len_min} kept in reserve");
            return Err(Error::new(ErrorKind::NoSpace, message));
        }
        Ok(())
    }
}

fn open_directory(path: &Path) -> Result<OwnedFd, Error> {
    std::fs::create_dir_all(path).map_err(|err| {
        Error::with_source(ErrorKind::Io, format!("cannot make directory {}", path.display()), err)
    })?;
    fs::openat(CWD, path, directory_flags(), none())
        .map_err(|errno| failed(errno, format!("cannot open directory {}", path.display())))
}

/// Makes the entry of `path` in its parent durable.
fn sync_parent(path: &Path) -> Result<(), Error> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::openat(CWD, parent, directory_flags(), none())
        .and_then(fs::fsync)
        .map_err(|errno| failed(errno, format!("cannot sync directory {}", parent.display())))
}

/// The names in a directory that are text, which ours are.
fn names(directory: &OwnedFd) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in fs::Dir::read_from(directory)? {
        if let Ok(name) = entry?.file_name().to_str()
            && !matches!(name, "." | "..")
        {
            names.push(name.to_string());
        }
    }
    Ok(names)
}

fn fan_out(number: usize) -> String {
    format!("{number:02x}")
}

/// A finished blob's path below `blobs`.
fn place(id: BlobId) -> String {
    format!("{:02x}/{id}", id.0[0])
}

fn directory_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
}

fn create_flags() -> OFlags {
    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC
}

fn file_mode() -> Mode {
    Mode::RUSR | Mode::WUSR
}

fn none() -> Mode {
    Mode::empty()
}

/// Repeats a call that a signal interrupted.
fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

fn failed(errno: Errno, step: impl Into<String>) -> Error {
    let kind = match errno {
        Errno::NOENT => ErrorKind::Missing,
        Errno::NOSPC | Errno::DQUOT => ErrorKind::NoSpace,
        // Out of file descriptors or kernel memory: others will give some back.
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => ErrorKind::Unavailable,
        _ => ErrorKind::Io,
    };
    Error::with_source(kind, step, std::io::Error::from(errno))
}
