//! A blob on its way to the disk.
//!
//! [`LocalWriter`] stands on the async side and holds no more than one write in flight, so that the caller fills its
//! second buffer meanwhile. [`Unfinished`] is the file; it travels to a thread with every job and comes back with the
//! result, so that whoever holds it when it is dropped removes it, and nothing can touch it from two sides.

use super::threads::{Threads, panicked};
use super::{Folders, Settings, create_flags, failed, file_mode, place, retry};
use crate::base::disk_turns::DiskTurns;
use crate::base::fail_point;
use crate::base::memory::ALIGNMENT;
use crate::blob::{BlobId, Error, ErrorKind, Writer};
use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{self, AtFlags, FallocateFlags, OFlags};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The async side of a blob being written.
pub(super) struct LocalWriter {
    id: BlobId,
    threads: Arc<Threads>,
    state: State,
    /// A `write` began and has not returned: if it was dropped half-way, its bytes are missing.
    inside_write: bool,
}

enum State {
    Idle(Unfinished),
    Writing(oneshot::Receiver<Result<Unfinished, Error>>),
    /// A write failed, or the blob is finished.
    Over,
}

impl LocalWriter {
    pub(super) fn new(threads: Arc<Threads>, unfinished: Unfinished) -> LocalWriter {
        LocalWriter { id: unfinished.id, threads, state: State::Idle(unfinished), inside_write: false }
    }

    /// Waits for the write in flight. Afterwards the state is `Idle`, or this is an error.
    async fn settle(&mut self) -> Result<(), Error> {
        if let State::Writing(result) = &mut self.state {
            let result = result.await.map_err(|_| panicked()).and_then(|result| result);
            self.state = State::Over;
            self.state = State::Idle(result?);
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Unfinished, Error> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Idle(unfinished) => Ok(unfinished),
            _ => Err(Error::new(ErrorKind::Io, format!("blob {} failed before", self.id))),
        }
    }
}

#[async_trait]
impl Writer for LocalWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.check_whole()?;
        self.inside_write = true;
        self.settle().await?;
        let slot = self.threads.slot().await;
        let mut unfinished = self.take()?;
        self.state = State::Writing(self.threads.begin(slot, move || {
            unfinished.append(&bytes)?;
            // The buffer goes back before the result is known, so that the next one can be filled.
            drop(bytes);
            Ok(unfinished)
        }));
        self.inside_write = false;
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.check_whole()?;
        self.settle().await?;
        let slot = self.threads.slot().await;
        let unfinished = self.take()?;
        let finished = self.threads.begin(slot, move || unfinished.finish());
        finished.await.map_err(|_| panicked())??.keep();
        Ok(())
    }
}

impl LocalWriter {
    fn check_whole(&self) -> Result<(), Error> {
        if self.inside_write && !matches!(self.state, State::Over) {
            return Err(Error::new(ErrorKind::Io, format!("a write to blob {} was interrupted", self.id)));
        }
        Ok(())
    }
}

impl Drop for LocalWriter {
    fn drop(&mut self) {
        // Removing a large file takes milliseconds. A write in flight ends first, and then its thread removes it.
        if let State::Idle(unfinished) = std::mem::replace(&mut self.state, State::Over) {
            self.threads.clean_up(move || drop(unfinished));
        }
    }
}

/// A file in `tmp/`. Dropping it removes it.
pub(super) struct Unfinished {
    id: BlobId,
    folders: Arc<Folders>,
    file: OwnedFd,
    /// Bytes written, which is where the next ones go.
    len: u64,
    len_declared: Option<u64>,
    direct_len_min: u64,
    turns: DiskTurns,
    mode: WriteMode,
    is_finished: bool,
}

/// How the file's bytes reach the disk.
///
/// ```text
/// Buffered --long enough, aligned--> Direct --unaligned bytes, refused--> BufferedForGood
/// Buffered --refused--> BufferedForGood
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
enum WriteMode {
    Buffered,
    Direct,
    BufferedForGood,
}

impl Unfinished {
    pub(super) fn create(
        folders: Arc<Folders>,
        id: BlobId,
        len_declared: Option<u64>,
        settings: &Settings,
    ) -> Result<Unfinished, Error> {
        folders.check_free_len(settings.free_len_min.saturating_add(len_declared.unwrap_or(0)))?;
        folders.being_written().insert(id);
        let file = match retry(|| fs::openat(&folders.tmp, id.to_string(), create_flags(), file_mode())) {
            Ok(file) => file,
            Err(errno) => {
                folders.being_written().remove(&id);
                return Err(failed(errno, format!("cannot create tmp/{id}")));
            }
        };
        let mut unfinished = Unfinished {
            id,
            folders,
            file,
            len: 0,
            len_declared,
            direct_len_min: settings.direct_len_min,
            turns: settings.turns.clone(),
            mode: WriteMode::Buffered,
            is_finished: false,
        };
        fail_point::reach("blob::local::after_create");
        unfinished.reserve()?;
        if len_declared.is_some_and(|len| len >= settings.direct_len_min) {
            unfinished.try_direct();
        }
        Ok(unfinished)
    }

    /// Reserves the declared length: an overfull disk is noticed before the client has sent gigabytes, the file
    /// comes out in few pieces, and the sync at the end has nothing to allocate.
    fn reserve(&self) -> Result<(), Error> {
        let Some(len) = self.len_declared.filter(|len| *len > 0) else { return Ok(()) };
        match retry(|| fs::fallocate(&self.file, FallocateFlags::empty(), 0, len)) {
            // Some network and overlay file systems cannot; then the bytes are allocated as they come.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(errno) => Err(failed(errno, format!("cannot reserve {len} bytes for tmp/{}", self.id))),
        }
    }

