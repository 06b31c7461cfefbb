//! Folding with VPCLMULQDQ, after Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ
//! Instruction" (Intel, 2009), in registers of 256 bits.
//!
//! 16 bytes of a message, as a polynomial `A`, may be replaced by `A * x^D` modulo the CRC's polynomial added to
//! the 16 bytes that lie D bits behind them. Two multiplications do that, one for each half of `A`, whose products have
//! 128 bits and are not reduced. So all blocks of a message are folded into its last one.
//!
//! For CRC-32C there is an instruction that takes as many bytes in the same time, and other parts of the processor
//! carry it out: each takes half of a segment, and both halves are done in the time of one.

use std::arch::x86_64::{
    __m256i, _mm_clmulepi64_si128, _mm_crc32_u64, _mm_cvtsi64_si128, _mm_cvtsi128_si64,
    _mm256_clmulepi64_epi128, _mm256_loadu_si256, _mm256_set_epi64x, _mm256_setzero_si256,
    _mm256_storeu_si256, _mm256_xor_si256,
};

use super::BLOCK;
use crate::Algorithm;
use crate::polynomial::{CRC32, CRC32C, CRC64NVME, Polynomial};

/// Registers of a block. Folding one depends on the one before it: so many hide the latency.
const REGISTERS: usize = BLOCK / 32;

/// What the halves of 16 bytes are multiplied by to move them on by some distance.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keys {
    low: u64,
    high: u64,
}

static CRC32_BLOCK: Keys = Keys::over(&CRC32, BLOCK);
static CRC32C_BLOCK: Keys = Keys::over(&CRC32C, BLOCK);
static CRC64NVME_BLOCK: Keys = Keys::over(&CRC64NVME, BLOCK);

