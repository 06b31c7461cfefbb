//! What a kernel leaves; that the CRCs come out right is tested in `crate::crc`.

use super::*;
use crate::tests::noise;

#[test]
fn leaves_less_than_a_block_of_what_it_takes() {
    let bytes = noise(LEN_MIN + 3 * BLOCK);
    let algorithms = Algorithm::ALL.into_iter().filter(|algorithm| algorithm.is_crc());
    for kernel in algorithms.flat_map(Kernel::available) {
        for len in 0..bytes.len() {
            match kernel.fold(0, &bytes[..len]) {
                Some((_, rest)) => assert_eq!(rest, &bytes[len / BLOCK * BLOCK..len], "{kernel:?}"),
                None => assert!(len < LEN_MIN || kernel == Kernel(Instructions::Library), "{kernel:?}"),
            }
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn folds_around_the_end_of_segments() {
    let segment = x86::SEGMENT;
    let bytes = noise(3 * segment + 2 * BLOCK);
    for kernel in Kernel::available(Algorithm::Crc32c) {
        for segments in 1..=3 {
            for len in segments * segment - BLOCK..segments * segment + 2 * BLOCK {
                let mut folded = crc_fast::Digest::new_with_init_state(crc_fast::CrcAlgorithm::Crc32Iscsi, 0);
                let mut whole = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
                whole.update(&bytes[..len]);
                let Some((block, rest)) = kernel.fold(0xFFFF_FFFF, &bytes[..len]) else { continue };
                folded.update(&block);
                folded.update(rest);
                assert_eq!(folded.get_state(), whole.get_state(), "{kernel:?}: {len} bytes");
            }
        }
    }
}
