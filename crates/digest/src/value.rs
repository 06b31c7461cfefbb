//! A finished digest.

use std::fmt;

/// Longest digest of any algorithm, in bytes (SHA-512).
const LEN_MAX: usize = 64;

/// A finished digest: up to 64 bytes, CRCs and xxHashes with the most significant byte first, as S3 sends them.
///
/// Two are equal when their bytes are; which algorithm made them is the caller's to know.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest {
    len: u8,
    /// Zero after `len`, so that the derived comparison and hash see the digest alone.
    bytes: [u8; LEN_MAX],
}

impl Digest {
    /// A digest of these bytes, for instance one that a client sent.
    ///
    /// # Panics
    /// On more than 64 bytes: no algorithm has such a digest, so the length was not checked where it came in.
    pub fn new(bytes: &[u8]) -> Digest {
        assert!(bytes.len() <= LEN_MAX, "a digest of {} bytes", bytes.len());
        let mut padded = [0; LEN_MAX];
        padded[..bytes.len()].copy_from_slice(bytes);
        Digest { len: bytes.len() as u8, bytes: padded }
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Lower-case hexadecimal, two characters a byte.
    pub fn to_hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let nibbles = self.as_bytes().iter().flat_map(|byte| [byte >> 4, byte & 15]);
        nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}
