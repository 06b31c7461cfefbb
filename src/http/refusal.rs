//! What hyper answers by itself, to what is no HTTP or has a header without end: its status, in the front end's words.
//!
//! hyper refuses such a request before anybody sees it, with a head of a fixed form and no body, and then closes. The
//! head is recognised on its way out and replaced; there is no other place to do it.

use bytes::Bytes;
use http::{Response, StatusCode};
use std::io::IoSlice;

/// The head of a refusal is shorter.
const HEAD_LEN_MAX: usize = 256;
/// All that hyper says in it. Whatever a front end or the own endpoints answer has other fields as well.
const FIELDS: &[&str] = &["connection", "content-length", "date"];

/// The status, if this is a whole head that only hyper writes.
pub fn status_of(head: &[u8]) -> Option<StatusCode> {
    if head.len() > HEAD_LEN_MAX || !head.starts_with(b"HTTP/1.") {
        return None;
    }
    let text = std::str::from_utf8(head).ok()?.strip_suffix("\r\n\r\n")?;
    let mut lines = text.split("\r\n");
    let status: StatusCode = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut ends = false;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if !FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field)) {
            return None;
        }
        ends |= name.eq_ignore_ascii_case("connection") && value.trim() == "close";
    }
    (ends && status.is_client_error()).then_some(status)
}

/// The same of what is written in pieces: hyper writes a head in one.
pub fn status_of_slices(slices: &[IoSlice<'_>]) -> Option<StatusCode> {
    let mut written = slices.iter().filter(|slice| !slice.is_empty());
    let head = written.next()?;
    written.next().is_none().then(|| status_of(head))?
}

/// An answer as it goes over the wire. The connection ends after it.
pub fn on_the_wire(response: &Response<Bytes>) -> Bytes {
    let (status, body) = (response.status(), response.body());
    let reason = status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in response.headers() {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"connection: close\r\n\r\n");
    bytes.extend_from_slice(body);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_hyper_says_by_itself_is_taken_for_it() {
        let head = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        let too_large = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        assert_eq!(status_of(head.as_bytes()), Some(too_large));
        let slices = [IoSlice::new(b""), IoSlice::new(head.as_bytes()), IoSlice::new(b"")];
        assert_eq!(status_of_slices(&slices), Some(too_large));
        assert_eq!(status_of_slices(&[slices[1], IoSlice::new(b"body")]), None);
        for other in [
            head.replace("date: x", "x-amz-request-id: x"),
            head.replace("connection: close\r\n", ""),
            head.replace("431", "500"),
            head.replace("431", "200"),
            head.replace("\r\n\r\n", "\r\n\r\nbody"),
            head.replace("\r\n\r\n", "\r\n"),
            head.replace("HTTP/1.1", "HTTP/2"),
            String::new(),
        ] {
            assert_eq!(status_of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn an_answer_is_written_with_its_fields_and_says_that_it_is_the_last() {
        let response =
            Response::builder().status(400).header("content-length", 2).body(Bytes::from("no")).unwrap();
        let wire = "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";
        assert_eq!(on_the_wire(&response), wire);
    }
}
