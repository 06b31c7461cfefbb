//! Reads XML that a stranger sent: a pull reader over one byte slice, walked by the schema the caller knows.
//!
//! Bounded by construction: no document type (so no entity beyond the five of XML), a maximum depth, no recursion,
//! nothing after the root. The length of a document is the caller's to bound before it is read into memory.
//! Namespaces and prefixes are ignored, as S3 does. Text is never trimmed unless the caller asks for it, because a
//! key may begin or end in white space.

use std::borrow::Cow;
use std::fmt;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// How deep elements may nest. S3's deepest document needs seven; more only costs memory.
pub const DEPTH_MAX: usize = 16;

/// The document is not well-formed, or not what the operation expects; the text says how, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed XML: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

fn malformed<T>(what: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(what.into()))
}

/// A document that is being read.
///
/// ```
/// # use dovetail::wire::xml::{Document, Malformed};
/// # fn part_numbers(bytes: &[u8]) -> Result<Vec<u16>, Malformed> {
/// let mut document = Document::new(bytes)?;
/// let mut root = document.root(&["CompleteMultipartUpload"])?;
/// let mut numbers = Vec::new();
/// while let Some(mut part) = root.next_child()? {
///     while let Some(mut field) = part.next_child()? {
///         if field.name() == "PartNumber" {
///             numbers.push(field.parsed()?);
///         }
///     }
/// }
/// # Ok(numbers) }
/// # assert_eq!(part_numbers(b"<CompleteMultipartUpload><Part><PartNumber>7</PartNumber></Part></CompleteMultipartUpload>"), Ok(vec![7]));
/// ```
pub struct Document<'a> {
    reader: Reader<&'a [u8]>,
    /// How many elements are open.
    depth: usize,
}

impl<'a> Document<'a> {
    /// Fails unless the bytes are UTF-8 without raw control characters, which XML cannot hold.
    pub fn new(bytes: &'a [u8]) -> Result<Document<'a>, Malformed> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
            Err(error) => return malformed(format!("not UTF-8 at byte {}", error.valid_up_to())),
        };
        if has_control_character(text.as_bytes()) {
            return malformed("raw control character");
        }
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        Ok(Document { reader, depth: 0 })
    }

    /// The root element, whose local name must be one of `names`.
    pub fn root(&mut self, names: &[&str]) -> Result<Element<'_, 'a>, Malformed> {
        assert!(self.depth == 0, "the root is read once");
        let mut first = true;
        loop {
            match self.event()? {
                Event::Decl(_) if first => {}
                Event::Comment(_) | Event::PI(_) => {}
                Event::Text(text) if is_blank(&text) => {}
                Event::Start(start) => {
                    let root = Element { depth: self.depth, document: self, start };
                    if !names.contains(&root.name()) {
                        return malformed(format!(
                            "root element {:?} instead of {names:?}",
                            clip(root.name())
                        ));
                    }
                    return Ok(root);
                }
                Event::Eof => return malformed("no root element"),
                _ => return malformed("something other than an element at the top"),
            }
            first = false;
        }
    }

    /// The next event, with the depth kept. A document type is refused wherever it stands.
    fn event(&mut self) -> Result<Event<'a>, Malformed> {
        let event = self.reader.read_event().or_else(|error| malformed(error.to_string()))?;
        match &event {
            Event::Start(start) => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return malformed(format!("elements nest deeper than {DEPTH_MAX}"));
                }
                check_start(start)?;
            }
            Event::End(_) => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.expect_end()?;
                }
            }
            Event::DocType(_) => return malformed("document type is not accepted"),
            Event::Eof if self.depth > 0 => return malformed("ends inside an element"),
            _ => {}
        }
        Ok(event)
    }

    /// After the root only white space, comments and processing instructions may follow.
    fn expect_end(&mut self) -> Result<(), Malformed> {
        loop {
            match self.reader.read_event().or_else(|error| malformed(error.to_string()))? {
                Event::Eof => return Ok(()),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Text(text) if is_blank(&text) => {}
                _ => return malformed("content after the root element"),
            }
        }
    }
}

/// An element whose start was read and whose content is not, or not all. What its owner leaves unread is skipped,
/// but checked for well-formedness, when the parent goes on.
pub struct Element<'r, 'a> {
    document: &'r mut Document<'a>,
    start: BytesStart<'a>,
    /// How many elements are open while this one is the innermost.
    depth: usize,
}