impl Keys {
    /// Those of a CRC's blocks.
    pub(super) fn of(algorithm: Algorithm) -> &'static Keys {
        match algorithm {
            Algorithm::Crc32 => &CRC32_BLOCK,
            Algorithm::Crc32c => &CRC32C_BLOCK,
            Algorithm::Crc64Nvme => &CRC64NVME_BLOCK,
            other => panic!("{} is no CRC", other.name()),
        }
    }

    /// For a distance in bytes. The first half of 16 bytes stands for powers that are higher by 64. Multiplying two
    /// reflected polynomials of 64 coefficients gives one of 127 in the low bits of 128, which is to say times x: so
    /// the keys are a power lower.
    const fn over(polynomial: &Polynomial, distance: usize) -> Keys {
        let to_high_bits = 64 - polynomial.width;
        Keys {
            low: polynomial.power(8 * distance + 64 - 1) << to_high_bits,
            high: polynomial.power(8 * distance - 1) << to_high_bits,
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(&self) -> __m256i {
        let (low, high) = (self.low.cast_signed(), self.high.cast_signed());
        _mm256_set_epi64x(high, low, high, low)
    }
}

/// Folds blocks into one: a message that a CRC takes from the state 0 to where they take it from `state`.
///
/// # Panics
/// If there is no block.
#[target_feature(enable = "avx2,vpclmulqdq")]
pub(super) fn fold(keys: &Keys, state: u64, blocks: &[[u8; BLOCK]]) -> [u8; BLOCK] {
    let keys = keys.load();
    // Nothing, moved by any distance, is nothing.
    fold_on([_mm256_setzero_si256(); REGISTERS], keys, keys, state, blocks)
}

/// The same with something already folded that is to be moved into the first block by keys of its own; `state` is that
/// before the first block.
#[target_feature(enable = "avx2,vpclmulqdq")]
#[inline]
fn fold_on(
    mut folded: [__m256i; REGISTERS],
    to_first: __m256i,
    keys: __m256i,
    state: u64,
    blocks: &[[u8; BLOCK]],
) -> [u8; BLOCK] {
    let (first, others) = blocks.split_first().expect("at least one block");
    folded = fold_block(folded, to_first, first);
    folded[0] = add_state(folded[0], state);
    for block in others {
        folded = fold_block(folded, keys, block);
    }
    let mut bytes = [0; BLOCK];
    for (bytes, register) in bytes.as_chunks_mut::<32>().0.iter_mut().zip(folded) {
        // SAFETY: the array has the 32 bytes of the register, and the store needs no alignment.
        unsafe { _mm256_storeu_si256((&raw mut *bytes).cast(), register) };
    }
    bytes
}

/// Moves what is folded into the next block.
#[target_feature(enable = "avx2,vpclmulqdq")]
#[inline]
fn fold_block(mut folded: [__m256i; REGISTERS], keys: __m256i, block: &[u8; BLOCK]) -> [__m256i; REGISTERS] {
    for (register, bytes) in folded.iter_mut().zip(block.as_chunks::<32>().0) {
        // SAFETY: the array has the 32 bytes of the register, and the load needs no alignment.
        let next = unsafe { _mm256_loadu_si256((&raw const *bytes).cast()) };
        let low = _mm256_clmulepi64_epi128::<0x00>(*register, keys);
        let high = _mm256_clmulepi64_epi128::<0x11>(*register, keys);
        *register = _mm256_xor_si256(_mm256_xor_si256(low, next), high);
    }
    folded
}

/// Adds the state of a CRC to the first bytes of what follows, which is what a CRC is begun with.
#[target_feature(enable = "avx2")]
#[inline]
fn add_state(first: __m256i, state: u64) -> __m256i {
    _mm256_xor_si256(first, _mm256_set_epi64x(0, 0, 0, state.cast_signed()))
}

/// A segment: so many blocks that are folded, then three stretches for the instruction, each with as many groups of
/// words as there are blocks. Three, because its result comes after three cycles and another can begin in each.
/// Ten segments and a little fill the gateway's blocks of 256 KiB. Of bytes that are in no cache, segments of half
/// the length take a tenth longer: the four streams are too close together to be fetched early.
const ROUNDS: usize = 96;
const GROUP: usize = 8 * 6;
const STRETCH: usize = ROUNDS * GROUP;
pub(super) const SEGMENT: usize = ROUNDS * BLOCK + 3 * STRETCH;
const SEGMENT_BLOCKS: usize = SEGMENT / BLOCK;

/// For what is folded in a segment's last block: into the block behind the segment.
static CRC32C_BEHIND: Keys = Keys::over(&CRC32C, BLOCK + 3 * STRETCH);
/// For the CRC of a stretch: behind one more, and behind two.
static ONE_STRETCH: u64 = crc32c_key(STRETCH);
static TWO_STRETCHES: u64 = crc32c_key(2 * STRETCH);

/// What a CRC-32C is multiplied by to be moved on by a distance in bytes: a power lower by 1 because reflected, and by
/// 32 because the instruction, which divides the product, first moves it on by its own length.
const fn crc32c_key(distance: usize) -> u64 {
    CRC32C.power(8 * distance - 33)
}

/// [`fold`] for CRC-32C.
///
/// # Panics
/// If there is no block.
#[target_feature(enable = "avx2,vpclmulqdq,sse4.2")]
pub(super) fn fold_crc32c(mut state: u64, mut blocks: &[[u8; BLOCK]]) -> [u8; BLOCK] {
    let (keys, behind) = (CRC32C_BLOCK.load(), CRC32C_BEHIND.load());
    let mut folded = [_mm256_setzero_si256(); REGISTERS];
    // At least one block is left to fold everything into.
    while let Some((segment, others)) = blocks.split_at_checked(SEGMENT_BLOCKS)
        && !others.is_empty()
    {
        (folded, state) = fold_segment(folded, behind, keys, state, segment);
        blocks = others;
    }
    fold_on(folded, behind, keys, state, blocks)
}

/// Folds one segment's blocks, and gives the CRC of its stretches beside them.
#[target_feature(enable = "avx2,vpclmulqdq,sse4.2")]
#[inline]
fn fold_segment(
    mut folded: [__m256i; REGISTERS],
    mut keys: __m256i,
    keys_of_others: __m256i,
    mut state: u64,
    segment: &[[u8; BLOCK]],
) -> ([__m256i; REGISTERS], u64) {
    let (blocks, stretches) = segment.split_at(ROUNDS);
    let groups = stretches.as_flattened().as_chunks::<GROUP>().0;
    let (first, others) = groups.split_at(ROUNDS);
    let (second, third) = others.split_at(ROUNDS);
    let mut crcs = [0; 3];
    for (((block, first), second), third) in blocks.iter().zip(first).zip(second).zip(third) {
        folded = fold_block(folded, keys, block);
        folded[0] = add_state(folded[0], state);
        (keys, state) = (keys_of_others, 0);
        for words in first.as_chunks().0.iter().zip(second.as_chunks().0).zip(third.as_chunks().0) {
            let ((first, second), third) = words;
            crcs[0] = _mm_crc32_u64(crcs[0], u64::from_le_bytes(*first));
            crcs[1] = _mm_crc32_u64(crcs[1], u64::from_le_bytes(*second));
            crcs[2] = _mm_crc32_u64(crcs[2], u64::from_le_bytes(*third));
        }
    }
    (folded, move_on(crcs[0], TWO_STRETCHES) ^ move_on(crcs[1], ONE_STRETCH) ^ crcs[2])
}

/// A CRC-32C as it is after zeros, by the key for their number.
#[target_feature(enable = "avx2,vpclmulqdq,sse4.2")]
#[inline]
fn move_on(crc: u64, key: u64) -> u64 {
    let (crc, key) = (_mm_cvtsi64_si128(crc.cast_signed()), _mm_cvtsi64_si128(key.cast_signed()));
    let product = _mm_cvtsi128_si64(_mm_clmulepi64_si128::<0x00>(crc, key));
    _mm_crc32_u64(0, product.cast_unsigned())
}
