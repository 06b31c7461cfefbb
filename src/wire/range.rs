//! Byte ranges: the `Range` header of a read, and `x-amz-copy-source-range`, which is stricter.

/// What a `Range` header asks of a body of known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// 200 and everything: no header, or one that S3 ignores.
    Whole,
    /// 206 and the bytes `first..=last`; `first <= last < length`.
    Part { first: u64, last: u64 },
    /// 416.
    Unsatisfiable,
}

impl Range {
    /// Reads a header against a length of `len` bytes. Several ranges, other units and garbage are ignored, as AWS
    /// does, rather than refused.
    pub fn parse(header: &str, len: u64) -> Range {
        let Some(spec) = strip_unit(header) else { return Range::Whole };
        let Some((first, last)) = spec.split_once('-') else { return Range::Whole };
        match (digits(first), digits(last)) {
            (Some(first), Some(last)) if first > last => Range::Whole,
            (Some(first), _) if !last.is_empty() && digits(last).is_none() || first >= len => {
                if last.is_empty() || digits(last).is_some() { Range::Unsatisfiable } else { Range::Whole }
            }
            (Some(first), last) => Range::Part { first, last: last.unwrap_or(u64::MAX).min(len - 1) },
            (None, Some(suffix_len)) if first.is_empty() => Range::suffix(suffix_len, len),
            _ => Range::Whole,
        }
    }

    /// The last `suffix_len` bytes. Of an empty body they are the whole of it, which is no error on AWS.
    fn suffix(suffix_len: u64, len: u64) -> Range {
        match (suffix_len, len) {
            (0, _) => Range::Unsatisfiable,
            (_, 0) => Range::Whole,
            _ => Range::Part { first: len.saturating_sub(suffix_len), last: len - 1 },
        }
    }
}

/// `bytes 0-9/100`, for `Content-Range`.
pub fn content_range(first: u64, last: u64, len: u64) -> String {
    format!("bytes {first}-{last}/{len}")
}

/// `bytes */100`, for the `Content-Range` of a 416.
pub fn content_range_unsatisfiable(len: u64) -> String {
    format!("bytes */{len}")
}

/// `x-amz-copy-source-range`: `bytes=first-last`, both given, `first <= last`. Whether the source is that long is
/// judged where its length is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyRange {
    pub first: u64,
    pub last: u64,
}

impl CopyRange {
    /// `None` if the value has any other form: S3 neither ignores nor clamps it.
    pub fn parse(header: &str) -> Option<CopyRange> {
        let (first, last) = strip_unit(header)?.split_once('-')?;
        let range = CopyRange { first: digits(first)?, last: digits(last)? };
        (range.first <= range.last).then_some(range)
    }

    /// How many bytes; saturates for the range of all 2^64.
    pub fn len(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// Never true: both ends are included.
    pub fn is_empty(&self) -> bool {
        false
    }
}

fn strip_unit(header: &str) -> Option<&str> {
    let (unit, spec) = header.trim_ascii().split_once('=')?;
    unit.eq_ignore_ascii_case("bytes").then_some(spec)
}

/// Digits alone; a number beyond 2^64 is as good as the largest.
fn digits(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0u64, |value, byte| match byte {
        b'0'..=b'9' => Some(value.saturating_mul(10).saturating_add(u64::from(byte - b'0'))),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::Range::{Unsatisfiable, Whole};
    use super::*;

    fn part(first: u64, last: u64) -> Range {
        Range::Part { first, last }
    }

    #[test]
    fn reads_ranges_as_s3_does() {
        let huge = "99999999999999999999999999";
        for (header, len, expected) in [
            ("bytes=0-9", 100, part(0, 9)),
            ("bytes=90-200", 100, part(90, 99)),
            ("bytes=99-99", 100, part(99, 99)),
            ("bytes=10-", 100, part(10, 99)),
            ("bytes=-10", 100, part(90, 99)),
            ("bytes=-1000", 100, part(0, 99)),
            ("bytes=00-01", 100, part(0, 1)),
            ("BYTES=0-1", 100, part(0, 1)),
            (&format!("bytes=5-{huge}"), 100, part(5, 99)),
            (&format!("bytes=-{huge}"), 100, part(0, 99)),
            (&format!("bytes={huge}-"), 100, Unsatisfiable),
            (&format!("bytes={huge}-{huge}"), 100, Unsatisfiable),
            ("bytes=-5", 0, Whole),
            ("bytes=-0", 100, Unsatisfiable),
            ("bytes=-0", 0, Unsatisfiable),
            ("bytes=0-", 0, Unsatisfiable),
            ("bytes=0-0", 0, Unsatisfiable),
            ("bytes=100-", 100, Unsatisfiable),
            ("bytes=100-200", 100, Unsatisfiable),
            ("bytes=0-1,3-4", 100, Whole),
            ("bytes=200-x", 100, Whole),
            ("items=0-1", 100, Whole),
            ("bytes=5-3", 100, Whole),
            ("bytes=500-300", 100, Whole),
            ("bytes= 0-1", 100, Whole),
            ("bytes=0 -1", 100, Whole),
            ("bytes=", 100, Whole),
            ("bytes=-", 100, Whole),
            ("bytes=--1", 100, Whole),
            ("bytes=+1-2", 100, Whole),
            ("bytes", 100, Whole),
            ("", 100, Whole),
            ("0-1", 100, Whole),
        ] {
            assert_eq!(Range::parse(header, len), expected, "{header} of {len}");
        }
        assert_eq!(content_range(0, 9, 100), "bytes 0-9/100");
        assert_eq!(content_range_unsatisfiable(7), "bytes */7");
    }

    #[test]
    fn copy_ranges_must_give_both_ends() {
        assert_eq!(CopyRange::parse("bytes=0-9"), Some(CopyRange { first: 0, last: 9 }));
        assert_eq!(CopyRange::parse("bytes=5-5").map(|range| range.len()), Some(1));
        for header in
            ["bytes=0-", "bytes=-5", "0-9", "bytes=9-0", "bytes=0-1,3-4", "bytes=a-b", "bytes 0-9", ""]
        {
            assert_eq!(CopyRange::parse(header), None, "{header}");
        }
    }
}
