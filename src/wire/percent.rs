//! Percent-encoding as S3 does it, in paths, queries, listings and copy sources.
//!
//! Decoding happens exactly once: a key that arrives as `%2525` is `%25`. In a path `+` is a plus; in a query it is
//! a space.

use std::borrow::Cow;

/// Why a path or a copy source names no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEscape {
    #[error("% is not followed by two hexadecimal digits")]
    Escape,
    #[error("the decoded bytes are not UTF-8")]
    NotUtf8,
    #[error("the decoded text contains a NUL")]
    Nul,
}

/// Decodes a key, a bucket or a copy source: `+` stays, every escape must be valid, the result is UTF-8 without NUL.
pub fn decode(raw: &[u8]) -> Result<String, BadEscape> {
    let bytes = decode_bytes(raw, false).ok_or(BadEscape::Escape)?;
    if bytes.contains(&0) {
        return Err(BadEscape::Nul);
    }
    String::from_utf8(bytes.into_owned()).map_err(|_| BadEscape::NotUtf8)
}

/// Decodes a name or a value of a query, `+` being a space. A `%` that escapes nothing is taken literally, as
/// browsers do; the result may be any bytes.
pub fn decode_query(raw: &str) -> Cow<'_, [u8]> {
    decode_loosely(raw.as_bytes(), true)
}

/// The same as text, where bytes that are not UTF-8 become U+FFFD.
pub fn decode_query_text(raw: &str) -> Cow<'_, str> {
    match decode_query(raw) {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// The names and values of a raw query, still encoded. A name without `=` has an empty value.
pub fn query_pairs(raw: &str) -> impl Iterator<Item = (&str, &str)> {
    raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Encodes everything but `A-Z a-z 0-9 - . _ ~`: a value in a query, or what SigV4 calls UriEncode.
pub fn encode(text: &[u8]) -> Cow<'_, str> {
    encode_except(text, b"")
}

/// The same with `/` left alone: a path.
pub fn encode_path(text: &[u8]) -> Cow<'_, str> {
    encode_except(text, b"/")
}

/// `encoding-type=url` of the listings. `*` and `/` stay; space is `%20`, because clients decode `+` as well but
/// never differently from it.
pub fn encode_listing(text: &str) -> Cow<'_, str> {
    encode_except(text.as_bytes(), b"/*")
}

/// Brings a raw path into SigV4's form: decoded, then encoded once. Dot segments and repeated slashes stay.
pub(super) fn canonical_path(raw: &str) -> String {
    let path = encode_path(&decode_loosely(raw.as_bytes(), false)).into_owned();
    if path.is_empty() { "/".to_owned() } else { path }
}

fn encode_except<'a>(text: &'a [u8], kept: &[u8]) -> Cow<'a, str> {
    let keeps = |byte: &u8| is_unreserved(*byte) || kept.contains(byte);
    let plain = text.iter().take_while(|byte| keeps(byte)).count();
    if plain == text.len() {
        return Cow::Borrowed(std::str::from_utf8(text).expect("unreserved characters are ASCII"));
    }
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text {
        if keeps(byte) {
            out.push(*byte as char);
        } else {
            out.push('%');
            out.push(HEX[(byte >> 4) as usize] as char);
            out.push(HEX[(byte & 0xF) as usize] as char);
        }
    }
    Cow::Owned(out)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `None` if an escape is invalid.
fn decode_bytes(raw: &[u8], plus_is_space: bool) -> Option<Cow<'_, [u8]>> {
    let mut position = 0;
    while let Some(at) = raw[position..].iter().position(|byte| *byte == b'%') {
        escaped_byte(&raw[position + at..])?;
        position += at + 3;
    }
    Some(decode_loosely(raw, plus_is_space))
}

fn decode_loosely(raw: &[u8], plus_is_space: bool) -> Cow<'_, [u8]> {
    let is_special = |byte: &u8| *byte == b'%' || (plus_is_space && *byte == b'+');
    let Some(first) = raw.iter().position(is_special) else { return Cow::Borrowed(raw) };
    let mut out = Vec::with_capacity(raw.len());
    out.extend_from_slice(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some((byte, tail)) = rest.split_first() {
        rest = match escaped_byte(rest) {
            Some(decoded) => {
                out.push(decoded);
                &rest[3..]
            }
            None => {
                out.push(if plus_is_space && *byte == b'+' { b' ' } else { *byte });
                tail
            }
        };
    }
    Cow::Owned(out)
}

/// The byte that `%XX` at the start of `raw` stands for.
fn escaped_byte(raw: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = raw else { return None };
    let digit = |byte: u8| (byte as char).to_digit(16);
    Some((digit(*high)? * 16 + digit(*low)?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_a_key_once_and_leaves_plus_alone() {
        for (raw, expected) in [
            ("a%2Fb", Ok("a/b")),
            ("a+b", Ok("a+b")),
            ("%2525", Ok("%25")),
            ("%e2%82%ac", Ok("€")),
            ("%01%0a", Ok("\u{1}\n")),
            ("", Ok("")),
            ("%", Err(BadEscape::Escape)),
            ("%2", Err(BadEscape::Escape)),
            ("a%zz", Err(BadEscape::Escape)),
            ("%%41", Err(BadEscape::Escape)),
            ("%+1", Err(BadEscape::Escape)),
            ("%00", Err(BadEscape::Nul)),
            ("%ff", Err(BadEscape::NotUtf8)),
        ] {
            assert_eq!(decode(raw.as_bytes()), expected.map(str::to_owned), "{raw}");
        }
        assert_eq!(decode("é€".as_bytes()).as_deref(), Ok("é€"));
    }

    #[test]
    fn reads_a_query_the_way_browsers_write_it() {
        assert_eq!(decode_query_text("a+b%2Bc%20d"), "a b+c d");
        assert_eq!(decode_query_text("100%"), "100%");
        assert_eq!(decode_query_text("%zz%4"), "%zz%4");
        assert_eq!(decode_query_text("%ff"), "\u{fffd}");
        let pairs: Vec<_> = query_pairs("uploads&a=b=c&&=x&prefix=").collect();
        assert_eq!(pairs, [("uploads", ""), ("a", "b=c"), ("", "x"), ("prefix", "")]);
        assert_eq!(query_pairs("").count(), 0);
    }

    #[test]
    fn encodes_in_three_flavours() {
        let text = "aZ09-._~/ *+%&=(),:@!é\n";
        assert_eq!(encode(text.as_bytes()), "aZ09-._~%2F%20%2A%2B%25%26%3D%28%29%2C%3A%40%21%C3%A9%0A");
        assert_eq!(encode_path(text.as_bytes()), "aZ09-._~/%20%2A%2B%25%26%3D%28%29%2C%3A%40%21%C3%A9%0A");
        assert_eq!(encode_listing(text), "aZ09-._~/%20*%2B%25%26%3D%28%29%2C%3A%40%21%C3%A9%0A");
        assert!(matches!(encode_listing("plain/key"), Cow::Borrowed(_)));
    }

    #[test]
    fn canonical_paths_keep_dots_and_slashes() {
        for (raw, expected) in [
            ("", "/"),
            ("/a//b/./../c", "/a//b/./../c"),
            ("/test$file.text", "/test%24file.text"),
            ("/test%24file.text", "/test%24file.text"),
            ("/a%2fb+c", "/a/b%2Bc"),
            ("/%25", "/%25"),
            ("/%", "/%25"),
        ] {
            assert_eq!(canonical_path(raw), expected, "{raw}");
        }
    }
}
