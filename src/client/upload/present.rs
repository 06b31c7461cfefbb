//! Whether the object is already there: by its checksum or its ETag, as far as these tell.

use dovetail_digest::Algorithm;
use http::HeaderMap;

use super::{Done, Target, Upload};
use crate::client::answers::ListedObject;
use crate::client::error::Error;
use crate::client::operations::requests::{Written, is_md5};
use crate::client::plan::Part;
use crate::client::same::has_bytes_of;

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
        // A listing does not tell what describes an object.
        if let Target::Listed(object) = &target
            && self.options.wanted.is_empty()
            && self.endpoint.customer_keys.is_empty()
            && let Some(done) = self.as_listed(object).await?
        {
            return Ok(Some(done));
        }
        let head = match self.endpoint.head_object(self.address).await {
            Err(error) if error.is_not_found() => return Ok(None),
            // Somebody who may write but not read: then it is sent.
            Err(error) if error.status() == Some(403) => return Ok(None),
            // A HEAD cannot say why.
            Err(Error::Refused { .. }) => match self.endpoint.look_at(self.address).await {
                Err(error) if error.is_about_encryption() => {
                    self.note("it is there with another encryption; sending it again");
                    return Ok(None);
                }
                looked => looked?,
            },
            head => head?,
        };
        let whole = self.source(Part { number: 1, offset: 0, len: self.identity.len });
        let doing = format!("read {}", self.path.display());
        if !has_bytes_of(self.endpoint, self.address, &head, &whole, &doing).await? {
            return Ok(None);
        }
        let is_encrypted = self.endpoint.customer_keys.are_taken(&head.headers);
        if !is_encrypted || !is_described(&head.headers, &self.options.wanted) {
            self.note("it is there with another description; sending it again");
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
}

/// Whether an object says of itself what is wanted. A storage class that goes without saying is STANDARD.
fn is_described(headers: &HeaderMap, wanted: &HeaderMap) -> bool {
    wanted.iter().all(|(name, value)| match headers.get(name) {
        Some(told) => told == value,
        None => name == "x-amz-storage-class" && value == "STANDARD",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn an_object_has_to_say_what_was_asked_for() {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
                .collect()
        };
        let told = headers(&[("content-type", "text/plain"), ("x-amz-meta-a", "1")]);
        for (wanted, expected) in [
            (&[][..], true),
            (&[("content-type", "text/plain")][..], true),
            (&[("x-amz-meta-a", "1"), ("x-amz-storage-class", "STANDARD")][..], true),
            (&[("x-amz-meta-a", "2")][..], false),
            (&[("x-amz-meta-b", "1")][..], false),
            (&[("x-amz-storage-class", "STANDARD_IA")][..], false),
        ] {
            assert_eq!(is_described(&told, &headers(wanted)), expected, "{wanted:?}");
        }
    }
}
