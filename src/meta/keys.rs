//! How keys are built, so that the order of bytes is the order S3 wants.
//!
//! An object key is at most 1,024 bytes of UTF-8 without NUL, so NUL ends it wherever something follows, and
//! `a` sorts before `a/b` as S3 demands. Numbers are big-endian. Times that should come newest first are inverted.

use super::records::DocumentKind;
use crate::blob::BlobId;
use minicbor::{Decode, Encode};
use std::fmt;

/// A bucket's own number: a bucket made again under the same name is another bucket.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct BucketId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 8]);

impl BucketId {
    pub fn random() -> BucketId {
        BucketId(crate::base::random::bytes())
    }
}

impl fmt::Debug for BucketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BucketId({:016x})", u64::from_be_bytes(self.0))
    }
}

/// What the bytes of one or more versions are known by: an upload's id once it is completed, or one made for a
/// single PutObject. Copies share it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct ContentId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl ContentId {
    /// An id that sorts by `now_ms` and cannot be guessed: 6 bytes of time, 10 of randomness.
    pub fn new(now_ms: i64) -> ContentId {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&now_ms.to_be_bytes()[2..]);
        id[6..].copy_from_slice(&crate::base::random::bytes::<10>());
        ContentId(id)
    }

    /// The time that was put in, in Unix milliseconds.
    pub fn time_ms(&self) -> i64 {
        let mut time = [0; 8];
        time[2..].copy_from_slice(&self.0[..6]);
        i64::from_be_bytes(time)
    }

    /// Reads the 32 lower-case hexadecimal digits that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<ContentId> {
        BlobId::parse(text).map(|id| ContentId(id.0))
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&BlobId(self.0), f)
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentId({self})")
    }
}

/// An upload's id is the id of the content it will become, so that Complete moves no part record.
pub type UploadId = ContentId;

/// The first key of a bucket in `Objects`, `Versions`, `NullVersions`, `Uploads` and `BucketDocuments`.
pub fn bucket_start(bucket: BucketId) -> Vec<u8> {
    bucket.0.to_vec()
}

/// `Objects` and `NullVersions`: bucket, key.
pub fn object(bucket: BucketId, key: &str) -> Vec<u8> {
    [&bucket.0[..], key.as_bytes()].concat()
}

/// The object key in a key of `Objects` that belongs to `bucket`; `None` when it belongs to another one.
pub fn object_key(bucket: BucketId, stored: &[u8]) -> Option<&[u8]> {
    stored.strip_prefix(&bucket.0[..])
}

/// `Uploads`: bucket, key, NUL, upload. Uploads of a key come in the order they were created.
pub fn upload(bucket: BucketId, key: &str, id: UploadId) -> Vec<u8> {
    [&bucket.0[..], key.as_bytes(), &[0], &id.0[..]].concat()
}

/// Key and upload in a key of `Uploads` that belongs to `bucket`.
pub fn parse_upload(bucket: BucketId, stored: &[u8]) -> Option<(&[u8], UploadId)> {
    let rest = stored.strip_prefix(&bucket.0[..])?;
    let at = rest.len().checked_sub(17)?;
    let id = rest[at + 1..].try_into().ok()?;
    (rest[at] == 0).then_some((&rest[..at], ContentId(id)))
}

/// `Versions`: bucket, key, NUL, inverted sequence number: newest first.
pub fn version(bucket: BucketId, key: &str, sequence: u64) -> Vec<u8> {
    [&bucket.0[..], key.as_bytes(), &[0], &(!sequence).to_be_bytes()].concat()
}

/// The first key of `Versions` that an object key can have.
pub fn versions_start(bucket: BucketId, key: &str) -> Vec<u8> {
    [&bucket.0[..], key.as_bytes(), &[0]].concat()
}

