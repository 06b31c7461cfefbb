//! XML as S3 speaks it: a writer that cannot produce an unbalanced document, and a reader that a stranger's
//! document cannot exhaust.

mod reader;
mod writer;

pub use reader::{DEPTH_MAX, Document, Element, Malformed};
pub use writer::{DECLARATION, Writer};

/// The namespace of every S3 document but `<Error>`, which has none.
pub const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
