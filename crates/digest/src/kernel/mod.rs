//! What needs certain instructions of the processor: the compression function of MD5 for up to sixteen streams at
//! once, which is here, and the CRCs' kernels in [`crc`].

pub(crate) mod crc;
pub(crate) mod portable;
mod rounds;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::md5::{BLOCK, State};

/// Most streams a kernel takes at once.
pub(crate) const LANES_MAX: usize = 16;

/// A set of instructions to compress with; only one that this processor has can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kernel(Instructions);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// One stream after the other, on any processor.
    Portable,
}

impl Kernel {
    /// The fastest kernel of this processor.
    pub(crate) fn detect() -> Kernel {
        Kernel::available()[0]
    }

    /// Every kernel this processor can run, fastest first; the portable one is always among them.
    pub(crate) fn available() -> Vec<Kernel> {
        let mut available = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                available.push(Kernel(Instructions::Avx512));
            }
            if is_x86_feature_detected!("avx2") {
                available.push(Kernel(Instructions::Avx2));
            }
        }
        available.push(Kernel(Instructions::Portable));
        available
    }

    /// Takes `inputs[i]` into `states[i]`, for one to sixteen streams.
    ///
    /// # Panics
    /// Unless there are as many inputs as states and all inputs have the same length, a multiple of a block.
    pub(crate) fn compress(self, states: &mut [State], inputs: &[&[u8]]) {
        let len = inputs[0].len();
        assert!(inputs.len() == states.len() && states.len() <= LANES_MAX, "an input a stream");
        assert!(
            len.is_multiple_of(BLOCK) && inputs.iter().all(|input| input.len() == len),
            "equal whole blocks"
        );
        match (self.0, states.len()) {
            // Alone, a stream is faster in the processor's ordinary registers.
            (_, 1) => one_by_one(states, inputs),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `available` makes such a kernel only on a processor that has AVX-512F and AVX-512VL.
            (Instructions::Avx512, ..=x86::WIDTH) => unsafe { x86::avx512::compress::<1>(states, inputs) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the same.
            (Instructions::Avx512, _) => unsafe { x86::avx512::compress::<2>(states, inputs) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `available` makes such a kernel only on a processor that has AVX2.
            (Instructions::Avx2, ..=x86::WIDTH) => unsafe { x86::avx2::compress::<1>(states, inputs) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the same.
            (Instructions::Avx2, _) => unsafe { x86::avx2::compress::<2>(states, inputs) },
            (Instructions::Portable, _) => one_by_one(states, inputs),
        }
    }
}

fn one_by_one(states: &mut [State], inputs: &[&[u8]]) {
    for (state, input) in states.iter_mut().zip(inputs) {
        portable::compress(state, input);
    }
}
