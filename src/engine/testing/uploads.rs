//! Uploads and bodies for the engine's unit tests, and what must be true of the store after each.

use crate::blob::{BlobId, Store as _};
use crate::engine::access::acl::AskedAcl;
use crate::engine::body::{Body, Claims, Source};
use crate::engine::conditions::WriteConditions;
use crate::engine::ops::complete_multipart_upload::{
    CompleteMultipartUpload, Completed, ListedPart, complete_multipart_upload,
};
use crate::engine::ops::create_multipart_upload::{CreateMultipartUpload, create_multipart_upload};
use crate::engine::ops::put_object::{Put, PutObject, put_object};
use crate::engine::ops::upload_part::{UploadPart, UploadedPart, upload_part};
use crate::engine::testing::{BUCKET, Fixture, OWNER};
use crate::engine::{Error, references};
use crate::meta::keys::{self, Owned, UploadId};
use crate::meta::records::{ChecksumKind, ETag, Metadata, PartRecord, ProgressRecord, Record};
use crate::meta::{Step, Table};
use async_trait::async_trait;
use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest};
use futures::StreamExt;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The key that the tests upload to.
pub const KEY: &str = "key";

/// A body in pieces that a test chose; it may end in an error.
pub struct Pieces {
    pub pieces: VecDeque<Bytes>,
    pub claims: Claims,
    pub cut: bool,
}

#[async_trait]
impl Source for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
        // Other tasks get a turn between pieces, as they do between packets.
        tokio::task::yield_now().await;
        match self.pieces.pop_front() {
            None if self.cut => Err("the connection was cut".into()),
            next => Ok(next),
        }
    }

    fn claims(&self) -> Claims {
        self.claims
    }
}

/// A body of these bytes in pieces of 100,000 bytes, of declared length, without claims.
pub fn body(bytes: impl Into<Bytes>) -> Body {
    let bytes = bytes.into();
    let len = Some(bytes.len() as u64);
    let pieces = pieces(bytes, 100_000);
    Body { source: Box::new(Pieces { pieces, claims: Claims::default(), cut: false }), len, algorithm: None }
}

/// The same with a checksum that is claimed to be this.
pub fn body_claiming(bytes: impl Into<Bytes>, algorithm: Algorithm, digest: Digest) -> Body {
    let bytes = bytes.into();
    let len = Some(bytes.len() as u64);
    let claims = Claims { md5: None, checksum: Some((algorithm, digest)) };
    let source = Pieces { pieces: pieces(bytes, 100_000), claims, cut: false };
    Body { source: Box::new(source), len, algorithm: Some(algorithm) }
}

pub fn pieces(mut bytes: Bytes, len: usize) -> VecDeque<Bytes> {
    let mut pieces = VecDeque::new();
    while !bytes.is_empty() {
        pieces.push_back(bytes.split_to(len.min(bytes.len())));
    }
    pieces
}

/// Five mebibytes of this letter: the smallest part that need not be the last.
pub fn letters(letter: u8) -> Bytes {
    vec![letter; 5 << 20].into()
}

impl Fixture {
    pub async fn put(&self, key: &str, body: Body, conditions: WriteConditions) -> Result<Put, Error> {
        let request = PutObject {
            bucket: BUCKET.into(),
            key: key.to_string(),
            writer: OWNER.to_string(),
            acl: AskedAcl::Nothing,
            metadata: Metadata::default(),
            body,
            conditions,
            lock: None,
            encryption: None,
        };
        put_object(&self.engine, request).await
    }

    pub async fn create(&self, checksum: Option<(Algorithm, ChecksumKind)>) -> UploadId {
        self.create_at(KEY, checksum).await.unwrap()
    }

    pub async fn create_at(
        &self,
        key: &str,
        checksum: Option<(Algorithm, ChecksumKind)>,
    ) -> Result<UploadId, Error> {
        let metadata = Metadata { user: vec![("a".into(), "b".into())], ..Metadata::default() };
        let request = CreateMultipartUpload {
            bucket: BUCKET.into(),
            key: key.to_string(),
            initiator: OWNER.to_string(),
            acl: AskedAcl::Nothing,
            metadata,
            checksum,
            lock: None,
            encryption: None,
        };
        Ok(create_multipart_upload(&self.engine, request).await?.id)
    }

