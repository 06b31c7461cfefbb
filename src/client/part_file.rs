//! The file that a download grows in: `NAME.dovetail-part`, until it is whole and gets its name.
//!
//! It is written through the page cache, and nobody waits for the disk unless asked to: other programs do not either, and
//! a disk is slower than a network. Writes past the page cache (`O_DIRECT`) were tried: a quarter less CPU, half the speed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate};

const SUFFIX: &str = "dovetail-part";

/// An open part file, of its full length from the start.
#[derive(Debug)]
pub struct PartFile {
    file: Arc<File>,
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
        Ok(PartFile { file: Arc::new(file), path: path.to_owned() })
    }

    /// The file of an earlier run. Blocks.
    pub fn open(path: &Path) -> io::Result<PartFile> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(PartFile { file: Arc::new(file), path: path.to_owned() })
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
        self.file.write_all_at(bytes, offset)
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
