//! One pass over a body: counted, hashed and written once, through two chunks of memory (invariants 4 and 6).
//!
//! Small bodies are gathered in a buffer of their own size; one that goes into the transaction needs no lease, others
//! take one for what is left of the write. Larger bodies go through leased chunks:
//! while one is filled from the network, the other is hashed by the lanes and written. What does not fit its claims
//! is refused before anything lasts; dropping anything here at any time leaves nothing behind, because an
//! unfinished blob is abandoned (invariant 8).

mod hashers;
#[cfg(test)]
mod tests;

use crate::base::buffers::{CHUNK_LEN, Chunk, Lease, Lent};
use crate::blob::{BlobId, Writer};
use crate::engine::body::{Body, Source};
use crate::engine::encryption::{BlobSealer, ContentKey};
use crate::engine::{Engine, Error, checksums};
use crate::meta::records::{BLOCK_LEN, BlobRecord, Extent};
use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest, Md5Stream};
use hashers::{Hashers, verify};

// Blocks are checksummed a chunk at a time.
const _: () = assert!((CHUNK_LEN as u64).is_multiple_of(BLOCK_LEN));

/// What is to be done with a body.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// More bytes than this are `EntityTooLarge`.
    pub len_max: u64,
    /// Whether a small body may stay out of the blobs.
    pub inline: bool,
    /// The algorithm of the checksum to keep. The body's announced one is verified, whichever it is.
    pub keep: Algorithm,
}

/// A body that is all there and is what its client claims it to be. Nothing of it lasts yet.
pub struct Received {
    pub len: u64,
    pub md5: [u8; 16],
    /// With the plan's algorithm.
    pub checksum: Digest,
    /// With the algorithm that the client announced, when it announced one.
    pub announced: Option<(Algorithm, Digest)>,
    place: ReceivedPlace,
}

enum ReceivedPlace {
    Here(Bytes),
    Blob(Unfinished, Option<Lease>),
}

/// Where a body's bytes are once they last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Empty,
    /// Nowhere yet: they go into the transaction.
    Inline(Bytes),
    /// In a durable blob that no record names yet (invariant 1).
    Blob(BlobId, BlobRecord),
}

impl Place {
    /// The blob that has to go when the commit is refused.
    pub fn blob(&self) -> Option<BlobId> {
        match self {
            Place::Blob(id, _) => Some(*id),
            Place::Empty | Place::Inline(_) => None,
        }
    }

    /// The same with inline bytes encrypted. Those in a blob have been since they were received.
    pub fn sealed(self, key: &ContentKey) -> Place {
        match self {
            Place::Inline(bytes) => Place::Inline(key.seal_inline(&bytes).into()),
            other => other,
        }
    }

    /// What a part made of it consists of.
    ///
    /// # Panics
    /// If the bytes are inline: parts are never.
    pub fn extents(&self) -> Vec<Extent> {
        match self {
            Place::Empty => Vec::new(),
            Place::Inline(_) => panic!("a part is kept in a blob"),
            Place::Blob(id, record) => vec![Extent::new(*id, 0, record.len)],
        }
    }
}

/// Reads `body` to its end. `EntityTooLarge` and `BodyLen` come as soon as they are certain, `SlowDown` before the
/// first byte is read when that is possible, wrong claims after the last one.
///
/// With a key, what goes to a blob is encrypted on the way, after it was hashed; what stays inline is left to the
/// caller.
pub async fn receive(
    engine: &Engine,
    body: Body,
    plan: Plan,
    key: Option<&ContentKey>,
) -> Result<Received, Error> {
    let Body { mut source, len, algorithm } = body;
    if let Some(len) = len
        && len > plan.len_max
    {
        return Err(Error::EntityTooLarge { len, max: plan.len_max });
    }
    let mut pieces = Pieces { source: &mut *source, declared: len, len_max: plan.len_max, received: 0 };
    let hashers = Hashers::new(plan.keep, algorithm);
    let received = match gather(engine, &mut pieces).await? {
        Gathered::All(bytes) => receive_small(engine, bytes, hashers, plan, key).await?,
        Gathered::Begun(begun) => receive_large(engine, &mut pieces, begun, hashers, key).await?,
    };
    verify(&received, plan.keep, source.claims())?;
    Ok(received)
}

impl Received {
    /// Whether the bytes go into the transaction, so that nothing of them lasts before it is committed.
    pub fn is_inline(&self) -> bool {
        matches!(self.place, ReceivedPlace::Here(_))
    }

