//! Sending what the server does not have yet, and joining it to the object.

use std::sync::Arc;

use dovetail_digest::Algorithm;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio_util::task::AbortOnDropHandle;

use super::{Session, Upload};
use crate::client::endpoint::Protection;
use crate::client::error::Error;
use crate::client::journal::Entry;
use crate::client::operations::multipart::{SentPart, combined, composite_etag};
use crate::client::operations::requests::Written;
use crate::client::upload::sent_part::PartSender;
use crate::client::workers::Permit;
use crate::wire::error_code::ErrorCode;

impl Upload<'_> {
    /// Sends what is missing and completes. The journal is true whatever happens.
    pub(super) async fn finish(&self, session: &mut Session) -> Result<Written, Error> {
        let mut is_second = false;
        loop {
            self.send_missing(session).await?;
            self.check_unchanged().await?;
            let parts: Vec<SentPart> = session.sent.values().cloned().collect();
            let protection = session.upload.protection;
            let completed =
                self.endpoint.complete_upload(self.address, &session.upload.id, &parts, protection).await;
            match completed {
                Ok(written) => return self.verified(written, &parts, protection),
                Err(error) if error.is_no_such_upload() => {
                    let written = self.completed_after_all(&parts, protection).await?;
                    return written.ok_or(error);
                }
                // What we believe about a part is wrong: an answer was damaged, or somebody else sent the part.
                Err(error) if error.code() == Some(ErrorCode::InvalidPart) && !is_second => {
                    is_second = true;
                    self.note("the server has other parts than it said; comparing them again");
                    let listed = self.endpoint.list_parts(self.address, &session.upload.id).await?;
                    session.sent.clear();
                    session.doubtful = listed.into_iter().map(|part| (part.number, part)).collect();
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn send_missing(&self, session: &mut Session) -> Result<(), Error> {
        let mut running = FuturesUnordered::new();
        for part in session.plan.parts() {
            if session.sent.contains_key(&part.number) {
                continue;
            }
            let permit = loop {
                tokio::select! {
                    biased;
                    Some(sent) = running.next() => self.arrived(session, sent)?,
                    permit = self.endpoint.workers.permit() => break permit,
                }
            };
            let sender = PartSender {
                endpoint: Arc::clone(self.endpoint),
                address: self.address.clone(),
                upload: session.upload.clone(),
                source: self.source(part),
                part,
                listed: session.doubtful.remove(&part.number),
            };
            // Dropped with `running`, so that a failure stops the other parts too.
            running.push(AbortOnDropHandle::new(
                self.endpoint.around.tasks.spawn(async move { (sender.send().await, permit) }),
            ));
        }
        while let Some(sent) = running.next().await {
            self.arrived(session, sent)?;
        }
        Ok(())
    }

    fn arrived(
        &self,
        session: &mut Session,
        sent: Result<(Result<SentPart, Error>, Permit), tokio::task::JoinError>,
    ) -> Result<(), Error> {
        // The next part may go when this one is remembered: no more are lost with this process than are in flight.
        let (sent, _permit) =
            sent.map_err(|error| Error::file("upload a part", std::io::Error::other(error)))?;
        let sent = sent?;
        session.journal.record(Entry {
            part: sent.number,
            etag: sent.etag.clone(),
            digest: sent.digest.to_hex(),
            at_ms: self.endpoint.now_ms(),
        })?;
        session.sent.insert(sent.number, sent);
        Ok(())
    }

    /// Whether the object is what these parts join to.
    pub(super) async fn completed_after_all(
        &self,
        parts: &[SentPart],
        protection: Protection,
    ) -> Result<Option<Written>, Error> {
        let head = match self.endpoint.head_object(self.address).await {
            Err(error) if error.is_not_found() => return Ok(None),
            head => head?,
        };
        let len: u64 = parts.iter().map(|part| part.len).sum();
        let same_etag =
            composite_etag(parts.iter().map(|part| part.etag.as_str())).is_some_and(|etag| etag == head.etag);
        let same_checksum = protection == Protection::Crc64
            && head.checksum.is_some_and(|checksum| {
                checksum.algorithm == Algorithm::Crc64Nvme && checksum.digest == combined(parts)
            });
        let is_ours = head.len == len && (same_etag || same_checksum);
        Ok(is_ours.then_some(Written { etag: head.etag, checksum: head.checksum }))
    }

    fn verified(
        &self,
        written: Written,
        parts: &[SentPart],
        protection: Protection,
    ) -> Result<Written, Error> {
        if let Some(checksum) = written.checksum
            && protection == Protection::Crc64
            && checksum.algorithm == Algorithm::Crc64Nvme
            && checksum.part_count.is_none()
            && checksum.digest != combined(parts)
        {
            let reason = "the server's checksum of the whole is not that of the file".into();
            return Err(Error::Corrupt { doing: format!("complete {}", self.address), reason });
        }
        Ok(written)
    }
}
