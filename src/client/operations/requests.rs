//! S3's operations on objects and buckets as the client uses them, each with its retries. Those of multipart uploads are
//! in [`multipart`](crate::client::operations::multipart).

use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest};
use http::{HeaderMap, Method};

use crate::client::address::Address;
use crate::client::answers::{self, ListedPart, ObjectPage};
use crate::client::endpoint::call::{Answer, Call, Payload};
use crate::client::endpoint::connection::COMPLETE_TIMEOUT;
use crate::client::endpoint::send_body::Framing;
use crate::client::endpoint::{Endpoint, Protection};
use crate::client::error::Error;
use crate::client::source::Source;
use crate::client::upload::sent_part::digest_from_hex;
use crate::wire::checksum::{self, ObjectChecksum};
use crate::wire::copy_source::CopySource;
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::{NAMESPACE, Writer};
use crate::wire::{etag, http_date};

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

impl ObjectHead {
    /// What the bytes of the whole object have to come to, as far as the endpoint tells: a checksum of the whole, else an ETag that
    /// is an MD5. With a key of KMS or of the customer it is none, and one of parts says nothing about the whole.
    pub fn whole_digest(&self) -> Option<(Algorithm, Digest)> {
        match self.checksum.filter(|checksum| checksum.part_count.is_none()) {
            Some(checksum) => Some((checksum.algorithm, checksum.digest)),
            None if is_md5(&self.etag) && !is_encrypted(&self.headers) => {
                digest_from_hex(&self.etag).map(|digest| (Algorithm::Md5, digest))
            }
            None => None,
        }
    }
}

/// An object that has been written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Without quotes.
    pub etag: String,
    pub checksum: Option<ObjectChecksum>,
}