/// Object key and sequence number in a key of `Versions` that belongs to `bucket`.
pub fn parse_version(bucket: BucketId, stored: &[u8]) -> Option<(&[u8], u64)> {
    let (rest, inverted) = stored.strip_prefix(&bucket.0[..])?.split_last_chunk::<8>()?;
    let (nul, key) = rest.split_last()?;
    (*nul == 0).then_some((key, !u64::from_be_bytes(*inverted)))
}

/// `Progress`, `Inline` and `Completed`: the content or upload alone.
pub fn content(id: ContentId) -> Vec<u8> {
    id.0.to_vec()
}

/// `Parts`: content, part number. Number 0 is the content's index.
pub fn part(id: ContentId, number: u16) -> Vec<u8> {
    [&id.0[..], &number.to_be_bytes()].concat()
}

/// The part number in a key of `Parts` that belongs to `id`.
pub fn part_number(id: ContentId, stored: &[u8]) -> Option<u16> {
    let number = stored.strip_prefix(&id.0[..])?;
    Some(u16::from_be_bytes(number.try_into().ok()?))
}

/// `BucketDocuments`: bucket, name of the document.
pub fn bucket_document(bucket: BucketId, kind: DocumentKind) -> Vec<u8> {
    [&bucket.0[..], kind.name().as_bytes()].concat()
}

/// What an entry of `Users` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserEntry<'a> {
    User(&'a str),
    AccessKey(&'a str),
}

/// `Users`: `u` and the user's name.
pub fn user(name: &str) -> Vec<u8> {
    [b"u", name.as_bytes()].concat()
}

/// `Users`: `k` and the access key's id.
pub fn access_key(id: &str) -> Vec<u8> {
    [b"k", id.as_bytes()].concat()
}

/// Reads what [`user`] and [`access_key`] make.
pub fn parse_user_entry(stored: &[u8]) -> Option<UserEntry<'_>> {
    let text = std::str::from_utf8(stored).ok()?;
    match text.split_at_checked(1)? {
        ("u", name) => Some(UserEntry::User(name)),
        ("k", id) => Some(UserEntry::AccessKey(id)),
        _ => None,
    }
}

/// `Blobs`: the blob.
pub fn blob(id: BlobId) -> Vec<u8> {
    id.0.to_vec()
}

/// `Renames`: bucket, token.
pub fn rename(bucket: BucketId, token: &str) -> Vec<u8> {
    [&bucket.0[..], token.as_bytes()].concat()
}

/// What can be referred to more than once, and what the collector deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owned {
    /// A blob that no part names any more.
    Blob(BlobId),
    /// A content that no version names any more: its parts give up their blobs in bounded steps.
    Content(ContentId),
    /// A bucket that was deleted: its open uploads are to be aborted.
    Bucket(BucketId),
    /// The parts of a content that are not in it, as its index says: they give up their blobs like a content's.
    Unlisted(ContentId),
}

impl Owned {
    fn encode(&self) -> Vec<u8> {
        match self {
            Owned::Blob(id) => [&b"b"[..], &id.0].concat(),
            Owned::Content(id) => [&b"c"[..], &id.0].concat(),
            Owned::Bucket(id) => [&b"d"[..], &id.0].concat(),
            Owned::Unlisted(id) => [&b"u"[..], &id.0].concat(),
        }
    }

    fn decode(bytes: &[u8]) -> Option<Owned> {
        let (kind, id) = bytes.split_first()?;
        match kind {
            b'b' => Some(Owned::Blob(BlobId(id.try_into().ok()?))),
            b'c' => Some(Owned::Content(ContentId(id.try_into().ok()?))),
            b'd' => Some(Owned::Bucket(BucketId(id.try_into().ok()?))),
            b'u' => Some(Owned::Unlisted(ContentId(id.try_into().ok()?))),
            _ => None,
        }
    }
}

/// `References`: a blob or a content.
pub fn references(owned: &Owned) -> Vec<u8> {
    owned.encode()
}

