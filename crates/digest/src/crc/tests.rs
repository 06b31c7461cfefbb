//! Each CRC with each kernel that this processor has, against `crc-fast` and against division bit by bit.

use crc_fast::CrcAlgorithm;

use super::Crc;
use crate::kernel::crc::Kernel;
use crate::tests::noise;
use crate::{Algorithm, Digest, combine};

const CRCS: [(Algorithm, CrcAlgorithm); 3] = [
    (Algorithm::Crc32, CrcAlgorithm::Crc32IsoHdlc),
    (Algorithm::Crc32c, CrcAlgorithm::Crc32Iscsi),
    (Algorithm::Crc64Nvme, CrcAlgorithm::Crc64Nvme),
];

/// Longer than several steps of any kernel.
const LONG: usize = 100_000;

/// Calls the test with each CRC and each kernel for it.
fn for_each_kernel(test: impl Fn(Algorithm, CrcAlgorithm, Kernel)) {
    for (algorithm, library) in CRCS {
        Kernel::available(algorithm).for_each(|kernel| test(algorithm, library, kernel));
    }
}

fn crc(algorithm: Algorithm, kernel: Kernel, bytes: &[u8]) -> u64 {
    let mut crc = Crc::with_kernel(algorithm, kernel);
    crc.update(bytes);
    crc.finish()
}

#[test]
fn chooses_a_kernel_that_the_processor_has() {
    for (algorithm, _) in CRCS {
        let chosen = Kernel::detect(algorithm);
        assert!(Kernel::available(algorithm).any(|kernel| kernel == chosen), "{chosen:?}");
    }
}

#[test]
fn agrees_at_every_length_and_alignment() {
    let bytes = noise(64 + 2048);
    for_each_kernel(|algorithm, library, kernel| {
        for start in 0..64 {
            for len in 0..=2048 {
                let bytes = &bytes[start..start + len];
                let expected = crc_fast::checksum(library, bytes);
                assert_eq!(crc(algorithm, kernel, bytes), expected, "{kernel:?}: {len} bytes at {start}");
            }
        }
    });
}

#[test]
fn agrees_at_long_lengths() {
    let bytes = noise(LONG);
    for_each_kernel(|algorithm, library, kernel| {
        // 97 is odd, so any number of bytes is left of whatever blocks a kernel takes.
        for len in (0..LONG).step_by(97) {
            let expected = crc_fast::checksum(library, &bytes[..len]);
            assert_eq!(crc(algorithm, kernel, &bytes[..len]), expected, "{kernel:?}: {len} bytes");
        }
    });
}

#[test]
fn is_what_division_bit_by_bit_leaves() {
    let bytes = noise(LONG);
    for_each_kernel(|algorithm, _, kernel| {
        let (polynomial, ones) = match algorithm {
            Algorithm::Crc32 => (0xEDB8_8320, 0xFFFF_FFFF),
            Algorithm::Crc32c => (0x82F6_3B78, 0xFFFF_FFFF),
            _ => (0x9A6C_9329_AC4B_C9B5, u64::MAX),
        };
        let mut state: u64 = ones;
        for byte in &bytes {
            state ^= u64::from(*byte);
            for _ in 0..8 {
                state = state >> 1 ^ if state & 1 != 0 { polynomial } else { 0 };
            }
        }
        assert_eq!(crc(algorithm, kernel, &bytes), state ^ ones, "{kernel:?}");
    });
}

#[test]
fn does_not_care_how_a_stream_is_cut() {
    let (bytes, random) = (noise(LONG), noise(4000));
    for_each_kernel(|algorithm, library, kernel| {
        let expected = crc_fast::checksum(library, &bytes);
        for cuts in random.chunks(200) {
            let (mut crc, mut rest) = (Crc::with_kernel(algorithm, kernel), &bytes[..]);
            for cut in cuts.as_chunks().0 {
                // Mostly short, sometimes half of the stream.
                let len = usize::from(u16::from_le_bytes(*cut)) >> (cut[0] % 12);
                let (piece, others) = rest.split_at(len.min(rest.len()));
                crc.update(piece);
                rest = others;
            }
            crc.update(rest);
            assert_eq!(crc.finish(), expected, "{kernel:?}: {cuts:?}");
        }
    });
}

#[test]
fn combines_at_any_cut() {
    let bytes = noise(LONG);
    for_each_kernel(|algorithm, library, kernel| {
        let digest = |crc: u64| Digest::new(&crc.to_be_bytes()[8 - algorithm.digest_len()..]);
        for cut in (0..LONG).step_by(9973) {
            let (first, second) = bytes.split_at(cut);
            let [first, second_crc] = [first, second].map(|bytes| digest(crc(algorithm, kernel, bytes)));
            let joined = combine(algorithm, &first, &second_crc, second.len() as u64);
            assert_eq!(joined, digest(crc_fast::checksum(library, &bytes)), "{kernel:?}: cut at {cut}");
        }
    });
}

#[test]
#[should_panic(expected = "SHA1 is no CRC")]
fn refuses_what_is_no_crc() {
    Crc::new(Algorithm::Sha1);
}
