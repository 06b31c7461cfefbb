//! What a bucket's documents say that nearly every request has to know, kept in memory.
//!
//! A bucket's record has a revision that every change of a document counts up in its own transaction. Every request
//! reads the record anyway, and what is kept counts only for the revision it was read at: so a change is followed by
//! every request that starts after its commit, and there is nothing to invalidate.

use crate::engine::access::BucketAccess;
use crate::engine::{Engine, Error, bucket_documents, objects};
use crate::meta::Read;
use crate::meta::keys::BucketId;
use crate::meta::records::{BucketEncryptionRecord, BucketRecord, CorsRecord, LifecycleRecord, NO_DOCUMENTS};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// A bucket's documents, ready to be used.
#[derive(Clone, Debug, Default)]
pub struct BucketSettings {
    pub access: Arc<BucketAccess>,
    pub cors: Option<Arc<CorsRecord>>,
    pub encryption: Option<BucketEncryptionRecord>,
    pub lifecycle: Option<Arc<LifecycleRecord>>,
}

impl BucketSettings {
    fn read(read: &dyn Read, name: &str, id: BucketId) -> Result<BucketSettings, Error> {
        Ok(BucketSettings {
            access: Arc::new(BucketAccess::read(read, name, id)?),
            cors: bucket_documents::find(read, id)?.map(Arc::new),
            encryption: bucket_documents::find(read, id)?,
            lifecycle: bucket_documents::find(read, id)?.map(Arc::new),
        })
    }
}

/// What is kept of buckets' documents, at most this many bytes as they are stored (invariant 6). Taken apart, one needs
/// some times as much.
const CACHED_LEN_MAX: usize = 8 << 20;
/// What an entry counts for beside its documents.
const ENTRY_LEN: usize = 512;

/// Buckets' settings, by the revision at which they were read.
#[derive(Debug, Default)]
pub struct SettingsCache {
    /// Of buckets that have no document.
    none: Arc<BucketSettings>,
    cached: RwLock<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    by_bucket: HashMap<BucketId, Entry>,
    len: usize,
}

#[derive(Debug)]
struct Entry {
    revision: u64,
    len: usize,
    settings: Arc<BucketSettings>,
}

impl SettingsCache {
    fn get(&self, bucket: &BucketRecord) -> Option<Arc<BucketSettings>> {
        if bucket.documents_revision == NO_DOCUMENTS {
            return Some(Arc::clone(&self.none));
        }
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        let entry = cached.by_bucket.get(&bucket.id)?;
        (entry.revision == bucket.documents_revision).then(|| Arc::clone(&entry.settings))
    }

    fn put(&self, id: BucketId, entry: Entry) {
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        // A reader that was slow has nothing to say to one that was not.
        if cached.by_bucket.get(&id).is_some_and(|known| known.revision > entry.revision) {
            return;
        }
        if cached.len > CACHED_LEN_MAX {
            *cached = Cached::default();
        }
        cached.len += entry.len;
        if let Some(old) = cached.by_bucket.insert(id, entry) {
            cached.len -= old.len;
        }
    }
}

/// What the bucket's documents say, at the record's revision or a later one.
pub async fn of(engine: &Engine, name: &str, record: &BucketRecord) -> Result<Arc<BucketSettings>, Error> {
    if let Some(settings) = engine.bucket_settings.get(record) {
        return Ok(settings);
    }
    let (id, name) = (record.id, name.to_owned());
    let entry = engine
        .meta
        .read(move |read| {
            let record = objects::bucket(read, &name)?;
            // Deleted and made again meanwhile: nothing that this request could do will be found.
            if record.id != id {
                return Err(Error::NoSuchBucket);
            }
            let settings = Arc::new(BucketSettings::read(read, &name, id)?);
            let len = ENTRY_LEN + bucket_documents::stored(read, id)?.1;
            Ok(Entry { revision: record.documents_revision, len, settings })
        })
        .await?;
    let settings = Arc::clone(&entry.settings);
    engine.bucket_settings.put(id, entry);
    Ok(settings)
}
