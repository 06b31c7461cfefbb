//! The file that a download grows in: `NAME.dovetail-part`, until it is whole and gets its name.
//!
//! Whole pages of a large file go past the page cache (`O_DIRECT`, man 2 open), from memory that the disk reads as it lies: this takes a
//! thirtieth of the CPU, and a disk with a cache of its own takes them twice as fast as the kernel finds room for them. Where the disk is
//! slower than what arrives, some of them go through the page cache, so that the download is as fast as memory takes it. So does what is
//! no whole page, a small file, which is read again soon, and all of a file on a file system that knows no such writes. Nobody waits
//! for what a disk keeps in its own cache unless asked to (`sync`), as with other programs.
//!
//! Whoever writes a part file holds its lock until it has its name: two downloads into one file, of the same object or not, would
//! otherwise give each other's bytes that name.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{FallocateFlags, OFlags, fallocate};
use rustix::io::Errno;

use crate::base::memory::ALIGNMENT;
use crate::client::download::disk_pace::DiskPace;
use crate::client::download::folders::Folders;
use crate::wire::sigv4::sha256_hex;

const SUFFIX: &str = ".dovetail-part";
/// Bytes of a name, in every usual file system.
const NAME_LEN_MAX: usize = 255;
/// How often, and after what pauses, a file that is locked is looked at again: a killed process holds it until its last writes are over.
const LET_GO_LOOKS: u32 = 30;
const LET_GO_PAUSE: Duration = Duration::from_millis(100);

/// Files of at least this many bytes are written past the page cache.
pub const DIRECT_LEN_MIN: u64 = 16 << 20;

/// An open part file, of its full length from the start.
#[derive(Debug)]
pub struct PartFile {
    file: Arc<File>,
    /// Held while writing through the page cache: the kernel lets no two into one file, and who waits for it there burns CPU.
    cached_turn: Mutex<()>,
    direct: Option<Direct>,
    path: PathBuf,
}

/// The same file, for writing past the page cache.
#[derive(Debug)]
struct Direct {
    file: File,
    pace: Mutex<DiskPace>,
}

/// Where the bytes of `path` are until they are whole. A name that would be too long is cut, and told from others by its digest.
pub fn part_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let mut part_name = OsString::from(OsStr::from_bytes(name));
    if name.len() + SUFFIX.len() > NAME_LEN_MAX {
        let digest = &sha256_hex(name)[..16];
        part_name = OsStr::from_bytes(&name[..NAME_LEN_MAX - SUFFIX.len() - digest.len() - 1]).to_owned();
        part_name.push(format!(".{digest}"));
    }
    part_name.push(SUFFIX);
    path.with_file_name(part_name)
}

/// Whether a file of this name could be another one's part file.
pub fn is_part_name(name: &OsStr) -> bool {
    name.as_bytes().ends_with(SUFFIX.as_bytes())
}

