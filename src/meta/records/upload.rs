//! Multipart uploads, open and completed.

use super::{Acl, Checksum, ChecksumKind, ETag, EncryptionRecord, Metadata, ObjectLock, VersionRecord};
use crate::meta::keys::{BucketId, ContentId};
use minicbor::{Decode, Encode};

/// An open upload: what CreateMultipartUpload was given. Bucket, key, id and with it the time are in its key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct UploadRecord {
    /// Canonical id of whoever created it.
    #[n(0)]
    pub initiator: String,
    #[n(1)]
    pub metadata: Metadata,
    /// The algorithm the client asked for (its S3 name) and the kind, or `None`: CRC64NVME, not shown.
    #[n(2)]
    pub checksum: Option<(String, ChecksumKind)>,
    /// What is to hold the object. `None`: the bucket's default, as it is at Complete.
    #[n(4)]
    pub lock: Option<ObjectLock>,
    /// Of the object that the upload will become.
    #[cbor(n(5), default)]
    pub acl: Option<Acl>,
    /// Canonical id of who will own the object, when that is not the initiator.
    #[cbor(n(6), default)]
    pub owner: Option<String>,
    /// Of every part, and of the object.
    #[cbor(n(3), default)]
    pub encryption: Option<EncryptionRecord>,
    /// What the key's current version was when the upload was created. `None` in records of earlier programs.
    #[cbor(n(7), default)]
    pub found: Option<FoundVersion>,
}

/// A key's current version at some moment, by what no other version of the key has. New tags do not change it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum FoundVersion {
    #[n(0)]
    Nothing,
    #[n(1)]
    Object {
        #[n(0)]
        content: Option<ContentId>,
        #[n(1)]
        sequence: u64,
        #[n(2)]
        modified_ms: i64,
    },
}

impl FoundVersion {
    pub fn of(current: Option<&VersionRecord>) -> FoundVersion {
        match current {
            None => FoundVersion::Nothing,
            Some(version) => FoundVersion::Object {
                content: version.body.content(),
                sequence: version.sequence,
                modified_ms: version.modified_ms,
            },
        }
    }
}

/// How far an upload is. Kept apart from [`UploadRecord`] because every part rewrites it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ProgressRecord {
    /// Goes up with every part that is stored: Complete reads the parts outside its transaction and then finds out
    /// from this whether one has changed.
    #[n(0)]
    pub changes: u64,
    #[n(1)]
    pub parts: u32,
    /// Bytes in all parts.
    #[n(2)]
    pub bytes_len: u64,
    /// An object of the upload's key was deleted since the upload was created.
    #[cbor(n(3), default)]
    pub key_deleted: bool,
}

/// A completed upload: the answer, kept for clients whose answer was lost.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CompletedRecord {
    #[n(0)]
    pub bucket: BucketId,
    #[n(1)]
    pub key: String,
    /// SHA-256 over the part numbers and MD5s of the list that was completed.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub part_list: [u8; 32],
    #[n(3)]
    pub etag: ETag,
    #[n(4)]
    pub checksum: Checksum,
    /// Wire form of the version id when the bucket was versioned.
    #[n(5)]
    pub version_id: Option<String>,
    /// Unix milliseconds.
    #[n(6)]
    pub completed_ms: i64,
}