    /// The memory that the body came through, once. Whoever carries the write to its end keeps it until then: so the
    /// writes that outlive their clients are as few as the bodies that can be read.
    pub fn take_lease(&mut self) -> Option<Lease> {
        match &mut self.place {
            ReceivedPlace::Here(_) => None,
            ReceivedPlace::Blob(_, lease) => lease.take(),
        }
    }

    /// Makes the bytes durable, unless they go into the transaction.
    pub async fn finish(self) -> Result<Place, Error> {
        match self.place {
            ReceivedPlace::Here(bytes) if bytes.is_empty() => Ok(Place::Empty),
            ReceivedPlace::Here(bytes) => Ok(Place::Inline(bytes)),
            ReceivedPlace::Blob(blob, _) => {
                blob.writer.finish().await?;
                Ok(Place::Blob(blob.id, blob.record))
            }
        }
    }
}

/// The pieces of a body, counted.
struct Pieces<'a> {
    source: &'a mut dyn Source,
    declared: Option<u64>,
    len_max: u64,
    received: u64,
}

impl Pieces<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(piece) = self.source.next().await.map_err(Error::Body)? else {
            return match self.declared {
                Some(declared) if declared != self.received => Err(self.wrong_len(declared)),
                _ => Ok(None),
            };
        };
        self.received += piece.len() as u64;
        match self.declared {
            Some(declared) if self.received > declared => Err(self.wrong_len(declared)),
            _ if self.received > self.len_max => {
                Err(Error::EntityTooLarge { len: self.received, max: self.len_max })
            }
            _ => Ok(Some(piece)),
        }
    }

    fn wrong_len(&self, declared: u64) -> Error {
        Error::BodyLen { declared, received: self.received }
    }
}

enum Gathered {
    All(Bytes),
    /// The body is larger than the inline limit; what has come of it.
    Begun(Vec<Bytes>),
}

/// Reads up to the inline limit, or nothing when the body is known to be larger.
async fn gather(engine: &Engine, pieces: &mut Pieces<'_>) -> Result<Gathered, Error> {
    let small_max = engine.settings.inline_len_max;
    if pieces.declared.is_some_and(|len| len > small_max) {
        return Ok(Gathered::Begun(Vec::new()));
    }
    // Most small bodies are one piece, and not copied.
    let mut first = Bytes::new();
    let mut joined = Vec::new();
    while let Some(piece) = pieces.next().await? {
        if pieces.received > small_max {
            return Ok(Gathered::Begun(vec![first, joined.into(), piece]));
        }
        if first.is_empty() && joined.is_empty() {
            first = piece;
            continue;
        }
        if joined.is_empty() {
            joined.reserve_exact(pieces.declared.unwrap_or(pieces.received) as usize);
            joined.extend_from_slice(&std::mem::take(&mut first));
        }
        joined.extend_from_slice(&piece);
    }
    Ok(Gathered::All(if joined.is_empty() { first } else { joined.into() }))
}

async fn receive_small(
    engine: &Engine,
    bytes: Bytes,
    mut hashers: Hashers,
    plan: Plan,
    key: Option<&ContentKey>,
) -> Result<Received, Error> {
    hashers.update(&bytes);
    let (checksum, announced) = hashers.finish();
    let (len, md5) = (bytes.len() as u64, dovetail_digest::md5(&bytes));
    let place = if plan.inline || bytes.is_empty() {
        ReceivedPlace::Here(bytes)
    } else {
        let lease = engine.lease_body_memory().await?;
        let mut blob = Unfinished::create(engine, Some(len), key).await?;
        let stored = match blob.is_sealed() {
            false => bytes,
            true => {
                let mut sealed = bytes.to_vec();
                blob.seal(&mut sealed);
                sealed.into()
            }
        };
        blob.write(stored).await?;
        ReceivedPlace::Blob(blob, Some(lease))
    };
    Ok(Received { len, md5, checksum, announced, place })
}

async fn receive_large(
    engine: &Engine,
    pieces: &mut Pieces<'_>,
    begun: Vec<Bytes>,
    hashers: Hashers,
    key: Option<&ContentKey>,
) -> Result<Received, Error> {
    let lease = match key {
        None => engine.lease_body_memory().await?,
        Some(_) => engine.lease_memory_to_seal().await?,
    };
    let blob = Unfinished::create(engine, pieces.declared, key).await?;
    let md5 = engine.lanes.stream();
    let mut pass = Pass { lease, chunk: None, unsealed: None, blob, hashers, md5 };
    for piece in begun {
        pass.take(&piece).await?;
    }
    while let Some(piece) = pieces.next().await? {
        pass.take(&piece).await?;
    }
    pass.finish(pieces.received).await
}

