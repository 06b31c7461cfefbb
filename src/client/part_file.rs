//! The file that a download grows in: `NAME.dovetail-part`, until it is whole and gets its name.
//!
//! Whole pages of a large file go past the page cache (`O_DIRECT`, man 2 open), from memory that the disk reads as it lies: this takes a
//! thirtieth of the CPU, and a disk with a cache of its own takes them twice as fast as the kernel finds room for them. What is no whole
//! page, a small file, which is read again soon, and a file system that knows no such writes go through the page cache. Nobody waits
//! for what a disk keeps in its own cache unless asked to (`sync`), as with other programs.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, OFlags, fallocate};

use crate::base::memory::ALIGNMENT;

const SUFFIX: &str = "dovetail-part";

/// Files of at least this many bytes are written past the page cache.
pub const DIRECT_LEN_MIN: u64 = 16 << 20;

/// An open part file, of its full length from the start.
#[derive(Debug)]
pub struct PartFile {
    file: Arc<File>,
    /// The same file, for writing past the page cache.
    direct: Option<File>,
    path: PathBuf,
}

/// Where the bytes of `path` are until they are whole.
pub fn part_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{SUFFIX}"));
    path.with_file_name(name)
}

impl PartFile {
    /// An empty file, for which there is room on the disk when this returns. Blocks.
    pub fn create(path: &Path, len: u64) -> io::Result<PartFile> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        if len > 0 {
            match fallocate(&file, FallocateFlags::empty(), 0, len) {
                Ok(()) => {}
                // Not every file system can.
                Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(len)?,
                Err(error) => {
                    let _ = fs::remove_file(path);
                    return Err(error.into());
                }
            }
        }
        Ok(PartFile { file: Arc::new(file), direct: open_direct(path, len), path: path.to_owned() })
    }

    /// The file of an earlier run. Blocks.
    pub fn open(path: &Path) -> io::Result<PartFile> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let direct = open_direct(path, file.metadata()?.len());
        Ok(PartFile { file: Arc::new(file), direct, path: path.to_owned() })
    }

    /// For reading what has been written.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all of `bytes`. Blocks.
    pub fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let Some(direct) = &self.direct else { return self.file.write_all_at(bytes, offset) };
        let is_aligned =
            offset.is_multiple_of(ALIGNMENT as u64) && bytes.as_ptr().align_offset(ALIGNMENT) == 0;
        let pages_len = if is_aligned { bytes.len() - bytes.len() % ALIGNMENT } else { 0 };
        let (pages, rest) = bytes.split_at(pages_len);
        match direct.write_all_at(pages, offset) {
            Ok(()) => self.file.write_all_at(rest, offset + pages_len as u64),
            // The file system took the flag, but not the write.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.file.write_all_at(bytes, offset)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives the file its name. With `sync`, the file and its name survive a power cut when this returns. Blocks.
    pub fn rename(&self, path: &Path, sync: bool) -> io::Result<()> {
        if sync {
            self.file.sync_data()?;
        }
        fs::rename(&self.path, path)?;
        match path.parent() {
            Some(folder) if sync => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }
}

/// `None` if the file is small, or its file system cannot.
fn open_direct(path: &Path, len: u64) -> Option<File> {
    let flags = OFlags::DIRECT.bits().cast_signed();
    let open = || OpenOptions::new().write(true).custom_flags(flags).open(path).ok();
    (len >= DIRECT_LEN_MIN).then(open).flatten()
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
            file.rename(&name, sync).unwrap();
            assert_eq!(fs::read(&name).unwrap(), b"0123456789");
            assert!(!path.exists());
        }
    }

    #[test]
    fn large_files_are_written_past_the_page_cache_where_that_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(PartFile::create(&path, DIRECT_LEN_MIN - 1).unwrap().direct.is_none());
        let file = PartFile::create(&path, DIRECT_LEN_MIN).unwrap();
        let again = PartFile::open(&path).unwrap();
        assert_eq!(again.direct.is_some(), file.direct.is_some());
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
        ] {
            file.write_all_at(&bytes[from..to], offset).unwrap();
            let mut read = vec![0; to - from + 1];
            file.file().read_exact_at(&mut read, offset).unwrap();
            assert_eq!(read.pop(), Some(0), "{offset}: nothing behind it was touched");
            assert_eq!(read, bytes[from..to], "{offset}");
        }
    }
}
