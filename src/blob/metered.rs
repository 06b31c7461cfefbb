//! Counts what goes into and comes out of another backend, and how it fails.
//!
//! A blob that is missing is no failure of the backend: whoever asked decides what it means.

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use std::sync::Arc;

use super::{BlobEntry, BlobId, Error, ErrorKind, Reader, Store, Writer};
use crate::telemetry::metrics;

/// A backend whose bytes and errors are counted.
pub struct Metered(Arc<dyn Store>);

impl Metered {
    pub fn new(store: Arc<dyn Store>) -> Metered {
        Metered(store)
    }
}

/// Passes an outcome on, and counts it when it is a failure.
fn counted<T>(step: &'static str, outcome: Result<T, Error>) -> Result<T, Error> {
    if let Err(error) = &outcome
        && error.kind != ErrorKind::Missing
    {
        metrics::BLOB_ERRORS.add(1, &[step]);
    }
    outcome
}

#[async_trait]
impl Store for Metered {
    async fn create(&self, id: BlobId, len: Option<u64>) -> Result<Box<dyn Writer>, Error> {
        let writer = counted("create", self.0.create(id, len).await)?;
        Ok(Box::new(MeteredWriter { inner: writer, len: 0 }))
    }

    async fn open(&self, id: BlobId) -> Result<Box<dyn Reader>, Error> {
        let reader = counted("open", self.0.open(id).await)?;
        Ok(Box::new(MeteredReader(reader)))
    }

    async fn delete(&self, id: BlobId) -> Result<(), Error> {
        counted("delete", self.0.delete(id).await)
    }

    fn list(&self) -> BoxStream<'_, Result<BlobEntry, Error>> {
        self.0.list().map(|entry| counted("list", entry)).boxed()
    }

    async fn sweep_unfinished(&self) -> Result<(), Error> {
        counted("list", self.0.sweep_unfinished().await)
    }

    fn settle(&self, id: BlobId) {
        self.0.settle(id);
    }

    async fn unsettled(&self) -> Result<Vec<BlobId>, Error> {
        counted("list", self.0.unsettled().await)
    }

    async fn check(&self) -> Result<(), Error> {
        self.0.check().await
    }
}

/// Counts when it is done with, once a blob rather than once a piece.
struct MeteredWriter {
    inner: Box<dyn Writer>,
    len: u64,
}

#[async_trait]
impl Writer for MeteredWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        let len = bytes.len() as u64;
        counted("write", self.inner.write(bytes).await)?;
        self.len += len;
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), Error> {
        counted("finish", self.inner.finish().await)?;
        metrics::BLOB_BYTES_WRITTEN.add(self.len, &[]);
        Ok(())
    }
}

struct MeteredReader(Box<dyn Reader>);

#[async_trait]
impl Reader for MeteredReader {
    async fn read(&self, offset: u64, len: usize) -> Result<Bytes, Error> {
        let bytes = counted("read", self.0.read(offset, len).await)?;
        metrics::BLOB_BYTES_READ.add(bytes.len() as u64, &[]);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::conformance;
    use crate::blob::memory::Memory;
    use metrics_exporter_prometheus::PrometheusBuilder;

    #[tokio::test]
    async fn conforms() {
        conformance::run_all(async || Arc::new(Metered::new(Arc::new(Memory::new()))) as Arc<dyn Store>)
            .await;
    }

    #[test]
    fn counts_bytes_both_ways_and_failures_but_no_missing_blobs() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let rendered = recorder.handle();
        ::metrics::with_local_recorder(&recorder, || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let store = Metered::new(Arc::new(Memory::with_len_max(10)));
                let id = BlobId::random();
                let mut writer = store.create(id, Some(10)).await.unwrap();
                writer.write(Bytes::from_static(b"0123456789")).await.unwrap();
                writer.finish().await.unwrap();
                store.open(id).await.unwrap().read(2, 3).await.unwrap();
                assert!(store.create(BlobId::random(), Some(1)).await.is_err());
                assert!(store.open(BlobId::random()).await.is_err());
            });
        });
        let text = rendered.render();
        assert!(text.contains("dovetail_blob_written_bytes_total 10\n"), "{text}");
        assert!(text.contains("dovetail_blob_read_bytes_total 3\n"), "{text}");
        assert!(text.contains("dovetail_blob_errors_total{step=\"create\"} 1\n"), "{text}");
        assert!(!text.contains("step=\"open\""), "{text}");
    }
}
