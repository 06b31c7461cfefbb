//! One multipart upload to the bucket, and how it ends if nobody finishes it.
//!
//! Order: the upload is started, its id is recorded in `unfinished/`, parts are sent, the upload is completed or
//! aborted, the record is deleted. Whoever finds a record may therefore abort the upload it names: at worst the upload
//! is over, and that is said by "not found".

use super::Bucket;
use crate::blob::{BlobId, Error, ErrorKind};
use bytes::Bytes;
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{MultipartId, ObjectStoreExt, PutPayload};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

/// A multipart upload under way. Dropping it aborts it in the background, after the part in flight.
pub(super) struct Upload {
    bucket: Arc<Bucket>,
    id: BlobId,
    upload_id: MultipartId,
    parts: Vec<PartId>,
    in_flight: Option<JoinHandle<Result<PartId, Error>>>,
    /// Keeps sweeps away until the upload is completed or aborted. `None` from then on.
    claim: Option<Claim>,
}

impl Upload {
    /// Starts an upload and records its id. Once this is polled, it goes on to its end even when it is dropped, and
    /// then aborts the upload, because a started upload whose id is lost cannot be found again.
    pub(super) async fn start(bucket: &Arc<Bucket>, id: BlobId) -> Result<Upload, Error> {
        let task = bucket.tasks.spawn(Upload::start_owned(Arc::clone(bucket), id));
        task.await.map_err(|err| {
            Error::with_source(ErrorKind::Unavailable, "starting an upload was cancelled", err)
        })?
    }

    async fn start_owned(bucket: Arc<Bucket>, id: BlobId) -> Result<Upload, Error> {
        let claim = Claim::new(&bucket, id);
        let step = format!("cannot start the upload of blob {id}");
        let upload_id = bucket.bounded(step, bucket.uploads.create_multipart(&bucket.place(id))).await?;
        let upload = Upload { bucket, id, upload_id, parts: Vec::new(), in_flight: None, claim: Some(claim) };
        // Azure has none, and nothing to abort.
        if !upload.upload_id.is_empty() {
            let payload = PutPayload::from(upload.upload_id.clone());
            let path = marker(&upload.bucket, id);
            let put = upload.bucket.objects.put(&path, payload);
            upload.bucket.bounded(format!("cannot record the upload of blob {id}"), put).await?;
        }
        Ok(upload)
    }

    pub(super) fn part_count(&self) -> usize {
        self.parts.len() + usize::from(self.in_flight.is_some())
    }

    /// Waits for the part in flight and sends `bytes` as the next one, without waiting for it. `memory` is held until
    /// they are sent.
    pub(super) async fn send(
        &mut self,
        bytes: Bytes,
        memory: Arc<OwnedSemaphorePermit>,
    ) -> Result<(), Error> {
        self.settle().await?;
        let (bucket, id) = (Arc::clone(&self.bucket), self.id);
        let (upload_id, index) = (self.upload_id.clone(), self.parts.len());
        self.in_flight = Some(self.bucket.tasks.spawn(async move {
            let path = bucket.place(id);
            let put = bucket.uploads.put_part(&path, &upload_id, index, PutPayload::from_bytes(bytes));
            let sent = bucket.bounded(format!("cannot send part {} of blob {id}", index + 1), put).await;
            drop(memory);
            sent
        }));
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Error> {
        let Some(in_flight) = &mut self.in_flight else { return Ok(()) };
        let result = in_flight.await;
        self.in_flight = None;
        let part = result
            .map_err(|err| Error::with_source(ErrorKind::Unavailable, "sending a part was cancelled", err));
        self.parts.push(part??);
        Ok(())
    }

    /// Puts the parts together: afterwards the blob of `len` bytes is there.
    pub(super) async fn complete(mut self, len: u64) -> Result<(), Error> {
        self.settle().await?;
        let parts = std::mem::take(&mut self.parts);
        let path = self.bucket.place(self.id);
        let complete = self.bucket.uploads.complete_multipart(&path, &self.upload_id, parts);
        let completed =
            self.bucket.bounded(format!("cannot complete the upload of blob {}", self.id), complete).await;
        if let Err(err) = completed
            && !self.is_there(&path, len).await
        {
            return Err(err);
        }
        let (bucket, id) = (Arc::clone(&self.bucket), self.id);
        let claim = self.claim.take();
        if !self.upload_id.is_empty() {
            self.bucket.clean_up(async move {
                // If this fails, a sweep deletes it.
                let _ = bucket.delete(&marker(&bucket, id), String::new()).await;
                drop(claim);
            });
        }
        Ok(())
    }

    /// Whether the upload was completed though we were told otherwise: an answer can be lost, and the repeated request
    /// is then refused because the upload is gone. Names are used once, so the whole length means the whole blob.
    async fn is_there(&self, path: &Path, len: u64) -> bool {
        let found = self.bucket.bounded(String::new(), self.bucket.objects.head(path)).await;
        found.is_ok_and(|found| found.size == len)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(claim) = self.claim.take() else { return };
        let (bucket, id) = (Arc::clone(&self.bucket), self.id);
        let (upload_id, in_flight) = (std::mem::take(&mut self.upload_id), self.in_flight.take());
        self.bucket.clean_up(async move {
            if let Some(in_flight) = in_flight {
                // A part that arrives after the abort would stay, and be paid for.
                let _ = in_flight.await;
            }
            // If this fails, the record stays for the next sweep.
            let _ = abort(&bucket, id, &upload_id).await;
            drop(claim);
        });
    }
}

/// Aborts the upload that an earlier process left a record of.
pub(super) async fn abort_left(bucket: &Bucket, id: BlobId) -> Result<(), Error> {
    let path = marker(bucket, id);
    let read = async { bucket.objects.get(&path).await?.bytes().await };
    let upload_id = match bucket.bounded(format!("cannot read the record of upload {id}"), read).await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // Deleted since it was listed.
        Err(err) if err.kind == ErrorKind::Missing => return Ok(()),
        Err(err) => return Err(err),
    };
    abort(bucket, id, &upload_id).await
}

async fn abort(bucket: &Bucket, id: BlobId, upload_id: &MultipartId) -> Result<(), Error> {
    if upload_id.is_empty() {
        return Ok(());
    }
    let path = bucket.place(id);
    let aborted = bucket.bounded(
        format!("cannot abort the upload of blob {id}"),
        bucket.uploads.abort_multipart(&path, upload_id),
    );
    match aborted.await {
        // Completed or aborted before.
        Err(err) if err.kind == ErrorKind::Missing => {}
        result => result?,
    }
    bucket.delete(&marker(bucket, id), format!("cannot delete the record of upload {id}")).await
}

fn marker(bucket: &Bucket, id: BlobId) -> Path {
    bucket.path(&format!("unfinished/{id}"))
}

/// Says that this process is at work on an upload.
struct Claim {
    bucket: Arc<Bucket>,
    id: BlobId,
}

impl Claim {
    fn new(bucket: &Arc<Bucket>, id: BlobId) -> Claim {
        bucket.being_written().insert(id);
        Claim { bucket: Arc::clone(bucket), id }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.bucket.being_written().remove(&self.id);
    }
}
