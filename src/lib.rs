//! Dovetail: an S3 gateway that makes large uploads survive anything.
//!
//! The layers, from the ground up. Each uses those before it and never those after it; `tests/it/tidy.rs` holds
//! the table.
//!
//! - [`base`]: the clock, randomness, S3's limits, buffers, owned background tasks.
//! - [`wire`]: S3's words, for the server and the client.
//! - [`meta`]: an ordered, transactional key-value store, and the records kept in it.
//! - [`blob`]: immutable blobs on local disk, in memory or in a bucket somewhere else.
//! - [`engine`]: what S3 means, in one transaction an operation.
//! - [`s3`]: S3 over HTTP: routing, authentication, headers, XML and errors.
//! - [`http`]: listeners, TLS, limits, time-outs, graceful stop.
//! - [`client`]: the other side: uploads and downloads that resume, against any S3 endpoint.
//! - [`cli`]: configuration and commands; puts the rest together.
//! - [`telemetry`]: log lines and metrics, for every layer.

pub mod base;
pub mod blob;
pub mod cli;
pub mod client;
pub mod engine;
pub mod http;
pub mod meta;
pub mod s3;
pub mod telemetry;
pub mod wire;