    pub async fn upload(&self, id: UploadId, number: u16, body: Body) -> Result<UploadedPart, Error> {
        let request = UploadPart {
            bucket: BUCKET.into(),
            key: KEY.to_string(),
            upload_id: id,
            part_number: number,
            body,
            customer_key: None,
        };
        upload_part(&self.engine, request).await
    }

    pub async fn complete(&self, request: CompleteMultipartUpload) -> Result<Completed, Error> {
        complete_multipart_upload(&self.engine, request).await
    }

    /// Every entry of a table.
    pub async fn entries(&self, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
        let read = self.engine.meta.read(move |read| {
            let mut entries = Vec::new();
            read.scan(table, &[], &mut |key, value| {
                entries.push((key.to_vec(), value.to_vec()));
                Step::Next
            })?;
            Ok::<_, Error>(entries)
        });
        read.await.unwrap()
    }

    pub async fn stored_blobs(&self) -> BTreeSet<BlobId> {
        self.blobs.list().map(|entry| entry.unwrap().id).collect().await
    }

    /// Waits for tasks that nobody waits for, then checks that blobs, their records, their counts, the parts that
    /// name them and the progress of uploads agree with each other. To be called when the collector is done.
    pub async fn check_consistency(&self) {
        self.engine.tasks.wait().await;
        let mut named: BTreeMap<BlobId, u64> = BTreeMap::new();
        let mut progress: BTreeMap<Vec<u8>, (u32, u64)> = BTreeMap::new();
        for (key, value) in self.entries(Table::Parts).await {
            let (content, number) = key.split_at(16);
            if number == [0, 0] {
                continue;
            }
            let part = PartRecord::decode(&value).unwrap();
            assert_eq!(part.extents.iter().map(|extent| extent.len).sum::<u64>(), part.len);
            part.extents.iter().for_each(|extent| *named.entry(extent.blob()).or_default() += 1);
            let counted = progress.entry(content.to_vec()).or_default();
            *counted = (counted.0 + 1, counted.1 + part.len);
        }
        let records: BTreeSet<_> = self
            .entries(Table::Blobs)
            .await
            .iter()
            .map(|(key, _)| BlobId(key[..].try_into().unwrap()))
            .collect();
        assert_eq!(records, named.keys().copied().collect(), "each blob that a part names has a record");
        assert_eq!(self.stored_blobs().await, records, "each stored blob is named");
        assert_eq!(self.entries(Table::Garbage).await, [], "nothing is left to collect");
        for (blob, count) in named {
            let read = self.engine.meta.read(move |read| references::count(read, &Owned::Blob(blob)));
            assert_eq!(read.await.unwrap(), count, "references to {blob}");
        }
        for (key, value) in self.entries(Table::Progress).await {
            let counted = progress.get(&key).copied().unwrap_or_default();
            let record = ProgressRecord::decode(&value).unwrap();
            assert_eq!((record.parts, record.bytes_len), counted, "progress of an upload");
        }
    }

    /// Collects everything that may go, then [`Fixture::check_consistency`].
    pub async fn settle(&self) {
        self.engine.tasks.wait().await;
        crate::engine::jobs::collector::run_once(&self.engine).await.unwrap();
        self.check_consistency().await;
    }

    /// Parts of an upload or content, without its index.
    pub async fn part_numbers(&self, id: UploadId) -> Vec<u16> {
        let parts = self.entries(Table::Parts).await;
        parts.iter().filter_map(|(key, _)| keys::part_number(id, key)).filter(|number| *number > 0).collect()
    }
}

/// A request that lists these parts, without checksums and conditions.
pub fn listing(id: UploadId, parts: &[(u16, [u8; 16])]) -> CompleteMultipartUpload {
    let parts = parts.iter().map(|(number, md5)| ListedPart {
        number: *number,
        etag: ETag { md5: *md5, parts: None }.to_string(),
        checksum: None,
    });
    CompleteMultipartUpload {
        bucket: BUCKET.into(),
        key: KEY.to_string(),
        upload_id: id,
        parts: parts.collect(),
        checksum: None,
        checksum_kind: None,
        size: None,
        conditions: WriteConditions::default(),
        customer_key: None,
    }
}
