//! S3's multipart uploads as the client uses them, each request with its retries.

use std::time::Duration;

use dovetail_digest::{Algorithm, Digest};
use http::{HeaderMap, Method};

use crate::client::address::Address;
use crate::client::answers::{self, ListedPart, OpenUpload, PartPage, UploadPage};
use crate::client::endpoint::call::{Answer, Call, Payload};
use crate::client::endpoint::connection::COMPLETE_TIMEOUT;
use crate::client::endpoint::send_body::Framing;
use crate::client::endpoint::{Endpoint, Protection};
use crate::client::error::Error;
use crate::client::operations::requests::{
    Written, etag_of, is_encrypted, is_md5, is_unknown_feature, object_call, written,
};
use crate::client::plan::Part;
use crate::client::source::Source;
use crate::client::upload::sent_part::digest_from_hex;
use crate::wire::checksum;
use crate::wire::copy_source::CopySource;
use crate::wire::etag;
use crate::wire::xml::{NAMESPACE, Writer};

/// While the answer to a Complete takes long, the upload is looked at after such pauses: a quarter of the patience, within these.
const LOOK_PAUSE_MIN: Duration = Duration::from_secs(1);
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(30);

/// A new upload, and how its parts are to be protected.
#[derive(Clone, Debug)]
pub struct NewUpload {
    pub id: String,
    pub protection: Protection,
}

/// A part that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentPart {
    pub number: u16,
    pub len: u64,
    /// Without quotes.
    pub etag: String,
    /// With the algorithm of the upload's protection.
    pub digest: Digest,
}

impl Endpoint {
    /// Opens an upload, with CRC-64 when the endpoint has it. `headers` describe the object.
    pub async fn create_upload(&self, address: &Address, headers: &HeaderMap) -> Result<NewUpload, Error> {
        let mut call = object_call("begin the upload of", Method::POST, address).query("uploads", "");
        call.headers = headers.clone();
        if self.protection() != Some(Protection::Md5) {
            let with_checksum = call
                .clone()
                .header("x-amz-checksum-algorithm", Algorithm::Crc64Nvme.name())
                .header("x-amz-checksum-type", "FULL_OBJECT");
            match self.call(&with_checksum).await {
                Ok(answer) => {
                    let echoed = answer.header("x-amz-checksum-algorithm").unwrap_or_default();
                    let knows = echoed.eq_ignore_ascii_case(Algorithm::Crc64Nvme.name());
                    let protection = if knows { Protection::Crc64 } else { Protection::Md5 };
                    self.set_protection(protection);
                    return self.begun(address, &call, &answer, protection).await;
                }
                Err(error) if is_unknown_feature(&error) => self.set_protection(Protection::Md5),
                Err(error) => return Err(error),
            }
        }
        let answer = self.call(&call).await?;
        self.begun(address, &call, &answer, Protection::Md5).await
    }

    /// The upload that a server has begun, unless it is not going to encrypt it.
    async fn begun(
        &self,
        address: &Address,
        call: &Call,
        answer: &Answer,
        protection: Protection,
    ) -> Result<NewUpload, Error> {
        let upload = new_upload(call, answer, protection)?;
        if let Err(error) = self.check_key_was_taken(&answer.headers, false) {
            self.abort_upload(address, &upload.id).await?;
            return Err(error);
        }
        Ok(upload)
    }

    /// Sends a part until it has arrived as it was read.
    pub async fn upload_part(
        &self,
        address: &Address,
        upload_id: &str,
        part: Part,
        source: &Source,
        protection: Protection,
    ) -> Result<SentPart, Error> {
        let doing = format!("upload part {} of {address}", part.number);
        let mut call = Call::new(doing, Method::PUT, &address.bucket, &address.key)
            .query("partNumber", part.number.to_string())
            .query("uploadId", upload_id);
        let mut known = None;
        match protection {
            Protection::Crc64 => {
                call.body = Payload::Part(source.clone(), Framing::Trailer(Algorithm::Crc64Nvme));
            }
            Protection::Md5 => {
                let digest = self.digest(source, Algorithm::Md5, &call.doing).await?;
                call = call.header("content-md5", checksum::encode(&digest));
                call.body = Payload::Part(source.clone(), Framing::Plain);
                known = Some(digest);
            }
        }
        let mut attempts = self.attempts();
        loop {
            let result = match self.call_once(&call).await {
                Ok(answer) => sent_part(&call.doing, part, known, &answer),
                Err(error) => Err(error),
            };
            match result {
                Ok(sent) => {
                    self.retry.succeeded();
                    return Ok(sent);
                }
                Err(error) => attempts.pause(error).await?,
            }
        }
    }

