//! The bucket that a request means. A name alone would not do: between the judgement of a request and its commit the
//! bucket may be deleted and made again, by somebody else even, and that one is none of the request's.

use crate::engine::bucket_settings::{self, BucketSettings};
use crate::engine::ops::head_bucket::head_bucket;
use crate::engine::{Engine, Error};
use crate::meta::records::{BucketRecord, Record};
use crate::meta::{Read, Table};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A bucket by its name, and the very one that the request was judged on where there was one. Derefs to the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedBucket {
    name: String,
    /// As it was then. `None`: whichever has the name.
    judged: Option<Arc<BucketRecord>>,
}

impl NamedBucket {
    /// This very bucket.
    pub fn judged(name: &str, record: impl Into<Arc<BucketRecord>>) -> NamedBucket {
        NamedBucket { name: name.to_owned(), judged: Some(record.into()) }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its record. `NoSuchBucket` also when another bucket has the name now.
    pub fn find(&self, read: &dyn Read) -> Result<BucketRecord, Error> {
        let bytes = read.get(Table::Buckets, self.name.as_bytes())?.ok_or(Error::NoSuchBucket)?;
        let record = BucketRecord::decode(&bytes)?;
        match &self.judged {
            Some(judged) if judged.id != record.id => Err(Error::NoSuchBucket),
            _ => Ok(record),
        }
    }

    /// What its documents say: as new as what the request was judged by, or newer.
    pub async fn settings(&self, engine: &Engine) -> Result<Arc<BucketSettings>, Error> {
        match &self.judged {
            Some(record) => bucket_settings::of(engine, &self.name, record).await,
            None => {
                let record = head_bucket(engine, &self.name).await?;
                bucket_settings::of(engine, &self.name, &record).await
            }
        }
    }
}

impl From<&str> for NamedBucket {
    fn from(name: &str) -> NamedBucket {
        NamedBucket::from(name.to_owned())
    }
}

impl From<String> for NamedBucket {
    fn from(name: String) -> NamedBucket {
        NamedBucket { name, judged: None }
    }
}

impl Deref for NamedBucket {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for NamedBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::access::Policy;
    use crate::engine::access::acl::AskedAcl;
    use crate::engine::bucket_documents;
    use crate::engine::copy_source::Source;
    use crate::engine::ops::copy_object::{CopyObject, copy_object};
    use crate::engine::ops::create_bucket::{CreateBucket, create_bucket};
    use crate::engine::ops::create_multipart_upload::{CreateMultipartUpload, create_multipart_upload};
    use crate::engine::ops::delete_bucket::delete_bucket;
    use crate::engine::ops::delete_object::ObjectToDelete;
    use crate::engine::ops::delete_objects::{DeleteObjects, delete_objects};
    use crate::engine::ops::get_object::{GetObject, get_object};
    use crate::engine::ops::head_bucket::head_bucket;
    use crate::engine::ops::list_objects::{ListObjects, list_objects};
    use crate::engine::ops::put_bucket_policy::{PutBucketPolicy, put_bucket_policy};
    use crate::engine::ops::put_object_tagging::{PutObjectTagging, put_object_tagging};
    use crate::engine::testing::{BUCKET, Fixture, OWNER};
    use crate::meta::records::TagsRecord;

    #[tokio::test]
    async fn what_was_judged_on_a_bucket_does_nothing_to_one_that_was_made_again() {
        let fixture = Fixture::new().await;
        let engine = &fixture.engine;
        let old = NamedBucket::judged(BUCKET, head_bucket(engine, BUCKET).await.unwrap());
        fixture.put_if(old.clone(), "key", b"old", Default::default()).await.unwrap();
        fixture.delete("key").await;
        delete_bucket(engine, old.clone()).await.unwrap();
        let again = CreateBucket { name: BUCKET.into(), owner: "another".into(), ..CreateBucket::default() };
        create_bucket(engine, again).await.unwrap();
        fixture.put_inline("key", b"new").await;
        let before = everything(&fixture).await;

        let key = || "key".to_owned();
        let source = |bucket: NamedBucket| Source { bucket, key: key(), ..Source::default() };
        let copy = |from: NamedBucket, to: NamedBucket| CopyObject {
            bucket: to,
            key: "copy".into(),
            writer: OWNER.into(),
            source: source(from),
            ..CopyObject::default()
        };
        let policy = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}]}"#;
        let parsed = Policy::of_bucket(policy.as_bytes(), BUCKET).unwrap();
        let policy = PutBucketPolicy::new(old.clone(), policy.into(), &parsed, false);
        let create = CreateMultipartUpload {
            bucket: old.clone(),
            key: key(),
            initiator: OWNER.into(),
            acl: AskedAcl::default(),
            metadata: Default::default(),
            checksum: None,
            lock: None,
            encryption: None,
        };
        let deletes = DeleteObjects {
            bucket: old.clone(),
            owner: OWNER.into(),
            objects: vec![ObjectToDelete { key: key(), ..ObjectToDelete::default() }],
            bypass_governance: false,
        };
        let tags = PutObjectTagging { bucket: old.clone(), key: key(), ..PutObjectTagging::default() };
        let get = GetObject { bucket: old.clone(), key: key(), ..GetObject::default() };
        let list =
            ListObjects { bucket: old.clone(), prefix: String::new(), delimiter: None, after: None, max: 10 };
        let tags_of_bucket = TagsRecord { tags: vec![("a".into(), "b".into())] };
        let outcomes = [
            ("put", fixture.put_if(old.clone(), "key", b"late", Default::default()).await.map(drop)),
            ("copy from", copy_object(engine, copy(old.clone(), BUCKET.into())).await.map(drop)),
            ("copy to", copy_object(engine, copy(BUCKET.into(), old.clone())).await.map(drop)),
            ("create an upload", create_multipart_upload(engine, create).await.map(drop)),
            ("delete objects", delete_objects(engine, deletes).await.map(drop)),
            ("tag", put_object_tagging(engine, tags).await.map(drop)),
            ("get", get_object(engine, get).await.map(drop)),
            ("list", list_objects(engine, list).await.map(drop)),
            ("policy", put_bucket_policy(engine, policy).await),
            ("document", bucket_documents::put(engine, old.clone(), tags_of_bucket).await),
            ("delete the bucket", delete_bucket(engine, old.clone()).await),
        ];
        for (what, outcome) in outcomes {
            assert!(matches!(outcome, Err(Error::NoSuchBucket)), "{what}: {outcome:?}");
        }
        assert_eq!(everything(&fixture).await, before);
        assert_eq!(fixture.get("key").await.unwrap(), b"new");
    }

    async fn everything(fixture: &Fixture) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        for table in [Table::Buckets, Table::Objects, Table::Uploads, Table::BucketDocuments] {
            keys.extend(fixture.keys(table).await);
        }
        keys
    }
}
