//! Rules of buckets, decoded: every answer about an object asks for them.
//!
//! What is kept goes with the bytes that it was decoded from, which are read each time. So a rule that is changed is
//! followed at once, and there is nothing to invalidate.

use crate::engine::ops::head_bucket::head_bucket;
use crate::engine::{Engine, Error};
use crate::meta::Table;
use crate::meta::keys::{self, BucketId};
use crate::meta::records::{BucketDocument, LifecycleRecord, Record};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Bytes of documents that are kept decoded, which takes some times as much (invariant 6).
const CACHED_LEN_MAX: usize = 4 << 20;

/// Buckets' rules, each with its document.
#[derive(Debug, Default)]
pub struct RulesCache(RwLock<Cached>);

#[derive(Debug, Default)]
struct Cached {
    by_bucket: HashMap<BucketId, (Bytes, Arc<LifecycleRecord>)>,
    len: usize,
}

/// A bucket's rules, if it has any.
pub async fn rules(engine: &Engine, bucket: &str) -> Result<Option<Arc<LifecycleRecord>>, Error> {
    let id = head_bucket(engine, bucket).await?.id;
    let key = keys::bucket_document(id, LifecycleRecord::KIND);
    let Some(bytes) = engine.meta.get(Table::BucketDocuments, key).await? else { return Ok(None) };
    engine.rules.decoded(id, bytes).map(Some)
}

impl RulesCache {
    fn decoded(&self, id: BucketId, bytes: Bytes) -> Result<Arc<LifecycleRecord>, Error> {
        let cached = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, rules)) = cached.by_bucket.get(&id)
            && *known == bytes
        {
            return Ok(Arc::clone(rules));
        }
        drop(cached);
        let rules = Arc::new(LifecycleRecord::decode(&bytes)?);
        let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if cached.len + bytes.len() > CACHED_LEN_MAX {
            *cached = Cached::default();
        }
        cached.len += bytes.len();
        if let Some((old, _)) = cached.by_bucket.insert(id, (bytes, Arc::clone(&rules))) {
            cached.len -= old.len();
        }
        Ok(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::bucket_documents;
    use crate::engine::testing::{BUCKET, Fixture};
    use crate::meta::records::{LifecycleRule, TransitionMinimum};

    fn record(ids: &[&str]) -> LifecycleRecord {
        let rule = |id: &&str| LifecycleRule { id: id.to_string(), ..LifecycleRule::default() };
        LifecycleRecord {
            rules: ids.iter().map(rule).collect(),
            transition_minimum: TransitionMinimum::All128KiB,
        }
    }

    #[tokio::test]
    async fn rules_are_decoded_once_and_changes_are_seen_at_once() {
        let Fixture { engine, .. } = &Fixture::new().await;
        assert_eq!(rules(engine, BUCKET).await.unwrap(), None);
        bucket_documents::put(engine, BUCKET, record(&["a"])).await.unwrap();
        let first = rules(engine, BUCKET).await.unwrap().unwrap();
        assert_eq!(*first, record(&["a"]));
        assert!(Arc::ptr_eq(&first, &rules(engine, BUCKET).await.unwrap().unwrap()));
        bucket_documents::put(engine, BUCKET, record(&["b"])).await.unwrap();
        assert_eq!(*rules(engine, BUCKET).await.unwrap().unwrap(), record(&["b"]));
        bucket_documents::delete::<LifecycleRecord>(engine, BUCKET).await.unwrap();
        assert_eq!(rules(engine, BUCKET).await.unwrap(), None);
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        let cache = RulesCache::default();
        let long = "x".repeat(100_000);
        let bytes = Bytes::from(record(&[&long]).encode());
        for number in 0..100_u64 {
            cache.decoded(BucketId(number.to_be_bytes()), bytes.clone()).unwrap();
            // The same bucket's next document takes the place of the one before.
            cache.decoded(BucketId(number.to_be_bytes()), record(&["short"]).encode().into()).unwrap();
            cache.decoded(BucketId(number.to_be_bytes()), bytes.clone()).unwrap();
            let cached = cache.0.read().unwrap();
            assert!(cached.len <= CACHED_LEN_MAX);
            assert_eq!(cached.len, cached.by_bucket.values().map(|(bytes, _)| bytes.len()).sum::<usize>());
        }
    }
}
