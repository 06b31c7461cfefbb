//! User metadata between headers and text. Inside, a value is Unicode; a header is best kept to printable ASCII, so
//! anything else travels as an encoded word (RFC 2047), which is what AWS answers with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The text of a header: UTF-8, or else Latin-1, with encoded words decoded. What cannot be decoded stays as it came.
pub fn decode(raw: &[u8]) -> String {
    let text = match std::str::from_utf8(raw) {
        Ok(text) => text.to_owned(),
        Err(_) => latin1(raw),
    };
    if text.contains("=?") { decode_words(&text) } else { text }
}

/// A header's value for `text`: itself if it is printable ASCII that no reader takes for an encoded word, else one.
pub fn encode(text: &str) -> String {
    let is_printable = |byte: u8| (0x20..0x7f).contains(&byte);
    if text.bytes().all(is_printable) && !text.contains("=?") {
        return text.to_owned();
    }
    format!("=?UTF-8?B?{}?=", BASE64.encode(text))
}

/// Decodes each encoded word; white space between two of them is not part of the text.
fn decode_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut after_word = false;
    while let Some(at) = rest.find("=?") {
        let (plain, candidate) = rest.split_at(at);
        let Some((decoded, word_len)) = decode_word(candidate) else {
            out.push_str(&rest[..at + 2]);
            rest = &rest[at + 2..];
            after_word = false;
            continue;
        };
        if !(after_word && plain.bytes().all(|byte| matches!(byte, b' ' | b'\t'))) {
            out.push_str(plain);
        }
        out.push_str(&decoded);
        rest = &candidate[word_len..];
        after_word = true;
    }
    out.push_str(rest);
    out
}

/// The word at the start of `text`, decoded, and its length: `=?charset?B or Q?data?=`.
fn decode_word(text: &str) -> Option<(String, usize)> {
    let mut fields = text.strip_prefix("=?")?.splitn(3, '?');
    let (charset, encoding, tail) = (fields.next()?, fields.next()?, fields.next()?);
    let end = tail.find("?=")?;
    let data = &tail[..end];
    let bytes = match encoding {
        "B" | "b" => BASE64.decode(data).ok()?,
        "Q" | "q" => decode_q(data)?,
        _ => return None,
    };
    // RFC 2231 lets a language follow the character set.
    let charset = charset.split('*').next().unwrap_or(charset);
    let decoded = if charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii") {
        String::from_utf8(bytes).ok()?
    } else if charset.eq_ignore_ascii_case("iso-8859-1") {
        latin1(&bytes)
    } else {
        return None;
    };
    Some((decoded, text.len() - tail.len() + end + 2))
}

/// RFC 2047's quoted-printable: `_` is a space, `=XX` a byte.
fn decode_q(data: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len());
    let mut bytes = data.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'_' => b' ',
            b'=' => {
                let mut digit = || (bytes.next()? as char).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            other => other,
        });
    }
    Some(out)
}

fn latin1(raw: &[u8]) -> String {
    raw.iter().map(|byte| *byte as char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_utf8_latin1_and_encoded_words() {
        for (raw, expected) in [
            (&b"plain"[..], "plain"),
            ("é".as_bytes(), "é"),
            (b"caf\xe9", "café"),
            (b"=?UTF-8?B?w6k=?=", "é"),
            (b"=?utf-8?q?a_=C3=A9=3D?=", "a é="),
            (b"=?ISO-8859-1?Q?caf=E9?=", "café"),
            (b"=?UTF-8*en?B?w6k=?=", "é"),
            (b"a =?UTF-8?B?w6k=?= b", "a é b"),
            (b"=?UTF-8?B?w6k=?=  =?UTF-8?B?w6k=?=", "éé"),
            (b"", ""),
        ] {
            assert_eq!(decode(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn leaves_what_cannot_be_decoded_as_it_came() {
        for raw in [
            "=?",
            "=?UTF-8?B?",
            "=?UTF-8?B?!!?=",
            "=?UTF-8?X?YQ==?=",
            "=?big5?B?YQ==?=",
            "=?UTF-8?Q?=F?=",
            "=?UTF-8?B?/w==?=",
        ] {
            assert_eq!(decode(raw.as_bytes()), raw);
        }
    }

    #[test]
    fn writes_printable_ascii_as_it_is_and_the_rest_encoded() {
        assert_eq!(encode("plain text ~"), "plain text ~");
        assert_eq!(encode("é"), "=?UTF-8?B?w6k=?=");
        for text in ["", "=?UTF-8?B?w6k=?=", "é", "a\u{1}b", "tab\t", "日本語 😀", "line\nline", "\u{7f}"]
        {
            let header = encode(text);
            assert!(header.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{text:?}");
            assert_eq!(decode(header.as_bytes()), text);
        }
    }
}
