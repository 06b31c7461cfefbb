//! Stores in memory with an engine over them, and objects put there directly, for the engine's unit tests.

pub mod counting;
pub mod uploads;

use crate::base::clock::Clock;
use crate::base::tasks::Tasks;
use crate::blob::faulty::Faulty;
use crate::blob::{self, BlobId, Store as _};
use crate::engine::access::acl::AskedAcl;
use crate::engine::conditions::WriteConditions;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::ops::create_bucket::{CreateBucket, create_bucket};
use crate::engine::ops::delete_object::{DeleteObject, ObjectToDelete, delete_object};
use crate::engine::ops::get_object::{GetObject, Opened, PartOrRange, get_object};
use crate::engine::ops::put_object::{PutObject, put_object};
use crate::engine::{Engine, Error, Settings, body, inline, objects, references};
use crate::meta::keys::{self, ContentId};
use crate::meta::records::{
    BLOCK_LEN, BlobRecord, Body, Checksum, ChecksumKind, ContentIndex, ETag, Extent, IndexEntry, Metadata,
    PARTS_PER_INDEX_ENTRY, PartRecord, Record, VersionRecord,
};
use crate::meta::{Meta, Step, Table, Write};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;

/// When the tests begin, Unix milliseconds.
pub const START_MS: i64 = 1_790_000_000_000;
/// The bucket that is there.
pub const BUCKET: &str = "bucket";
pub const OWNER: &str = "owner";

/// An engine over memory. No job runs unless a test runs it.
pub struct Fixture {
    pub engine: Engine,
    pub blobs: Faulty,
}

impl Fixture {
    pub async fn new() -> Fixture {
        Fixture::with(Settings::default()).await
    }

    /// With other settings.
    pub async fn with(settings: Settings) -> Fixture {
        let meta = Meta::new(crate::meta::memory::Memory::new());
        Fixture::begin(meta, Arc::new(blob::memory::Memory::new()), settings).await
    }

    /// An engine over other stores.
    pub async fn over(meta: Meta, blobs: Arc<dyn blob::Store>) -> Fixture {
        Fixture::begin(meta, blobs, Settings::default()).await
    }

    async fn begin(meta: Meta, blobs: Arc<dyn blob::Store>, settings: Settings) -> Fixture {
        let blobs = Faulty::new(blobs);
        let engine =
            Engine::new(meta, Arc::new(blobs.clone()), Clock::manual(START_MS), Tasks::new(), settings);
        let bucket =
            CreateBucket { name: BUCKET.to_string(), owner: OWNER.to_string(), ..CreateBucket::default() };
        create_bucket(&engine, bucket).await.unwrap();
        Fixture { engine, blobs }
    }

