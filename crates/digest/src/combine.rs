//! The CRC of two pieces joined, from the CRCs of the pieces.
//!
//! To put `len` bytes behind a piece is to multiply its polynomial by x^(8 len), so
//! `crc(A || B) = crc(A) * x^(8 len(B)) + crc(B)`; that the three CRCs start from and end with all ones cancels out.
//! The powers x^(2^k) are tables made at compile time, so joining ten thousand parts takes a few milliseconds: one
//! multiplication for each bit set in a part's length.

use crate::polynomial::{CRC32, CRC32C, CRC64NVME};
use crate::{Algorithm, Digest};

/// The CRC of two pieces joined, from the CRC of each and the second one's length in bytes, without the bytes.
/// Lists of pieces are folded in order. Costs well under a microsecond for each bit set in the length.
///
/// # Panics
/// If the algorithm is no CRC, or a digest has not its length.
pub fn combine(algorithm: Algorithm, first: &Digest, second: &Digest, second_len: u64) -> Digest {
    let polynomial = match algorithm {
        Algorithm::Crc32 => &CRC32,
        Algorithm::Crc32c => &CRC32C,
        Algorithm::Crc64Nvme => &CRC64NVME,
        other => panic!("{} digests cannot be combined", other.name()),
    };
    let len = algorithm.digest_len();
    let value = |digest: &Digest| {
        let mut bytes = [0; 8];
        assert_eq!(digest.as_bytes().len(), len, "a {} digest of another length", algorithm.name());
        bytes[8 - len..].copy_from_slice(digest.as_bytes());
        u64::from_be_bytes(bytes)
    };
    let joined = polynomial.append_zeros(value(first), second_len) ^ value(second);
    Digest::new(&joined.to_be_bytes()[8 - len..])
}
