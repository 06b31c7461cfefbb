//! The file that a download grows in: `NAME.dovetail-part`, until it is whole and gets its name.
//!
//! A large one is written past the page cache (`O_DIRECT`, man 2 open): that costs a tenth of the CPU of buffered writes,
//! leaves other programs' pages alone, and leaves little to be done by the sync at the end. What is not aligned, such as
//! the last bytes, and file systems that refuse it, go through the page cache; the two never write the same page.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, OFlags, fallocate};

use crate::client::chunks::{ALIGNMENT, Chunks};

/// Smaller files stay in the page cache, where whoever reads them next finds them.
const DIRECT_LEN_MIN: u64 = 64 << 20;
const SUFFIX: &str = "dovetail-part";
/// Bytes that are written at a time: a write past the page cache costs a round trip to the disk.
const WRITE_LEN: usize = 1 << 20;
/// What a range on its way into a file holds: one piece being filled, one waiting, one being written.
pub const RANGE_MEMORY_LEN: u64 = 3 * WRITE_LEN as u64;

/// An open part file, of its full length from the start.
#[derive(Debug)]
pub struct PartFile {
    file: Arc<File>,
    direct: Option<File>,
    path: PathBuf,
    chunks: Chunks,
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
        Ok(PartFile::new(file, path, len))
    }

    /// The file of an earlier run. Blocks.
    pub fn open(path: &Path) -> io::Result<PartFile> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let len = file.metadata()?.len();
        Ok(PartFile::new(file, path, len))
    }

    fn new(file: File, path: &Path, len: u64) -> PartFile {
        // File systems that cannot do it refuse the flag, or the first write.
        let direct = (len >= DIRECT_LEN_MIN).then(|| {
            OpenOptions::new().write(true).custom_flags(OFlags::DIRECT.bits().cast_signed()).open(path)
        });
        PartFile {
            file: Arc::new(file),
            direct: direct.and_then(Result::ok),
            path: path.to_owned(),
            chunks: Chunks::new(WRITE_LEN),
        }
    }

    /// For reading what has been written.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Memory to write from.
    pub fn chunks(&self) -> &Chunks {
        &self.chunks
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all of `bytes`. Durable after [`PartFile::sync`]. Blocks.
    pub fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let written = self.write_direct(bytes, offset)?;
        self.file.write_all_at(&bytes[written..], offset + written as u64)
    }

    /// Writes as much as can go past the page cache, which may be nothing.
    fn write_direct(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let Some(direct) = &self.direct else { return Ok(0) };
        let is_aligned =
            offset.is_multiple_of(ALIGNMENT as u64) && bytes.as_ptr().align_offset(ALIGNMENT) == 0;
        let len = if is_aligned { bytes.len() / ALIGNMENT * ALIGNMENT } else { 0 };
        match direct.write_all_at(&bytes[..len], offset) {
            Ok(()) => Ok(len),
            // This file system wants another alignment.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// When this returns, what was written survives a power cut. Blocks.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Gives the file its name. Blocks.
    pub fn rename(&self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_and_other_writes_land_where_they_should() {
        // The build is on a real disk. Where direct writes are refused, as in memory, the result is the same.
        let exe = std::env::current_exe().unwrap();
        for folder in [tempfile::tempdir_in(exe.parent().unwrap()).unwrap(), tempfile::tempdir().unwrap()] {
            let (path, name) = (part_path(&folder.path().join("file")), folder.path().join("file"));
            assert_eq!(path.file_name().unwrap(), "file.dovetail-part");
            let len = DIRECT_LEN_MIN + 100;
            let file = PartFile::create(&path, len).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().len(), len);
            let chunks = Chunks::new(8192 + 100);
            for (offset, byte) in [(len - 8292, 1), (0, 2), (20_000, 3)] {
                let mut chunk = chunks.take();
                chunk.memory().fill(byte);
                file.write_all_at(&chunk.freeze(8192 + 100), offset).unwrap();
            }
            file.sync().unwrap();
            file.rename(&name).unwrap();
            let bytes = fs::read(&name).unwrap();
            assert!(!path.exists());
            let is = |range: std::ops::Range<usize>, byte: u8| bytes[range].iter().all(|is| *is == byte);
            let end = len as usize;
            assert!(is(0..8292, 2) && is(8292..20_000, 0) && is(20_000..28_292, 3));
            assert!(is(28_292..end - 8292, 0) && is(end - 8292..end, 1));
        }
    }
}
