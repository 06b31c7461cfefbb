//! The compression function of MD5 for up to sixteen streams at once.

use crate::md5::{self, BLOCK, State};

/// Most streams a kernel takes at once.
pub(crate) const LANES_MAX: usize = 16;

/// A set of instructions to compress with; only one that this processor has can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kernel(Instructions);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instructions {
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
        vec![Kernel(Instructions::Portable)]
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
        match self.0 {
            Instructions::Portable => portable(states, inputs),
        }
    }
}

fn portable(states: &mut [State], inputs: &[&[u8]]) {
    for (state, input) in states.iter_mut().zip(inputs) {
        md5::compress(state, input);
    }
}
