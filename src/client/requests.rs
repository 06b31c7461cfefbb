//! S3's operations as the client uses them, each with its retries.

use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest};
use http::{HeaderMap, Method};

use crate::client::address::Address;
use crate::client::answers::{self, ListedPart, ObjectPage, OpenUpload, PartPage, UploadPage};
use crate::client::endpoint::{Answer, COMPLETE_TIMEOUT, Call, Endpoint, Payload, Protection};
use crate::client::error::Error;
use crate::client::plan::Part;
use crate::client::send_body::Framing;
use crate::client::source::Source;
use crate::wire::checksum::{self, ObjectChecksum};
use crate::wire::copy_source::CopySource;
use crate::wire::xml::{NAMESPACE, Writer};
use crate::wire::{etag, http_date};

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

/// What a HEAD says about an object.
#[derive(Clone, Debug)]
pub struct ObjectHead {
    pub len: u64,
    /// Without quotes.
    pub etag: String,
    pub checksum: Option<ObjectChecksum>,
    /// In Unix seconds.
    pub modified_s: Option<i64>,
    pub headers: HeaderMap,
}

/// An object that has been written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Without quotes.
    pub etag: String,
    pub checksum: Option<ObjectChecksum>,
}

impl Endpoint {
    /// Opens an upload, with CRC-64 when the endpoint has it. `headers` describe the object.
    pub async fn create_upload(&self, address: &Address, headers: &HeaderMap) -> Result<NewUpload, Error> {
        let mut call = self.object_call("begin the upload of", Method::POST, address).query("uploads", "");
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
                    return new_upload(&call, &answer, protection);
                }
                Err(error) if is_unknown_feature(&error) => self.set_protection(Protection::Md5),
                Err(error) => return Err(error),
            }
        }
        let answer = self.call(&call).await?;
        new_upload(&call, &answer, Protection::Md5)
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
    /// that is for the caller to find out.
    pub async fn complete_upload(
        &self,
        address: &Address,
        upload_id: &str,
        parts: &[SentPart],
        protection: Protection,
    ) -> Result<Written, Error> {
        let mut call = self.object_call("complete", Method::POST, address).query("uploadId", upload_id);
        call.idle = COMPLETE_TIMEOUT;
        call.body = Payload::Bytes(part_list(parts, protection).into());
        if protection == Protection::Crc64 {
            let whole = combined(parts);
            call = call
                .header(checksum::header_name(Algorithm::Crc64Nvme), checksum::encode(&whole))
                .header("x-amz-checksum-type", "FULL_OBJECT");
        }
        let answer = self.call_checked(&call).await?;
        written(&call.doing, "CompleteMultipartUploadResult", &answer)
    }

    /// Drops an upload; one that is gone already is dropped too.
    pub async fn abort_upload(&self, address: &Address, upload_id: &str) -> Result<(), Error> {
        let call =
            self.object_call("abort the upload of", Method::DELETE, address).query("uploadId", upload_id);
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
                self.object_call("list the parts of", Method::GET, address).query("uploadId", upload_id);
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

    /// The parts of an object that is still this version. Empty where the endpoint does not tell.
    pub async fn object_parts(&self, address: &Address, etag: &str) -> Result<Vec<ListedPart>, Error> {
        let mut parts = Vec::new();
        let mut marker = 0;
        loop {
            let mut call = self
                .object_call("look at the parts of", Method::GET, address)
                .query("attributes", "")
                .header("x-amz-object-attributes", "ETag,ObjectParts")
                .header("x-amz-max-parts", "1000");
            if marker > 0 {
                call = call.header("x-amz-part-number-marker", marker.to_string());
            }
            let page = match self.parsed(&call, answers::attributes_page).await {
                Ok(page) if page.etag == etag => page.parts,
                Ok(_) => return Ok(Vec::new()),
                // It is a help, not a need: what is not allowed or not known is done without.
                Err(Error::Refused { .. } | Error::Malformed { .. }) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            };
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

    /// A page of objects under a prefix; with `delimiter`, what is below it is one entry.
    pub async fn list_objects(
        &self,
        prefix: &Address,
        delimiter: Option<&str>,
        token: Option<&str>,
    ) -> Result<ObjectPage, Error> {
        let mut call = Call::new(format!("list {prefix}"), Method::GET, &prefix.bucket, "")
            .query("list-type", "2")
            .query("encoding-type", "url")
            .query("prefix", &prefix.key);
        if let Some(delimiter) = delimiter {
            call = call.query("delimiter", delimiter);
        }
        if let Some(token) = token {
            call = call.query("continuation-token", token);
        }
        self.parsed(&call, answers::object_page).await
    }

    /// Names of buckets and when they were made, in Unix seconds.
    pub async fn list_buckets(&self) -> Result<Vec<(String, i64)>, Error> {
        self.parsed(&Call::new("list buckets", Method::GET, "", ""), answers::buckets).await
    }

    pub async fn create_bucket(&self, name: &str, location: Option<&str>) -> Result<(), Error> {
        let mut call = Call::new(format!("make the bucket {name}"), Method::PUT, name, "");
        if let Some(location) = location {
            let mut xml = Writer::document("CreateBucketConfiguration", Some(NAMESPACE));
            xml.text("LocationConstraint", location);
            call.body = Payload::Bytes(xml.finish().into());
        }
        self.call(&call).await.map(drop)
    }

    /// What is known of an object, with its checksum.
    pub async fn head_object(&self, address: &Address) -> Result<ObjectHead, Error> {
        let call =
            self.object_call("look at", Method::HEAD, address).header("x-amz-checksum-mode", "ENABLED");
        let answer = self.call(&call).await?;
        object_head(&call.doing, &answer.headers)
    }

    /// Writes an object in one request. `headers` describe it.
    pub async fn put_object(
        &self,
        address: &Address,
        source: &Source,
        headers: &HeaderMap,
    ) -> Result<Written, Error> {
        let mut call = self.object_call("upload", Method::PUT, address);
        call.headers = headers.clone();
        call.body = Payload::Part(source.clone(), Framing::Plain);
        if self.protection() != Some(Protection::Md5) {
            let algorithm = Algorithm::Crc64Nvme;
            let digest = self.digest(source, algorithm, &call.doing).await?;
            let with_checksum =
                call.clone().header(checksum::header_name(algorithm), checksum::encode(&digest));
            match self.call(&with_checksum).await {
                Ok(answer) => return self.put_answer(&call, source, Some(digest), &answer).await,
                Err(error) if is_unknown_feature(&error) => self.set_protection(Protection::Md5),
                Err(error) => return Err(error),
            }
        }
        let digest = self.digest(source, Algorithm::Md5, &call.doing).await?;
        let call = call.header("content-md5", checksum::encode(&digest));
        let answer = self.call(&call).await?;
        self.put_answer(&call, source, None, &answer).await
    }

    /// Compares what the server says it has with what was sent.
    async fn put_answer(
        &self,
        call: &Call,
        source: &Source,
        sent: Option<Digest>,
        answer: &Answer,
    ) -> Result<Written, Error> {
        let etag = etag_of(&call.doing, &answer.headers)?;
        let echoed = checksum::object_from_headers(&answer.headers).ok().flatten();
        let is_right = match (sent, echoed) {
            (Some(sent), Some(echoed)) if echoed.algorithm == Algorithm::Crc64Nvme => echoed.digest == sent,
            // A server that knows no checksum has passed over it; the ETag tells instead, where it is one.
            (Some(_), _) if is_md5(&etag) && !is_encrypted(&answer.headers) => {
                self.digest(source, Algorithm::Md5, &call.doing).await?.to_hex() == etag
            }
            _ => true,
        };
        if !is_right {
            let reason = "the server has other bytes than were sent".into();
            return Err(Error::Corrupt { doing: call.doing.clone(), reason });
        }
        Ok(Written { etag, checksum: echoed })
    }

    pub async fn delete_object(&self, address: &Address) -> Result<(), Error> {
        self.call(&self.object_call("delete", Method::DELETE, address)).await.map(drop)
    }

    /// Deletes up to 1,000 keys; what could not be deleted comes back with the reason.
    pub async fn delete_objects(
        &self,
        bucket: &str,
        keys: &[String],
    ) -> Result<Vec<(String, String)>, Error> {
        let mut xml = Writer::document("Delete", Some(NAMESPACE));
        xml.flag("Quiet", true);
        for key in keys {
            xml.open("Object").text("Key", key).close();
        }
        let body = Bytes::from(xml.finish());
        let md5 = Digest::new(&dovetail_digest::md5(&body));
        let mut call =
            Call::new(format!("delete {} objects in {bucket}", keys.len()), Method::POST, bucket, "")
                .query("delete", "")
                .header("content-md5", checksum::encode(&md5));
        call.body = Payload::Bytes(body);
        self.parsed(&call, answers::delete_failures).await
    }

    /// Copies an object on the server.
    pub async fn copy_object(&self, source: &CopySource, to: &Address) -> Result<Written, Error> {
        let mut call =
            self.object_call("copy to", Method::PUT, to).header("x-amz-copy-source", source.to_header());
        call.idle = COMPLETE_TIMEOUT;
        let answer = self.call_checked(&call).await?;
        written(&call.doing, "CopyObjectResult", &answer)
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
        let mut call = self
            .object_call("copy to", Method::PUT, to)
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
        let mut call = self.object_call("begin the copy to", Method::POST, address).query("uploads", "");
        call.headers = headers.clone();
        let answer = self.call(&call).await?;
        Ok(new_upload(&call, &answer, Protection::Md5)?.id)
    }

    /// Joins copied parts: numbers and ETags.
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
        let mut call = self.object_call("complete", Method::POST, address).query("uploadId", upload_id);
        call.idle = COMPLETE_TIMEOUT;
        call.body = Payload::Bytes(xml.finish().into());
        let answer = self.call_checked(&call).await?;
        written(&call.doing, "CompleteMultipartUploadResult", &answer)
    }

    /// A digest of a source, computed on a thread that may block.
    pub async fn digest(&self, source: &Source, algorithm: Algorithm, doing: &str) -> Result<Digest, Error> {
        let (source, chunks) = (source.clone(), self.around.chunks.clone());
        let hashed = self.around.tasks.spawn_blocking(move || source.digest(algorithm, &chunks)).await;
        let hashed = hashed.map_err(|error| Error::file(doing, std::io::Error::other(error)))?;
        hashed.map_err(|error| Error::file(doing, error))
    }

    fn object_call(&self, verb: &str, method: Method, address: &Address) -> Call {
        Call::new(format!("{verb} {address}"), method, &address.bucket, &address.key)
    }

    /// A call whose answer may be an error in spite of its status.
    async fn call_checked(&self, call: &Call) -> Result<Answer, Error> {
        let mut attempts = self.attempts();
        loop {
            let result = self.call_once(call).await.and_then(|answer| {
                match answers::late_refusal(&call.doing, &answer.headers, &answer.body, self.now_ms()) {
                    Some(error) => Err(error),
                    None => Ok(answer),
                }
            });
            match result {
                Ok(answer) => {
                    self.retry.succeeded();
                    return Ok(answer);
                }
                Err(error) => attempts.pause(error).await?,
            }
        }
    }

    /// A call whose answer must make sense; a document that was damaged on the way is asked for again.
    async fn parsed<T>(
        &self,
        call: &Call,
        parse: fn(&[u8]) -> Result<T, crate::wire::xml::Malformed>,
    ) -> Result<T, Error> {
        let mut attempts = self.attempts();
        loop {
            let result = self.call_once(call).await.and_then(|answer| {
                parse(&answer.body).map_err(|reason| Error::malformed(&call.doing, reason))
            });
            match result {
                Ok(value) => {
                    self.retry.succeeded();
                    return Ok(value);
                }
                Err(error) => attempts.pause(error).await?,
            }
        }
    }
}

/// The ETag of an object joined from these parts, where parts' ETags are MD5s.
pub fn composite_etag(parts: &[SentPart]) -> Option<String> {
    let mut bytes = Vec::with_capacity(parts.len() * 16);
    for part in parts {
        let md5 = part.etag.as_bytes();
        if !is_md5(&part.etag) {
            return None;
        }
        for pair in md5.chunks_exact(2) {
            let text = std::str::from_utf8(pair).expect("hexadecimal digits are ASCII");
            bytes.push(u8::from_str_radix(text, 16).expect("the digits have been checked"));
        }
    }
    Some(format!("{}-{}", Digest::new(&dovetail_digest::md5(&bytes)).to_hex(), parts.len()))
}

/// The CRC-64 of all parts together.
pub fn combined(parts: &[SentPart]) -> Digest {
    let empty = dovetail_digest::digest(Algorithm::Crc64Nvme, b"");
    parts.iter().fold(empty, |whole, part| {
        dovetail_digest::combine(Algorithm::Crc64Nvme, &whole, &part.digest, part.len)
    })
}

/// Whether an ETag may be the MD5 of the bytes.
pub fn is_md5(etag: &str) -> bool {
    etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// With a key of KMS or of the customer an ETag is no MD5.
pub fn is_encrypted(headers: &HeaderMap) -> bool {
    let kind = headers.get("x-amz-server-side-encryption").and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("aws:"))
        || headers.contains_key("x-amz-server-side-encryption-customer-algorithm")
}

pub fn object_head(doing: &str, headers: &HeaderMap) -> Result<ObjectHead, Error> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let len = text("content-length").and_then(|len| len.parse().ok());
    Ok(ObjectHead {
        len: len.ok_or_else(|| Error::malformed(doing, "no content-length"))?,
        etag: etag_of(doing, headers)?,
        checksum: checksum::object_from_headers(headers).ok().flatten(),
        modified_s: text("last-modified").and_then(http_date::parse),
        headers: headers.clone(),
    })
}

