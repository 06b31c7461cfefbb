//! Values as people write them: `64MiB`, `7d`, `1KiB/s`. Each refusal says what is allowed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::time::Duration;

use crate::engine::encryption::content_key::KEY_LEN;

const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZE_UNITS: [(&str, u64); 10] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Reads `30s`, `500ms`, `5m`, `2h`, `7d`: a whole number and a unit.
pub fn duration(text: &str) -> Result<Duration, String> {
    let allowed = "allowed: a whole number and one of ms, s, m, h, d, such as 30s or 7d";
    let (number, unit) = split(text).ok_or_else(|| format!("`{text}` is not a duration; {allowed}"))?;
    let (_, unit_ms) = DURATION_UNITS
        .into_iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(|| format!("`{text}` has no unit of time; {allowed}"))?;
    let ms = number.checked_mul(unit_ms).ok_or_else(|| format!("`{text}` is too long; {allowed}"))?;
    Ok(Duration::from_millis(ms))
}

/// Reads `64MiB`, `1GB`, `4096`: a whole number and perhaps a unit. Bytes.
pub fn size(text: &str) -> Result<u64, String> {
    let allowed = "allowed: a whole number of bytes, or one with B, KiB, MiB, GiB, TiB, kB, MB, GB or TB, such as 64MiB";
    let (number, unit) = split(text).ok_or_else(|| format!("`{text}` is not a size; {allowed}"))?;
    let unit = if unit.is_empty() { "B" } else { unit };
    let (_, unit_len) = SIZE_UNITS
        .into_iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(|| format!("`{text}` has no unit of size; {allowed}"))?;
    number.checked_mul(unit_len).ok_or_else(|| format!("`{text}` is too large; {allowed}"))
}

/// Reads 32 bytes in base64. The refusal does not show what was there.
pub fn encryption_key(text: &str) -> Result<[u8; KEY_LEN], String> {
    let decoded = BASE64.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    decoded.ok_or_else(|| {
        "is no key; allowed: 32 bytes in base64, as `openssl rand -base64 32` makes".to_string()
    })
}

/// Reads several keys with blanks or ends of lines between them. A line that begins with `#` is none.
pub fn keys(text: &str) -> Result<Vec<[u8; KEY_LEN]>, String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(str::split_whitespace).map(encryption_key).collect()
}

/// A number and what follows it.
fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_with_a_unit_only() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("500 ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for bad in ["30", "", "s", "-1s", "1.5h", "1w", "99999999999999999999s", "18446744073709551615d"] {
            assert!(duration(bad).unwrap_err().contains("such as 30s"), "{bad}");
        }
    }

    #[test]
    fn reads_keys_and_shows_none() {
        let (one, two) = (BASE64.encode([1; 32]), BASE64.encode([2; 32]));
        assert_eq!(encryption_key(&format!(" {one}\n")), Ok([1; 32]));
        assert_eq!(keys(&format!("# old\n{one}\n\n# new\n{two}\n")), Ok(vec![[1; 32], [2; 32]]));
        assert_eq!(keys(&format!("{one} {two}")), Ok(vec![[1; 32], [2; 32]]));
        assert_eq!(keys("# nothing\n"), Ok(vec![]));
        for bad in ["hunter2", "aHVudGVyMg==", &one[1..]] {
            let error = keys(bad).unwrap_err();
            assert!(error.contains("openssl") && !error.contains(bad), "{error}");
        }
    }

    #[test]
    fn reads_sizes_in_powers_of_two_and_of_ten() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("1 GB"), Ok(1_000_000_000));
        for bad in ["", "MiB", "64Mb", "-1", "1.5GiB", "99999999999TiB"] {
            assert!(size(bad).unwrap_err().contains("such as 64MiB"), "{bad}");
        }
    }
}
