//! What can go wrong in S3's meaning, with the data a front end needs to answer it. No status, no XML.

use crate::meta::records::VersionRecord;
use dovetail_digest::Algorithm;

/// Why an operation was not done. Unless a variant says otherwise, nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the bucket does not exist")]
    NoSuchBucket,
    /// The name is taken; `owner` is the canonical id of who has it.
    #[error("the bucket exists")]
    BucketAlreadyExists { owner: String },
    #[error("the bucket is not empty")]
    BucketNotEmpty,
    /// The policy is public, and the bucket's public access block lets no such one in.
    #[error("public policies are blocked")]
    PublicPolicyBlocked,
    #[error("the key does not exist")]
    NoSuchKey,
    #[error("the version does not exist")]
    NoSuchVersion,
    /// The key's newest version is a delete marker, of this id: a plain read finds no object.
    #[error("the object is deleted")]
    ObjectDeleted { marker_id: String },
    /// The version that was asked for is a delete marker.
    #[error("the version is a delete marker")]
    IsDeleteMarker { marker_id: String, modified_ms: i64 },
    /// A list is asked for in a bucket that has none.
    #[error("access control lists are disabled")]
    AclsDisabled,
    /// Lists cannot be disabled while the bucket's own gives something to others.
    #[error("the bucket's access control list names others than the owner")]
    BucketAclInUse,
    /// A list names another owner than there is.
    #[error("a list cannot change the owner")]
    OwnerDiffers,
    #[error("the object's access control list does not allow it")]
    NotListed,
    /// Policies allowed it for the tags that the object had. It has others now, so all is to be judged again.
    #[error("the object's tags were changed while the request was judged")]
    JudgedOtherTags,
    /// A retention or a legal hold keeps the version.
    #[error("the version is locked")]
    ObjectLocked,
    /// Versions of the bucket cannot be locked.
    #[error("the bucket has no object lock")]
    NoObjectLock,
    /// A request bypasses governance mode where nothing can be locked.
    #[error("a bypass without object lock")]
    BypassWithoutObjectLock,
    /// A retention that would be over before it begins.
    #[error("the retention ends in the past")]
    RetentionInThePast,
    /// Object lock needs a bucket that keeps its versions.
    #[error("versioning is not enabled")]
    VersioningNotEnabled,
    /// A bucket with object lock keeps its versions.
    #[error("versioning cannot be suspended")]
    VersioningLocked,
    /// Unknown, of another key, aborted, or completed.
    #[error("the upload does not exist")]
    NoSuchUpload,
    /// A part of Complete's list is missing, or its ETag or checksum differs.
    #[error("part {part_number} was not found or differs")]
    InvalidPart { part_number: u16, etag: String },
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    /// Complete lists no part at all.
    #[error("the list of parts is empty")]
    NoParts,
    #[error("part {part_number} is too small: {len} bytes")]
    EntityTooSmall { part_number: u16, len: u64, etag: String },
    #[error("{len} bytes are more than the {max} allowed")]
    EntityTooLarge { len: u64, max: u64 },
    /// A condition of the request does not hold; its header's name.
    #[error("the condition {condition} does not hold")]
    PreconditionFailed { condition: &'static str },
    /// The condition holds, but the key was changed while the request was under way.
    #[error("the key was changed meanwhile, condition {condition}")]
    ConditionalRequestConflict { condition: &'static str },
    /// A conditional read found what the client has already.
    #[error("not modified")]
    NotModified(Box<VersionRecord>),
    /// No byte of the object is in the range.
    #[error("the range is outside the {len} bytes of the object")]
    InvalidRange { len: u64 },
    /// A part was asked for that the object does not have.
    #[error("part {requested} of {parts}")]
    InvalidPartNumber { requested: u16, parts: u16 },
    /// A copy's source range is outside the source.
    #[error("the copy range is outside the {len} bytes of the source")]
    InvalidCopyRange { len: u64 },
    /// The body's MD5 is not the one in Content-MD5.
    #[error("Content-MD5 does not match")]
    Md5Mismatch { claimed: [u8; 16], computed: [u8; 16] },
    /// The body's or the object's checksum is not the one the client sent.
    #[error("the {} checksum does not match", .algorithm.name())]
    ChecksumMismatch { algorithm: Algorithm },
    /// The upload was created for one algorithm, a part came with another one or none.
    #[error("the upload expects {} checksums", .expected.name())]
    ChecksumAlgorithmMismatch { expected: Algorithm, actual: Option<Algorithm> },
    /// S3 has no multipart uploads with this algorithm and kind.
    #[error("{} checksums cannot be of the kind {kind:?}", .algorithm.name())]
    ChecksumKindNotAllowed { algorithm: Algorithm, kind: crate::meta::records::ChecksumKind },
    /// Complete has to name the checksum of every part of a composite upload.
    #[error("the {} checksum of part {part_number} is missing", .algorithm.name())]
    MissingPartChecksum { algorithm: Algorithm, part_number: u16 },
    /// Complete names a part's checksum in an algorithm the upload was not created with.
    #[error("part {part_number} has no {} checksum", .algorithm.name())]
    ForeignPartChecksum { algorithm: Algorithm, part_number: u16 },
    /// Complete names another checksum type than Create did.
    #[error("the checksum type differs from the upload's")]
    ChecksumTypeMismatch { expected: Option<crate::meta::records::ChecksumKind> },
    /// Complete's `x-amz-mp-object-size` is not the sum of the parts.
    #[error("the object has {computed} bytes, not {claimed}")]
    ObjectSizeMismatch { claimed: u64, computed: u64 },
    /// A copy of an object onto itself that would change nothing.
    #[error("a copy onto itself changes nothing")]
    CopyOntoItself,
    /// A rename of an object to the name that it has.
    #[error("a rename onto itself")]
    RenameOntoItself,
    /// A bucket that keeps versions, or has kept some: what would become of them is not defined.
    #[error("objects of a bucket with versions cannot be renamed")]
    RenameWithVersions,
    /// The client's token was used for another rename.
    #[error("the client token was used for another request")]
    IdempotencyParameterMismatch,
    /// A single copy of more than 5 GiB.
    #[error("the copy source of {len} bytes is too large")]
    CopySourceTooLarge { len: u64 },
    /// A listing continues at an upload that is not one of the bucket.
    #[error("the upload id marker is invalid")]
    InvalidUploadIdMarker,
    /// A listing continues at a version id that Dovetail never gave out.
    #[error("the version id marker is invalid")]
    InvalidVersionIdMarker,
    /// The bytes are encrypted with a key of the client's, which has to come with the request.
    #[error("the object is encrypted with a key that the request does not give")]
    CustomerKeyRequired,
    /// A key came for bytes that are encrypted with none of the client's.
    #[error("the object is not encrypted with a key of the client's")]
    CustomerKeyNotApplicable,
    /// The key that came is not the one that the bytes are encrypted with.
    #[error("the object is encrypted with another key")]
    CustomerKeyDiffers,
    /// The upload was created with a key of the client's and this request came without, or the other way round.
    #[error("the request and the upload are not encrypted alike")]
    UploadKeyMissing,
    /// The upload was created with another key.
    #[error("the upload was created with another key")]
    UploadKeyDiffers,
    /// No key of this name is in the keyring.
    #[error("there is no KMS key {key_id}")]
    NoSuchKmsKey { key_id: String },
    /// The bucket's rule does not allow this kind of encryption.
    #[error("the bucket does not allow encryption with keys of clients")]
    EncryptionBlocked,
    /// The body ended early or late, or did not verify: the front end's own error, handed back to it.
    #[error("the body failed: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// The body had fewer or more bytes than were declared.
    #[error("the body has {received} bytes, {declared} were declared")]
    BodyLen { declared: u64, received: u64 },
    /// No memory for another body came free in time.
    #[error("too many bodies at once")]
    SlowDown,
    /// No space is left; trying again may help once there is.
    #[error("no space is left")]
    NoSpace(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Metadata or backend cannot be reached now.
    #[error("storage is unavailable: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Metadata or a blob is damaged, or failed in a way that nobody expected. A write may or may not have happened.
    #[error("storage failed: {0}")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<crate::meta::Error> for Error {
    fn from(err: crate::meta::Error) -> Error {
        use crate::meta::ErrorKind;
        match err.kind {
            ErrorKind::Conflict | ErrorKind::Unavailable => Error::Unavailable(err.into()),
            ErrorKind::NoSpace => Error::NoSpace(err.into()),
            ErrorKind::Corrupt | ErrorKind::Io => Error::Storage(err.into()),
        }
    }
}

impl From<crate::blob::Error> for Error {
    fn from(err: crate::blob::Error) -> Error {
        use crate::blob::ErrorKind;
        match err.kind {
            ErrorKind::Unavailable => Error::Unavailable(err.into()),
            ErrorKind::NoSpace => Error::NoSpace(err.into()),
            ErrorKind::Missing | ErrorKind::Corrupt | ErrorKind::Io => Error::Storage(err.into()),
        }
    }
}
