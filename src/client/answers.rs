//! What S3's answers say: documents in, plain values out.

use std::time::Duration;

use dovetail_digest::{Algorithm, Digest};
use http::HeaderMap;

use crate::client::endpoint::regions::region_of_host;
use crate::client::error::{Error, Refusal};
use crate::wire::xml::{Document, Element, Malformed};
use crate::wire::{checksum, etag, http_date, percent};

/// A part that the server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPart {
    pub number: u16,
    pub len: u64,
    /// Without quotes.
    pub etag: String,
    pub checksum: Option<(Algorithm, Digest)>,
    /// In Unix seconds.
    pub modified_s: i64,
}

/// One page of ListParts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartPage {
    pub parts: Vec<ListedPart>,
    /// Where the next page begins, if there is one.
    pub next: Option<u16>,
}

/// One page of the parts of an object, by GetObjectAttributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributesPage {
    /// Without quotes.
    pub etag: String,
    pub parts: PartPage,
}

/// An upload that is not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenUpload {
    pub key: String,
    pub id: String,
    /// In Unix seconds.
    pub initiated_s: i64,
}

/// One page of ListMultipartUploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadPage {
    pub uploads: Vec<OpenUpload>,
    /// Key marker and upload id marker of the next page.
    pub next: Option<(String, String)>,
}

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    pub key: String,
    pub len: u64,
    /// Without quotes.
    pub etag: String,
    /// In Unix seconds.
    pub modified_s: i64,
}

/// One page of ListObjectsV2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPage {
    pub objects: Vec<ListedObject>,
    pub prefixes: Vec<String>,
    /// The continuation token of the next page.
    pub next: Option<String>,
}

/// An error answer. `body` may be empty or not S3's.
pub fn refusal(doing: &str, status: u16, headers: &HeaderMap, body: &[u8], now_ms: i64) -> Error {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let retry_after =
        header("retry-after").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let server_s = header("date").and_then(|date| http_date::parse(&date));
    let mut refusal = Refusal {
        status,
        code: String::new(),
        message: String::new(),
        request_id: header("x-amz-request-id").unwrap_or_default(),
        retry_after,
        region: header("x-amz-bucket-region"),
        is_elsewhere: false,
        has_customer_key: false,
        access_key_id: None,
        clock_ahead_s: server_s.map(|server_s| server_s - now_ms / 1000),
    };
    // What a proxy sends instead of XML is told by the status alone.
    let _ = read_error(body, &mut refusal);
    Error::Refused { doing: doing.to_owned(), refusal: Box::new(refusal) }
}

fn read_error(body: &[u8], refusal: &mut Refusal) -> Result<(), Malformed> {
    let mut document = Document::new(body)?;
    let mut root = document.root(&["Error"])?;
    while let Some(mut field) = root.next_child()? {
        match field.name() {
            "Code" => refusal.code = field.text_trimmed()?,
            "Message" => refusal.message = field.text_trimmed()?,
            "RequestId" => refusal.request_id = field.text_trimmed()?,
            "Region" => refusal.region = Some(field.text_trimmed()?),
            "Endpoint" if refusal.region.is_none() => refusal.region = region_of_host(&field.text_trimmed()?),
            _ => {}
        }
    }
    Ok(())
}

/// Whether this is for people: what stands between us and the server, such as the login of a network, says 200 to everything.
pub fn is_web_page(body: &[u8]) -> bool {
    let start = body.trim_ascii_start().to_ascii_lowercase();
    start.starts_with(b"<html") || start.starts_with(b"<!doctype html")
}

/// Some operations answer 200 and then fail: the document is an `<Error>`.
pub fn late_refusal(doing: &str, headers: &HeaderMap, body: &[u8], now_ms: i64) -> Option<Error> {
    let is_error = Document::new(body).ok()?.root(&["Error"]).is_ok();
    // The status that the code would have had decides what to do.
    is_error.then(|| match refusal(doing, 500, headers, body, now_ms) {
        Error::Refused { doing, mut refusal } => {
            if let Ok(code) = refusal.code.parse::<crate::wire::error_code::ErrorCode>() {
                refusal.status = code.status();
            }
            Error::Refused { doing, refusal }
        }
        other => other,
    })
}

