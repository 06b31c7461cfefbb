//! MD5 of one stream in the processor's ordinary registers, for every processor.

use std::hint::black_box;

use super::rounds::{K, rounds};
use crate::md5::{BLOCK, State};

/// Takes whole blocks into the state; what fills no block is left out.
pub(crate) fn compress(state: &mut State, bytes: &[u8]) {
    let k = black_box(&K);
    for block in bytes.as_chunks::<BLOCK>().0 {
        let mut words = [0; 16];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        let stepped = steps(*state, &words, k);
        for (word, stepped) in state.iter_mut().zip(stepped) {
            *word = word.wrapping_add(stepped);
        }
    }
}

#[inline]
fn steps([mut a, mut b, mut c, mut d]: State, m: &[u32; 16], k: &[u32; 64]) -> State {
    macro_rules! step {
        ($f:ident, $a:ident, $b:ident, $c:ident, $d:ident, $s:literal, $k:expr, $m:literal) => {
            let early = m[$m].wrapping_add(k[$k]).wrapping_add($a);
            $a = $f(early, $b, $c, $d).rotate_left($s).wrapping_add($b);
        };
    }
    rounds!(step, a, b, c, d);
    [a, b, c, d]
}

// The round functions, added to what came early. `b` came last and enters last.

#[inline]
fn f(early: u32, b: u32, c: u32, d: u32) -> u32 {
    early.wrapping_add((c ^ d) & b ^ d)
}

/// Its two halves have no bit in common, so they may be added one after the other: the first one early.
#[inline]
fn g(early: u32, b: u32, c: u32, d: u32) -> u32 {
    early.wrapping_add(!d & c).wrapping_add(d & b)
}

#[inline]
fn h(early: u32, b: u32, c: u32, d: u32) -> u32 {
    early.wrapping_add(c ^ d ^ b)
}

#[inline]
fn i(early: u32, b: u32, c: u32, d: u32) -> u32 {
    early.wrapping_add((!d | b) ^ c)
}