/// Removes what an earlier run has left under the name of a part file. Blocks.
///
/// # Errors
/// [`io::ErrorKind::ResourceBusy`] while another process writes it.
pub fn discard(path: &Path) -> io::Result<()> {
    match claim(path, OpenOptions::new().read(true).write(true)) {
        Ok(_claimed) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

impl PartFile {
    /// An empty file, for which there is room on the disk when this returns. Blocks.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`] while another process writes it. Nothing is left behind then or after any other error.
    pub fn create(path: &Path, len: u64) -> io::Result<PartFile> {
        // Opened without being emptied: that is done only once it is ours.
        let open = || claim(path, OpenOptions::new().read(true).write(true).create(true).truncate(false));
        let (file, len_before) = match (open(), path.parent()) {
            (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(folder)?;
                open()?
            }
            (claimed, _) => claimed?,
        };
        if len_before > 0 {
            file.set_len(0)?;
        }
        if len > 0 {
            match fallocate(&file, FallocateFlags::empty(), 0, len) {
                Ok(()) => {}
                // Not every file system can.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(len)?,
                Err(error) => {
                    let _ = fs::remove_file(path);
                    return Err(error.into());
                }
            }
        }
        Ok(PartFile::new(file, path, len))
    }

    /// The file of an earlier run. Blocks.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`] while another process writes it.
    pub fn open(path: &Path) -> io::Result<PartFile> {
        let (file, len) = claim(path, OpenOptions::new().read(true).write(true))?;
        Ok(PartFile::new(file, path, len))
    }

    fn new(file: File, path: &Path, len: u64) -> PartFile {
        let (cached_turn, direct) = (Mutex::new(()), Direct::open(path, len));
        PartFile { file: Arc::new(file), cached_turn, direct, path: path.to_owned() }
    }

    /// For reading what has been written.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all of `bytes`, and tells whether they went past the page cache. Blocks.
    pub fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<bool> {
        let is_aligned =
            offset.is_multiple_of(ALIGNMENT as u64) && bytes.as_ptr().align_offset(ALIGNMENT) == 0;
        let is_for_disk = |direct: &&Direct| is_aligned && direct.pace().takes(bytes.len() as u64);
        let Some(direct) = self.direct.as_ref().filter(is_for_disk) else {
            return self.write_cached(bytes, offset).map(|()| false);
        };
        let (pages, rest) = bytes.split_at(bytes.len() - bytes.len() % ALIGNMENT);
        match direct.file.write_all_at(pages, offset) {
            Ok(()) => self.write_cached(rest, offset + pages.len() as u64).map(|()| true),
            // The file system took the flag, but not the write.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.write_cached(bytes, offset).map(|()| false)
            }
            Err(error) => Err(error),
        }
    }

    fn write_cached(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let _turn = self.cached_turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.file.write_all_at(bytes, offset)
    }

    /// What comes after a write past the page cache has waited so long for it.
    pub fn written(&self, waited: Duration) {
        if let Some(direct) = &self.direct {
            direct.pace().written(waited);
        }
    }

    /// Removes the file: what is in it is worth nothing. Blocks.
    pub fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }

    /// Gives the file its name. With `sync`, the file and its name survive a power cut when this returns. Blocks.
    pub fn rename(&self, path: &Path, sync: bool, folders: &Folders) -> io::Result<()> {
        if sync {
            self.file.sync_data()?;
        }
        folders.rename(&self.path, path)?;
        match path.parent() {
            Some(folder) if sync => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }
}

impl Direct {
    /// `None` if the file is small, or its file system cannot.
    fn open(path: &Path, len: u64) -> Option<Direct> {
        let flags = OFlags::DIRECT.bits().cast_signed();
        let open = || OpenOptions::new().write(true).custom_flags(flags).open(path).ok();
        let file = (len >= DIRECT_LEN_MIN).then(open).flatten()?;
        Some(Direct { file, pace: Mutex::default() })
    }

    fn pace(&self) -> MutexGuard<'_, DiskPace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a file and locks it, once it is sure that it is the one of this name. A link in its place is nobody's part file, and removed.
/// The file and its length.
fn claim(path: &Path, options: &mut OpenOptions) -> io::Result<(File, u64)> {
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    for _ in 0..LET_GO_LOOKS {
        let file = match options.open(path) {
            Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
                fs::remove_file(path)?;
                continue;
            }
            file => file?,
        };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LET_GO_PAUSE),
            // Where a file system has no locks, nobody is kept away.
            Ok(()) | Err(TryLockError::Error(_)) => {
                let (opened, named) = (file.metadata()?, fs::symlink_metadata(path));
                // Otherwise whoever had it has given it its own name meanwhile, or removed it.
                if named.is_ok_and(|named| (named.dev(), named.ino()) == (opened.dev(), opened.ino())) {
                    return Ok((file, opened.len()));
                }
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "another dovetail is writing it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::memory::Pieces;

    #[test]
    fn a_file_has_its_length_from_the_start_and_its_name_at_the_end() {
        for sync in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let (path, name) = (part_path(&folder.path().join("file")), folder.path().join("file"));
            assert_eq!(path.file_name().unwrap(), "file.dovetail-part");
            let file = PartFile::create(&path, 10).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().len(), 10);
            file.write_all_at(b"789", 7).unwrap();
            file.write_all_at(b"0123456", 0).unwrap();
            file.rename(&name, sync, &Folders::default()).unwrap();
            assert_eq!(fs::read(&name).unwrap(), b"0123456789");
            assert!(!path.exists());
        }
    }

    /// Two downloads into one file: the second one must touch neither the first one's bytes nor what has their name.
    #[test]
    fn a_file_that_is_being_written_belongs_to_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (name, path) = (folder.path().join("file"), part_path(&folder.path().join("file")));
        let first = PartFile::create(&path, 4).unwrap();
        first.write_all_at(b"mine", 0).unwrap();
        let is_busy = |error: io::Error| error.kind() == io::ErrorKind::ResourceBusy;
        std::thread::scope(|scope| {
            let others = [
                scope.spawn(|| PartFile::create(&path, 9).map(drop)),
                scope.spawn(|| PartFile::open(&path).map(drop)),
                scope.spawn(|| discard(&path)),
            ];
            assert!(others.into_iter().all(|other| is_busy(other.join().unwrap().unwrap_err())));
        });
        first.rename(&name, false, &Folders::default()).unwrap();
        assert_eq!(fs::read(&name).unwrap(), b"mine");
        let second = PartFile::create(&path, 9).unwrap();
        assert_eq!(fs::read(&name).unwrap(), b"mine", "the name is another file's now");
        drop(second);
        discard(&path).unwrap();
        discard(&path).unwrap();
        assert!(!path.exists() && name.exists());
    }

    #[test]
    fn a_link_in_a_part_file_s_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (other, path) = (folder.path().join("other"), part_path(&folder.path().join("file")));
        fs::write(&other, "precious").unwrap();
        for act in [|path: &Path| PartFile::create(path, 3).map(drop), discard] {
            std::os::unix::fs::symlink(&other, &path).unwrap();
            act(&path).unwrap();
            assert_eq!(fs::read(&other).unwrap(), b"precious");
            let _ = fs::remove_file(&path);
        }
    }

    #[test]
    fn the_longest_name_has_a_part_file_too() {
        let folder = tempfile::tempdir().unwrap();
        let name = |last: char| folder.path().join(format!("{}{last}", "x".repeat(254)));
        assert_ne!(part_path(&name('a')), part_path(&name('b')));
        for len in [1, 240, 241, 242, 255] {
            let name = folder.path().join("y".repeat(len));
            let path = part_path(&name);
            assert!(is_part_name(path.file_name().unwrap()) && !is_part_name(name.file_name().unwrap()));
            PartFile::create(&path, 1).unwrap().rename(&name, false, &Folders::default()).unwrap();
        }
    }

    #[test]
    fn large_files_are_written_past_the_page_cache_where_that_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(PartFile::create(&path, DIRECT_LEN_MIN - 1).unwrap().direct.is_none());
        let file = PartFile::create(&path, DIRECT_LEN_MIN).unwrap();
        let is_direct = file.direct.is_some();
        drop(file);
        let file = PartFile::open(&path).unwrap();
        assert_eq!(file.direct.is_some(), is_direct);
        let pieces = Pieces::new(3 * ALIGNMENT);
        let bytes = pieces.take();
        bytes.fill(7);
        // Aligned and not, in the file and in memory, with a tail and without.
        for (from, to, offset) in [
            (0, 3 * ALIGNMENT, 0),
            (0, ALIGNMENT + 9, 1 << 20),
            (0, 10, 2 << 20),
            (1, 9000, 3 << 20),
            (0, 5000, (4 << 20) + 77),
            // While the disk is spared.
            (0, 2 * ALIGNMENT, (5 << 20) + ALIGNMENT as u64),
        ] {
            let is_spared = offset >> 20 == 5;
            if is_spared {
                (0..16).for_each(|_| file.written(Duration::MAX));
            }
            let went_past = file.write_all_at(&bytes[from..to], offset).unwrap();
            assert!(!went_past || is_direct && !is_spared && from == 0, "{offset}");
            let mut read = vec![0; to - from + 1];
            file.file().read_exact_at(&mut read, offset).unwrap();
            assert_eq!(read.pop(), Some(0), "{offset}: nothing behind it was touched");
            assert_eq!(read, bytes[from..to], "{offset}");
        }
    }
}
