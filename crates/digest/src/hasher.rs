//! Any one of the algorithms over a stream, in the caller's thread.

use sha2::Digest as _;
use xxhash_rust::{xxh3::Xxh3, xxh64::Xxh64};

use crate::crc::Crc;
use crate::{Algorithm, Digest, Md5};

/// One algorithm over a stream of bytes. How the bytes are cut into updates makes no difference.
#[derive(Clone)]
pub struct Hasher {
    state: State,
}

/// Large states are boxed: a request holds a hasher for its whole life, most often that of a CRC.
#[derive(Clone)]
enum State {
    /// The digest's length in bytes, 4 or 8, and the CRC so far.
    Crc(usize, Crc),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(Box<sha2::Sha512>),
    Md5(Md5),
    XxHash64(Xxh64),
    XxHash3(Box<Xxh3>),
    XxHash128(Box<Xxh3>),
}

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new(algorithm: Algorithm) -> Hasher {
        let state = match algorithm {
            Algorithm::Crc32 | Algorithm::Crc32c | Algorithm::Crc64Nvme => {
                State::Crc(algorithm.digest_len(), Crc::new(algorithm))
            }
            Algorithm::Sha1 => State::Sha1(sha1::Sha1::new()),
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Box::new(sha2::Sha512::new())),
            Algorithm::Md5 => State::Md5(Md5::new()),
            Algorithm::XxHash64 => State::XxHash64(Xxh64::new(0)),
            Algorithm::XxHash3 => State::XxHash3(Box::new(Xxh3::new())),
            Algorithm::XxHash128 => State::XxHash128(Box::new(Xxh3::new())),
        };
        Hasher { state }
    }

    /// Takes in the next bytes of the stream.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(_, crc) => crc.update(bytes),
            State::Sha1(sha) => sha.update(bytes),
            State::Sha256(sha) => sha.update(bytes),
            State::Sha512(sha) => sha.update(bytes),
            State::Md5(md5) => md5.update(bytes),
            State::XxHash64(xx) => xx.update(bytes),
            State::XxHash3(xx) | State::XxHash128(xx) => xx.update(bytes),
        }
    }

    /// The digest of everything taken in.
    pub fn finish(self) -> Digest {
        match self.state {
            State::Crc(len, crc) => Digest::new(&crc.finish().to_be_bytes()[8 - len..]),
            State::Sha1(sha) => Digest::new(&sha.finalize()),
            State::Sha256(sha) => Digest::new(&sha.finalize()),
            State::Sha512(sha) => Digest::new(&sha.finalize()),
            State::Md5(md5) => Digest::new(&md5.finish()),
            State::XxHash64(xx) => Digest::new(&xx.digest().to_be_bytes()),
            State::XxHash3(xx) => Digest::new(&xx.digest().to_be_bytes()),
            State::XxHash128(xx) => Digest::new(&xx.digest128().to_be_bytes()),
        }
    }
}

/// The digest of bytes that are all there.
pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

/// The CRC-32C of bytes that are all there: the checksum of a blob's blocks.
pub fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new(Algorithm::Crc32c);
    crc.update(bytes);
    crc.finish() as u32
}
