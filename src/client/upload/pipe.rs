//! Uploading what a program prints, without knowing how much that will be, and printing an object.
//!
//! A pipe cannot be read twice, so a part stays in memory until it has arrived. Once parts grow beyond what memory is
//! for (after 6 GiB), they wait in an unlinked file instead: memory stays flat whatever comes.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::client::address::Address;
use crate::client::chunks::{CHUNK_LEN, Chunks};
use crate::client::endpoint::{Endpoint, Protection};
use crate::client::error::Error;
use crate::client::operations::multipart::{NewUpload, SentPart, combined, composite_etag};
use crate::client::operations::requests::Written;
use crate::client::plan::{Part, Plan, pipe_part_len};
use crate::client::source::Source;
use crate::client::tally::Event;
use crate::client::upload::{Done, PutOptions};

/// Larger parts wait in a file.
const MEMORY_PART_LEN_MAX: u64 = 16 << 20;
/// Two parts in files at a time: one being read, one being sent.
const SPOOLED_PARTS: usize = 2;

/// How pipes are uploaded, beside what holds for files.
#[derive(Clone, Debug)]
pub struct PipeOptions {
    /// What failed stays on the server as an open upload.
    pub keep: bool,
    /// Bytes of memory for parts.
    pub memory_len: u64,
    /// Where large parts wait.
    pub spool_folder: PathBuf,
    /// The upload fails unless exactly this much comes.
    pub expected_len: Option<u64>,
    /// Cancelled when somebody wants the upload to end early.
    pub stop: CancellationToken,
}

/// Reads one input to its end, in parts.
struct Intake<R> {
    input: R,
    first_len: u64,
    memory: Chunks,
    spool_folder: PathBuf,
    next: u16,
    offset: u64,
}