/// The text of one element of a flat document.
pub fn text_of(body: &[u8], root: &str, wanted: &str) -> Result<String, Malformed> {
    let mut document = Document::new(body)?;
    let mut root = document.root(&[root])?;
    let mut found = None;
    while let Some(mut field) = root.next_child()? {
        if field.name() == wanted {
            found = Some(field.text_trimmed()?);
        }
    }
    found.ok_or_else(|| Malformed(format!("no {wanted}")))
}

pub fn part_page(body: &[u8]) -> Result<PartPage, Malformed> {
    let mut document = Document::new(body)?;
    // moto calls it by another name.
    let mut root = document.root(&["ListPartsResult", "ListPartsResponse"])?;
    parts_of(&mut root)
}

fn parts_of(list: &mut Element<'_, '_>) -> Result<PartPage, Malformed> {
    let (mut parts, mut is_truncated, mut next) = (Vec::new(), false, None);
    while let Some(mut field) = list.next_child()? {
        match field.name() {
            "Part" => parts.push(listed_part(&mut field)?),
            "IsTruncated" => is_truncated = field.flag()?,
            "NextPartNumberMarker" => next = field.text_trimmed()?.parse().ok(),
            _ => {}
        }
    }
    let next = next.or_else(|| parts.last().map(|part: &ListedPart| part.number));
    Ok(PartPage { parts, next: next.filter(|_| is_truncated) })
}

/// The ETag and the parts of a `GetObjectAttributesResponse`; objects of one piece have none.
pub fn attributes_page(body: &[u8]) -> Result<AttributesPage, Malformed> {
    let mut document = Document::new(body)?;
    let mut root = document.root(&["GetObjectAttributesResponse", "GetObjectAttributesOutput"])?;
    let mut page = AttributesPage::default();
    while let Some(mut field) = root.next_child()? {
        match field.name() {
            "ETag" => page.etag = etag::unquote(&field.text()?).to_owned(),
            "ObjectParts" => page.parts = parts_of(&mut field)?,
            _ => {}
        }
    }
    Ok(page)
}

fn listed_part(part: &mut Element<'_, '_>) -> Result<ListedPart, Malformed> {
    let mut listed = ListedPart { number: 0, len: 0, etag: String::new(), checksum: None, modified_s: 0 };
    while let Some(mut field) = part.next_child()? {
        match field.name() {
            "PartNumber" => listed.number = field.parsed()?,
            "Size" => listed.len = field.parsed()?,
            "ETag" => listed.etag = etag::unquote(&field.text()?).to_owned(),
            "LastModified" => listed.modified_s = time(&mut field)?,
            name => {
                if let Some(algorithm) = checksum::algorithm_of_element(name) {
                    let value = field.text_trimmed()?;
                    listed.checksum = checksum::decode(algorithm, &value).map(|digest| (algorithm, digest));
                }
            }
        }
    }
    Ok(listed)
}

pub fn upload_page(body: &[u8]) -> Result<UploadPage, Malformed> {
    let mut document = Document::new(body)?;
    let mut root = document.root(&["ListMultipartUploadsResult"])?;
    let mut page = UploadPage::default();
    let (mut is_truncated, mut is_encoded) = (false, false);
    let (mut key_marker, mut id_marker) = (String::new(), String::new());
    while let Some(mut field) = root.next_child()? {
        match field.name() {
            "Upload" => page.uploads.push(open_upload(&mut field)?),
            "IsTruncated" => is_truncated = field.flag()?,
            "EncodingType" => is_encoded = !field.text_trimmed()?.is_empty(),
            "NextKeyMarker" => key_marker = field.text()?.into_owned(),
            "NextUploadIdMarker" => id_marker = field.text_trimmed()?,
            _ => {}
        }
    }
    if is_encoded {
        page.uploads.iter_mut().for_each(|upload| upload.key = decoded(&upload.key));
        key_marker = decoded(&key_marker);
    }
    page.next = is_truncated.then_some((key_marker, id_marker));
    Ok(page)
}

fn open_upload(upload: &mut Element<'_, '_>) -> Result<OpenUpload, Malformed> {
    let mut open = OpenUpload { key: String::new(), id: String::new(), initiated_s: 0 };
    while let Some(mut field) = upload.next_child()? {
        match field.name() {
            "Key" => open.key = field.text()?.into_owned(),
            "UploadId" => open.id = field.text_trimmed()?,
            "Initiated" => open.initiated_s = time(&mut field)?,
            _ => {}
        }
    }
    Ok(open)
}

