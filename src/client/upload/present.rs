//! Whether the object is already there: by its checksum or its ETag, as far as these tell.

use dovetail_digest::Algorithm;

use super::{Done, Target, Upload};
use crate::client::answers::ListedObject;
use crate::client::error::Error;
use crate::client::multipart::{SentPart, composite_etag};
use crate::client::plan::Part;
use crate::client::requests::{ObjectHead, Written, is_encrypted, is_md5};

impl Upload<'_> {
    /// Whether the object is already there, byte for byte, as far as its checksum or its ETag can tell.
    pub(super) async fn already_there(&self, target: Target) -> Result<Option<Done>, Error> {
        let may_be = match &target {
            Target::Absent => false,
            Target::Listed(object) => object.len == self.identity.len,
            Target::Unknown => true,
        };
        if self.options.always || !may_be {
            return Ok(None);
        }
        if let Target::Listed(object) = &target
            && let Some(done) = self.as_listed(object).await?
        {
            return Ok(Some(done));
        }
        let head = match self.endpoint.head_object(self.address).await {
            Err(error) if error.is_not_found() => return Ok(None),
            // Somebody who may write but not read: then it is sent.
            Err(error) if error.status() == Some(403) => return Ok(None),
            head => head?,
        };
        if !self.is_same(&head).await? {
            return Ok(None);
        }
        self.endpoint.tally.keep(self.identity.len);
        let written = Written { etag: head.etag, checksum: head.checksum };
        Ok(Some(Done { was_there: true, ..self.done(written, self.identity.len) }))
    }

    /// A small file whose MD5 is the listed ETag is there; nothing need be asked. Any other ETag says nothing.
    async fn as_listed(&self, object: &ListedObject) -> Result<Option<Done>, Error> {
        if self.plan.count() > 1 || !is_md5(&object.etag) {
            return Ok(None);
        }
        let doing = format!("read {}", self.path.display());
        let source = self.source(self.plan.part(1));
        if self.endpoint.digest(&source, Algorithm::Md5, &doing).await?.to_hex() != object.etag {
            return Ok(None);
        }
        self.endpoint.tally.keep(self.identity.len);
        let written = Written { etag: object.etag.clone(), checksum: None };
        Ok(Some(Done { was_there: true, ..self.done(written, self.identity.len) }))
    }

    async fn is_same(&self, head: &ObjectHead) -> Result<bool, Error> {
        if head.len != self.identity.len {
            return Ok(false);
        }
        let whole = self.source(Part { number: 1, offset: 0, len: self.identity.len });
        let doing = format!("read {}", self.path.display());
        if let Some((algorithm, expected)) = head.whole_digest() {
            return Ok(self.endpoint.digest(&whole, algorithm, &doing).await? == expected);
        }
        if is_encrypted(&head.headers) {
            return Ok(false);
        }
        if head.etag.ends_with(&format!("-{}", self.plan.count())) {
            let mut parts = Vec::new();
            for part in self.plan.parts() {
                let digest = self.endpoint.digest(&self.source(part), Algorithm::Md5, &doing).await?;
                parts.push(SentPart { number: part.number, len: part.len, etag: digest.to_hex(), digest });
            }
            return Ok(composite_etag(&parts).as_ref() == Some(&head.etag));
        }
        Ok(false)
    }
}
