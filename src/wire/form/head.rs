//! A form's boundary, and what a part's head says.

use super::FormError;
use crate::wire::percent;

/// What a part is called, and the file that it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartHead {
    /// As sent.
    pub name: String,
    /// The last component of the file's path, however the client wrote the path. Browsers give none to plain fields,
    /// some libraries give one to every part.
    pub filename: Option<String>,
    /// `Content-Type`; a form's own field says what an object is.
    pub content_type: Option<String>,
}

/// The boundary that a Content-Type of `multipart/form-data` names, if it names one that can be: 1 to 70 characters
/// that stand in a line.
pub fn boundary(content_type: &str) -> Option<String> {
    let (essence, rest) = content_type.split_once(';')?;
    if !essence.trim_ascii().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(rest, "boundary")?;
    let is_allowed = |byte: u8| (b' '..=b'~').contains(&byte);
    let is_one = (1..=70).contains(&boundary.len()) && boundary.bytes().all(is_allowed);
    (is_one && !boundary.ends_with(' ')).then_some(boundary)
}

impl PartHead {
    /// Reads the lines of a head, without the blank one.
    pub(super) fn parse(head: &[u8]) -> Result<PartHead, FormError> {
        let head = std::str::from_utf8(head).map_err(|_| FormError("a part's head is not UTF-8"))?;
        let mut part = None;
        let mut content_type = None;
        for line in head.split("\r\n") {
            let (name, value) =
                line.split_once(':').ok_or(FormError("a line of a part's head has no colon"))?;
            match name.trim_ascii().to_ascii_lowercase().as_str() {
                "content-disposition" if part.is_some() => {
                    return Err(FormError("a part has more than one Content-Disposition"));
                }
                "content-disposition" => part = Some(disposition(value.trim_ascii())?),
                "content-type" => content_type = Some(value.trim_ascii().to_owned()),
                // Text encoded in another way would have to be decoded, and no browser sends any.
                "content-transfer-encoding"
                    if !["7bit", "8bit", "binary"]
                        .iter()
                        .any(|plain| value.trim_ascii().eq_ignore_ascii_case(plain)) =>
                {
                    return Err(FormError("a part is encoded in a way that forms do not have"));
                }
                _ => {}
            }
        }
        let part = part.ok_or(FormError("a part has no Content-Disposition"))?;
        Ok(PartHead { content_type, ..part })
    }
}

/// `form-data; name="field"; filename="file"`.
fn disposition(value: &str) -> Result<PartHead, FormError> {
    let (kind, rest) = value.split_once(';').unwrap_or((value, ""));
    if !kind.trim_ascii().eq_ignore_ascii_case("form-data") {
        return Err(FormError("a Content-Disposition is not form-data"));
    }
    let name = parameter(rest, "name").ok_or(FormError("a part has no name"))?;
    let extended = parameter(rest, "filename*").and_then(|value| {
        let encoded = value.strip_prefix("UTF-8''").or_else(|| value.strip_prefix("utf-8''"))?;
        percent::decode(encoded.as_bytes()).ok()
    });
    let filename = extended.or_else(|| parameter(rest, "filename").map(|name| unescape(&name)));
    let filename = filename.map(|path| base_name(&path).to_owned());
    Ok(PartHead { name: unescape(&name), filename, content_type: None })
}

/// The value of a parameter among `; a=b; c="d"`. In quotes a backslash escapes a quote, and is itself otherwise: some
/// browsers have sent whole paths of Windows.
fn parameter(list: &str, wanted: &str) -> Option<String> {
    let mut rest = list.trim_start_matches(|c: char| c == ';' || c.is_ascii_whitespace());
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted_text(quoted)?,
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim_ascii().to_owned(), &after[end..])
            }
        };
        if name.trim_ascii().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after.trim_start_matches(|c: char| c == ';' || c.is_ascii_whitespace());
    }
    None
}

/// The text up to the closing quote, and what follows that.
fn quoted_text(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' if characters.peek().is_some_and(|(_, next)| *next == '"') => {
                characters.next();
                value.push('"');
            }
            _ => value.push(character),
        }
    }
    None
}

/// Browsers write the three characters that would end a quoted text this way, and nothing else.
fn unescape(text: &str) -> String {
    text.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
