//! What a bucket's own configuration says about access, kept in memory.
//!
//! A bucket's record has a revision that every change of these documents counts up in its own transaction. Every
//! request reads the record anyway, and what is kept counts only for the revision it was read at: so a change is
//! followed by every request that starts after its commit, and there is nothing to invalidate.

use super::Policy;
use crate::engine::{Engine, Error, bucket_documents};
use crate::meta::keys::BucketId;
use crate::meta::records::{BucketRecord, PolicyRecord, PublicAccessBlockRecord, Record};
use crate::meta::{Error as MetaError, ErrorKind, Read, Table, Write};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// A bucket's policy and its public access block, ready to be used.
#[derive(Clone, Debug, Default)]
pub struct BucketAccess {
    policy: Option<BucketPolicy>,
    public_access_block: Option<PublicAccessBlockRecord>,
}

#[derive(Clone, Debug)]
struct BucketPolicy {
    policy: Policy,
    is_public: bool,
    /// Of the document.
    len: usize,
    owner_is_bound: bool,
}

impl BucketAccess {
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref().map(|policy| &policy.policy)
    }

    /// Whether the policy lets in people whom nobody knows; nothing without a policy.
    pub fn policy_is_public(&self) -> Option<bool> {
        self.policy.as_ref().map(|policy| policy.is_public)
    }

    /// Whether a policy's denial counts for the owner's root even where it is about the policy.
    pub fn owner_is_bound(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.owner_is_bound)
    }

    /// The bucket's block, with everything off where it has none.
    pub fn public_access_block(&self) -> PublicAccessBlockRecord {
        self.public_access_block.unwrap_or_default()
    }

    /// `RestrictPublicBuckets`: a public policy allows nothing to anybody but the owner's account.
    pub fn restricts_others(&self) -> bool {
        self.public_access_block().restrict_public_buckets && self.policy_is_public() == Some(true)
    }

    /// `IgnorePublicAcls`: access control lists grant nothing to groups that anybody can be in.
    pub fn ignores_public_acls(&self) -> bool {
        self.public_access_block().ignore_public_acls
    }

    /// As if these documents were the bucket's, for tests.
    #[cfg(test)]
    pub(super) fn of(
        policy: Option<&str>,
        owner_is_bound: bool,
        public_access_block: Option<PublicAccessBlockRecord>,
    ) -> BucketAccess {
        let policy = policy.map(|text| {
            let policy = Policy::of_bucket(text.as_bytes(), "bucket").unwrap();
            BucketPolicy { is_public: policy.is_public(), policy, len: text.len(), owner_is_bound }
        });
        BucketAccess { policy, public_access_block }
    }

    fn read(read: &dyn Read, name: &str, id: BucketId) -> Result<BucketAccess, Error> {
        let policy = match bucket_documents::find::<PolicyRecord>(read, id)? {
            None => None,
            Some(record) => {
                let policy = Policy::of_bucket(record.text.as_bytes(), name).map_err(|malformed| {
                    // It was checked when it was put. Who may do what is unknown, so nobody may.
                    let step = format!("cannot read the policy of the bucket {name}");
                    Error::from(MetaError::with_source(ErrorKind::Corrupt, step, malformed))
                })?;
                let is_public = policy.is_public();
                let (len, owner_is_bound) = (record.text.len(), record.owner_is_bound);
                Some(BucketPolicy { policy, is_public, len, owner_is_bound })
            }
        };
        let public_access_block = bucket_documents::find(read, id)?;
        Ok(BucketAccess { policy, public_access_block })
    }
}

/// To be called in the transaction that changes a bucket's policy or public access block.
pub fn count_change(tx: &mut dyn Write, name: &str, mut record: BucketRecord) {
    record.access_revision += 1;
    tx.put(Table::Buckets, name.as_bytes(), record.encode());
}

/// What is kept of buckets' documents, at most this many bytes of policies (invariant 6). Taken apart, one needs some
/// times as much.
const CACHED_LEN_MAX: usize = 8 << 20;
/// What an entry counts for beside its policy.
const ENTRY_LEN: usize = 512;

/// Buckets' access documents, by the revision at which they were read.
#[derive(Debug, Default)]
pub struct AccessCache(RwLock<Cached>);

#[derive(Debug, Default)]
struct Cached {
    by_bucket: HashMap<BucketId, (u64, Arc<BucketAccess>)>,
    len: usize,
}

impl AccessCache {
    fn get(&self, bucket: &BucketRecord) -> Option<Arc<BucketAccess>> {
        let cached = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (revision, access) = cached.by_bucket.get(&bucket.id)?;
        (*revision == bucket.access_revision).then(|| Arc::clone(access))
    }

    fn put(&self, id: BucketId, revision: u64, access: Arc<BucketAccess>) {
        let len = |access: &BucketAccess| ENTRY_LEN + access.policy.as_ref().map_or(0, |policy| policy.len);
        let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // A reader that was slow has nothing to say to one that was not.
        if cached.by_bucket.get(&id).is_some_and(|(known, _)| *known > revision) {
            return;
        }
        if cached.len > CACHED_LEN_MAX {
            *cached = Cached::default();
        }
        cached.len += len(&access);
        if let Some((_, old)) = cached.by_bucket.insert(id, (revision, access)) {
            cached.len -= len(&old);
        }
    }
}

/// What the bucket's documents say, at the record's revision or a later one.
pub async fn of_bucket(
    engine: &Engine,
    name: &str,
    record: &BucketRecord,
) -> Result<Arc<BucketAccess>, Error> {
    if let Some(access) = engine.access.get(record) {
        return Ok(access);
    }
    let (id, name) = (record.id, name.to_owned());
    let (revision, access) = engine
        .meta
        .read(move |read| {
            let record = crate::engine::objects::bucket(read, &name)?;
            // Deleted and made again meanwhile: nothing that this request could do will be found.
            if record.id != id {
                return Err(Error::NoSuchBucket);
            }
            Ok((record.access_revision, Arc::new(BucketAccess::read(read, &name, id)?)))
        })
        .await?;
    engine.access.put(id, revision, Arc::clone(&access));
    Ok(access)
}
