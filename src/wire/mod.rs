//! S3's words: what the server's front end and the client both read and write. Nothing here knows a bucket, an
//! upload or a connection: texts and bytes go in, typed values come out, and the other way round.
//!
//! What is read was sent by a stranger, so every parser is bounded and total: an answer or a typed error, never a
//! panic. The time is handed in.

pub mod aws_chunked;
pub mod bucket_name;
pub mod checksum;
pub mod copy_source;
pub mod customer_key;
pub mod error_code;
pub mod etag;
pub mod form;
pub mod header_value;
pub mod http_date;
pub mod limits;
pub mod percent;
pub mod post_policy;
pub mod range;
pub mod sigv2;
pub mod sigv4;
pub mod sub_resources;
pub mod xml;

#[cfg(test)]
pub(crate) mod mutation;
#[cfg(test)]
mod properties;
