//! Whether a file is still the one that a transfer began with.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use bytes::Bytes;
use dovetail_digest::{Algorithm, Hasher};
use serde::{Deserialize, Serialize};

/// Bytes looked at in each of three places: enough to tell other content, quick on any file.
const SAMPLE_LEN: u64 = 64 * 1024;

/// What tells a file from another one, and from itself after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    pub len: u64,
    /// When it was last written, in nanoseconds since the Unix epoch.
    pub modified_ns: i64,
    /// When anything about it last changed, in nanoseconds since the Unix epoch: a time that programs cannot set, unlike `modified_ns`.
    /// Journals of earlier versions do not have it.
    #[serde(default)]
    pub changed_ns: Option<i64>,
    pub inode: u64,
    /// CRC-64 of the beginning, the middle and the end, in hexadecimal.
    pub sample: String,
}

/// What became of a file since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: what was read from it holds.
    None,
    /// Copied or touched, with the same samples: what was read from it holds only where it is read again.
    Touched,
    /// Other content.
    Content,
}

impl FileIdentity {
    /// Looks at an open file. Blocks.
    pub fn of(file: &File) -> io::Result<FileIdentity> {
        let mut buf = vec![0; SAMPLE_LEN as usize];
        FileIdentity::sampled(&file.metadata()?, |offset, len, hasher| {
            read_exact(file, &mut buf[..len], offset)?;
            hasher.update(&buf[..len]);
            Ok(())
        })
    }

    /// Reads a whole file, which is small and was `before` just now, with what it is. `None` if it was written to since. Blocks.
    pub fn with_bytes(file: &File, before: &Metadata) -> io::Result<Option<(FileIdentity, Bytes)>> {
        let mut bytes = vec![0; before.len() as usize];
        read_exact(file, &mut bytes, 0)?;
        let says_nothing = bytes.is_empty() && file.read_at(&mut [0], 0)? > 0;
        let identity = FileIdentity::sampled(before, |offset, len, hasher| {
            hasher.update(&bytes[offset as usize..offset as usize + len]);
            Ok(())
        })?;
        let after = file.metadata()?;
        let is_same = after.len() == before.len() && modified_ns(&after) == identity.modified_ns;
        if says_nothing && is_same {
            // As those of /proc do, which the kernel makes as they are read.
            return Err(io::Error::other(
                "it has more bytes than it says; `put -` takes what comes out of it",
            ));
        }
        Ok(is_same.then(|| (identity, Bytes::from(bytes))))
    }

    fn sampled(
        metadata: &Metadata,
        mut sample: impl FnMut(u64, usize, &mut Hasher) -> io::Result<()>,
    ) -> io::Result<FileIdentity> {
        let len = metadata.len();
        let mut hasher = Hasher::new(Algorithm::Crc64Nvme);
        let last = len.saturating_sub(SAMPLE_LEN);
        let places = [0, last / 2, last];
        for offset in places.into_iter().take(if last == 0 { 1 } else { 3 }) {
            sample(offset, (len - offset).min(SAMPLE_LEN) as usize, &mut hasher)?;
        }
        Ok(FileIdentity {
            len,
            modified_ns: modified_ns(metadata),
            changed_ns: Some(nanoseconds(metadata.ctime(), metadata.ctime_nsec())),
            inode: metadata.ino(),
            sample: hasher.finish().to_hex(),
        })
    }

    /// Whether a file was written to while it was open: that somebody named it or allowed it to others is nothing.
    pub fn was_written(&self, now: &FileIdentity) -> bool {
        (self.len, self.modified_ns, &self.sample) != (now.len, now.modified_ns, &now.sample)
    }

    /// Compares what a file was with what it is `now`.
    pub fn change(&self, now: &FileIdentity) -> Change {
        if self.len != now.len || self.sample != now.sample {
            Change::Content
        } else if self != now {
            Change::Touched
        } else {
            Change::None
        }
    }
}

fn read_exact(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(buf, offset).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "it has fewer bytes than it says"),
        _ => error,
    })
}

fn modified_ns(metadata: &Metadata) -> i64 {
    nanoseconds(metadata.mtime(), metadata.mtime_nsec())
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_say_its_length_is_not_empty() {
        let told = |file: &File| FileIdentity::with_bytes(file, &file.metadata().unwrap());
        let error = told(&File::open("/proc/self/status").unwrap()).unwrap_err().to_string();
        assert!(error.contains("more bytes than it says"), "{error}");
        assert!(told(&tempfile::tempfile().unwrap()).unwrap().unwrap().1.is_empty());
    }

    #[test]
    fn a_file_that_is_read_whole_is_the_same_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for len in [0, 1, 70_000, 300_000] {
            let bytes: Vec<u8> = (0..len).map(|at| (at / 7) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            let file = File::open(&path).unwrap();
            let (identity, read) =
                FileIdentity::with_bytes(&file, &file.metadata().unwrap()).unwrap().unwrap();
            assert_eq!(identity, FileIdentity::of(&file).unwrap());
            assert!(read == bytes);
        }
    }

    /// Whoever writes where no sample is taken and sets the time back is still seen, and whoever gives the file a name is no writer.
    #[test]
    fn a_time_that_was_set_back_hides_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![1; 1_000_000]).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let (first, modified) =
            (FileIdentity::of(&file).unwrap(), file.metadata().unwrap().modified().unwrap());
        file.write_all_at(&[2], 200_000).unwrap();
        let now = loop {
            // The clock of a file system has coarse ticks.
            file.set_modified(modified).unwrap();
            let now = FileIdentity::of(&file).unwrap();
            if now.changed_ns != first.changed_ns {
                break now;
            }
        };
        assert_eq!(first.change(&now), Change::Touched);
        assert!(!first.was_written(&now));
        let of_an_old_journal = FileIdentity { changed_ns: None, ..now.clone() };
        assert_eq!(of_an_old_journal.change(&now), Change::Touched);
    }

    #[test]
    fn tells_a_touch_from_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let write = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            FileIdentity::of(&File::open(&path).unwrap()).unwrap()
        };
        let mut bytes = vec![1; 1_000_000];
        let first = write(&bytes);
        assert_eq!(first.change(&first.clone()), Change::None);
        File::open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        let touched = FileIdentity::of(&File::open(&path).unwrap()).unwrap();
        assert_eq!(first.change(&touched), Change::Touched);
        assert!(first.was_written(&touched));
        for at in [0, 500_000, 999_999] {
            bytes[at] = 2;
            assert_eq!(first.change(&write(&bytes)), Change::Content, "byte {at}");
            bytes[at] = 1;
        }
        bytes.push(1);
        assert_eq!(first.change(&write(&bytes)), Change::Content);
        write(b"");
    }
}
