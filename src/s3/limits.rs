//! What this front end accepts, for clients that ask before they begin (`GET /_/limits`).

use dovetail_digest::Algorithm;

use crate::base::buffers::{CHUNK_LEN, CHUNKS_PER_BODY};
use crate::engine;
use crate::wire::limits::Limits;

/// S3's limits, with what the operator has set. Nothing in it is a secret: anybody may ask.
pub fn limits(settings: &engine::Settings) -> Limits {
    let bodies = (settings.body_memory_len / (CHUNK_LEN * CHUNKS_PER_BODY)).max(1);
    let checksums = Algorithm::ALL.into_iter().map(|algorithm| algorithm.name().to_owned());
    Limits {
        checksums: Some(checksums.collect()),
        encryption: Some(Vec::new()),
        requests_in_flight: Some(u32::try_from(bodies).unwrap_or(u32::MAX)),
        upload_expires_seconds: Some(settings.upload_expire_after.as_secs()),
        ..Limits::default()
    }
}
