//! Writes S3's XML documents into one buffer: no allocation per element, balanced by construction.

/// What every document starts with. An answer kept alive with white space sends it first, alone.
pub const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// A document under construction. Names are Rust literals, never data; every value is escaped.
pub struct Writer {
    out: Vec<u8>,
    open: Vec<&'static str>,
}

impl Writer {
    /// A document with its declaration, and `root` open.
    pub fn document(root: &'static str, xmlns: Option<&str>) -> Writer {
        let mut writer = Writer { out: Vec::with_capacity(1024), open: Vec::with_capacity(8) };
        writer.out.extend_from_slice(DECLARATION.as_bytes());
        writer.start(root, xmlns);
        writer
    }

    /// The same without the declaration, for a body whose declaration has gone out already.
    pub fn after_declaration(root: &'static str, xmlns: Option<&str>) -> Writer {
        let mut writer = Writer { out: Vec::with_capacity(256), open: Vec::with_capacity(8) };
        writer.start(root, xmlns);
        writer
    }

    fn start(&mut self, root: &'static str, xmlns: Option<&str>) {
        match xmlns {
            Some(xmlns) => self.open_with(root, &[("xmlns", xmlns)]),
            None => self.open(root),
        };
    }

    /// Opens an element that holds others.
    pub fn open(&mut self, name: &'static str) -> &mut Self {
        self.out.push(b'<');
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'>');
        self.open.push(name);
        self
    }

    /// Opens an element with attributes (`name`, `value`).
    pub fn open_with(&mut self, name: &'static str, attributes: &[(&'static str, &str)]) -> &mut Self {
        self.out.push(b'<');
        self.out.extend_from_slice(name.as_bytes());
        for (attribute, value) in attributes {
            self.out.push(b' ');
            self.out.extend_from_slice(attribute.as_bytes());
            self.out.extend_from_slice(b"=\"");
            escape_into(&mut self.out, value);
            self.out.push(b'"');
        }
        self.out.push(b'>');
        self.open.push(name);
        self
    }

    /// Closes the element opened last.
    pub fn close(&mut self) -> &mut Self {
        debug_assert!(self.open.len() > 1, "the root is closed by finish");
        self.close_innermost();
        self
    }

    fn close_innermost(&mut self) {
        let name = self.open.pop().expect("an element is open until finish consumes the writer");
        self.close_tag(name);
    }

    /// Text straight into the element that is open (`<LocationConstraint>eu-west-1</...>`).
    pub fn content(&mut self, value: &str) -> &mut Self {
        escape_into(&mut self.out, value);
        self
    }

    /// `<name>value</name>`.
    pub fn text(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.open_tag(name);
        escape_into(&mut self.out, value);
        self.close_tag(name);
        self
    }

    /// The same, or nothing at all.
    pub fn text_optional(&mut self, name: &'static str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// `<name>"etag"</name>`: the quotes belong to the value, as they do in the header.
    pub fn etag(&mut self, name: &'static str, etag: &str) -> &mut Self {
        self.open_tag(name);
        self.out.extend_from_slice(b"&quot;");
        escape_into(&mut self.out, etag);
        self.out.extend_from_slice(b"&quot;");
        self.close_tag(name);
        self
    }

    /// `<name>123</name>`.
    pub fn number(&mut self, name: &'static str, value: u64) -> &mut Self {
        self.open_tag(name);
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut rest = value;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[at..]);
        self.close_tag(name);
        self
    }

    /// The same, or nothing at all.
    pub fn number_optional(&mut self, name: &'static str, value: Option<u64>) -> &mut Self {
        if let Some(value) = value {
            self.number(name, value);
        }
        self
    }

    /// `<name>true</name>` or `<name>false</name>`.
    pub fn flag(&mut self, name: &'static str, value: bool) -> &mut Self {
        self.text(name, if value { "true" } else { "false" })
    }

    /// A time in XML's form, `2009-10-12T17:50:00.000Z`, from Unix seconds.
    pub fn time(&mut self, name: &'static str, unix_s: i64) -> &mut Self {
        self.open_tag(name);
        self.out.extend_from_slice(&crate::wire::http_date::iso8601_bytes(unix_s));
        self.close_tag(name);
        self
    }

    /// Bytes written so far, to bound an answer.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Never true: a root is open from the start.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Closes the root and hands out the document.
    pub fn finish(mut self) -> Vec<u8> {
        debug_assert!(self.open.len() == 1, "elements left open: {:?}", &self.open[1..]);
        while !self.open.is_empty() {
            self.close_innermost();
        }
        self.out
    }

    fn open_tag(&mut self, name: &'static str) {
        self.out.push(b'<');
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'>');
    }

    fn close_tag(&mut self, name: &'static str) {
        self.out.extend_from_slice(b"</");
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'>');
    }
}

