//! The ids of versions, and the sequence numbers that order them.
//!
//! An id holds the version's sequence number and randomness: the number leads straight to the record, however many
//! versions a key has, and the rest cannot be guessed.

use crate::base::random;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a version is called that was written while its bucket kept no versions.
pub const NULL_VERSION: &str = "null";

const SEQUENCE_LEN: usize = 8;
const RANDOM_LEN: usize = 16;

/// A new id: 32 characters that need no escaping in URLs, headers and XML.
pub fn new(sequence: u64) -> String {
    let mut bytes = [0; SEQUENCE_LEN + RANDOM_LEN];
    bytes[..SEQUENCE_LEN].copy_from_slice(&sequence.to_be_bytes());
    bytes[SEQUENCE_LEN..].copy_from_slice(&random::bytes::<RANDOM_LEN>());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The sequence number in an id; `None` when it cannot be one of ours.
pub fn sequence(id: &str) -> Option<u64> {
    let bytes: [u8; SEQUENCE_LEN + RANDOM_LEN] = URL_SAFE_NO_PAD.decode(id).ok()?.try_into().ok()?;
    let (sequence, _) = bytes.split_first_chunk::<SEQUENCE_LEN>()?;
    Some(u64::from_be_bytes(*sequence))
}

/// Whether a version could be called this, or could have been.
pub fn is_well_formed(id: &str) -> bool {
    id == NULL_VERSION || sequence(id).is_some()
}

/// The number after `newest`: a time, so that numbers are not used again after a version is removed, unless the clock
/// is behind the newest version's.
pub fn next_sequence(newest: u64, now_ms: i64) -> u64 {
    let now = u64::try_from(now_ms).unwrap_or(0) << 16;
    now.max(newest.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_to_its_sequence_and_cannot_be_guessed() {
        let sequence_of = next_sequence(0, 1_790_000_000_123);
        let (one, other) = (new(sequence_of), new(sequence_of));
        assert_ne!(one, other);
        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        assert!(!one.starts_with('-'), "a command line would take it for an option");
        assert_eq!(sequence(&one), Some(sequence_of));
        for wrong in ["", "null", "1234", &one[1..], &format!("{one}AAAA"), &one.replace(&one[..1], "/")] {
            assert_eq!(sequence(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sequences_go_up_whatever_the_clock_does() {
        let first = next_sequence(0, 1_790_000_000_000);
        let same_time = next_sequence(first, 1_790_000_000_000);
        let stepped_back = next_sequence(same_time, 1_000);
        let later = next_sequence(stepped_back, 1_790_000_000_001);
        assert!(first < same_time && same_time < stepped_back && stepped_back < later);
        assert_eq!(next_sequence(0, -5), 1);
    }
}