    /// Appends, straight from `bytes` to the disk while they are aligned.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let len = self.len + bytes.len() as u64;
        if self.len_declared.is_some_and(|declared| len > declared) {
            return Err(self.wrong_len(len));
        }
        if self.mode == WriteMode::Buffered && self.len >= self.direct_len_min && is_aligned(self.len, bytes)
        {
            self.try_direct();
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = self.append_some(rest)?;
            self.len += written as u64;
            rest = &rest[written..];
        }
        fail_point::reach("blob::local::after_write");
        Ok(())
    }

    fn append_some(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let mut take = bytes.len();
        if self.mode == WriteMode::Direct {
            take -= take % ALIGNMENT;
            if take == 0 || !is_aligned(self.len, bytes) {
                // The tail, or bytes that are not a chunk of our own pool. What was written directly ends at a page
                // boundary, so the page cache holds no part of it.
                self.leave_direct()?;
                take = bytes.len();
            }
        }
        // What the page cache takes is written by the sync at the end, in the kernel's order.
        let turn = (self.mode == WriteMode::Direct).then(|| self.turns.write(take));
        if let Some(turn) = &turn {
            take = turn.bytes();
        }
        let written = rustix::io::pwrite(&self.file, &bytes[..take], self.len);
        drop(turn);
        match written {
            Ok(0) => {
                Err(Error::new(ErrorKind::Io, format!("cannot write to tmp/{}: nothing was taken", self.id)))
            }
            Ok(written) => Ok(written),
            Err(Errno::INTR) => Ok(0),
            // The file system took the flag, but not the write.
            Err(Errno::INVAL) if self.mode == WriteMode::Direct => self.leave_direct().map(|()| 0),
            Err(errno) => Err(failed(errno, format!("cannot write to tmp/{}", self.id))),
        }
    }

    /// Switches to direct writing if the file system can do it.
    fn try_direct(&mut self) {
        let switched =
            fs::fcntl_getfl(&self.file).and_then(|flags| fs::fcntl_setfl(&self.file, flags | OFlags::DIRECT));
        self.mode = if switched.is_ok() { WriteMode::Direct } else { WriteMode::BufferedForGood };
    }

    #[cfg(test)]
    pub(super) fn is_direct(&self) -> bool {
        self.mode == WriteMode::Direct
    }

    fn leave_direct(&mut self) -> Result<(), Error> {
        self.mode = WriteMode::BufferedForGood;
        fs::fcntl_getfl(&self.file)
            .and_then(|flags| fs::fcntl_setfl(&self.file, flags - OFlags::DIRECT))
            .map_err(|errno| failed(errno, format!("cannot leave direct mode on tmp/{}", self.id)))
    }

    /// Makes the file durable, then gives it its final name, then makes that durable (invariant 1).
    fn finish(mut self) -> Result<Finished, Error> {
        if self.len_declared.is_some_and(|declared| declared != self.len) {
            return Err(self.wrong_len(self.len));
        }
        let id = self.id;
        fs::fdatasync(&self.file).map_err(|errno| failed(errno, format!("cannot sync tmp/{id}")))?;
        fail_point::reach("blob::local::after_sync");
        self.give_final_name()
            .map_err(|errno| failed(errno, format!("cannot link tmp/{id} to blobs/{}", place(id))))?;
        self.is_finished = true;
        let finished = Finished { id, folders: Arc::clone(&self.folders), is_kept: false };
        fail_point::reach("blob::local::after_link");
        self.folders.sync_fan_out(id)?;
        if self.len >= self.direct_len_min {
            self.turns.finished();
        }
        Ok(finished)
    }

    /// The one in `tmp/` stays until a record names the blob, so that a start after a crash knows which to ask about.
    fn give_final_name(&self) -> Result<(), Errno> {
        let (from, to, place) = (self.id.to_string(), &self.folders.blobs, place(self.id));
        match fs::linkat(&self.folders.tmp, &from, to, &place, AtFlags::empty()) {
            // File systems without hard links say it in many ways.
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK | Errno::ACCESS) => {
                fs::renameat(&self.folders.tmp, &from, to, &place)
            }
            linked => linked,
        }
    }

    fn wrong_len(&self, len: u64) -> Error {
        let declared = self.len_declared.unwrap_or(len);
        let message = format!("blob {} was declared with {declared} bytes and got {len}", self.id);
        Error::new(ErrorKind::Corrupt, message)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_finished {
            // If this fails, the sweep at the next start removes it.
            let _ = self.folders.unlink_tmp(self.id);
        }
    }
}

/// A blob under its final name that nobody has been told about. Dropping it deletes it again: a client that went away
/// while its blob was being synced must not leave one that no record will name.
struct Finished {
    id: BlobId,
    folders: Arc<Folders>,
    is_kept: bool,
}

impl Finished {
    fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = self.folders.delete(self.id);
        }
    }
}

/// Whether direct I/O may begin at this place of the file and of memory.
fn is_aligned(offset: u64, bytes: &[u8]) -> bool {
    offset.is_multiple_of(ALIGNMENT as u64) && bytes.as_ptr().align_offset(ALIGNMENT) == 0
}