/// Which bytes need a second look: markup, control characters, and the first byte of U+FFFE and U+FFFF.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        special[byte] = true;
        byte += 1;
    }
    special[b'&' as usize] = true;
    special[b'<' as usize] = true;
    special[b'>' as usize] = true;
    special[b'"' as usize] = true;
    special[0xEF] = true;
    special
};

/// Appends `value` so that a parser reads exactly it. Carriage return, line feed and tab are references, because a
/// parser may rewrite them; so are characters that XML 1.0 cannot hold at all, which is what AWS sends too.
fn escape_into(out: &mut Vec<u8>, value: &str) {
    let bytes = value.as_bytes();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if !SPECIAL[byte as usize] {
            at += 1;
            continue;
        }
        let mut reference = [0u8; 6];
        let (written, width): (&[u8], usize) = match byte {
            b'&' => (b"&amp;", 1),
            b'<' => (b"&lt;", 1),
            b'>' => (b"&gt;", 1),
            b'"' => (b"&quot;", 1),
            b'\t' => (b"&#9;", 1),
            b'\n' => (b"&#10;", 1),
            b'\r' => (b"&#13;", 1),
            0xEF if bytes[at..].starts_with(b"\xEF\xBF\xBE") => (b"&#xFFFE;", 3),
            0xEF if bytes[at..].starts_with(b"\xEF\xBF\xBF") => (b"&#xFFFF;", 3),
            0xEF => {
                at += 1;
                continue;
            }
            control => (control_reference(control, &mut reference), 1),
        };
        out.extend_from_slice(&bytes[copied..at]);
        out.extend_from_slice(written);
        at += width;
        copied = at;
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// `&#x1;` to `&#x1F;`.
fn control_reference(control: u8, buf: &mut [u8; 6]) -> &[u8] {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let low = HEX[(control & 0xF) as usize];
    if control < 0x10 {
        buf[..5].copy_from_slice(&[b'&', b'#', b'x', low, b';']);
        &buf[..5]
    } else {
        buf.copy_from_slice(&[b'&', b'#', b'x', b'1', low, b';']);
        &buf[..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(writer: Writer) -> String {
        String::from_utf8(writer.finish()).unwrap()
    }

    #[test]
    fn writes_nested_elements_in_order() {
        let mut writer = Writer::document("ListBucketResult", Some(super::super::NAMESPACE));
        writer.text("Name", "b").number("MaxKeys", 1000).number("Zero", 0).flag("IsTruncated", false);
        writer
            .open("Contents")
            .text("Key", "a")
            .etag("ETag", "abc")
            .time("LastModified", 1_255_369_800)
            .close();
        writer
            .text_optional("Marker", None)
            .text_optional("Prefix", Some(""))
            .number_optional("N", Some(u64::MAX));
        writer.open_with("Grantee", &[("xsi:type", "a\"b")]).close();
        assert_eq!(
            text(writer),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><MaxKeys>1000</MaxKeys>\
             <Zero>0</Zero><IsTruncated>false</IsTruncated><Contents><Key>a</Key><ETag>&quot;abc&quot;</ETag>\
             <LastModified>2009-10-12T17:50:00.000Z</LastModified></Contents><Prefix></Prefix>\
             <N>18446744073709551615</N><Grantee xsi:type=\"a&quot;b\"></Grantee></ListBucketResult>"
        );
    }

    #[test]
    fn writes_a_body_that_continues_after_its_declaration() {
        let mut writer = Writer::after_declaration("LocationConstraint", None);
        writer.content("eu-west-1");
        assert_eq!(text(writer), "<LocationConstraint>eu-west-1</LocationConstraint>");
    }

    #[test]
    fn escapes_everything_a_parser_would_change_or_refuse() {
        for (value, expected) in [
            ("a&b<c>d\"e'f", "a&amp;b&lt;c&gt;d&quot;e'f"),
            ("\r\n\t", "&#13;&#10;&#9;"),
            ("\u{1}\u{f}\u{10}\u{1f}\u{0}", "&#x1;&#xF;&#x10;&#x1F;&#x0;"),
            ("\u{fffe}x\u{ffff}", "&#xFFFE;x&#xFFFF;"),
            ("\u{feff}\u{fffd}ï é 😀\u{7f}", "\u{feff}\u{fffd}ï é 😀\u{7f}"),
            ("", ""),
        ] {
            let mut out = Vec::new();
            escape_into(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{value:?}");
        }
    }

    #[test]
    #[should_panic(expected = "elements left open")]
    #[cfg(debug_assertions)]
    fn notices_an_element_left_open() {
        let mut writer = Writer::document("A", None);
        writer.open("B");
        writer.finish();
    }
}
