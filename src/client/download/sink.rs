//! Where the bytes of a range go as they arrive: into a part file, or into memory.
//!
//! For a file they are gathered in pieces of [`WRITE_LEN`] that end where the file's pages do, so that a disk takes them as they
//! lie. A thread that may block writes one piece while the next one is filled.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::base::tasks::Tasks;
use crate::client::chunks::{Chunk, Chunks};
use crate::client::download::part_file::PartFile;

/// Bytes of a write. With a quarter of it a disk is nearly as fast, but more threads are woken.
pub const WRITE_LEN: usize = 1 << 20;
/// What a range on its way into a file holds at most: a piece being filled, one being written, and what its connection reads ahead.
pub const RANGE_MEMORY_LEN: u64 = 3 * WRITE_LEN as u64;

/// Where a range goes.
#[derive(Clone)]
pub enum Sink {
    File(Arc<PartFile>),
    Memory(Gathered),
}

/// Pieces in order, for what is too small for a file of its own or goes into a pipe.
pub type Gathered = Arc<Mutex<Vec<Bytes>>>;

/// Takes in what arrives of one range, in order.
pub enum Intake {
    File(Filler),
    Memory(Gathered),
}

/// Fills pieces for a file and has them written.
pub struct Filler {
    file: Arc<PartFile>,
    tasks: Tasks,
    chunks: Chunks,
    /// Where the next byte goes.
    at: u64,
    filling: Option<Chunk>,
    writing: Option<JoinHandle<io::Result<bool>>>,
}

impl Intake {
    /// `chunks` have [`WRITE_LEN`], `offset` is where the range begins in the file.
    pub fn start(sink: &Sink, offset: u64, chunks: &Chunks, tasks: &Tasks) -> Intake {
        match sink {
            Sink::File(file) => Intake::File(Filler {
                file: Arc::clone(file),
                tasks: tasks.clone(),
                chunks: chunks.clone(),
                at: offset,
                filling: None,
                writing: None,
            }),
            Sink::Memory(gathered) => {
                // What an attempt before this one has left.
                lock(gathered).clear();
                Intake::Memory(Arc::clone(gathered))
            }
        }
    }

    pub async fn take(&mut self, bytes: Bytes) -> io::Result<()> {
        match self {
            Intake::File(filler) => filler.take(&bytes).await,
            Intake::Memory(gathered) => {
                lock(gathered).push(bytes);
                Ok(())
            }
        }
    }

    /// Waits until all of it is written. Nothing of it is written later than this, also when it fails.
    pub async fn finish(self) -> io::Result<()> {
        match self {
            Intake::File(mut filler) => {
                filler.write().await?;
                filler.settle().await
            }
            Intake::Memory(_) => Ok(()),
        }
    }
}

impl Filler {
    async fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            // Only a range's first piece may be shorter: after it all begin at multiples of their length.
            let room = WRITE_LEN - (self.at % WRITE_LEN as u64) as usize;
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.filling.get_or_insert_with(|| self.chunks.take()).fill(now);
            self.at += now.len() as u64;
            if now.len() == room {
                self.write().await?;
            }
            bytes = rest;
        }
        Ok(())
    }

    /// Has what was filled written, once the piece before it is.
    async fn write(&mut self) -> io::Result<()> {
        self.settle().await?;
        let Some(chunk) = self.filling.take() else { return Ok(()) };
        let bytes = chunk.filled();
        let (file, offset) = (Arc::clone(&self.file), self.at - bytes.len() as u64);
        self.writing = Some(self.tasks.spawn_blocking(move || file.write_all_at(&bytes, offset)));
        Ok(())
    }

    async fn settle(&mut self) -> io::Result<()> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        let since = Instant::now();
        let went_to_disk = writing.await.map_err(io::Error::other).flatten()?;
        if went_to_disk {
            self.file.written(since.elapsed());
        }
        Ok(())
    }
}

pub fn lock(gathered: &Gathered) -> MutexGuard<'_, Vec<Bytes>> {
    gathered.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::download::part_file::DIRECT_LEN_MIN;
    use std::path::Path;

    /// Ranges that begin and end anywhere, in pieces of any length, into files that are written past the page cache and that are not.
    #[tokio::test]
    async fn ranges_arrive_where_they_belong_whatever_their_bounds() {
        let (chunks, tasks) = (Chunks::new(WRITE_LEN), Tasks::new());
        for len in [3 * WRITE_LEN + 77, DIRECT_LEN_MIN as usize + 4097] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            let file = Arc::new(PartFile::create(&path, len as u64).unwrap());
            let bytes: Bytes = (0..len).map(|at| (at / 5 % 251) as u8).collect();
            let bounds = [0, 1, 4096, WRITE_LEN - 1, WRITE_LEN + 4095, 2 * WRITE_LEN, 3 * WRITE_LEN, len];
            for (index, bound) in bounds.windows(2).enumerate() {
                let mut intake =
                    Intake::start(&Sink::File(Arc::clone(&file)), bound[0] as u64, &chunks, &tasks);
                let range = bytes.slice(bound[0]..bound[1]);
                for piece in range.chunks(1000 + 60_000 * index) {
                    intake.take(range.slice_ref(piece)).await.unwrap();
                }
                intake.finish().await.unwrap();
            }
            assert!(std::fs::read(&path).unwrap() == bytes, "{len}");
        }
    }

    #[tokio::test]
    async fn a_write_that_fails_is_told_by_the_next_one_or_at_the_end() {
        // A device that is always full.
        let file = Arc::new(PartFile::open(Path::new("/dev/full")).unwrap());
        let (chunks, tasks) = (Chunks::new(WRITE_LEN), Tasks::new());
        let start = || Intake::start(&Sink::File(Arc::clone(&file)), 0, &chunks, &tasks);
        let mut intake = start();
        intake.take(Bytes::from_static(b"0123456789")).await.unwrap();
        assert_eq!(intake.finish().await.unwrap_err().kind(), io::ErrorKind::StorageFull);
        let mut intake = start();
        let taken = intake.take(Bytes::from(vec![7; 2 * WRITE_LEN])).await;
        assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::StorageFull);
        intake.finish().await.unwrap_err();
    }
}
