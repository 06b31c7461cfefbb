//! What an upload's parts amount to, checked against the client's list, in one pass over the part records.
//!
//! The order of the checks is AWS's: the upload, the order of the list, each part, the parts' sizes, then what the
//! client expects of the whole. Within a pass the first part that is wrong is the one that is told.

use super::{CompleteMultipartUpload, Completed, ListedPart};
use crate::base::limits::{OBJECT_LEN_MAX, PART_LEN_MIN};
use crate::engine::encryption::Keyring;
use crate::engine::{Error, checksums, objects, uploads};
use crate::meta::keys::{self, BucketId, UploadId};
use crate::meta::records::{
    Body, Checksum, ChecksumKind, CompletedRecord, ContentIndex, ETag, IndexEntry, PARTS_PER_INDEX_ENTRY,
    PartRecord, Record, UploadRecord,
};
use crate::meta::{Read, Step, Table};
use dovetail_digest::{Algorithm, Digest, Hasher, Md5, combine};

/// What a request finds.
pub(super) enum Found {
    Open(Box<Assembly>),
    /// The upload was completed with the same list, and its object is still there.
    Completed(Box<Completed>),
}

/// An object to be, as it follows from the listed parts in one state of the store.
pub(super) struct Assembly {
    pub bucket: BucketId,
    pub upload: UploadRecord,
    /// Of the state that was read.
    pub changes: u64,
    pub len: u64,
    pub etag: ETag,
    pub checksum: Checksum,
    pub index: ContentIndex,
    pub part_list: [u8; 32],
    /// Parts that the client did not list, ascending.
    pub unlisted: Vec<u16>,
}

impl Assembly {
    pub fn completed(&self) -> Completed {
        Completed {
            etag: self.etag,
            checksum: self.checksum.clone(),
            len: self.len,
            version_id: None,
            encryption: self.upload.encryption.clone(),
        }
    }
}

/// Finds the upload and checks the request against it.
pub(super) fn find(
    read: &dyn Read,
    request: &CompleteMultipartUpload,
    keyring: &Keyring,
) -> Result<Found, Error> {
    let (bucket, upload) = match request.name().find(read) {
        Ok(found) => found,
        Err(Error::NoSuchUpload) => {
            return repeated(read, request, keyring).map(|answer| Found::Completed(Box::new(answer)));
        }
        Err(err) => return Err(err),
    };
    if request.parts.is_empty() {
        return Err(Error::NoParts);
    }
    if !request.parts.is_sorted_by(|one, next| one.number < next.number) {
        return Err(Error::InvalidPartOrder);
    }
    let expected = uploads::checksum(&upload)?;
    let mut pass = Pass::new(expected);
    pass.over(read, request.upload_id, &request.parts)?;
    pass.check_sizes()?;
    let changes = uploads::progress(read, request.upload_id)?.changes;
    let assembly = pass.assembly(bucket, upload, changes);
    check_whole(request, expected, &assembly)?;
    request.check_own_key(keyring, &assembly.upload)?;
    Ok(Found::Open(Box::new(assembly)))
}

/// The answer that the upload's first Complete was given, if this is the same request.
fn repeated(
    read: &dyn Read,
    request: &CompleteMultipartUpload,
    keyring: &Keyring,
) -> Result<Completed, Error> {
    let bytes = read.get(Table::Completed, &keys::content(request.upload_id))?.ok_or(Error::NoSuchUpload)?;
    let record = CompletedRecord::decode(&bytes)?;
    let bucket = request.bucket.find(read)?.id;
    let mut list = PartList::default();
    for part in &request.parts {
        list.add(part.number, &md5_of(&part.etag).ok_or(Error::NoSuchUpload)?);
    }
    if record.bucket != bucket || record.key != request.key || record.part_list != list.finish() {
        return Err(Error::NoSuchUpload);
    }
    let id = record.version_id.as_deref().unwrap_or(objects::NULL_VERSION);
    let version = objects::object_of_id(read, bucket, &request.key, id)?
        // Not by its ETag: another upload of the same parts has the same.
        .filter(|version| version.body == Body::Multipart(request.upload_id))
        .ok_or(Error::NoSuchUpload)?;
    check_claims(request, &record.checksum, version.len)?;
    request.check_key(keyring, version.encryption.as_ref())?;
    Ok(Completed {
        etag: record.etag,
        checksum: record.checksum,
        len: version.len,
        version_id: record.version_id,
        encryption: version.encryption,
    })
}

