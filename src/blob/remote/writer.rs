//! A blob on its way to the bucket: one request if it is short, a multipart upload if it is not.

use super::upload::Upload;
use super::{Bucket, PARTS_MAX};
use crate::blob::{BlobId, Error, ErrorKind, Writer};
use async_trait::async_trait;
use bytes::Bytes;
use object_store::{ObjectStoreExt, PutPayload};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Collects one window while the one before is on its way.
pub(super) struct RemoteWriter {
    bucket: Arc<Bucket>,
    id: BlobId,
    len: u64,
    len_declared: Option<u64>,
    /// Copied from the caller's buffers, of which there are too few to wait for a request. Sent when more comes, so
    /// it is never empty at the end of a multipart upload.
    filling: Vec<u8>,
    /// Started by the second window.
    upload: Option<Upload>,
    /// A `write` began and has not returned: if it was dropped or failed half-way, bytes are missing.
    inside_write: bool,
    /// Counts `filling` and the part in flight for as long as either may exist.
    memory: Arc<OwnedSemaphorePermit>,
}

impl RemoteWriter {
    pub(super) fn new(
        bucket: Arc<Bucket>,
        id: BlobId,
        len_declared: Option<u64>,
        memory: OwnedSemaphorePermit,
    ) -> RemoteWriter {
        RemoteWriter {
            bucket,
            id,
            len: 0,
            len_declared,
            filling: Vec::new(),
            upload: None,
            inside_write: false,
            memory: Arc::new(memory),
        }
    }

    /// Appends to the window, and sends it whenever it is full and more comes.
    async fn append(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        let window_len = self.bucket.settings.window_len;
        while !bytes.is_empty() {
            if self.filling.len() == window_len {
                self.send_window().await?;
            }
            if self.filling.is_empty() {
                let rest = self.len_declared.map_or(u64::MAX, |declared| declared - self.len);
                self.filling.reserve_exact(usize::try_from(rest).unwrap_or(window_len).min(window_len));
            }
            let take = bytes.len().min(window_len - self.filling.len());
            self.filling.extend_from_slice(&bytes.split_to(take));
            self.len += take as u64;
        }
        Ok(())
    }

    async fn send_window(&mut self) -> Result<(), Error> {
        if self.upload.is_none() {
            self.upload = Some(Upload::start(&self.bucket, self.id).await?);
        }
        let upload = self.upload.as_mut().expect("started just above");
        if upload.part_count() >= PARTS_MAX {
            let message = format!("blob {} needs more than {PARTS_MAX} parts", self.id);
            return Err(Error::new(ErrorKind::NoSpace, message));
        }
        upload.send(Bytes::from(std::mem::take(&mut self.filling)), Arc::clone(&self.memory)).await
    }

    /// The last requests. The blob is there and complete when this returns.
    async fn complete(mut self) -> Result<Finished, Error> {
        let finished = Finished { bucket: Arc::clone(&self.bucket), id: self.id, is_kept: false };
        if self.upload.is_some() {
            self.send_window().await?;
        }
        match self.upload.take() {
            Some(upload) => upload.complete(self.len).await?,
            None => {
                let payload = PutPayload::from(std::mem::take(&mut self.filling));
                let path = self.bucket.place(self.id);
                let put = self.bucket.objects.put(&path, payload);
                self.bucket.bounded(format!("cannot write blob {}", self.id), put).await?;
            }
        }
        Ok(finished)
    }

    fn check_whole(&self) -> Result<(), Error> {
        if self.inside_write {
            let message = format!("a write to blob {} failed or was interrupted", self.id);
            return Err(Error::new(ErrorKind::Io, message));
        }
        Ok(())
    }

    fn wrong_len(&self, len: u64) -> Error {
        let declared = self.len_declared.unwrap_or(len);
        let message = format!("blob {} was declared with {declared} bytes and got {len}", self.id);
        Error::new(ErrorKind::Corrupt, message)
    }
}

#[async_trait]
impl Writer for RemoteWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.check_whole()?;
        self.inside_write = true;
        let len = self.len + bytes.len() as u64;
        if self.len_declared.is_some_and(|declared| len > declared) {
            return Err(self.wrong_len(len));
        }
        self.append(bytes).await?;
        self.inside_write = false;
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), Error> {
        self.check_whole()?;
        if self.len_declared.is_some_and(|declared| declared != self.len) {
            return Err(self.wrong_len(self.len));
        }
        // In a task of its own: a request that was sent cannot be taken back, so somebody must see how it ends.
        let bucket = Arc::clone(&self.bucket);
        let finished = bucket.tasks.spawn((*self).complete()).await;
        finished
            .map_err(|err| {
                Error::with_source(ErrorKind::Unavailable, "finishing a blob was cancelled", err)
            })??
            .keep();
        Ok(())
    }
}

/// A blob that is there, or may be, and that nobody has been told about. Dropping it deletes it: a caller that went
/// away, or was told of a failure, will never name it.
struct Finished {
    bucket: Arc<Bucket>,
    id: BlobId,
    is_kept: bool,
}

impl Finished {
    fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        if !self.is_kept {
            let (bucket, id) = (Arc::clone(&self.bucket), self.id);
            self.bucket.clean_up(async move {
                // If this fails, `fsck` finds the blob.
                let _ = bucket.delete(&bucket.place(id), String::new()).await;
            });
        }
    }
}
