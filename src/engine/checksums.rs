//! Between the digests that are computed and the checksums that are kept.

use crate::engine::Error;
use crate::meta::ErrorKind;
use crate::meta::records::{Checksum, ChecksumKind};
use dovetail_digest::{Algorithm, Digest};

/// What S3 computes when the client asks for nothing.
pub const DEFAULT: Algorithm = Algorithm::Crc64Nvme;

/// A checksum as it is kept.
pub fn record(algorithm: Algorithm, kind: ChecksumKind, digest: &Digest) -> Checksum {
    Checksum { algorithm: algorithm.name().to_string(), kind, value: digest.as_bytes().to_vec() }
}

/// The algorithm and digest of a kept checksum; `Storage` when it is none that this version knows.
pub fn digest(checksum: &Checksum) -> Result<(Algorithm, Digest), Error> {
    let algorithm = algorithm(&checksum.algorithm)?;
    if checksum.value.len() != algorithm.digest_len() {
        return Err(unreadable(&format!("{} bytes of {}", checksum.value.len(), checksum.algorithm)));
    }
    Ok((algorithm, Digest::new(&checksum.value)))
}

/// The algorithm of this name, which a record has.
pub fn algorithm(name: &str) -> Result<Algorithm, Error> {
    Algorithm::from_name(name).ok_or_else(|| unreadable(&format!("the unknown algorithm {name}")))
}

/// Whether S3 has multipart uploads with this algorithm and kind: CRCs combine, everything else does not, and
/// CRC64NVME is only ever used over all bytes.
pub fn is_allowed(algorithm: Algorithm, kind: ChecksumKind) -> bool {
    match kind {
        ChecksumKind::FullObject => algorithm.is_crc(),
        ChecksumKind::Composite => algorithm != Algorithm::Crc64Nvme,
    }
}

fn unreadable(what: &str) -> Error {
    crate::meta::Error::new(ErrorKind::Corrupt, format!("cannot read a checksum: {what}")).into()
}
