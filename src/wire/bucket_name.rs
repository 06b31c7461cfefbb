//! Which names a bucket may have.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>

const LEN_MIN: usize = 3;
const LEN_MAX: usize = 63;

/// Prefixes and suffixes that S3 keeps for itself: access point aliases, directory and table buckets, and so on.
const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES: [&str; 6] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an"];

/// Whether `name` follows the rules of S3 for general purpose buckets.
pub fn is_valid(name: &str) -> bool {
    let is_edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    (LEN_MIN..=LEN_MAX).contains(&bytes.len())
        && bytes.iter().all(|byte| is_edge(byte) || matches!(byte, b'-' | b'.'))
        && bytes.first().is_some_and(is_edge)
        && bytes.last().is_some_and(is_edge)
        && !["..", ".-", "-."].iter().any(|pair| name.contains(pair))
        && !is_address(name)
        && !RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && !RESERVED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Four groups of digits: what a resolver would take for an IPv4 address.
fn is_address(name: &str) -> bool {
    let is_group =
        |group: &str| (1..=3).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_digit());
    name.split('.').count() == 4 && name.split('.').all(is_group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_rules_of_s3() {
        let longest = "a".repeat(63);
        for name in ["abc", "my-bucket.v2", "0-0", "a.b.c", "1.2.3", "192.168.0.1a", "xn-a", &longest] {
            assert!(is_valid(name), "{name}");
        }
        let too_long = "a".repeat(64);
        for name in [
            "",
            "ab",
            &too_long,
            "Abc",
            "a_b",
            "a b",
            "-abc",
            "abc-",
            ".abc",
            "abc.",
            "a..b",
            "a.-b",
            "a-.b",
            "192.168.0.1",
            "999.1.1.1",
            "xn--abc",
            "sthree-abc",
            "amzn-s3-demo-abc",
            "abc-s3alias",
            "abc--ol-s3",
            "abc.mrap",
            "abc--x-s3",
            "abc--table-s3",
            "abc-an",
            "_",
            "bücket",
            "a/b",
            "abc\n",
        ] {
            assert!(!is_valid(name), "{name}");
        }
    }
}