/// Uploads everything that `input` has. It is read on threads that may block.
pub async fn put_pipe<R: Read + Send + 'static>(
    endpoint: &Arc<Endpoint>,
    input: R,
    address: &Address,
    options: &PutOptions,
    pipe: &PipeOptions,
) -> Result<Done, Error> {
    let first_len = Plan::new(0, options.part_len, endpoint.limits().await)?.part_len;
    let memory_len = first_len.min(MEMORY_PART_LEN_MAX);
    let intake = Intake {
        input,
        first_len,
        memory: Chunks::new(memory_len as usize),
        spool_folder: pipe.spool_folder.clone(),
        next: 1,
        offset: 0,
    };
    // One part is being read while the others are sent.
    let slots = (pipe.memory_len / memory_len).clamp(2, 64) as usize;
    // Who feeds the pipe may take any time.
    let (intake, first) = tokio::select! {
        read = next_part(endpoint, intake) => read?,
        () = pipe.stop.cancelled() => return Err(Error::Interrupted),
    };
    let is_whole = first.as_ref().is_none_or(|(part, _)| part.len < first_len);
    if is_whole {
        let source = first.map_or(Source::Memory(bytes::Bytes::new()), |(_, source)| source);
        return put_whole(endpoint, source, address, options, pipe).await;
    }
    endpoint.bound_by_rate(first_len);
    let upload = endpoint.create_upload(address, &options.headers).await?;
    endpoint.tally.tell(&Event::Started {
        what: address.to_string(),
        bytes: None,
        kept_bytes: 0,
        upload_id: Some(upload.id.clone()),
    });
    let sent = tokio::select! {
        sent = send_all(endpoint, intake, first, address, &upload, slots) => sent,
        () = pipe.stop.cancelled() => Err(Error::Interrupted),
    };
    let completed = match sent {
        Ok(parts) => complete(endpoint, address, &upload, &parts, pipe).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &completed {
        if pipe.keep {
            endpoint.tally.note(address, format!("kept as the open upload {}", upload.id));
        } else if !error.is_no_such_upload()
            && let Err(also) = endpoint.abort_upload(address, &upload.id).await
        {
            endpoint.tally.note(address, format!("the upload {} is still open: {also}", upload.id));
        }
    }
    completed
}

async fn put_whole(
    endpoint: &Endpoint,
    source: Source,
    address: &Address,
    options: &PutOptions,
    pipe: &PipeOptions,
) -> Result<Done, Error> {
    check_len(source.len(), address, pipe)?;
    endpoint.tally.add_len(source.len());
    let written = endpoint.put_object(address, &source, &options.headers).await?;
    Ok(done(source.len(), written))
}

async fn complete(
    endpoint: &Endpoint,
    address: &Address,
    upload: &NewUpload,
    parts: &[SentPart],
    pipe: &PipeOptions,
) -> Result<Done, Error> {
    let len = parts.iter().map(|part| part.len).sum();
    check_len(len, address, pipe)?;
    match endpoint.complete_upload(address, &upload.id, parts, upload.protection).await {
        Ok(written) => Ok(done(len, written)),
        // Perhaps an earlier Complete worked and its answer was lost.
        Err(error) if error.is_no_such_upload() => {
            let head = endpoint.head_object(address).await?;
            let same_etag = composite_etag(parts.iter().map(|part| part.etag.as_str()))
                .is_some_and(|etag| etag == head.etag);
            let same_checksum = upload.protection == Protection::Crc64
                && head.checksum.is_some_and(|checksum| checksum.digest == combined(parts));
            if head.len == len && (same_etag || same_checksum) {
                return Ok(done(len, Written { etag: head.etag, checksum: head.checksum }));
            }
            Err(error)
        }
        Err(error) => Err(error),
    }
}

fn done(len: u64, written: Written) -> Done {
    let checksum =
        written.checksum.map(|checksum| format!("{}:{}", checksum.algorithm.name(), checksum.encode()));
    Done { len, etag: written.etag, checksum, verified: true, was_there: false, kept_len: 0 }
}

fn check_len(len: u64, address: &Address, pipe: &PipeOptions) -> Result<(), Error> {
    match pipe.expected_len {
        Some(expected) if expected != len => {
            let reason = format!("the pipe ended after {len} bytes instead of {expected}");
            Err(Error::Corrupt { doing: format!("upload {address}"), reason })
        }
        _ => Ok(()),
    }
}

async fn send_all<R: Read + Send + 'static>(
    endpoint: &Arc<Endpoint>,
    mut intake: Intake<R>,
    mut next: Option<(Part, Source)>,
    address: &Address,
    upload: &NewUpload,
    slots: usize,
) -> Result<Vec<SentPart>, Error> {
    let (memory, spool) = (Arc::new(Semaphore::new(slots)), Arc::new(Semaphore::new(SPOOLED_PARTS)));
    let mut running = FuturesUnordered::new();
    let mut sent = Vec::new();
    while let Some((part, source)) = next {
        let slots = if part.len <= MEMORY_PART_LEN_MAX { &memory } else { &spool };
        let (slot, permit) = loop {
            let turn = async {
                let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
                (slot, endpoint.workers.permit().await)
            };
            tokio::select! {
                biased;
                Some(part) = running.next() => sent.push(finished(part)?),
                turn = turn => break turn,
            }
        };
        endpoint.tally.add_len(part.len);
        let (own, address, upload) = (Arc::clone(endpoint), address.clone(), upload.clone());
        running.push(AbortOnDropHandle::new(endpoint.around.tasks.spawn(async move {
            let _held = (slot, permit);
            let sent = own.upload_part(&address, &upload.id, part, &source, upload.protection).await?;
            own.workers.succeeded(part.len);
            Ok(sent)
        })));
        (intake, next) = next_part(endpoint, intake).await?;
    }
    while let Some(part) = running.next().await {
        sent.push(finished(part)?);
    }
    sent.sort_by_key(|part| part.number);
    Ok(sent)
}

fn finished(part: Result<Result<SentPart, Error>, tokio::task::JoinError>) -> Result<SentPart, Error> {
    part.map_err(|error| Error::file("upload a part", io::Error::other(error)))?
}

/// Reads the next part; `None` at the end of the input.
async fn next_part<R: Read + Send + 'static>(
    endpoint: &Endpoint,
    mut intake: Intake<R>,
) -> Result<(Intake<R>, Option<(Part, Source)>), Error> {
    let read = endpoint.around.tasks.spawn_blocking(move || {
        let part = intake.read_part();
        (intake, part)
    });
    let (intake, part) = read.await.map_err(|error| Error::file("read the pipe", io::Error::other(error)))?;
    Ok((intake, part.map_err(|error| Error::file("read the pipe", error))?))
}