pub fn object_page(body: &[u8]) -> Result<ObjectPage, Malformed> {
    let mut document = Document::new(body)?;
    let mut root = document.root(&["ListBucketResult"])?;
    let mut page = ObjectPage::default();
    let (mut is_truncated, mut is_encoded) = (false, false);
    while let Some(mut field) = root.next_child()? {
        match field.name() {
            "Contents" => page.objects.push(listed_object(&mut field)?),
            "CommonPrefixes" => add_prefixes(&mut field, &mut page.prefixes)?,
            "IsTruncated" => is_truncated = field.flag()?,
            "EncodingType" => is_encoded = !field.text_trimmed()?.is_empty(),
            "NextContinuationToken" => page.next = Some(field.text()?.into_owned()),
            _ => {}
        }
    }
    if is_encoded {
        page.objects.iter_mut().for_each(|object| object.key = decoded(&object.key));
        page.prefixes.iter_mut().for_each(|prefix| *prefix = decoded(prefix));
    }
    page.next = page.next.filter(|_| is_truncated);
    Ok(page)
}

fn listed_object(object: &mut Element<'_, '_>) -> Result<ListedObject, Malformed> {
    let mut listed = ListedObject { key: String::new(), len: 0, etag: String::new(), modified_s: 0 };
    while let Some(mut field) = object.next_child()? {
        match field.name() {
            "Key" => listed.key = field.text()?.into_owned(),
            "Size" => listed.len = field.parsed()?,
            "ETag" => listed.etag = etag::unquote(&field.text()?).to_owned(),
            "LastModified" => listed.modified_s = time(&mut field)?,
            _ => {}
        }
    }
    Ok(listed)
}

/// Names of buckets with the time they were made, in Unix seconds.
pub fn buckets(body: &[u8]) -> Result<Vec<(String, i64)>, Malformed> {
    let mut document = Document::new(body)?;
    let mut root = document.root(&["ListAllMyBucketsResult"])?;
    let mut found = Vec::new();
    while let Some(mut list) = root.next_child()? {
        if list.name() != "Buckets" {
            continue;
        }
        while let Some(mut bucket) = list.next_child()? {
            let (mut name, mut created_s) = (String::new(), 0);
            while let Some(mut field) = bucket.next_child()? {
                match field.name() {
                    "Name" => name = field.text_trimmed()?,
                    "CreationDate" => created_s = time(&mut field)?,
                    _ => {}
                }
            }
            found.push((name, created_s));
        }
    }
    Ok(found)
}

/// What DeleteObjects could not delete: key, code and message.
pub fn delete_failures(body: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let mut document = Document::new(body)?;
    let mut root = document.root(&["DeleteResult"])?;
    let mut failures = Vec::new();
    while let Some(mut entry) = root.next_child()? {
        if entry.name() != "Error" {
            continue;
        }
        let (mut key, mut reason) = (String::new(), String::new());
        while let Some(mut field) = entry.next_child()? {
            match field.name() {
                "Key" => key = field.text()?.into_owned(),
                "Code" => reason = field.text_trimmed()?,
                _ => {}
            }
        }
        failures.push((key, reason));
    }
    Ok(failures)
}

/// Names and values.
pub fn tags(body: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let mut document = Document::new(body)?;
    let mut root = document.root(&["Tagging"])?;
    let mut tags = Vec::new();
    while let Some(mut set) = root.next_child()? {
        while let Some(mut tag) = set.next_child()? {
            let (mut name, mut value) = (String::new(), String::new());
            while let Some(mut field) = tag.next_child()? {
                match field.name() {
                    "Key" => name = field.text()?.into_owned(),
                    "Value" => value = field.text()?.into_owned(),
                    _ => {}
                }
            }
            tags.push((name, value));
        }
    }
    Ok(tags)
}

pub fn time(field: &mut Element<'_, '_>) -> Result<i64, Malformed> {
    let text = field.text_trimmed()?;
    http_date::parse(&text).ok_or_else(|| Malformed(format!("{text:?} is no time")))
}

