//! The client half: uploads and downloads that go on where they broke off, against any S3 endpoint.
//!
//! - [`endpoint`] sends one signed request ([`call`], `signing`) over a [`connection`] and reads its answer; [`requests`] and [`multipart`] have S3's operations on
//!   it, and [`answers`] their documents. [`retry`] decides what a failure means.
//! - [`upload`], [`pipe`] and [`download`] move an object in parts; [`fetch`] and [`sent_part`] do
//!   one of them, [`plan`] cuts, [`workers`] says how many parts
//!   move at once, [`source`] reads and hashes them on the way, [`sink`] takes them in, [`journal`] remembers them.
//! - [`same`] compares a local file with an object that is there, [`overtaken`] says what is newer than a transfer.
//! - [`limits`] asks an endpoint what it accepts, [`regions`] remembers where its buckets are.
//! - [`customer_key`] brings keys along that a server encrypts with and does not keep.
//! - [`progress`] tells a person or a program what happens.
//!
//! It shares `wire` and the digests with the server, and knows nothing of how a server stores anything. It does not
//! read the environment either: where the endpoint, the keys and the state folder come from is `cli`'s to know.

pub mod address;
pub mod administration;
pub mod answers;
pub mod call;
pub mod chunks;
pub mod connection;
pub mod copy;
pub mod credentials;
pub mod customer_key;
pub mod disk_pace;
pub mod download;
pub mod endpoint;
pub mod error;
pub mod fetch;
pub mod folders;
pub mod identity;
pub mod journal;
pub mod limits;
pub mod multipart;
pub mod overtaken;
pub mod part_file;
pub mod pipe;
pub mod plan;
pub mod print;
pub mod progress;
pub mod regions;
pub mod requests;
pub mod retry;
pub mod same;
pub mod send_body;
pub mod sent_part;
mod signing;
pub mod sink;
pub mod source;
pub mod tally;
pub mod throttle;
pub mod upload;
pub mod versions;
pub mod workers;

pub use endpoint::Endpoint;
pub use error::Error;