impl<R: Read> Intake<R> {
    fn read_part(&mut self) -> io::Result<Option<(Part, Source)>> {
        if self.next > crate::base::limits::PART_NUMBER_MAX {
            let mut byte = [0];
            return match self.input.read(&mut byte)? {
                0 => Ok(None),
                _ => Err(io::Error::other("more came than fits into an object")),
            };
        }
        let wanted = pipe_part_len(self.next, self.first_len);
        let source = if wanted <= MEMORY_PART_LEN_MAX {
            let mut chunk = self.memory.take();
            let len = read_full(&mut self.input, &mut chunk.memory()[..wanted as usize])?;
            Source::Memory(chunk.freeze(len))
        } else {
            self.spool(wanted)?
        };
        let part = Part { number: self.next, offset: self.offset, len: source.len() };
        self.next += 1;
        self.offset += part.len;
        // An input that ends at a part's border leaves an empty part, which is none.
        Ok((part.len > 0).then_some((part, source)))
    }

    fn spool(&mut self, wanted: u64) -> io::Result<Source> {
        let named = |error: io::Error| {
            let folder = self.spool_folder.display();
            io::Error::new(error.kind(), format!("cannot keep a part of it in {folder}: {error}"))
        };
        let (mut file, path) = unlinked_file(&self.spool_folder).map_err(named)?;
        let mut buf = vec![0; CHUNK_LEN];
        let mut len = 0;
        while len < wanted {
            let room = (wanted - len).min(CHUNK_LEN as u64) as usize;
            let read = read_full(&mut self.input, &mut buf[..room])?;
            file.write_all(&buf[..read]).map_err(named)?;
            len += read as u64;
            if read < room {
                break;
            }
        }
        Ok(Source::File { file: Arc::new(file), path: path.into(), offset: 0, len })
    }
}

/// Fills `buf` unless the input ends before.
fn read_full(input: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buf.len() {
        match input.read(&mut buf[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

/// A file without a name: it is gone when the process is, however that ends.
fn unlinked_file(folder: &Path) -> io::Result<(File, PathBuf)> {
    std::fs::create_dir_all(folder)?;
    let random: [u8; 8] = crate::base::random::bytes();
    let path = folder.join(format!("{}.spool", u64::from_be_bytes(random)));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok((file, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dovetail_digest::Algorithm;

    fn intake(len: usize, first_len: u64, next: u16, folder: &Path) -> Intake<io::Cursor<Vec<u8>>> {
        Intake {
            input: io::Cursor::new((0..len).map(|at| at as u8).collect()),
            first_len,
            memory: Chunks::new(first_len as usize),
            spool_folder: folder.to_owned(),
            next,
            offset: 0,
        }
    }

    #[test]
    fn cuts_a_pipe_into_parts_without_an_empty_one_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let mib = 1 << 20;
        for (len, expected) in [
            (0, vec![]),
            (mib, vec![mib]),
            (11 * mib, vec![5 * mib, 5 * mib, mib]),
            (10 * mib, vec![5 * mib; 2]),
        ] {
            let mut intake = intake(len, 5 << 20, 1, folder.path());
            let mut lens = Vec::new();
            while let Some((part, source)) = intake.read_part().unwrap() {
                assert_eq!((part.len, usize::from(part.number)), (source.len(), lens.len() + 1));
                lens.push(part.len as usize);
            }
            assert_eq!(lens, expected);
        }
    }

    #[test]
    fn large_parts_wait_in_a_file_that_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut intake = intake(3 << 20, 16 << 20, 500, folder.path());
        let (part, source) = intake.read_part().unwrap().unwrap();
        assert_eq!((part.len, part.number), (3 << 20, 500));
        assert!(matches!(source, Source::File { .. }));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let digest = source.digest(Algorithm::Crc64Nvme, &Chunks::default()).unwrap();
        let bytes: Vec<u8> = (0..3usize << 20).map(|at| at as u8).collect();
        assert_eq!(digest, dovetail_digest::digest(Algorithm::Crc64Nvme, &bytes));
    }
}
