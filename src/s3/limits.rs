//! What this front end accepts, for clients that ask before they begin (`GET /_/limits`).

use dovetail_digest::Algorithm;

use crate::base::buffers::{CHUNK_LEN, CHUNKS_PER_BODY};
use crate::engine;
use crate::wire::limits::Limits;

/// S3's limits, with what the operator has set. Nothing in it is a secret: anybody may ask.
pub fn limits(settings: &engine::Settings) -> Limits {
    let bodies = (settings.body_memory_len / (CHUNK_LEN * CHUNKS_PER_BODY)).max(1);
    let checksums = Algorithm::ALL.into_iter().map(|algorithm| algorithm.name().to_owned());
    // There is always a master key; the others need keys of the configuration.
    let methods: &[&str] =
        if settings.keyring.has_kms_keys() { &["AES256", "aws:kms", "aws:kms:dsse"] } else { &["AES256"] };
    Limits {
        checksums: Some(checksums.collect()),
        encryption: Some(methods.iter().map(|method| (*method).to_owned()).collect()),
        requests_in_flight: Some(u32::try_from(bodies).unwrap_or(u32::MAX)),
        upload_expires_seconds: Some(settings.upload_expire_after.as_secs()),
        ..Limits::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::encryption::Keyring;
    use std::sync::Arc;

    #[test]
    fn says_how_objects_can_be_encrypted() {
        let of = |keyring| {
            let settings = engine::Settings { keyring: Arc::new(keyring), ..engine::Settings::default() };
            limits(&settings).encryption.unwrap()
        };
        assert_eq!(of(Keyring::new(&[[1; 32]], &[].into())), ["AES256"]);
        let with_kms = Keyring::new(&[[1; 32]], &[("some".to_owned(), [2; 32])].into());
        assert_eq!(of(with_kms), ["AES256", "aws:kms", "aws:kms:dsse"]);
    }
}