/// What an element of `CommonPrefixes` names.
pub(super) fn add_prefixes(
    common: &mut Element<'_, '_>,
    prefixes: &mut Vec<String>,
) -> Result<(), Malformed> {
    while let Some(mut prefix) = common.next_child()? {
        if prefix.name() == "Prefix" {
            prefixes.push(prefix.text()?.into_owned());
        }
    }
    Ok(())
}

pub(super) fn decoded(text: &str) -> String {
    percent::decode_query_text(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::error_code::ErrorCode;

    #[test]
    fn reads_tags() {
        let body = b"<Tagging><TagSet><Tag><Key>a b</Key><Value>1</Value></Tag><Tag><Key>c</Key><Value/></Tag></TagSet></Tagging>";
        assert_eq!(tags(body).unwrap(), [("a b".into(), "1".into()), ("c".into(), String::new())]);
        assert_eq!(tags(b"<Tagging><TagSet/></Tagging>").unwrap(), []);
        assert!(tags(b"<html/>").is_err());
    }

    #[test]
    fn pages_for_people_are_told_from_answers() {
        for (body, expected) in [
            ("<html>", true),
            (" \n<!DOCTYPE html><p>log in", true),
            ("", false),
            ("<?xml version=\"1.0\"?><CreateBucketResult/>", false),
        ] {
            assert_eq!(is_web_page(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn reads_parts_with_and_without_checksums() {
        let body = br#"<?xml version="1.0" encoding="UTF-8"?>
<ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>x</ID></Owner>
<NextPartNumberMarker>2</NextPartNumberMarker><IsTruncated>true</IsTruncated>
<Part><PartNumber>1</PartNumber><LastModified>2026-01-01T00:00:00.000Z</LastModified>
<ETag>"abc"</ETag><Size>5</Size><ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME></Part>
<Part><PartNumber>2</PartNumber><LastModified>2026-01-01T00:00:01.000Z</LastModified>
<ETag>&quot;def&quot;</ETag><Size>6</Size></Part></ListPartsResult>"#;
        let page = part_page(body).unwrap();
        assert_eq!(page.next, Some(2));
        assert_eq!(page.parts[0].checksum, Some((Algorithm::Crc64Nvme, Digest::new(&[0; 8]))));
        assert_eq!((page.parts[1].number, page.parts[1].len, page.parts[1].etag.as_str()), (2, 6, "def"));
        assert_eq!(page.parts[1].modified_s - page.parts[0].modified_s, 1);
    }

    #[test]
    fn reads_the_parts_of_an_object() {
        let body = br#"<GetObjectAttributesResponse><ETag>abc-2</ETag><ObjectParts><PartsCount>2</PartsCount>
<IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><Size>5</Size>
<ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME></Part></ObjectParts></GetObjectAttributesResponse>"#;
        let page = attributes_page(body).unwrap();
        assert_eq!((page.etag.as_str(), page.parts.parts.len(), page.parts.next), ("abc-2", 1, None));
        assert_eq!(page.parts.parts[0].checksum, Some((Algorithm::Crc64Nvme, Digest::new(&[0; 8]))));
    }

    #[test]
    fn reads_listings_whose_keys_are_encoded() {
        let body = br#"<ListBucketResult><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>
<Contents><Key>a%2Bb%20c+d</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"e"</ETag>
<Size>3</Size></Contents><CommonPrefixes><Prefix>p%0A/</Prefix></CommonPrefixes></ListBucketResult>"#;
        let page = object_page(body).unwrap();
        assert_eq!((page.objects[0].key.as_str(), page.prefixes[0].as_str()), ("a+b c d", "p\n/"));
        assert_eq!(page.next, None);
    }

    #[test]
    fn an_error_after_200_is_an_error() {
        let body = b"<?xml version=\"1.0\"?>\n   <Error><Code>SlowDown</Code><Message>m</Message></Error>";
        let error = late_refusal("complete", &HeaderMap::new(), body, 0).unwrap();
        assert_eq!((error.code(), error.status()), (Some(ErrorCode::SlowDown), Some(503)));
        let fine = b"<CompleteMultipartUploadResult/>";
        assert!(late_refusal("complete", &HeaderMap::new(), fine, 0).is_none());
    }

    #[test]
    fn an_answer_that_is_not_xml_is_told_by_its_status() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        let error = refusal("list", 502, &headers, b"<html>bad gateway", 0);
        assert_eq!((error.code(), error.status()), (None, Some(502)));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    }
}