/// What a key of `References` counts.
pub fn parse_references(stored: &[u8]) -> Option<Owned> {
    Owned::decode(stored)
}

/// `Garbage`: when it was queued, what. Oldest first.
pub fn garbage(queued_ms: i64, owned: &Owned) -> Vec<u8> {
    [&queued_ms.to_be_bytes()[..], &owned.encode()].concat()
}

/// The first key of `Garbage` of what was queued at this time or later.
pub fn garbage_start(queued_ms: i64) -> Vec<u8> {
    queued_ms.max(0).to_be_bytes().to_vec()
}

/// When it was queued and what, of a key of `Garbage`.
pub fn parse_garbage(stored: &[u8]) -> Option<(i64, Owned)> {
    let (queued_ms, owned) = stored.split_first_chunk::<8>()?;
    Some((i64::from_be_bytes(*queued_ms), Owned::decode(owned)?))
}

/// The least key greater than every key that starts with `prefix`; `None` when there is none (all bytes 0xff).
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut after = prefix[..=last].to_vec();
    after[last] += 1;
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_sort_by_key_then_by_time() {
        let bucket = BucketId([1; 8]);
        let mut keys = [
            upload(bucket, "a", ContentId::new(2_000)),
            upload(bucket, "a/b", ContentId::new(1_000)),
            upload(bucket, "a", ContentId::new(1_000)),
        ];
        keys.sort();
        let found: Vec<_> = keys.iter().map(|key| parse_upload(bucket, key).unwrap()).collect();
        assert_eq!(
            found.iter().map(|(key, id)| (*key, id.time_ms())).collect::<Vec<_>>(),
            [(&b"a"[..], 1_000), (b"a", 2_000), (b"a/b", 1_000)]
        );
    }

    #[test]
    fn versions_sort_by_key_then_newest_first() {
        let bucket = BucketId([1; 8]);
        let mut keys = [
            version(bucket, "a", 0),
            version(bucket, "a/b", 9),
            version(bucket, "a", u64::MAX),
            version(bucket, "a", 256),
        ];
        keys.sort();
        let found: Vec<_> = keys.iter().map(|key| parse_version(bucket, key).unwrap()).collect();
        assert_eq!(found, [(&b"a"[..], u64::MAX), (b"a", 256), (b"a", 0), (b"a/b", 9)]);
        assert!(keys[0].starts_with(&versions_start(bucket, "a")));
        assert_eq!(parse_version(BucketId([2; 8]), &keys[0]), None);
        assert_eq!(parse_version(bucket, &object(bucket, "a-long-key")), None);
    }

    #[test]
    fn what_follows_a_prefix_skips_every_key_under_it() {
        assert_eq!(after_prefix(b"a/").unwrap(), b"a0");
        assert_eq!(after_prefix(&[1, 0xff, 0xff]).unwrap(), [2]);
        assert_eq!(after_prefix(&[0xff]), None);
    }

    #[test]
    fn garbage_keys_say_what_to_delete() {
        for owned in [
            Owned::Blob(BlobId([3; 16])),
            Owned::Content(ContentId([4; 16])),
            Owned::Bucket(BucketId([5; 8])),
            Owned::Unlisted(ContentId([6; 16])),
        ] {
            assert_eq!(parse_garbage(&garbage(77, &owned)), Some((77, owned)));
            assert_eq!(parse_references(&references(&owned)), Some(owned));
        }
    }

    #[test]
    fn ids_read_back_what_they_wrote_and_nothing_else() {
        let id = ContentId::new(1_790_000_000_123);
        assert_eq!(ContentId::parse(&id.to_string()), Some(id));
        assert_eq!(id.time_ms(), 1_790_000_000_123);
        for wrong in ["", "00", "G0000000000000000000000000000000", "+f0000000000000000000000000000000"] {
            assert_eq!(ContentId::parse(wrong), None, "{wrong}");
        }
    }
}