/// What a repeated request says about the object has to be true as well. What is not known any more is whether the
/// upload was created with an algorithm, so CRC64NVME, which is there without one too and then not compared, is not.
fn check_claims(request: &CompleteMultipartUpload, checksum: &Checksum, len: u64) -> Result<(), Error> {
    if let Some((named, digest)) = request.checksum
        && named != checksums::DEFAULT
        && named.name() == checksum.algorithm
        && digest.as_bytes() != checksum.value
    {
        return Err(Error::ChecksumMismatch { algorithm: named });
    }
    check_len(request, len)
}

/// One pass over the parts, in the order of their numbers.
struct Pass {
    expected: Option<(Algorithm, ChecksumKind)>,
    parts: u16,
    len: u64,
    md5: Md5,
    whole: Whole,
    list: PartList,
    entries: Vec<IndexEntry>,
    unlisted: Vec<u16>,
    /// The last part so far, when it may be no other than the last.
    small: Option<Small>,
    /// The first part that was followed by another although it is too small.
    too_small: Option<Small>,
}

struct Small {
    number: u16,
    len: u64,
    md5: [u8; 16],
}

/// The whole object's checksum so far.
enum Whole {
    Composite(Algorithm, Box<Hasher>),
    FullObject(Algorithm, Option<Digest>),
}

impl Pass {
    fn new(expected: Option<(Algorithm, ChecksumKind)>) -> Pass {
        let whole = match expected {
            Some((algorithm, ChecksumKind::Composite)) => {
                Whole::Composite(algorithm, Box::new(Hasher::new(algorithm)))
            }
            Some((algorithm, ChecksumKind::FullObject)) => Whole::FullObject(algorithm, None),
            None => Whole::FullObject(checksums::DEFAULT, None),
        };
        Pass {
            expected,
            parts: 0,
            len: 0,
            md5: Md5::new(),
            whole,
            list: PartList::default(),
            entries: Vec::new(),
            unlisted: Vec::new(),
            small: None,
            too_small: None,
        }
    }

    /// Goes over the stored and the listed parts side by side.
    fn over(&mut self, read: &dyn Read, id: UploadId, listed: &[ListedPart]) -> Result<(), Error> {
        let mut rest = listed;
        let mut failure = None;
        read.scan(Table::Parts, &keys::part(id, 1), &mut |stored, value| {
            let Some(number) = keys::part_number(id, stored) else { return Step::Stop };
            match self.visit(number, value, &mut rest) {
                Ok(()) => Step::Next,
                Err(err) => {
                    failure = Some(err);
                    Step::Stop
                }
            }
        })?;
        match (failure, rest.first()) {
            (Some(err), _) => Err(err),
            (None, Some(missing)) => Err(invalid(missing)),
            (None, None) => Ok(()),
        }
    }

    fn visit(&mut self, number: u16, value: &[u8], rest: &mut &[ListedPart]) -> Result<(), Error> {
        let Some((listed, others)) = rest.split_first().filter(|(listed, _)| listed.number <= number) else {
            self.unlisted.push(number);
            return Ok(());
        };
        if listed.number < number {
            return Err(invalid(listed));
        }
        *rest = others;
        let part = PartRecord::decode(value)?;
        if md5_of(&listed.etag) != Some(part.md5) {
            return Err(invalid(listed));
        }
        let digest = self.check_checksum(listed, &part)?;
        self.add(number, &part, &digest);
        Ok(())
    }

    /// The part's digest, if what the client says about it fits.
    fn check_checksum(&self, listed: &ListedPart, part: &PartRecord) -> Result<Digest, Error> {
        let (algorithm, digest) = checksums::digest(&part.checksum)?;
        let part_number = listed.number;
        match (self.expected, listed.checksum) {
            (_, Some((named, value))) if named == algorithm && value == digest => Ok(digest),
            (Some((expected, _)), Some((named, _))) if named != expected => {
                Err(Error::ForeignPartChecksum { algorithm: named, part_number })
            }
            (_, Some(_)) => Err(invalid(listed)),
            (Some((algorithm, ChecksumKind::Composite)), None) => {
                Err(Error::MissingPartChecksum { algorithm, part_number })
            }
            (_, None) => Ok(digest),
        }
    }

