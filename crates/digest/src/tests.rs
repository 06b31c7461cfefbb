//! Known answers: the catalogue's check values, and the digests S3 gives for three parts of 5 MiB.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const PART_LEN: usize = 5 << 20;

fn base64(digest: &Digest) -> String {
    STANDARD.encode(digest.as_bytes())
}

fn parts() -> [Vec<u8>; 3] {
    [b'A', b'B', b'C'].map(|letter| vec![letter; PART_LEN])
}

/// The checksum of a multipart object of type COMPOSITE: that of its parts' checksums.
fn composite(algorithm: Algorithm) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    for part in parts() {
        hasher.update(digest(algorithm, &part).as_bytes());
    }
    hasher.finish()
}

/// Some bytes that do not repeat: splitmix64 from a fixed seed.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut word = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB) as u8
    };
    (0..len).map(|_| word()).collect()
}

#[test]
fn gives_the_check_value_of_each_algorithm() {
    // Of the ASCII digits 1 to 9; CRCs as in the specification, the others from their reference programs.
    let expected = [
        (Algorithm::Crc32, "cbf43926"),
        (Algorithm::Crc32c, "e3069283"),
        (Algorithm::Crc64Nvme, "ae8b14860a799888"),
        (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
        (Algorithm::XxHash64, "8cb841db40e6ae83"),
    ];
    for (algorithm, hex) in expected {
        assert_eq!(digest(algorithm, b"123456789").to_hex(), hex, "{}", algorithm.name());
    }
    assert_eq!(crc32c(b"123456789"), 0xE306_9283);
}

#[test]
fn gives_the_digest_of_nothing() {
    let expected = [
        (Algorithm::Crc32, "00000000"),
        (Algorithm::Crc32c, "00000000"),
        (Algorithm::Crc64Nvme, "0000000000000000"),
        (Algorithm::Sha1, "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        (Algorithm::Sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (
            Algorithm::Sha512,
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
             47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        ),
        (Algorithm::Md5, "d41d8cd98f00b204e9800998ecf8427e"),
        (Algorithm::XxHash64, "ef46db3751d8e999"),
        (Algorithm::XxHash3, "2d06800538d394c2"),
        (Algorithm::XxHash128, "99aa06d3014798d86001c324468d497f"),
    ];
    assert_eq!(expected.map(|(algorithm, _)| algorithm), Algorithm::ALL);
    for (algorithm, hex) in expected {
        assert_eq!(digest(algorithm, b"").to_hex(), hex, "{}", algorithm.name());
    }
    assert_eq!(base64(&digest(Algorithm::Crc64Nvme, b"")), "AAAAAAAAAAA=");
}

#[test]
fn gives_the_digests_s3_gives_for_small_bodies() {
    assert_eq!(base64(&digest(Algorithm::Crc64Nvme, b"aaa")), "Rnr2/5P7Gsk=");
    let body = [b'A'; 1024];
    assert_eq!(base64(&digest(Algorithm::Sha256, &body)), "arcu6553sHVAiX4MjW0j7I7vD4w6R+Gz9Ok0Q9lTa+0=");
    assert_eq!(base64(&digest(Algorithm::Crc64Nvme, &body)), "Qeh8oXvGiSo=");
}

#[test]
fn gives_the_digests_s3_gives_for_a_multipart_object() {
    let sha256 = [
        "275VF5loJr1YYawit0XSHREhkFXYkkPKGuoK0x9VKxI=",
        "mrHwOfjTL5Zwfj74F05HOQGLdUb7E5szdCbxgUSq6NM=",
        "Vw7oB/nKQ5xWb3hNgbyfkvDiivl+U+/Dft48nfJfDow=",
    ];
    for (part, expected) in parts().iter().zip(sha256) {
        assert_eq!(base64(&digest(Algorithm::Sha256, part)), expected);
    }
    assert_eq!(base64(&composite(Algorithm::Sha256)), "uWBwpe1dxI4Vw8Gf0X9ynOdw/SS6VBzfWm9giiv1sf4=");
    assert_eq!(base64(&composite(Algorithm::Sha1)), "sizjvY4eud3MrcHdZM3cQ/ol39o=");
    // The ETag of a multipart object is made the same way with MD5.
    assert_eq!(composite(Algorithm::Md5).to_hex(), "b2add96cc9702bbf4efb0ccdfc6b7747");
}

#[test]
fn combines_the_crcs_of_parts_into_that_of_the_object() {
    let expected = [
        (Algorithm::Crc64Nvme, "i+6LR0y3eFo="),
        (Algorithm::Crc32, "WgDhBQ=="),
        (Algorithm::Crc32c, "xU+Krw=="),
    ];
    for (algorithm, whole) in expected {
        let start = digest(algorithm, b"");
        let combined = parts().iter().fold(start, |first, part| {
            combine(algorithm, &first, &digest(algorithm, part), part.len() as u64)
        });
        assert_eq!(base64(&combined), whole, "{}", algorithm.name());
        assert_eq!(combined, digest(algorithm, &parts().concat()), "{}", algorithm.name());
    }
}

#[test]
fn combines_crcs_at_any_cut() {
    let bytes = noise(3000);
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.is_crc()) {
        for cut in [0, 1, 2, 3, 63, 64, 1000, 2047, 2048, 2999, 3000] {
            let (first, second) = bytes.split_at(cut);
            let (first, second_crc) = (digest(algorithm, first), digest(algorithm, second));
            let combined = combine(algorithm, &first, &second_crc, second.len() as u64);
            assert_eq!(combined, digest(algorithm, &bytes), "{} cut at {cut}", algorithm.name());
        }
    }
}