/// A large body on its way through.
struct Pass {
    lease: Lease,
    /// Being filled; neither empty nor full while the next piece is awaited.
    chunk: Option<Chunk>,
    /// The one before, if it is to be encrypted: the lanes may still be reading it.
    unsealed: Option<Lent>,
    blob: Unfinished,
    hashers: Hashers,
    md5: Md5Stream,
}

impl Pass {
    async fn take(&mut self, mut piece: &[u8]) -> Result<(), Error> {
        while !piece.is_empty() {
            let mut chunk = match self.chunk.take() {
                Some(chunk) => chunk,
                None => self.lease.chunk().await,
            };
            let taken = chunk.fill(piece);
            piece = &piece[taken..];
            if chunk.is_full() {
                self.pass_on(chunk).await?;
            } else {
                self.chunk = Some(chunk);
            }
        }
        Ok(())
    }

    async fn pass_on(&mut self, chunk: Chunk) -> Result<(), Error> {
        if !self.blob.is_sealed() {
            let bytes = chunk.freeze();
            self.hash(&bytes);
            return self.blob.write(bytes).await;
        }
        let (bytes, lent) = chunk.lend();
        self.hash(&bytes);
        drop(bytes);
        match self.unsealed.replace(lent) {
            Some(before) => self.seal(before).await,
            None => Ok(()),
        }
    }

    fn hash(&mut self, bytes: &Bytes) {
        // The lanes begin while this thread goes over the same bytes for the checksums.
        self.md5.update(bytes.clone());
        self.hashers.update(bytes);
    }

    /// Encrypts and writes what the lanes have hashed, or soon will have.
    async fn seal(&mut self, unsealed: Lent) -> Result<(), Error> {
        let mut chunk = unsealed.back().await;
        self.blob.seal(chunk.filled());
        self.blob.write(chunk.freeze()).await
    }

    async fn finish(mut self, len: u64) -> Result<Received, Error> {
        if let Some(last) = self.chunk.take() {
            self.pass_on(last).await?;
        }
        if let Some(last) = self.unsealed.take() {
            self.seal(last).await?;
        }
        let Pass { blob, hashers, md5, lease, .. } = self;
        let (checksum, announced) = hashers.finish();
        let md5 = md5.finish().await;
        Ok(Received { len, md5, checksum, announced, place: ReceivedPlace::Blob(blob, Some(lease)) })
    }
}

/// A blob being written, and the checksums of its blocks so far. Dropping it abandons the blob.
struct Unfinished {
    id: BlobId,
    writer: Box<dyn Writer>,
    record: BlobRecord,
    sealer: Option<BlobSealer>,
}

impl Unfinished {
    async fn create(
        engine: &Engine,
        len: Option<u64>,
        key: Option<&ContentKey>,
    ) -> Result<Unfinished, Error> {
        let (id, sealer) = match key.map(ContentKey::new_blob) {
            None => (BlobId::random(), None),
            Some((id, sealer)) => (id, Some(sealer)),
        };
        let writer = engine.blobs.create(id, len).await?;
        let record = BlobRecord { len: 0, block_checksums: Vec::new(), block_tags: Vec::new() };
        Ok(Unfinished { id, writer, record, sealer })
    }

    fn is_sealed(&self) -> bool {
        self.sealer.is_some()
    }

    /// Encrypts what is to be written next in its place, and takes its checksums; only the last call's may be no multiple of
    /// a block.
    fn seal(&mut self, bytes: &mut [u8]) {
        let sealer = self.sealer.as_mut().expect("only a blob with a key is sealed");
        for block in bytes.chunks_mut(BLOCK_LEN as usize) {
            self.record.block_tags.extend(sealer.seal(block));
            // Now, while the processor's cache has them.
            self.record.block_checksums.extend(dovetail_digest::crc32c(block).to_be_bytes());
        }
    }

    /// Appends bytes as they are to be stored; only the last call's may be no multiple of a block.
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        debug_assert!(
            self.record.len.is_multiple_of(BLOCK_LEN),
            "a block was cut short in the middle of a blob"
        );
        if !self.is_sealed() {
            for block in bytes.chunks(BLOCK_LEN as usize) {
                self.record.block_checksums.extend(dovetail_digest::crc32c(block).to_be_bytes());
            }
        }
        self.record.len += bytes.len() as u64;
        Ok(self.writer.write(bytes).await?)
    }
}

/// The checksum to keep when nothing but the announced one matters.
pub fn announced_or_default(body: &Body) -> Algorithm {
    body.algorithm.unwrap_or(checksums::DEFAULT)
}
