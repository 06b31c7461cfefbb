//! One of the three CRCs over a stream: the long middle by a kernel of ours where it is faster, the rest by
//! `crc-fast`.

#[cfg(test)]
mod tests;

use crc_fast::CrcAlgorithm;

use crate::Algorithm;
use crate::kernel::crc::Kernel;

/// A CRC of what has been taken in so far.
#[derive(Clone)]
pub(crate) struct Crc {
    library: CrcAlgorithm,
    kernel: Kernel,
    /// What the CRC starts from, and what is added at the end: all ones.
    ones: u64,
    state: u64,
}

impl Crc {
    /// Of nothing.
    ///
    /// # Panics
    /// If the algorithm is no CRC.
    pub(crate) fn new(algorithm: Algorithm) -> Crc {
        Crc::with_kernel(algorithm, Kernel::detect(algorithm))
    }

    fn with_kernel(algorithm: Algorithm, kernel: Kernel) -> Crc {
        let library = match algorithm {
            Algorithm::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
            Algorithm::Crc32c => CrcAlgorithm::Crc32Iscsi,
            Algorithm::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
            other => panic!("{} is no CRC", other.name()),
        };
        let ones = u64::MAX >> (64 - 8 * algorithm.digest_len());
        Crc { library, kernel, ones, state: ones }
    }

    /// Takes in the next bytes of the stream.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let rest = match self.kernel.fold(self.state, bytes) {
            Some((folded, rest)) => {
                self.state = 0;
                self.update_by_library(&folded);
                rest
            }
            None => bytes,
        };
        if !rest.is_empty() {
            self.update_by_library(rest);
        }
    }

    fn update_by_library(&mut self, bytes: &[u8]) {
        let mut digest = crc_fast::Digest::new_with_init_state(self.library, self.state);
        digest.update(bytes);
        self.state = digest.get_state();
    }

    /// The CRC, in the low bits.
    pub(crate) fn finish(&self) -> u64 {
        self.state ^ self.ones
    }
}
