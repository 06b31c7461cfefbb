//! MD5 in 256-bit registers: each holds one word of eight streams. With AVX2, and with AVX-512's instructions on
//! registers of that width, which rotate in one instruction and compute any function of three words in another.
//!
//! A stream's steps depend on each other, so the time of a block is the latency of 64 steps however many lanes
//! there are; two groups of eight, step by step in turns, take hardly longer than one. Registers of 512 bits were
//! slower up to sixteen streams, and four lanes in 128 bits take as long as eight.

use std::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm256_add_epi32, _mm256_castsi128_si256, _mm256_inserti128_si256,
    _mm256_loadu_si256, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_storeu_si256, _mm256_unpackhi_epi32,
    _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
};
use std::array;
use std::hint::black_box;

use super::rounds::{K, rounds};
use crate::md5::{BLOCK, State};

/// Streams in a register.
pub(super) const WIDTH: usize = 8;

/// One word of eight streams.
type Word = __m256i;

/// Where the inputs of a group of lanes begin; a lane without a stream reads that of the first one.
fn starts(inputs: &[&[u8]], group: usize) -> [*const u8; WIDTH] {
    array::from_fn(|lane| inputs.get(WIDTH * group + lane).unwrap_or(&inputs[0]).as_ptr())
}

/// Word `index` of the states of a group's streams, zero in a lane without one.
#[target_feature(enable = "avx2")]
fn gather(states: &[State], group: usize, index: usize) -> Word {
    let mut values = [0_u32; WIDTH];
    for (value, state) in values.iter_mut().zip(states.iter().skip(WIDTH * group)) {
        *value = state[index];
    }
    // SAFETY: the array has the 32 bytes of the register, and the load needs no alignment.
    unsafe { _mm256_loadu_si256((&raw const values).cast()) }
}

/// The reverse of [`gather`].
#[target_feature(enable = "avx2")]
fn scatter(word: Word, states: &mut [State], group: usize, index: usize) {
    let mut values = [0_u32; WIDTH];
    // SAFETY: the array has the 32 bytes of the register, and the store needs no alignment.
    unsafe { _mm256_storeu_si256((&raw mut values).cast(), word) };
    for (state, value) in states.iter_mut().skip(WIDTH * group).zip(values) {
        state[index] = value;
    }
}

/// The sixteen words of a block of each of eight streams.
///
/// # Safety
/// From `offset` behind each start, a block must be readable.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn load_blocks(starts: &[*const u8; WIDTH], offset: usize) -> [Word; 16] {
    let mut words = [_mm256_setzero_si256(); 16];
    for quarter in 0..4 {
        let mut rows = [_mm256_setzero_si256(); 4];
        for (lane, row) in rows.iter_mut().enumerate() {
            // Four words each of two lanes.
            // SAFETY: the caller's promise; a quarter of a block is 16 bytes, and the loads need no alignment.
            *row = unsafe {
                let low = _mm_loadu_si128(starts[lane].add(offset + 16 * quarter).cast());
                let high = _mm_loadu_si128(starts[lane + 4].add(offset + 16 * quarter).cast());
                _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
            };
        }
        // Two transpositions of four by four, side by side.
        let (low01, high01) =
            (_mm256_unpacklo_epi32(rows[0], rows[1]), _mm256_unpackhi_epi32(rows[0], rows[1]));
        let (low23, high23) =
            (_mm256_unpacklo_epi32(rows[2], rows[3]), _mm256_unpackhi_epi32(rows[2], rows[3]));
        words[4 * quarter] = _mm256_unpacklo_epi64(low01, low23);
        words[4 * quarter + 1] = _mm256_unpackhi_epi64(low01, low23);
        words[4 * quarter + 2] = _mm256_unpacklo_epi64(high01, high23);
        words[4 * quarter + 3] = _mm256_unpackhi_epi64(high01, high23);
    }
    words
}