impl Endpoint {
    /// The parts of an object that is still this version. Empty where the endpoint does not tell.
    pub async fn object_parts(&self, address: &Address, etag: &str) -> Result<Vec<ListedPart>, Error> {
        let mut parts = Vec::new();
        let mut marker = 0;
        loop {
            let mut call = object_call("look at the parts of", Method::GET, address)
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

    /// Only one without objects, versions and open uploads can be removed.
    pub async fn delete_bucket(&self, name: &str) -> Result<(), Error> {
        self.call(&Call::new(format!("remove the bucket {name}"), Method::DELETE, name, "")).await.map(drop)
    }

    /// What is known of an object, with its checksum.
    pub async fn head_object(&self, address: &Address) -> Result<ObjectHead, Error> {
        self.head(address, false).await
    }

    async fn head(&self, address: &Address, reads_copy_source: bool) -> Result<ObjectHead, Error> {
        let call = object_call("look at", Method::HEAD, address).header("x-amz-checksum-mode", "ENABLED");
        let call = Call { reads_copy_source, ..call };
        let answer = self.call(&call).await?;
        object_head(&call.doing, &answer.headers)
    }

    /// The same for somebody who wants to know why not. A HEAD that is refused has no document that says it, so a GET of one
    /// byte is asked.
    pub async fn look_at(&self, address: &Address) -> Result<ObjectHead, Error> {
        self.look(address, false).await
    }

    /// The same for what is to be copied.
    pub async fn look_at_copy_source(&self, address: &Address) -> Result<ObjectHead, Error> {
        self.look(address, true).await
    }

    async fn look(&self, address: &Address, reads_copy_source: bool) -> Result<ObjectHead, Error> {
        let refused = match self.head(address, reads_copy_source).await {
            Err(error @ Error::Refused { .. }) if error.code().is_none() => error,
            looked => return looked,
        };
        let call = object_call("look at", Method::GET, address).header("range", "bytes=0-0");
        let call = Call { reads_copy_source, ..call };
        match self.call_once(&call).await {
            Err(error) if error.code().is_some() => Err(error),
            // It has told which region the bucket is in.
            Ok(_) => self.head(address, reads_copy_source).await,
            Err(_) => Err(refused),
        }
    }

    /// Writes an object in one request. `headers` describe it.
    pub async fn put_object(
        &self,
        address: &Address,
        source: &Source,
        headers: &HeaderMap,
    ) -> Result<Written, Error> {
        let mut call = object_call("upload", Method::PUT, address);
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
        self.check_key_was_taken(&answer.headers, true)?;
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

    /// Fails if a server passes over the key that an object is to be encrypted with. `is_written`: it is there already.
    pub fn check_key_was_taken(&self, answer: &HeaderMap, is_written: bool) -> Result<(), Error> {
        if self.customer_keys.are_taken(answer) {
            return Ok(());
        }
        let reason = "the server takes no notice of the key: it does not encrypt with keys of its clients";
        let left = if is_written { "; the object lies there in the clear" } else { "" };
        Err(Error::Incomplete(format!("{reason}{left}")))
    }

    /// One that no URL can name is deleted by a document.
    pub async fn delete_object(&self, address: &Address) -> Result<(), Error> {
        if address.has_url() {
            return self.call(&object_call("delete", Method::DELETE, address)).await.map(drop);
        }
        let object = (address.key.as_str(), address.version.as_deref());
        match self.delete_listed(format!("delete {address}"), &address.bucket, [object]).await?.first() {
            Some((_, reason)) => Err(Error::Incomplete(format!("cannot delete {address}: {reason}"))),
            None => Ok(()),
        }
    }

    /// Deletes up to 1,000 keys; what could not be deleted comes back with the reason.
    pub async fn delete_objects(
        &self,
        bucket: &str,
        keys: &[String],
    ) -> Result<Vec<(String, String)>, Error> {
        let doing = format!("delete {} objects in {bucket}", keys.len());
        self.delete_listed(doing, bucket, keys.iter().map(|key| (key.as_str(), None))).await
    }

    /// Deletes keys or versions of them.
    async fn delete_listed<'k>(
        &self,
        doing: String,
        bucket: &str,
        objects: impl IntoIterator<Item = (&'k str, Option<&'k str>)>,
    ) -> Result<Vec<(String, String)>, Error> {
        let mut xml = Writer::document("Delete", Some(NAMESPACE));
        xml.flag("Quiet", true);
        for (key, version) in objects {
            xml.open("Object").text("Key", key).text_optional("VersionId", version).close();
        }
        let body = Bytes::from(xml.finish());
        let md5 = Digest::new(&dovetail_digest::md5(&body));
        let mut call = Call::new(doing, Method::POST, bucket, "")
            .query("delete", "")
            .header("content-md5", checksum::encode(&md5));
        call.body = Payload::Bytes(body);
        self.parsed(&call, answers::delete_failures).await
    }

    /// The tags of an object, by name and value; none where a server knows no tags.
    pub async fn object_tags(&self, address: &Address) -> Result<Vec<(String, String)>, Error> {
        let call = object_call("read the tags of", Method::GET, address).query("tagging", "");
        match self.parsed(&call, answers::tags).await {
            Err(error) if matches!(error.status(), Some(405 | 501)) => Ok(Vec::new()),
            Err(error) if error.code() == Some(ErrorCode::NoSuchTagSet) => Ok(Vec::new()),
            tags => tags,
        }
    }

    /// Copies an object on the server. `headers` say how the copy is encrypted.
    pub async fn copy_object(
        &self,
        source: &CopySource,
        to: &Address,
        headers: &HeaderMap,
    ) -> Result<Written, Error> {
        let mut call = object_call("copy to", Method::PUT, to);
        call.headers = headers.clone();
        let mut call = call.header("x-amz-copy-source", source.to_header());
        call.idle = COMPLETE_TIMEOUT;
        let answer = self.call_checked(&call).await?;
        self.check_key_was_taken(&answer.headers, true)?;
        written(&call.doing, "CopyObjectResult", &answer)
    }

    /// A digest of a source, computed on a thread that may block if it is more than a few bytes in memory.
    pub async fn digest(&self, source: &Source, algorithm: Algorithm, doing: &str) -> Result<Digest, Error> {
        if let Some(bytes) = source.at_hand() {
            return Ok(dovetail_digest::digest(algorithm, bytes));
        }
        let (source, chunks) = (source.clone(), self.around.chunks.clone());
        let hashed = self.around.tasks.spawn_blocking(move || source.digest(algorithm, &chunks)).await;
        let hashed = hashed.map_err(|error| Error::file(doing, std::io::Error::other(error)))?;
        hashed.map_err(|error| Error::file(doing, error))
    }

    /// A call whose answer may be an error in spite of its status.
    pub async fn call_checked(&self, call: &Call) -> Result<Answer, Error> {
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
    pub async fn parsed<T>(
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

/// `verb` is what is done to the object, for messages.
pub fn object_call(verb: &str, method: Method, address: &Address) -> Call {
    Call::about(format!("{verb} {address}"), method, address)
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

fn object_head(doing: &str, headers: &HeaderMap) -> Result<ObjectHead, Error> {
    let len = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    let len = len.ok_or_else(|| Error::malformed(doing, "no content-length"))?;
    object_of_len(doing, headers, len)
}

/// The same for an answer whose length is known otherwise.
pub fn object_of_len(doing: &str, headers: &HeaderMap, len: u64) -> Result<ObjectHead, Error> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Ok(ObjectHead {
        len,
        etag: etag_of(doing, headers)?,
        checksum: checksum::object_from_headers(headers).ok().flatten(),
        modified_s: text("last-modified").and_then(http_date::parse),
        headers: headers.clone(),
    })
}

/// Without quotes.
pub fn etag_of(doing: &str, headers: &HeaderMap) -> Result<String, Error> {
    let etag = headers.get("etag").and_then(|value| value.to_str().ok());
    etag.map(|etag| etag::unquote(etag).to_owned()).ok_or_else(|| Error::malformed(doing, "no ETag"))
}

/// The ETag and the checksum of a document that describes what was written.
pub fn written(doing: &str, root: &str, answer: &Answer) -> Result<Written, Error> {
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
pub fn is_unknown_feature(error: &Error) -> bool {
    let Error::Refused { refusal, .. } = error else { return false };
    matches!(refusal.code.as_str(), "InvalidRequest" | "InvalidArgument" | "NotImplemented" | "MissingHeader")
        || refusal.status == 501
}