    /// Writes what a test says, in one transaction.
    pub async fn write<T: Send + 'static>(
        &self,
        job: impl Fn(&mut dyn Write) -> Result<T, Error> + Send + 'static,
    ) -> T {
        self.engine.meta.transact(job).await.unwrap()
    }

    /// The keys of a table.
    pub async fn keys(&self, table: Table) -> Vec<Vec<u8>> {
        let found = self.engine.meta.read(move |read| {
            let mut keys = Vec::new();
            read.scan(table, &[], &mut |key, _| {
                keys.push(key.to_vec());
                Step::Next
            })?;
            Ok::<_, Error>(keys)
        });
        found.await.unwrap()
    }

    /// A durable blob that no record names yet.
    pub async fn blob(&self, bytes: &[u8]) -> (BlobId, BlobRecord) {
        let id = BlobId::random();
        let mut writer = self.blobs.create(id, Some(bytes.len() as u64)).await.unwrap();
        writer.write(bytes.to_vec().into()).await.unwrap();
        writer.finish().await.unwrap();
        let checksums =
            bytes.chunks(BLOCK_LEN as usize).flat_map(|block| dovetail_digest::crc32c(block).to_be_bytes());
        (
            id,
            BlobRecord {
                len: bytes.len() as u64,
                block_checksums: checksums.collect(),
                block_tags: Vec::new(),
            },
        )
    }

    pub async fn put_inline(&self, key: &str, bytes: &[u8]) -> VersionRecord {
        let content = ContentId::new(self.engine.clock.now_ms());
        let version = self.version(Body::Inline(content), bytes, None);
        let value = inline::encode(bytes);
        self.put_with(key, version, move |tx| tx.put(Table::Inline, &keys::content(content), value.clone()))
            .await
    }

    /// An object that is another's than the bucket.
    pub async fn put_of(&self, key: &str, bytes: &[u8], owner: &str) {
        let content = ContentId::new(self.engine.clock.now_ms());
        let version =
            VersionRecord { owner: owner.into(), ..self.version(Body::Inline(content), bytes, None) };
        let value = inline::encode(bytes);
        self.put_with(key, version, move |tx| tx.put(Table::Inline, &keys::content(content), value.clone()))
            .await;
    }

    /// PutObject with a body that is small enough to be inline.
    pub async fn put_into(&self, bucket: &str, key: &str, bytes: &'static [u8]) -> VersionRecord {
        self.put_if(bucket, key, bytes, WriteConditions::default()).await.unwrap()
    }

    /// The same under conditions.
    pub async fn put_if(
        &self,
        bucket: impl Into<NamedBucket>,
        key: &str,
        bytes: &'static [u8],
        conditions: WriteConditions,
    ) -> Result<VersionRecord, Error> {
        let body = body::Body {
            source: Box::new(Whole(Some(bytes))),
            len: Some(bytes.len() as u64),
            algorithm: None,
        };
        let (bucket, key, writer) = (bucket.into(), key.to_string(), OWNER.to_string());
        let (acl, metadata) = (AskedAcl::Nothing, Metadata::default());
        let encryption = None;
        let request =
            PutObject { bucket, key, writer, acl, metadata, body, conditions, lock: None, encryption };
        Ok(put_object(&self.engine, request).await?.version)
    }

    pub async fn put_empty(&self, key: &str) -> VersionRecord {
        self.put_with(key, self.version(Body::Empty, b"", None), |_| {}).await
    }

    pub async fn put_single(&self, key: &str, bytes: &[u8]) -> VersionRecord {
        let content = ContentId::new(self.engine.clock.now_ms());
        let (part, id, blob) = self.part(bytes).await;
        let version = self.version(Body::Single(content), bytes, None);
        self.put_with(key, version, move |tx| {
            references::add_blob(tx, id, &blob);
            tx.put(Table::Parts, &keys::part(content, 1), part.encode());
        })
        .await
    }

    /// A completed upload of parts with these numbers.
    pub async fn put_multipart(&self, key: &str, parts: &[(u16, Vec<u8>)]) -> VersionRecord {
        let content = ContentId::new(self.engine.clock.now_ms());
        let mut stored = Vec::new();
        let mut index = ContentIndex::new(parts.len() as u16, Vec::new());
        let mut offset = 0;
        for (position, (number, bytes)) in parts.iter().enumerate() {
            if position.is_multiple_of(PARTS_PER_INDEX_ENTRY) {
                index.entries.push(IndexEntry { number: *number, offset });
            }
            offset += bytes.len() as u64;
            stored.push((*number, self.part(bytes).await));
        }
        let bytes = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>();
        let version = self.version(Body::Multipart(content), &bytes, Some(index.parts));
        self.put_with(key, version, move |tx| {
            tx.put(Table::Parts, &keys::part(content, 0), index.encode());
            for (number, (part, id, blob)) in &stored {
                references::add_blob(tx, *id, blob);
                tx.put(Table::Parts, &keys::part(content, *number), part.encode());
            }
        })
        .await
    }

    pub async fn delete(&self, key: &str) {
        let object = ObjectToDelete { key: key.into(), ..ObjectToDelete::default() };
        let request =
            DeleteObject { bucket: BUCKET.into(), owner: OWNER.into(), object, ..Default::default() };
        assert!(delete_object(&self.engine, request).await.unwrap().existed, "{key}");
    }

    pub async fn open(&self, key: &str, part: PartOrRange) -> Result<Opened, Error> {
        let request = GetObject { bucket: BUCKET.into(), key: key.into(), part, ..GetObject::default() };
        get_object(&self.engine, request).await
    }

    /// What a whole read of the object gives.
    pub async fn get(&self, key: &str) -> Result<Vec<u8>, Error> {
        read_all(self.open(key, PartOrRange::Whole).await?).await
    }

    async fn put_with(
        &self,
        key: &str,
        version: VersionRecord,
        job: impl Fn(&mut dyn Write) + Send + 'static,
    ) -> VersionRecord {
        let key = key.to_string();
        let put = version.clone();
        self.write(move |tx| {
            let bucket = objects::bucket(tx, BUCKET)?;
            job(tx);
            objects::put_current(tx, &bucket, &key, &put, &WriteConditions::default())
        })
        .await
        .version
    }

    fn version(&self, body: Body, bytes: &[u8], parts: Option<u16>) -> VersionRecord {
        VersionRecord {
            version_id: None,
            modified_ms: self.engine.clock.now_ms(),
            len: bytes.len() as u64,
            etag: ETag { md5: dovetail_digest::md5(bytes), parts },
            checksum: Some(checksum(bytes)),
            body,
            metadata: Metadata::default(),
            owner: OWNER.to_string(),
            delete_marker: false,
            sequence: 0,
            acl: None,
            lock: None,
            encryption: None,
        }
    }

    async fn part(&self, bytes: &[u8]) -> (PartRecord, BlobId, BlobRecord) {
        let (id, blob) = self.blob(bytes).await;
        let part = PartRecord {
            len: bytes.len() as u64,
            md5: dovetail_digest::md5(bytes),
            checksum: checksum(bytes),
            extents: vec![Extent::new(id, 0, bytes.len() as u64)],
            modified_ms: self.engine.clock.now_ms(),
        };
        (part, id, blob)
    }
}

/// A body that comes in one piece.
struct Whole(Option<&'static [u8]>);

#[async_trait]
impl body::Source for Whole {
    async fn next(&mut self) -> Result<Option<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.take().filter(|bytes| !bytes.is_empty()).map(Bytes::from_static))
    }

    fn claims(&self) -> body::Claims {
        body::Claims::default()
    }
}

/// Everything the reader gives, in pieces as they should be.
pub async fn read_all(mut opened: Opened) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = opened.reader.next().await {
        let piece = piece?;
        assert!(!piece.is_empty() && piece.len() as u64 <= BLOCK_LEN);
        bytes.extend_from_slice(&piece);
    }
    assert_eq!(bytes.len() as u64, opened.len);
    Ok(bytes)
}

/// Bytes that differ from place to place, and by `seed`.
pub fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn checksum(bytes: &[u8]) -> Checksum {
    let algorithm = dovetail_digest::Algorithm::Crc64Nvme;
    Checksum {
        algorithm: algorithm.name().to_string(),
        kind: ChecksumKind::FullObject,
        value: dovetail_digest::digest(algorithm, bytes).as_bytes().to_vec(),
    }
}
