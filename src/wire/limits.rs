//! What a gateway accepts, as `GET /_/limits` prints it and the client reads it.
//!
//! One flat JSON object. Names and meanings stay as they are once they are there; new ones may come, and a reader
//! passes over what it does not know. What is missing has S3's own value, so an empty object describes S3.

use serde::{Deserialize, Serialize};

use crate::base::limits::{MIB, OBJECT_LEN_MAX, PART_LEN_MAX, PART_LEN_MIN, PART_NUMBER_MAX};

/// Where it is, on the gateway's host.
pub const PATH: &str = "/_/limits";
/// Goes up when a field changes its meaning, which readers of an older version could not know.
pub const VERSION: u32 = 1;
/// Large enough that a part's round trip is small beside its transfer, small enough that little is lost when a
/// connection breaks. 10,000 of them make 156 GiB.
const PART_LEN_PREFERRED: u64 = 16 * MIB;

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    pub version: u32,
    /// Every part but the last has at least this many bytes.
    #[serde(rename = "part_bytes_min")]
    pub part_len_min: u64,
    #[serde(rename = "part_bytes_max")]
    pub part_len_max: u64,
    /// What a client with no wish of its own should take.
    #[serde(rename = "part_bytes_preferred")]
    pub part_len_preferred: u64,
    pub parts_max: u16,
    /// Of an object in one request.
    #[serde(rename = "put_bytes_max")]
    pub put_len_max: u64,
    /// Of an object in parts.
    #[serde(rename = "object_bytes_max")]
    pub object_len_max: u64,
    /// Names of checksums as in `x-amz-checksum-algorithm`. `None`: nobody has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksums: Option<Vec<String>>,
    /// Values of `x-amz-server-side-encryption` that are accepted. `None`: nobody has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Vec<String>>,
    /// Bodies that are taken in at once, of all clients together; more wait. `None`: nobody has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_in_flight: Option<u32>,
    /// Seconds after which an unfinished upload is dropped. `None`: nobody has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_expires_seconds: Option<u64>,
}

impl Default for Limits {
    /// S3's own.
    fn default() -> Limits {
        Limits {
            version: VERSION,
            part_len_min: PART_LEN_MIN,
            part_len_max: PART_LEN_MAX,
            part_len_preferred: PART_LEN_PREFERRED,
            parts_max: PART_NUMBER_MAX,
            put_len_max: PART_LEN_MAX,
            object_len_max: OBJECT_LEN_MAX,
            checksums: None,
            encryption: None,
            requests_in_flight: None,
            upload_expires_seconds: None,
        }
    }
}

impl Limits {
    /// Reads a document. `None` for anything that is none, has another version, or could not be lived with.
    pub fn parse(body: &[u8]) -> Option<Limits> {
        // A page of HTML, or some other service's JSON, names no version.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let versioned: Versioned = serde_json::from_slice(body).ok()?;
        let limits: Limits = serde_json::from_slice(body).ok()?;
        let is_possible = versioned.version == VERSION
            && (1..=PART_NUMBER_MAX).contains(&limits.parts_max)
            && limits.part_len_min >= 1
            && (limits.part_len_min..=limits.part_len_max).contains(&limits.part_len_preferred);
        is_possible.then_some(limits)
    }

    /// `None` when nobody has said.
    pub fn has_checksum(&self, name: &str) -> Option<bool> {
        let checksums = self.checksums.as_ref()?;
        Some(checksums.iter().any(|checksum| checksum == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_prints() {
        let limits = Limits {
            checksums: Some(vec!["CRC64NVME".into()]),
            requests_in_flight: Some(64),
            part_len_preferred: 32 << 20,
            ..Limits::default()
        };
        let text = serde_json::to_vec(&limits).unwrap();
        assert_eq!(Limits::parse(&text), Some(limits.clone()));
        assert_eq!(limits.has_checksum("CRC64NVME"), Some(true));
        assert_eq!(limits.has_checksum("SHA256"), Some(false));
        assert_eq!(Limits::default().has_checksum("SHA256"), None);
    }

    #[test]
    fn what_is_missing_is_as_on_s3_and_what_is_new_is_passed_over() {
        let read = Limits::parse(br#"{"version":1,"parts_max":100,"colour":"blue"}"#).unwrap();
        assert_eq!(read, Limits { parts_max: 100, ..Limits::default() });
    }

    #[test]
    fn anything_else_is_not_believed() {
        for text in [
            "",
            "{}",
            "<html>",
            r#"{"version":2}"#,
            r#"{"version":1,"parts_max":0}"#,
            r#"{"version":1,"parts_max":20000}"#,
            r#"{"version":1,"part_bytes_min":0}"#,
            r#"{"version":1,"part_bytes_preferred":1}"#,
            r#"{"version":1,"part_bytes_max":"5 GiB"}"#,
        ] {
            assert_eq!(Limits::parse(text.as_bytes()), None, "{text}");
        }
    }
}
