//! `multipart/form-data`, taken apart while it arrives: a browser's form.
//!
//! Not more of MIME than browsers and HTTP libraries write: parts one after the other, each with a Content-Disposition,
//! lines that end in CRLF, no nesting and no transfer encodings. Anything else is an error that names what is wrong.
//! What is read holds back a delimiter's length of a part's data at most; heads are bounded here, values by the caller.
//!
//! <https://www.rfc-editor.org/rfc/rfc7578>, <https://html.spec.whatwg.org/#multipart-form-data>

mod head;
mod parser;

#[cfg(test)]
mod tests;

pub use head::{PartHead, boundary};
pub use parser::{Event, Parser};

/// A part's head, so that none can fill the memory: a name, a file name of up to 1,024 bytes that may be written with
/// escapes, and a type.
pub const HEAD_LEN_MAX: usize = 8 << 10;

/// The form is not one; the text says how, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the form is malformed: {0}")]
pub struct FormError(pub &'static str);