/// The compression function with the round functions and the rotation of one instruction set. A macro, because
/// such functions are inlined only where the same instructions are allowed.
macro_rules! compress {
    ($features:literal) => {
        /// Takes `inputs[i]` into `states[i]`, for up to eight streams a group.
        ///
        /// # Panics
        /// Unless there are as many inputs as states, all of the same length, a multiple of a block.
        #[target_feature(enable = $features)]
        pub(in crate::kernel) fn compress<const GROUPS: usize>(states: &mut [State], inputs: &[&[u8]]) {
            let len = inputs[0].len();
            assert!(states.len() == inputs.len() && states.len() <= WIDTH * GROUPS, "an input a stream");
            assert!(len % BLOCK == 0 && inputs.iter().all(|input| input.len() == len), "equal whole blocks");
            let starts: [_; GROUPS] = array::from_fn(|group| starts(inputs, group));
            let k = black_box(&K);
            let mut words = [[_mm256_setzero_si256(); GROUPS]; 4];
            for (index, groups) in words.iter_mut().enumerate() {
                for (group, word) in groups.iter_mut().enumerate() {
                    *word = gather(states, group, index);
                }
            }
            for offset in (0..len).step_by(BLOCK) {
                let mut blocks = [[_mm256_setzero_si256(); 16]; GROUPS];
                for (block, starts) in blocks.iter_mut().zip(&starts) {
                    // SAFETY: all inputs have `len` bytes, and `offset` is at least a block before the end.
                    *block = unsafe { load_blocks(starts, offset) };
                }
                let stepped = steps(words, &blocks, k);
                for (groups, stepped) in words.iter_mut().zip(stepped) {
                    for (word, stepped) in groups.iter_mut().zip(stepped) {
                        *word = _mm256_add_epi32(*word, stepped);
                    }
                }
            }
            for (index, groups) in words.into_iter().enumerate() {
                for (group, word) in groups.into_iter().enumerate() {
                    scatter(word, states, group, index);
                }
            }
        }

        /// The 64 steps of a block, the groups in turns (RFC 1321, 3.4).
        #[target_feature(enable = $features)]
        #[inline]
        fn steps<const GROUPS: usize>(
            words: [[Word; GROUPS]; 4],
            m: &[[Word; 16]; GROUPS],
            k: &[u32; 64],
        ) -> [[Word; GROUPS]; 4] {
            let [mut a, mut b, mut c, mut d] = words;
            macro_rules! step {
                ($f:ident, $a:ident, $b:ident, $c:ident, $d:ident, $s:literal, $k:expr, $m:literal) => {
                    for g in 0..GROUPS {
                        let early = _mm256_add_epi32(m[g][$m], _mm256_set1_epi32(k[$k].cast_signed()));
                        let early = _mm256_add_epi32(early, $a[g]);
                        let sum = _mm256_add_epi32(early, $f($b[g], $c[g], $d[g]));
                        $a[g] = _mm256_add_epi32(rotate::<$s, { 32 - $s }>(sum), $b[g]);
                    }
                };
            }
            rounds!(step, a, b, c, d);
            [a, b, c, d]
        }
    };
}

/// The kernel for processors with AVX2.
pub(super) mod avx2 {
    use std::arch::x86_64::{
        _mm256_and_si256, _mm256_andnot_si256, _mm256_or_si256, _mm256_slli_epi32, _mm256_srli_epi32,
        _mm256_xor_si256,
    };

    use super::*;

    compress!("avx2");

    #[target_feature(enable = "avx2")]
    #[inline]
    fn f(b: Word, c: Word, d: Word) -> Word {
        _mm256_xor_si256(_mm256_and_si256(_mm256_xor_si256(c, d), b), d)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn g(b: Word, c: Word, d: Word) -> Word {
        _mm256_or_si256(_mm256_and_si256(b, d), _mm256_andnot_si256(d, c))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn h(b: Word, c: Word, d: Word) -> Word {
        _mm256_xor_si256(_mm256_xor_si256(c, d), b)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn i(b: Word, c: Word, d: Word) -> Word {
        let not_d = _mm256_xor_si256(d, _mm256_set1_epi32(-1));
        _mm256_xor_si256(_mm256_or_si256(b, not_d), c)
    }

    /// `RIGHT` is 32 less `LEFT`.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn rotate<const LEFT: i32, const RIGHT: i32>(word: Word) -> Word {
        _mm256_or_si256(_mm256_slli_epi32::<LEFT>(word), _mm256_srli_epi32::<RIGHT>(word))
    }
}

/// The kernel for processors with AVX-512F and AVX-512VL.
pub(super) mod avx512 {
    use std::arch::x86_64::{_mm256_rol_epi32, _mm256_ternarylogic_epi32};

    use super::*;

    compress!("avx512f,avx512vl");

    // The round functions by their truth tables: bit 4x + 2y + z is the value for the bits x, y, z.

    #[target_feature(enable = "avx512f,avx512vl")]
    #[inline]
    fn f(b: Word, c: Word, d: Word) -> Word {
        _mm256_ternarylogic_epi32::<0xCA>(b, c, d)
    }

    #[target_feature(enable = "avx512f,avx512vl")]
    #[inline]
    fn g(b: Word, c: Word, d: Word) -> Word {
        _mm256_ternarylogic_epi32::<0xCA>(d, b, c)
    }

    #[target_feature(enable = "avx512f,avx512vl")]
    #[inline]
    fn h(b: Word, c: Word, d: Word) -> Word {
        _mm256_ternarylogic_epi32::<0x96>(b, c, d)
    }

    #[target_feature(enable = "avx512f,avx512vl")]
    #[inline]
    fn i(b: Word, c: Word, d: Word) -> Word {
        _mm256_ternarylogic_epi32::<0x39>(b, c, d)
    }

    #[target_feature(enable = "avx512f,avx512vl")]
    #[inline]
    fn rotate<const LEFT: i32, const RIGHT: i32>(word: Word) -> Word {
        _mm256_rol_epi32::<LEFT>(word)
    }
}
