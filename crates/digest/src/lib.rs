//! Checksums over streams: the ten algorithms S3 knows, and MD5 for many streams at once.
//!
//! - [`Algorithm`], [`Hasher`], [`Digest`]: one algorithm over one stream, in the caller's thread.
//! - [`combine()`]: the CRC of two parts joined, from the CRCs of the parts.
//! - [`Md5Lanes`]: one thread that hashes the MD5 of many bodies side by side. A single MD5 stream cannot be
//!   hashed faster than a core's latency allows (0.6 GB/s), but eight take hardly longer than one.
//!
//! It knows nothing of S3's headers, of base64 or of files. It is a crate of its own so that it is optimised in
//! every profile: vector code without optimisation is a hundred times slower. Generic interfaces would be compiled
//! in the crate that calls them, with its profile, so there are none.
//!
//! The only unsafe code of the project is here, in `kernel/`: calls of functions for which the processor must
//! have certain instructions, and the loads inside them.

#![deny(unsafe_op_in_unsafe_fn, missing_docs)]

mod algorithm;
mod combine;
mod crc;
mod hasher;
mod kernel;
mod lanes;
mod md5;
mod polynomial;
#[cfg(test)]
mod tests;
mod value;

pub use crate::lanes::{Md5Lanes, Md5Stream};
pub use crate::md5::{Md5, md5};
pub use algorithm::Algorithm;
pub use combine::combine;
pub use hasher::{Hasher, crc32c, digest};
pub use value::Digest;
