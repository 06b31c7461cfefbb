//! Room left on the file system, watched so that RocksDB itself never meets a full disk.
//!
//! A write that fails half-way leaves a database that must be opened again. So transactions are refused while there
//! is still room for RocksDB's own work, in two steps: first those that only add, so that users can still delete, and
//! at the floor all of them.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::meta::overlay::Changes;
use crate::meta::{Error, ErrorKind};

/// How old an answer of the file system may be: keeps the question off the path of every commit. At 2 GB/s, 125 ms
/// are 250 MB, so a sudden rush of data can pass the reserve; the floor below it is for that.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(125);

/// Bytes a transaction may put for each key it deletes and still count as one that makes room. A deletion writes a
/// note for the collector and a counter or two, all far smaller.
const PUT_LEN_PER_DELETE: usize = 1024;

/// Free space of the file system that holds a directory.
#[derive(Debug)]
pub struct Space {
    dir: PathBuf,
    free_min_len: u64,
    free_floor_len: u64,
    seen: Mutex<Option<(Instant, u64)>>,
}

impl Space {
    pub fn new(dir: &Path, free_min_len: u64, free_floor_len: u64) -> Space {
        Space { dir: dir.to_path_buf(), free_min_len, free_floor_len, seen: Mutex::new(None) }
    }

    /// Whether a transaction with these changes may be written now.
    pub fn allows(&self, changes: Changes) -> Result<(), Error> {
        let makes_room = changes.deletes > 0 && changes.put_len <= changes.deletes * PUT_LEN_PER_DELETE;
        self.require(if makes_room { self.free_floor_len } else { self.free_min_len })
    }

    /// Whether a transaction that adds something may be written now.
    pub fn check(&self) -> Result<(), Error> {
        self.require(self.free_min_len)
    }

    /// Free bytes, at most a moment ago.
    pub fn free_len(&self) -> Result<u64, Error> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, free_len)) = *seen
            && at.elapsed() < LOOK_AGAIN_AFTER
        {
            return Ok(free_len);
        }
        let stat = rustix::fs::statvfs(&self.dir).map_err(|source| {
            let step = format!("cannot ask for the free space of {}", self.dir.display());
            Error::with_source(ErrorKind::Io, step, source)
        })?;
        let free_len = stat.f_bavail.saturating_mul(stat.f_frsize);
        *seen = Some((Instant::now(), free_len));
        Ok(free_len)
    }

    fn require(&self, needed_len: u64) -> Result<(), Error> {
        let free_len = self.free_len()?;
        if free_len >= needed_len {
            return Ok(());
        }
        let dir = self.dir.display();
        let step =
            format!("{dir} has {free_len} bytes free and the metadata store keeps {needed_len} in reserve");
        Err(Error::new(ErrorKind::NoSpace, step))
    }
}
