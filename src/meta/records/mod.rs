//! What is kept under the keys: records, in CBOR (RFC 8949), each behind one byte that says which format it has.
//!
//! Fields are numbered. A new field is an `Option` or has a default, and takes the next number; a number is never
//! used again. So an older record is still read, and nothing has to be rewritten when the program is upgraded.

mod access;
mod acl;
mod bucket;
mod bucket_document;
mod content;
mod encryption;
mod lifecycle;
mod object_lock;
mod rename;
mod upload;
mod user;
mod version;
mod website;

pub use access::{PolicyRecord, PublicAccessBlockRecord};
pub use acl::{Acl, BucketLists, Grant, Grantee, Group, ObjectOwnership, Permission};
pub use bucket::{BucketRecord, NO_DOCUMENTS, Versioning};
pub use bucket_document::{AccelerateRecord, BucketDocument, CorsRecord, CorsRule, DocumentKind, TagsRecord};
pub use content::{
    BLOCK_LEN, BlobRecord, ContentIndex, Extent, IndexEntry, PARTS_PER_INDEX_ENTRY, PartRecord,
};
pub use encryption::{
    BucketEncryptionRecord, EncryptionMethod, EncryptionRecord, MasterKeyRecord, RuleMethod, WrappedKey,
};
pub use lifecycle::{
    Expiration, FilterForm, LifecycleFilter, LifecyclePosition, LifecycleProgressRecord, LifecycleRecord,
    LifecycleRule, LifecycleTable, NoncurrentExpiration, NoncurrentTransition, Transition, TransitionMinimum,
    TransitionTime,
};
pub use object_lock::{BucketLock, DefaultRetention, ObjectLock, Retention, RetentionMode, RetentionPeriod};
pub use rename::RenameRecord;
pub use upload::{CompletedRecord, FoundVersion, ProgressRecord, UploadRecord};
pub use user::{AccessKeyRecord, UserRecord};
pub use version::{Body, Checksum, ChecksumKind, ETag, ListedVersion, Metadata, VersionRecord};
pub use website::{RoutingRule, WebsiteRecord};

use super::{Error, ErrorKind};

/// The format that this program writes. The only one so far.
const FORMAT: u8 = 1;
/// Room for most records, so that they are written without their memory having to grow.
const ENCODED_LEN: usize = 256;

/// A value of a table.
pub trait Record: Sized + for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()> {
    /// What it is, for messages.
    const NAME: &'static str;

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ENCODED_LEN);
        bytes.push(FORMAT);
        minicbor::encode(self, &mut bytes).expect("writing to memory does not fail");
        bytes
    }

    /// Reads what [`Record::encode`] wrote. Anything else is [`ErrorKind::Corrupt`], never a guess.
    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        decode(Self::NAME, bytes)
    }
}

/// Reads all or some fields of the encoded record that is called `name`.
fn decode<'b, T: minicbor::Decode<'b, ()>>(name: &str, bytes: &'b [u8]) -> Result<T, Error> {
    let corrupt = |why: String| Error::new(ErrorKind::Corrupt, format!("cannot read a {name}: {why}"));
    match bytes.split_first() {
        Some((&FORMAT, body)) => minicbor::decode(body).map_err(|err| corrupt(err.to_string())),
        Some((format, _)) => Err(corrupt(format!("its format {format} is not known to this version"))),
        None => Err(corrupt("it is empty".to_string())),
    }
}

macro_rules! records {
    ($($record:ident = $name:literal),* $(,)?) => {
        $(impl Record for $record { const NAME: &'static str = $name; })*
    };
}

records! {
    BucketRecord = "bucket record",
    CorsRecord = "CORS configuration",
    LifecycleRecord = "lifecycle configuration",
    LifecycleProgressRecord = "lifecycle progress",
    PolicyRecord = "bucket policy",
    PublicAccessBlockRecord = "public access block",
    TagsRecord = "set of bucket tags",
    AccelerateRecord = "acceleration setting",
    WebsiteRecord = "website configuration",
    VersionRecord = "version record",
    UploadRecord = "upload record",
    ProgressRecord = "progress record",
    CompletedRecord = "completed upload record",
    RenameRecord = "rename record",
    PartRecord = "part record",
    ContentIndex = "content index",
    BlobRecord = "blob record",
    MasterKeyRecord = "master key record",
    BucketEncryptionRecord = "bucket encryption rule",
    UserRecord = "user record",
    AccessKeyRecord = "access key record",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_it_did_not_write() {
        let good = ProgressRecord { changes: 3, parts: 2, bytes_len: 10, key_deleted: false }.encode();
        assert_eq!(ProgressRecord::decode(&good).unwrap().bytes_len, 10);
        for bad in [&[][..], &[9, 1, 2], &good[..good.len() - 1], &[1, 0xff, 0xff]] {
            assert_eq!(ProgressRecord::decode(bad).unwrap_err().kind, ErrorKind::Corrupt, "{bad:?}");
        }
    }
}