impl<'a> Element<'_, 'a> {
    /// The name without its prefix.
    pub fn name(&self) -> &str {
        self.start.local_name().into_inner()
    }

    /// The value of an attribute, found by its name without prefix (`type` finds `xsi:type`).
    pub fn attribute(&self, name: &str) -> Result<Option<String>, Malformed> {
        for attribute in self.start.attributes() {
            let attribute = attribute.or_else(|error| malformed(error.to_string()))?;
            if attribute.key.local_name().into_inner() == name {
                return unescape(&attribute.value).map(Some);
            }
        }
        Ok(None)
    }

    /// The next element inside this one, or `None` at its end. Text between elements must be white space.
    /// At the root's end, `None` also says that nothing follows the root.
    pub fn next_child(&mut self) -> Result<Option<Element<'_, 'a>>, Malformed> {
        self.skip_to(self.depth)?;
        while self.document.depth == self.depth {
            match self.document.event()? {
                Event::Start(start) => {
                    let depth = self.document.depth;
                    return Ok(Some(Element { document: &mut *self.document, start, depth }));
                }
                Event::Text(text) if !is_blank(&text) => {
                    return malformed(format!("text between the elements of {:?}", clip(self.name())));
                }
                Event::CData(_) | Event::GeneralRef(_) => {
                    return malformed(format!("text between the elements of {:?}", clip(self.name())));
                }
                Event::Decl(_) => return malformed("declaration inside the document"),
                _ => {}
            }
        }
        Ok(None)
    }

    /// All the text of an element that holds no others, exactly as sent.
    pub fn text(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let mut whole: Cow<'a, str> = Cow::Borrowed("");
        while self.document.depth == self.depth {
            match self.document.event()? {
                Event::Text(text) => append(&mut whole, normalize_line_ends(text.into_inner())),
                Event::CData(text) => append(&mut whole, normalize_line_ends(text.into_inner())),
                Event::GeneralRef(reference) => whole.to_mut().push(resolve(&reference)?),
                Event::Start(_) => return malformed(format!("element inside {:?}", clip(self.name()))),
                Event::Decl(_) => return malformed("declaration inside the document"),
                _ => {}
            }
        }
        Ok(whole)
    }

    /// The text without the white space around it: for numbers, dates and enumerations, never for keys.
    pub fn text_trimmed(&mut self) -> Result<String, Malformed> {
        Ok(self.text()?.trim_ascii().to_owned())
    }

    /// The trimmed text as a number or anything else that can be read from text.
    pub fn parsed<T: std::str::FromStr>(&mut self) -> Result<T, Malformed> {
        let text = self.text()?;
        match text.trim_ascii().parse() {
            Ok(value) => Ok(value),
            Err(_) => malformed(format!("unexpected value {:?} in {:?}", clip(&text), clip(self.name()))),
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self) -> Result<bool, Malformed> {
        self.parsed()
    }

    /// Reads over the rest of the element.
    pub fn skip(mut self) -> Result<(), Malformed> {
        self.skip_to(self.depth - 1)
    }

    /// Reads until no more than `depth` elements are open.
    fn skip_to(&mut self, depth: usize) -> Result<(), Malformed> {
        while self.document.depth > depth {
            match self.document.event()? {
                Event::GeneralRef(reference) => drop(resolve(&reference)?),
                Event::Decl(_) => return malformed("declaration inside the document"),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Names must be names, and attributes well-formed, even where nobody looks at them.
fn check_start(start: &BytesStart<'_>) -> Result<(), Malformed> {
    let name = start.name().into_inner();
    let is_name = !name.is_empty() && name.bytes().all(|byte| NAME_BYTES[usize::from(byte)]);
    if !is_name
        || name.ends_with(':')
        || name.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.')
    {
        return malformed(format!("{:?} is no element name", clip(name)));
    }
    if start.attributes_raw().trim_ascii().is_empty() {
        return Ok(());
    }
    for attribute in start.attributes() {
        let attribute = attribute.or_else(|error| malformed(error.to_string()))?;
        if attribute.value.contains('<') {
            return malformed("raw < in an attribute");
        }
        unescape(&attribute.value)?;
    }
    Ok(())
}

/// What an element's name may consist of; beyond ASCII anything.
const NAME_BYTES: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let ascii = byte as u8;
        allowed[byte] =
            ascii.is_ascii_alphanumeric() || matches!(ascii, b'_' | b'-' | b'.' | b':') || !ascii.is_ascii();
        byte += 1;
    }
    allowed
};

/// Control characters that are no white space. Block by block without a branch, so that the compiler uses vectors.
fn has_control_character(bytes: &[u8]) -> bool {
    let is_control = |byte: u8| (byte < 0x20) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r');
    bytes.chunks(4096).any(|block| block.iter().fold(false, |found, byte| found | is_control(*byte)))
}

/// One of XML's five entities, or a character by number. Control characters are accepted though XML 1.0 has none:
/// it is the only way to name a key that contains one, and AWS takes it.
fn resolve(reference: &BytesRef<'_>) -> Result<char, Malformed> {
    resolve_name(&reference.borrow().into_inner())
}

fn resolve_name(name: &str) -> Result<char, Malformed> {
    let number = match name {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => match (name.strip_prefix("#x"), name.strip_prefix('#')) {
            (Some(hex), _) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16).ok(),
            (None, Some(decimal)) if decimal.bytes().all(|b| b.is_ascii_digit()) => decimal.parse().ok(),
            _ => None,
        },
    };
    match number.and_then(char::from_u32) {
        Some('\0') | None => malformed(format!("unknown reference &{};", clip(name))),
        Some(character) => Ok(character),
    }
}

/// Resolves the references of an attribute's value.
fn unescape(raw: &str) -> Result<String, Malformed> {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        value.push_str(&rest[..at]);
        let Some(end) = rest[at..].find(';') else { return malformed("lone & in an attribute") };
        value.push(resolve_name(&rest[at + 1..at + end])?);
        rest = &rest[at + end + 1..];
    }
    value.push_str(rest);
    Ok(value)
}

/// `\r\n` and `\r` mean `\n` in XML; a real carriage return arrives as `&#13;`.
fn normalize_line_ends(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains('\r') {
        return text;
    }
    Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// Joins without copying while there is only one piece.
fn append<'a>(whole: &mut Cow<'a, str>, piece: Cow<'a, str>) {
    if whole.is_empty() {
        *whole = piece;
    } else {
        whole.to_mut().push_str(&piece);
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

/// Enough of a stranger's text to recognise it in a log line.
fn clip(text: &str) -> &str {
    let mut end = text.len().min(64);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests;