fn etag_of(doing: &str, headers: &HeaderMap) -> Result<String, Error> {
    let etag = headers.get("etag").and_then(|value| value.to_str().ok());
    etag.map(|etag| etag::unquote(etag).to_owned()).ok_or_else(|| Error::malformed(doing, "no ETag"))
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

/// The ETag and the checksum of a document that describes what was written.
fn written(doing: &str, root: &str, answer: &Answer) -> Result<Written, Error> {
    let read = || {
        let mut document = crate::wire::xml::Document::new(&answer.body)?;
        let mut root = document.root(&[root])?;
        let mut found = Written { etag: String::new(), checksum: None };
        while let Some(mut field) = root.next_child()? {
            if field.name() == "ETag" {
                found.etag = etag::unquote(&field.text()?).to_owned();
            } else if let Some(algorithm) = checksum::algorithm_of_element(field.name()) {
                found.checksum = ObjectChecksum::decode(algorithm, &field.text_trimmed()?);
            }
        }
        Ok(found)
    };
    read().map_err(|reason: crate::wire::xml::Malformed| Error::malformed(doing, reason))
}

/// The server does not know the checksum that was offered: worth another try without it.
fn is_unknown_feature(error: &Error) -> bool {
    let Error::Refused { refusal, .. } = error else { return false };
    matches!(refusal.code.as_str(), "InvalidRequest" | "InvalidArgument" | "NotImplemented" | "MissingHeader")
        || refusal.status == 501
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(composite_etag(&parts).unwrap(), "b2add96cc9702bbf4efb0ccdfc6b7747-3");
        assert_eq!(checksum::encode(&combined(&parts)), "i+6LR0y3eFo=");
        let opaque = SentPart { etag: "not-an-md5".into(), ..parts[0].clone() };
        assert_eq!(composite_etag(&[opaque]), None);
    }
}