    /// Joins the parts. A repeat may find the upload gone because an earlier Complete worked and its answer was lost:
    /// that is for the caller to find out. So may a look at the upload while the answer takes long, which may be for ever.
    pub async fn complete_upload(
        &self,
        address: &Address,
        upload_id: &str,
        parts: &[SentPart],
        protection: Protection,
    ) -> Result<Written, Error> {
        let mut call = object_call("complete", Method::POST, address).query("uploadId", upload_id);
        call.idle = COMPLETE_TIMEOUT;
        call.body = Payload::Bytes(part_list(parts, protection).into());
        if protection == Protection::Crc64 {
            let whole = combined(parts);
            call = call
                .header(checksum::header_name(Algorithm::Crc64Nvme), checksum::encode(&whole))
                .header("x-amz-checksum-type", "FULL_OBJECT");
        }
        self.complete(address, upload_id, &call).await
    }

    async fn complete(&self, address: &Address, upload_id: &str, call: &Call) -> Result<Written, Error> {
        let answer = tokio::select! {
            answer = self.call_checked(call) => answer?,
            gone = self.gone(address, upload_id) => return Err(gone),
        };
        written(&call.doing, "CompleteMultipartUploadResult", &answer)
    }

    /// Looks at an upload now and then until it is gone. Once is not enough: its answer may be on its way.
    async fn gone(&self, address: &Address, upload_id: &str) -> Error {
        let pause = (self.retry.patience() / 4).clamp(LOOK_PAUSE_MIN, LOOK_PAUSE_MAX);
        let call = object_call("list the parts of", Method::GET, address)
            .query("max-parts", "1")
            .query("uploadId", upload_id);
        let mut was_gone = false;
        loop {
            tokio::time::sleep(pause).await;
            match self.call_once(&call).await {
                Err(error) if error.is_no_such_upload() && was_gone => return error,
                Err(error) => was_gone = error.is_no_such_upload(),
                Ok(_) => was_gone = false,
            }
        }
    }

    /// Drops an upload; one that is gone already is dropped too.
    pub async fn abort_upload(&self, address: &Address, upload_id: &str) -> Result<(), Error> {
        let call = object_call("abort the upload of", Method::DELETE, address).query("uploadId", upload_id);
        match self.call(&call).await {
            Err(error) if !error.is_no_such_upload() => Err(error),
            _ => Ok(()),
        }
    }

    /// Every part that the server has, in order.
    pub async fn list_parts(&self, address: &Address, upload_id: &str) -> Result<Vec<ListedPart>, Error> {
        let mut parts = Vec::new();
        let mut marker = 0;
        loop {
            let mut call =
                object_call("list the parts of", Method::GET, address).query("uploadId", upload_id);
            if marker > 0 {
                call = call.query("part-number-marker", marker.to_string());
            }
            let page: PartPage = self.parsed(&call, answers::part_page).await?;
            parts.extend(page.parts);
            match page.next {
                Some(next) if next > marker => marker = next,
                _ => return Ok(parts),
            }
        }
    }

    /// The open uploads whose keys begin with the address's.
    pub async fn list_uploads(&self, prefix: &Address) -> Result<Vec<OpenUpload>, Error> {
        let mut uploads = Vec::new();
        let mut marker: Option<(String, String)> = None;
        loop {
            let doing = format!("list the open uploads of {prefix}");
            let mut call = Call::new(doing, Method::GET, &prefix.bucket, "")
                .query("uploads", "")
                .query("encoding-type", "url")
                .query("prefix", &prefix.key);
            if let Some((key, id)) = &marker {
                call = call.query("key-marker", key).query("upload-id-marker", id);
            }
            let page: UploadPage = self.parsed(&call, answers::upload_page).await?;
            uploads.extend(page.uploads);
            match page.next {
                Some(next) if Some(&next) != marker.as_ref() => marker = Some(next),
                _ => return Ok(uploads),
            }
        }
    }

    /// Copies a range into a part. The ETag of the part.
    pub async fn copy_part(
        &self,
        source: &CopySource,
        source_etag: &str,
        to: &Address,
        upload_id: &str,
        part: Part,
    ) -> Result<String, Error> {
        let range = format!("bytes={}-{}", part.offset, part.offset + part.len - 1);
        let mut call = object_call("copy to", Method::PUT, to)
            .query("partNumber", part.number.to_string())
            .query("uploadId", upload_id)
            .header("x-amz-copy-source", source.to_header())
            .header("x-amz-copy-source-if-match", etag::quote(source_etag))
            .header("x-amz-copy-source-range", range);
        call.idle = COMPLETE_TIMEOUT;
        let answer = self.call_checked(&call).await?;
        Ok(written(&call.doing, "CopyPartResult", &answer)?.etag)
    }

    /// Opens an upload that copies will fill, and asks for no checksum: the server knows the bytes.
    pub async fn create_copy_upload(&self, address: &Address, headers: &HeaderMap) -> Result<String, Error> {
        let mut call = object_call("begin the copy to", Method::POST, address).query("uploads", "");
        call.headers = headers.clone();
        let answer = self.call(&call).await?;
        Ok(self.begun(address, &call, &answer, Protection::Md5).await?.id)
    }

