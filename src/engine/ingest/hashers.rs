//! The checksums that are computed in the pass, beside the MD5 of the lanes, and what is made of what a client claims.

use super::Received;
use crate::engine::Error;
use crate::engine::body::Claims;
use dovetail_digest::{Algorithm, Digest, Hasher};

/// The checksum to keep, and the announced one when it is another.
pub struct Hashers {
    keep: Hasher,
    announced: Option<Announced>,
}

enum Announced {
    Kept(Algorithm),
    Other(Algorithm, Box<Hasher>),
}

impl Hashers {
    pub fn new(keep: Algorithm, announced: Option<Algorithm>) -> Hashers {
        let announced = announced.map(|algorithm| match algorithm == keep {
            true => Announced::Kept(algorithm),
            false => Announced::Other(algorithm, Box::new(Hasher::new(algorithm))),
        });
        Hashers { keep: Hasher::new(keep), announced }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.keep.update(bytes);
        if let Some(Announced::Other(_, hasher)) = &mut self.announced {
            hasher.update(bytes);
        }
    }

    pub fn finish(self) -> (Digest, Option<(Algorithm, Digest)>) {
        let keep = self.keep.finish();
        let announced = self.announced.map(|announced| match announced {
            Announced::Kept(algorithm) => (algorithm, keep),
            Announced::Other(algorithm, hasher) => (algorithm, hasher.finish()),
        });
        (keep, announced)
    }
}

/// Compares a body with its claims.
pub fn verify(received: &Received, keep: Algorithm, claims: Claims) -> Result<(), Error> {
    if let Some(claimed) = claims.md5
        && claimed != received.md5
    {
        return Err(Error::Md5Mismatch { claimed, computed: received.md5 });
    }
    let Some((algorithm, claimed)) = claims.checksum else { return Ok(()) };
    let computed = match received.announced {
        Some((announced, digest)) if announced == algorithm => Some(digest),
        _ if keep == algorithm => Some(received.checksum),
        // Claimed without having been announced: not computed, and so not confirmed.
        _ => None,
    };
    match computed == Some(claimed) {
        true => Ok(()),
        false => Err(Error::ChecksumMismatch { algorithm }),
    }
}
