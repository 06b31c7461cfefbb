//! Reading a finished blob: from the page cache without leaving the async thread, from the disk on another one.

use super::threads::Threads;
use super::{failed, retry};
use crate::blob::{BlobId, Error, ErrorKind, Reader};
use async_trait::async_trait;
use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags};
use std::io::IoSliceMut;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// An open file. It keeps its bytes when its name is removed (invariant 4).
pub(super) struct LocalReader {
    pub(super) id: BlobId,
    pub(super) file: Arc<OwnedFd>,
    pub(super) len: u64,
    pub(super) threads: Arc<Threads>,
    pub(super) spares: Arc<Spares>,
    pub(super) can_read_nowait: Arc<AtomicBool>,
}

#[async_trait]
impl Reader for LocalReader {
    async fn read(&self, offset: u64, len: usize) -> Result<Bytes, Error> {
        // Before any memory is taken for it.
        if offset.checked_add(len as u64).is_none_or(|end| end > self.len) {
            return Err(too_short(self.id, offset, len, self.len));
        }
        let mut buf = self.spares.take(len);
        let filled = self.read_cached(&mut buf.memory[..len], offset)?;
        if filled < len {
            let (file, id) = (Arc::clone(&self.file), self.id);
            buf = self
                .threads
                .run(move || {
                    read_all(&file, id, &mut buf.memory[filled..len], offset + filled as u64)?;
                    Ok::<_, Error>(buf)
                })
                .await??;
        }
        Ok(Bytes::from_owner(buf))
    }
}

impl LocalReader {
    /// Reads as much as the page cache holds; that may be nothing.
    fn read_cached(&self, buf: &mut [u8], offset: u64) -> Result<usize, Error> {
        if !self.can_read_nowait.load(Ordering::Relaxed) {
            return Ok(0);
        }
        match rustix::io::preadv2(&*self.file, &mut [IoSliceMut::new(buf)], offset, ReadWriteFlags::NOWAIT) {
            Ok(len) => Ok(len),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                self.can_read_nowait.store(false, Ordering::Relaxed);
                Ok(0)
            }
            Err(errno) => Err(failed(errno, format!("cannot read blob {} at {offset}", self.id))),
        }
    }
}

fn read_all(file: &OwnedFd, id: BlobId, mut buf: &mut [u8], mut offset: u64) -> Result<(), Error> {
    while !buf.is_empty() {
        let len = retry(|| rustix::io::pread(file, &mut *buf, offset))
            .map_err(|errno| failed(errno, format!("cannot read blob {id} at {offset}")))?;
        if len == 0 {
            return Err(too_short(id, offset, buf.len(), offset));
        }
        buf = &mut buf[len..];
        offset += len as u64;
    }
    Ok(())
}

fn too_short(id: BlobId, offset: u64, len: usize, blob_len: u64) -> Error {
    let message = format!("blob {id} ends at {blob_len}, before the {len} bytes at {offset}");
    Error::new(ErrorKind::Corrupt, message)
}

/// Lengths of the buffers that are kept; a read takes the smallest that fits.
const SPARE_LENS: [usize; 2] = [256 << 10, 1 << 20];
/// Reads below this get exactly their own memory: a small answer must not hold on to a large buffer.
const SPARE_READ_LEN_MIN: usize = 32 << 10;

/// Read buffers to use again: fresh memory costs a page fault and a zeroing for every 4 KiB.
pub(super) struct Spares {
    lists: [Mutex<Vec<Vec<u8>>>; SPARE_LENS.len()],
    /// Bytes each list may keep; a buffer beyond it is freed.
    list_len_max: usize,
}

impl Spares {
    pub(super) fn new(len_max: usize) -> Spares {
        Spares { lists: Default::default(), list_len_max: len_max / SPARE_LENS.len() }
    }

    /// Memory of at least `len` bytes with whatever was in it.
    fn take(self: &Arc<Self>, len: usize) -> ReadBuf {
        let class = SPARE_LENS.iter().position(|spare| (SPARE_READ_LEN_MIN..=*spare).contains(&len));
        let kept = class.and_then(|class| self.list(class).pop());
        let memory = kept.unwrap_or_else(|| vec![0; class.map_or(len, |class| SPARE_LENS[class])]);
        ReadBuf { memory, len, class, spares: Arc::clone(self) }
    }

    fn list(&self, class: usize) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.lists[class].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct ReadBuf {
    memory: Vec<u8>,
    len: usize,
    class: Option<usize>,
    spares: Arc<Spares>,
}

impl AsRef<[u8]> for ReadBuf {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

impl Drop for ReadBuf {
    fn drop(&mut self) {
        let Some(class) = self.class else { return };
        let mut list = self.spares.list(class);
        if (list.len() + 1) * SPARE_LENS[class] <= self.spares.list_len_max {
            list.push(std::mem::take(&mut self.memory));
        }
    }
}