    /// Joins copied parts: numbers and ETags. The upload may be gone as for [`Endpoint::complete_upload`].
    pub async fn complete_copy(
        &self,
        address: &Address,
        upload_id: &str,
        parts: &[(u16, String)],
    ) -> Result<Written, Error> {
        let mut xml = Writer::document("CompleteMultipartUpload", Some(NAMESPACE));
        for (number, etag) in parts {
            xml.open("Part").number("PartNumber", u64::from(*number)).etag("ETag", etag).close();
        }
        let mut call = object_call("complete", Method::POST, address).query("uploadId", upload_id);
        call.idle = COMPLETE_TIMEOUT;
        call.body = Payload::Bytes(xml.finish().into());
        self.complete(address, upload_id, &call).await
    }
}

/// The ETag of an object joined from these parts, where parts' ETags are MD5s.
pub fn composite_etag<'e>(etags: impl ExactSizeIterator<Item = &'e str>) -> Option<String> {
    let count = etags.len();
    let mut bytes = Vec::with_capacity(count * 16);
    for etag in etags {
        bytes.extend_from_slice(digest_from_hex(etag).filter(|_| is_md5(etag))?.as_bytes());
    }
    Some(format!("{}-{count}", Digest::new(&dovetail_digest::md5(&bytes)).to_hex()))
}

/// The CRC-64 of all parts together.
pub fn combined(parts: &[SentPart]) -> Digest {
    let empty = dovetail_digest::digest(Algorithm::Crc64Nvme, b"");
    parts.iter().fold(empty, |whole, part| {
        dovetail_digest::combine(Algorithm::Crc64Nvme, &whole, &part.digest, part.len)
    })
}

fn new_upload(call: &Call, answer: &Answer, protection: Protection) -> Result<NewUpload, Error> {
    let id = answers::text_of(&answer.body, "InitiateMultipartUploadResult", "UploadId");
    Ok(NewUpload { id: id.map_err(|reason| Error::malformed(&call.doing, reason))?, protection })
}

/// Compares what the server says it has with what was sent.
fn sent_part(doing: &str, part: Part, md5: Option<Digest>, answer: &Answer) -> Result<SentPart, Error> {
    let etag = etag_of(doing, &answer.headers)?;
    let digest = match (md5, answer.digest) {
        (Some(md5), _) => md5,
        (None, Some(digest)) => digest,
        // The server answered before it had read everything.
        (None, None) => return Err(Error::malformed(doing, "it came before the end of the part")),
    };
    let has = match md5 {
        Some(_) if is_md5(&etag) && !is_encrypted(&answer.headers) => Some(etag.clone()),
        Some(_) => None,
        None => answer
            .header(checksum::header_name(Algorithm::Crc64Nvme))
            .and_then(|text| checksum::decode(Algorithm::Crc64Nvme, text))
            .map(|digest| digest.to_hex()),
    };
    if has.is_some_and(|has| has != digest.to_hex()) {
        let reason = "the server has other bytes than were sent".into();
        return Err(Error::Corrupt { doing: doing.to_owned(), reason });
    }
    Ok(SentPart { number: part.number, len: part.len, etag, digest })
}

fn part_list(parts: &[SentPart], protection: Protection) -> Vec<u8> {
    let mut xml = Writer::document("CompleteMultipartUpload", Some(NAMESPACE));
    for part in parts {
        xml.open("Part").number("PartNumber", u64::from(part.number)).etag("ETag", &part.etag);
        if protection == Protection::Crc64 {
            xml.text(checksum::element_name(Algorithm::Crc64Nvme), &checksum::encode(&part.digest));
        }
        xml.close();
    }
    xml.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn etags(parts: &[SentPart]) -> impl ExactSizeIterator<Item = &str> {
        parts.iter().map(|part| part.etag.as_str())
    }

    #[test]
    fn parts_join_to_the_etag_and_the_checksum_of_the_whole() {
        let part = |number: u16, byte: u8| {
            let bytes = vec![byte; 5 << 20];
            SentPart {
                number,
                len: bytes.len() as u64,
                etag: Digest::new(&dovetail_digest::md5(&bytes)).to_hex(),
                digest: dovetail_digest::digest(Algorithm::Crc64Nvme, &bytes),
            }
        };
        let parts = [part(1, b'A'), part(2, b'B'), part(3, b'C')];
        assert_eq!(composite_etag(etags(&parts)).unwrap(), "b2add96cc9702bbf4efb0ccdfc6b7747-3");
        assert_eq!(checksum::encode(&combined(&parts)), "i+6LR0y3eFo=");
        let opaque = SentPart { etag: "not-an-md5".into(), ..parts[0].clone() };
        assert_eq!(composite_etag(etags(&[opaque])), None);
    }
}