#[test]
fn combines_crcs_over_lengths_nobody_could_hash() {
    // Joining (A, B) with C and A with (B, C) must agree, for lengths that use the highest powers too.
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.is_crc()) {
        let [a, b, c] = [b"a", b"b", b"c"].map(|letter| digest(algorithm, letter));
        let (b_len, c_len) = (50_000_000_000_000, (1 << 63) + 12_345);
        let left = combine(algorithm, &combine(algorithm, &a, &b, b_len), &c, c_len);
        let right = combine(algorithm, &a, &combine(algorithm, &b, &c, c_len), b_len + c_len);
        assert_eq!(left, right, "{}", algorithm.name());
    }
}

#[test]
#[should_panic(expected = "SHA256 digests cannot be combined")]
fn refuses_to_combine_what_is_no_crc() {
    let empty = digest(Algorithm::Sha256, b"");
    combine(Algorithm::Sha256, &empty, &empty, 0);
}

#[test]
fn does_not_care_how_a_stream_is_cut() {
    let bytes = noise(4000);
    for algorithm in Algorithm::ALL {
        for step in [1, 7, 63, 64, 65, 128, 1000, 3999] {
            let mut hasher = Hasher::new(algorithm);
            bytes.chunks(step).for_each(|chunk| hasher.update(chunk));
            let (stepped, whole) = (hasher.finish(), digest(algorithm, &bytes));
            assert_eq!(stepped, whole, "{} in steps of {step}", algorithm.name());
            assert_eq!(whole.as_bytes().len(), algorithm.digest_len());
        }
    }
}

#[test]
fn md5_agrees_with_the_reference_at_every_length_around_a_block() {
    use ::md5::Digest as _;
    let bytes = noise(300);
    for len in 0..bytes.len() {
        let expected: [u8; 16] = ::md5::Md5::digest(&bytes[..len]).into();
        assert_eq!(crate::md5(&bytes[..len]), expected, "{len} bytes");
    }
}

#[test]
fn finds_algorithms_by_name_in_any_case() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        assert_eq!(Algorithm::from_name(&algorithm.name().to_lowercase()), Some(algorithm));
    }
    assert_eq!(Algorithm::from_name("Crc64Nvme"), Some(Algorithm::Crc64Nvme));
    for unknown in ["", "CRC", "CRC64", "SHA-256", " SHA1", "CRC32 "] {
        assert_eq!(Algorithm::from_name(unknown), None, "{unknown:?}");
    }
}

#[test]
#[should_panic(expected = "a digest of 65 bytes")]
fn refuses_digests_longer_than_any_algorithm_gives() {
    Digest::new(&[0; 65]);
}
