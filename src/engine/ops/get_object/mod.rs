//! GetObject: an object's bytes, all of them, a range, or a part.
//!
//! Version, conditions, range and the first page of extents come from one snapshot: one look at the store.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>

use crate::engine::access::lists::Asker;
use crate::engine::conditions::ReadConditions;
use crate::engine::encryption::{self, CustomerKey, Keyring};
use crate::engine::named_bucket::NamedBucket;
use crate::engine::objects::{self, Found};
use crate::engine::reading::{self, ContentReader, Prepared};
use crate::engine::selection::{self, Selection};
use crate::engine::{Engine, Error};
use crate::meta::Read;
use crate::meta::records::{Checksum, VersionRecord};
use std::sync::Arc;

pub use crate::engine::selection::{ByteRange, IfRange, PartOrRange, Partial, RangeSpec};

/// A read of an object, or of what HEAD tells about it.
#[derive(Clone, Debug, Default)]
pub struct GetObject {
    pub bucket: NamedBucket,
    pub key: String,
    /// Wire form, well-formed.
    pub version_id: Option<String>,
    pub conditions: ReadConditions,
    pub part: PartOrRange,
    pub customer_key: Option<CustomerKey>,
    /// Judged on the version that is found, where its list has a say.
    pub asker: Option<Asker>,
}

/// An object that was found, and its bytes if they were asked for.
pub struct Opened<R = ContentReader> {
    pub version: VersionRecord,
    /// The version's id as the client is told it: nothing while the bucket has never had versions.
    pub shown_id: Option<String>,
    /// The first byte of the answer.
    pub first: u64,
    /// Bytes of the answer.
    pub len: u64,
    pub partial: Partial,
    /// What to show as the checksum of a part; nothing otherwise.
    pub part_checksum: Option<Checksum>,
    pub reader: R,
}

/// Judged in S3's order: the version exists, its key was given if it needs one, the conditions hold, the range or part exists. The first piece has been
/// read when this returns; the reader keeps its bytes whatever happens to the object (invariant 4).
pub async fn get_object(engine: &Engine, request: GetObject) -> Result<Opened, Error> {
    let request = Arc::new(request);
    let now_ms = engine.clock.now_ms();
    loop {
        let mark = engine.readers.mark();
        let (found, prepared) = {
            let (request, keyring) = (Arc::clone(&request), Arc::clone(&engine.settings.keyring));
            engine.meta.read(move |read| prepare(read, &request, &keyring, now_ms)).await?
        };
        // Each turn that fails means that the collector got on with its work, so this ends.
        if let Some(mut reader) = ContentReader::new(engine, prepared, mark) {
            reader.begin().await?;
            return Ok(found.with(reader));
        }
    }
}

fn prepare(
    read: &dyn Read,
    request: &GetObject,
    keyring: &Keyring,
    now_ms: i64,
) -> Result<(Opened<()>, Prepared), Error> {
    let found = find(read, request, Some(keyring), now_ms)?;
    let key = encryption::open(keyring, found.version.encryption.as_ref(), request.customer_key.as_ref())?;
    let prepared = reading::prepare(read, &found.version, found.first, found.len, key)?;
    Ok((found, prepared))
}

/// What GetObject and HeadObject have in common. Without a keyring nobody asks for a key.
pub(super) fn find(
    read: &dyn Read,
    request: &GetObject,
    keyring: Option<&Keyring>,
    now_ms: i64,
) -> Result<Opened<()>, Error> {
    let bucket = request.bucket.find(read)?;
    let Found { version, shown_id } =
        objects::version(read, &bucket, &request.key, request.version_id.as_deref())?;
    if let Some(asker) = &request.asker {
        asker.check(&bucket, &version)?;
    }
    if let Some(keyring) = keyring {
        encryption::check(keyring, version.encryption.as_ref(), request.customer_key.as_ref())?;
    }
    request.conditions.check(&version, now_ms)?;
    let Selection { first, len, partial, part_checksum } = selection::select(read, &version, &request.part)?;
    Ok(Opened { version, shown_id, first, len, partial, part_checksum, reader: () })
}

impl Opened<()> {
    fn with(self, reader: ContentReader) -> Opened {
        let Opened { version, shown_id, first, len, partial, part_checksum, reader: () } = self;
        Opened { version, shown_id, first, len, partial, part_checksum, reader }
    }
}

#[cfg(test)]
mod tests;
