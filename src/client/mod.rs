//! The client half: uploads and downloads that go on where they broke off, against any S3 endpoint.
//!
//! - [`endpoint`] sends one signed request and reads its answer, again where that may help; [`operations`] has S3's requests on it, and [`answers`] their
//!   documents.
//! - [`upload`] and [`download`] move an object in parts: [`plan`] cuts it, [`workers`] says how many parts move at once, [`source`] reads and hashes
//!   them on the way into a request, `download::sink` takes them in from an answer. [`throttle`] holds them back.
//! - [`journal`] remembers them, [`identity`] whether the file is still the same. [`same`] compares a local file with an object that is there,
//!   [`overtaken`] says what is newer than a transfer.
//! - [`tally`] counts what happens, [`progress`] tells a person or a program.
//!
//! It shares `wire` and the digests with the server, and knows nothing of how a server stores anything. It does not
//! read the environment either: where the endpoint, the keys and the state folder come from is `cli`'s to know.

pub mod address;
pub mod answers;
pub mod chunks;
pub mod download;
pub mod endpoint;
pub mod error;
pub mod identity;
pub mod journal;
pub mod operations;
pub mod overtaken;
pub mod plan;
pub mod progress;
pub mod same;
pub mod source;
pub mod tally;
pub mod throttle;
pub mod upload;
pub mod workers;

pub use endpoint::Endpoint;
pub use error::Error;