    fn add(&mut self, number: u16, part: &PartRecord, digest: &Digest) {
        if let Some(small) = self.small.take() {
            self.too_small.get_or_insert(small);
        }
        if part.len < PART_LEN_MIN {
            self.small = Some(Small { number, len: part.len, md5: part.md5 });
        }
        if usize::from(self.parts).is_multiple_of(PARTS_PER_INDEX_ENTRY) {
            self.entries.push(IndexEntry { number, offset: self.len });
        }
        self.parts += 1;
        self.len += part.len;
        self.md5.update(&part.md5);
        self.list.add(number, &part.md5);
        match &mut self.whole {
            Whole::Composite(_, hasher) => hasher.update(digest.as_bytes()),
            Whole::FullObject(algorithm, so_far) => {
                *so_far = Some(match so_far {
                    None => *digest,
                    Some(first) => combine(*algorithm, first, digest, part.len),
                });
            }
        }
    }

    fn check_sizes(&self) -> Result<(), Error> {
        if let Some(small) = &self.too_small {
            let etag = ETag { md5: small.md5, parts: None }.to_string();
            return Err(Error::EntityTooSmall { part_number: small.number, len: small.len, etag });
        }
        if self.len > OBJECT_LEN_MAX {
            return Err(Error::EntityTooLarge { len: self.len, max: OBJECT_LEN_MAX });
        }
        Ok(())
    }

    fn assembly(self, bucket: BucketId, upload: UploadRecord, changes: u64) -> Assembly {
        let checksum = match self.whole {
            Whole::Composite(algorithm, hasher) => {
                checksums::record(algorithm, ChecksumKind::Composite, &hasher.finish())
            }
            Whole::FullObject(algorithm, digest) => {
                let digest = digest.expect("the list is not empty and each of its parts was visited");
                checksums::record(algorithm, ChecksumKind::FullObject, &digest)
            }
        };
        Assembly {
            bucket,
            upload,
            changes,
            len: self.len,
            etag: ETag { md5: self.md5.finish(), parts: Some(self.parts) },
            checksum,
            index: ContentIndex::new(self.parts, self.entries),
            part_list: self.list.finish(),
            unlisted: self.unlisted,
        }
    }
}

/// What the client expects of the whole object.
fn check_whole(
    request: &CompleteMultipartUpload,
    expected: Option<(Algorithm, ChecksumKind)>,
    assembly: &Assembly,
) -> Result<(), Error> {
    let kind = expected.map(|(_, kind)| kind);
    // An upload without an algorithm has a full-object checksum in the end, so naming that kind does no harm.
    if let Some(named) = request.checksum_kind
        && named != kind.unwrap_or(ChecksumKind::FullObject)
    {
        return Err(Error::ChecksumTypeMismatch { expected: kind });
    }
    // Without an algorithm of the upload, the object's checksum is ignored, as on AWS.
    if let (Some((expected, _)), Some((named, digest))) = (expected, request.checksum) {
        if named != expected {
            return Err(Error::ChecksumAlgorithmMismatch { expected, actual: Some(named) });
        }
        if digest.as_bytes() != assembly.checksum.value {
            return Err(Error::ChecksumMismatch { algorithm: expected });
        }
    }
    check_len(request, assembly.len)
}

fn check_len(request: &CompleteMultipartUpload, computed: u64) -> Result<(), Error> {
    match request.size {
        Some(claimed) if claimed != computed => Err(Error::ObjectSizeMismatch { claimed, computed }),
        _ => Ok(()),
    }
}

/// What a list of parts is recognised by: SHA-256 over numbers and MD5s.
struct PartList(Hasher);

impl Default for PartList {
    fn default() -> PartList {
        PartList(Hasher::new(Algorithm::Sha256))
    }
}

impl PartList {
    fn add(&mut self, number: u16, md5: &[u8; 16]) {
        self.0.update(&number.to_be_bytes());
        self.0.update(md5);
    }

    fn finish(self) -> [u8; 32] {
        self.0.finish().as_bytes().try_into().expect("SHA-256 has 32 bytes")
    }
}

/// The MD5 that a part's ETag is, quoted or not.
fn md5_of(etag: &str) -> Option<[u8; 16]> {
    let digits = etag.trim_matches('"').as_bytes();
    if digits.len() != 32 {
        return None;
    }
    let mut md5 = [0; 16];
    for (byte, pair) in md5.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *byte = (high? << 4 | low?) as u8;
    }
    Some(md5)
}

fn invalid(part: &ListedPart) -> Error {
    Error::InvalidPart { part_number: part.number, etag: part.etag.clone() }
}
