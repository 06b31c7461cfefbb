//! Versions of objects.

use super::{Acl, EncryptionRecord, ObjectLock, Record};
use crate::meta::Error;
use crate::meta::keys::ContentId;
use minicbor::{Decode, Encode};
use std::fmt;

/// A version of an object, or a delete marker.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct VersionRecord {
    /// Wire form; `None` is S3's null version.
    #[n(0)]
    pub version_id: Option<String>,
    /// Unix milliseconds.
    #[n(1)]
    pub modified_ms: i64,
    #[n(2)]
    pub len: u64,
    #[n(3)]
    pub etag: ETag,
    #[n(4)]
    pub checksum: Option<Checksum>,
    #[n(5)]
    pub body: Body,
    #[n(6)]
    pub metadata: Metadata,
    /// Canonical id of the owner, unless the bucket says that its own owner owns every object.
    #[n(7)]
    pub owner: String,
    #[n(8)]
    pub delete_marker: bool,
    /// Orders the versions of a key: of two commits the later one has the greater number, whatever the clock says.
    /// 0 for what was written before the bucket had versions.
    #[cbor(n(9), default)]
    pub sequence: u64,
    /// `None` while nothing was ever said about it.
    #[n(11)]
    pub lock: Option<ObjectLock>,
    /// Who else may read it. `None`: nobody but the owner.
    #[cbor(n(12), default)]
    pub acl: Option<Acl>,
    /// `None`: the bytes are kept as they came.
    #[cbor(n(10), default)]
    pub encryption: Option<EncryptionRecord>,
}

/// What listings say of a version: these fields of its [`VersionRecord`], read without the others. A page has a thousand
/// of them, and what a client says about an object is some kilobytes.
#[derive(Clone, Debug, PartialEq, Eq, Decode)]
pub struct ListedVersion {
    #[n(0)]
    pub version_id: Option<String>,
    #[n(1)]
    pub modified_ms: i64,
    #[n(2)]
    pub len: u64,
    #[n(3)]
    pub etag: ETag,
    #[n(4)]
    pub checksum: Option<ListedChecksum>,
    #[n(6)]
    pub metadata: ListedMetadata,
    #[n(7)]
    pub owner: String,
    #[n(8)]
    pub delete_marker: bool,
}

/// Which [`Checksum`] a version has, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Decode)]
pub struct ListedChecksum {
    #[n(0)]
    pub algorithm: String,
    #[n(1)]
    pub kind: ChecksumKind,
}

/// What listings say of [`Metadata`].
#[derive(Clone, Debug, PartialEq, Eq, Decode)]
pub struct ListedMetadata {
    #[n(2)]
    pub storage_class: Option<String>,
}

impl ListedVersion {
    /// Reads it from an encoded [`VersionRecord`]. Anything else is [`ErrorKind::Corrupt`](crate::meta::ErrorKind).
    pub fn decode(record: &[u8]) -> Result<ListedVersion, Error> {
        super::decode(VersionRecord::NAME, record)
    }
}

/// Where a version's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Body {
    /// No bytes: an empty object or a delete marker.
    #[n(0)]
    Empty,
    /// In the table `Inline`, under this content.
    #[n(1)]
    Inline(#[n(0)] ContentId),
    /// In part 1 of this content: a single PutObject.
    #[n(2)]
    Single(#[n(0)] ContentId),
    /// In the parts that this content's index names: a completed upload.
    #[n(3)]
    Multipart(#[n(0)] ContentId),
}

impl Body {
    pub fn content(&self) -> Option<ContentId> {
        match self {
            Body::Empty => None,
            Body::Inline(id) | Body::Single(id) | Body::Multipart(id) => Some(*id),
        }
    }
}

/// An entity tag: the MD5 of the bytes, or of the parts' MD5s with their number. Where the encryption does not show
/// MD5s, it is a number that only the content's key turns back into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ETag {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub md5: [u8; 16],
    /// `-N` of a multipart object.
    #[n(1)]
    pub parts: Option<u16>,
}

impl fmt::Display for ETag {
    /// Without quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // A listing shows a thousand of them, and a byte costs as much to format as all of them like this.
        let mut text = [0; 32];
        for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(self.md5) {
            *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
        }
        f.write_str(std::str::from_utf8(&text).expect("digits are ASCII"))?;
        self.parts.map_or(Ok(()), |parts| write!(f, "-{parts}"))
    }
}

/// A checksum of S3's additional kinds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Checksum {
    /// S3's name of the algorithm: `CRC64NVME`.
    #[n(0)]
    pub algorithm: String,
    #[n(1)]
    pub kind: ChecksumKind,
    /// The digest; of a composite checksum without `-N`.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub value: Vec<u8>,
}

/// What a checksum of a multipart object is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ChecksumKind {
    /// All bytes.
    #[n(0)]
    FullObject,
    /// The parts' checksums.
    #[n(1)]
    Composite,
}

/// What a client says about an object when it writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Metadata {
    /// System headers under their lower-case names (`content-type`, `cache-control`, ...), as sent.
    #[n(0)]
    pub headers: Vec<(String, String)>,
    /// User metadata without `x-amz-meta-`, lower-case names, values decoded.
    #[n(1)]
    pub user: Vec<(String, String)>,
    /// `None` is STANDARD.
    #[n(2)]
    pub storage_class: Option<String>,
    /// Object tags, in the order given.
    #[n(3)]
    pub tags: Vec<(String, String)>,
}

impl Metadata {
    /// What listings show of it. The rest is some kilobytes, times a thousand entries on a page.
    pub fn listed(self) -> Metadata {
        Metadata { storage_class: self.storage_class, ..Metadata::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two structures read one record: they have to mean the same fields by the same numbers.
    #[test]
    fn what_is_listed_of_a_version_is_what_its_record_says() {
        let text = |text: &str| text.to_string();
        let metadata = Metadata {
            headers: vec![(text("content-type"), text("text/plain"))],
            user: vec![(text("a"), text("b"))],
            storage_class: Some(text("GLACIER")),
            tags: vec![(text("c"), text("d"))],
        };
        let version = VersionRecord {
            version_id: Some(text("v")),
            modified_ms: -1,
            len: 2,
            etag: ETag { md5: [3; 16], parts: Some(4) },
            checksum: Some(Checksum {
                algorithm: text("CRC32"),
                kind: ChecksumKind::Composite,
                value: vec![5; 4],
            }),
            body: Body::Single(ContentId([6; 16])),
            metadata,
            owner: text("o"),
            delete_marker: true,
            sequence: 7,
            lock: None,
            acl: None,
            encryption: None,
        };
        let bare = VersionRecord {
            version_id: None,
            checksum: None,
            body: Body::Empty,
            metadata: Metadata::default(),
            delete_marker: false,
            ..version.clone()
        };
        for version in [version, bare] {
            let listed = ListedVersion::decode(&Record::encode(&version)).unwrap();
            let checksum =
                version.checksum.map(|Checksum { algorithm, kind, .. }| ListedChecksum { algorithm, kind });
            let expected = ListedVersion {
                version_id: version.version_id,
                modified_ms: version.modified_ms,
                len: version.len,
                etag: version.etag,
                checksum,
                metadata: ListedMetadata { storage_class: version.metadata.storage_class },
                owner: version.owner,
                delete_marker: version.delete_marker,
            };
            assert_eq!(listed, expected);
        }
        assert_eq!(
            ListedVersion::decode(&[9, 1]).unwrap_err().to_string(),
            "cannot read a version record: its format 9 is not known to this version"
        );
    }
}
