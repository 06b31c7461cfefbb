//! The bytes of objects: parts, the extents they are made of, and the blobs these lie in.
//!
//! A content is a list of parts. It never changes once a version names it, so versions share it. Its index, part
//! number 0, lets a range or a part be found with two reads, however many parts there are.

use super::Checksum;
use crate::blob::BlobId;
use minicbor::{Decode, Encode};

/// Every block of a blob but the last has this many bytes, and a checksum of its own: a range read verifies whole
/// blocks. 256 KiB is what one read call moves best, and 5 GiB of them have 80 KiB of checksums.
pub const BLOCK_LEN: u64 = 256 << 10;

/// Parts between two entries of a [`ContentIndex`].
pub const PARTS_PER_INDEX_ENTRY: usize = 64;

/// A slice of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Extent {
    #[cbor(n(0), with = "minicbor::bytes")]
    blob: [u8; 16],
    #[n(1)]
    pub offset: u64,
    #[n(2)]
    pub len: u64,
}

impl Extent {
    pub fn new(blob: BlobId, offset: u64, len: u64) -> Extent {
        Extent { blob: blob.0, offset, len }
    }

    pub fn blob(&self) -> BlobId {
        BlobId(self.blob)
    }
}

/// A part of an upload, or of what it became. A PutObject above the inline limit is a content with part 1 alone.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PartRecord {
    #[n(0)]
    pub len: u64,
    /// The part's ETag: the MD5 of its bytes, or what the encryption shows instead of it.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub md5: [u8; 16],
    /// With the upload's algorithm; CRC64NVME when the upload has none.
    #[n(2)]
    pub checksum: Checksum,
    /// What the part is made of, in order. Empty only when `len` is 0. More than one after UploadPartCopy.
    #[n(3)]
    pub extents: Vec<Extent>,
    /// When the part was finished, Unix milliseconds.
    #[n(4)]
    pub modified_ms: i64,
}

/// Where the parts of a completed upload begin. Kept as part number 0.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ContentIndex {
    /// Parts in the content; their numbers may have gaps.
    #[n(0)]
    pub parts: u16,
    /// One for every [`PARTS_PER_INDEX_ENTRY`] parts, the first for the first part.
    #[n(1)]
    pub entries: Vec<IndexEntry>,
    /// Numbers of parts that are not in the content although their records are still there: many, which the client did
    /// not list, and which the collector is taking away. A bit each, part 1 the lowest of the first byte.
    #[cbor(n(2), with = "minicbor::bytes", default)]
    unlisted: Vec<u8>,
}

impl ContentIndex {
    pub fn new(parts: u16, entries: Vec<IndexEntry>) -> ContentIndex {
        ContentIndex { parts, entries, unlisted: Vec::new() }
    }

    /// Marks parts that are to be taken away. Numbers begin with 1.
    pub fn set_unlisted(&mut self, numbers: &[u16]) {
        self.unlisted.clear();
        for number in numbers {
            let (at, bit) = place_of(*number);
            if self.unlisted.len() <= at {
                self.unlisted.resize(at + 1, 0);
            }
            self.unlisted[at] |= bit;
        }
    }

    pub fn is_unlisted(&self, number: u16) -> bool {
        let (at, bit) = place_of(number);
        self.unlisted.get(at).is_some_and(|bits| bits & bit != 0)
    }

    /// Parts that are to be taken away, ascending.
    pub fn unlisted(&self) -> impl Iterator<Item = u16> {
        (1..=self.unlisted.len() as u16 * 8).filter(|number| self.is_unlisted(*number))
    }
}

fn place_of(number: u16) -> (usize, u8) {
    let at = number.saturating_sub(1);
    (usize::from(at / 8), 1 << (at % 8))
}

/// The part at a multiple of [`PARTS_PER_INDEX_ENTRY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct IndexEntry {
    /// Its number, as the client gave it.
    #[n(0)]
    pub number: u16,
    /// Where its first byte is in the object.
    #[n(1)]
    pub offset: u64,
}

/// A finished blob.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BlobRecord {
    #[n(0)]
    pub len: u64,
    /// CRC-32C of every block of [`BLOCK_LEN`] bytes, big-endian, four bytes each.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub block_checksums: Vec<u8>,
    /// The AES-GCM tags of the blocks, 16 bytes each, when the blob is encrypted; its checksums are of the encrypted
    /// bytes, so that damage is found without a key.
    #[cbor(n(2), default, with = "minicbor::bytes")]
    pub block_tags: Vec<u8>,
}

impl BlobRecord {
    /// The checksum of the block that begins at `index * BLOCK_LEN`.
    pub fn block_checksum(&self, index: u64) -> Option<u32> {
        let at = usize::try_from(index).ok()?.checked_mul(4)?;
        let bytes = self.block_checksums.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().expect("four bytes were taken")))
    }

    pub fn is_encrypted(&self) -> bool {
        !self.block_tags.is_empty()
    }

    /// The tag of the block that begins at `index * BLOCK_LEN`.
    pub fn block_tag(&self, index: u64) -> Option<&[u8; 16]> {
        let at = usize::try_from(index).ok()?.checked_mul(16)?;
        self.block_tags.get(at..)?.first_chunk()
    }
}
