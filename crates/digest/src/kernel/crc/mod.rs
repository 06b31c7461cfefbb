//! The long middle of a stream under one of the CRCs, for processors with VPCLMULQDQ but without AVX-512.
//!
//! There `crc-fast` multiplies in registers of 128 bits, which takes twice as long. Where it has better kernels, with
//! AVX-512 and on other architectures, there is none here.

#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::Algorithm;

/// Length of what a kernel leaves of all that it took.
pub(crate) const BLOCK: usize = 128;

/// Fewest bytes a kernel takes: the library is as fast with fewer.
const LEN_MIN: usize = 4 * BLOCK;

/// A set of instructions to fold one CRC's bytes with; only one that this processor has can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kernel(Instructions);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instructions {
    /// VPCLMULQDQ and AVX2, for any CRC.
    #[cfg(target_arch = "x86_64")]
    Multiply(&'static x86::Keys),
    /// These and SSE4.2's CRC-32C instruction, each for a part of the bytes.
    #[cfg(target_arch = "x86_64")]
    MultiplyAndCrc32c,
    /// All is left to the library.
    Library,
}

impl Kernel {
    /// The fastest kernel of this processor for a CRC.
    ///
    /// # Panics
    /// If the algorithm is no CRC.
    pub(crate) fn detect(algorithm: Algorithm) -> Kernel {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512vl") {
            // The library's kernels are as fast or faster.
            return Kernel(Instructions::Library);
        }
        Kernel::available(algorithm).next().expect("the library is always among them")
    }

    /// Every kernel this processor can run for a CRC, fastest first and the library last.
    ///
    /// # Panics
    /// If the algorithm is no CRC.
    pub(crate) fn available(algorithm: Algorithm) -> impl Iterator<Item = Kernel> {
        assert!(algorithm.is_crc(), "{} is no CRC", algorithm.name());
        [
            #[cfg(target_arch = "x86_64")]
            (has_multiply() && has_crc32c(algorithm)).then_some(Instructions::MultiplyAndCrc32c),
            #[cfg(target_arch = "x86_64")]
            has_multiply().then(|| Instructions::Multiply(x86::Keys::of(algorithm))),
            Some(Instructions::Library),
        ]
        .into_iter()
        .flatten()
        .map(Kernel)
    }

    /// Takes whole blocks from the front of `bytes`. Gives what a CRC that begins with the state 0 must take in
    /// to have the state that it would have had after them from `state`, and the bytes that are left: fewer than a
    /// block. `None` if they are too few, or are better left to the library.
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "only the library is there"))]
    pub(crate) fn fold(self, state: u64, bytes: &[u8]) -> Option<([u8; BLOCK], &[u8])> {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        match self.0 {
            _ if bytes.len() < LEN_MIN => None,
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `available` makes such a kernel only on a processor that has AVX2 and VPCLMULQDQ.
            Instructions::Multiply(keys) => Some((unsafe { x86::fold(keys, state, blocks) }, rest)),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `available` makes such a kernel only on a processor that has these and SSE4.2.
            Instructions::MultiplyAndCrc32c => Some((unsafe { x86::fold_crc32c(state, blocks) }, rest)),
            Instructions::Library => None,
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_multiply() -> bool {
    is_x86_feature_detected!("vpclmulqdq") && is_x86_feature_detected!("avx2")
}

#[cfg(target_arch = "x86_64")]
fn has_crc32c(algorithm: Algorithm) -> bool {
    algorithm == Algorithm::Crc32c && is_x86_feature_detected!("sse4.2")
}
