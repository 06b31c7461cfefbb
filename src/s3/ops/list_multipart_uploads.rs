//! ListMultipartUploads: the open uploads of a bucket, by key and then by age.

use crate::engine;
use crate::engine::ops::list_multipart_uploads::{ListMultipartUploads, UploadEntry, UploadPage};
use crate::meta::keys::UploadId;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::listing::{self, Encoding};
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::xml::Writer;

pub async fn list_multipart_uploads(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let query = &request.query;
    let max = listing::page_len(query, "max-uploads", "maxUploads")?;
    let encoding = Encoding::parse(query)?;
    let (prefix, delimiter) = (listing::prefix(query), listing::delimiter(query));
    let key_marker = query.get("key-marker").unwrap_or("");
    // Without a key an upload id marks no place.
    let id_marker = query.get("upload-id-marker").filter(|_| !key_marker.is_empty()).unwrap_or("");
    let upload_id_marker = match id_marker {
        "" => None,
        text => Some(
            UploadId::parse(text)
                .ok_or_else(|| S3Error::argument("upload-id-marker", text, "Invalid uploadId marker"))?,
        ),
    };
    let asked = ListMultipartUploads {
        bucket: request.bucket(),
        prefix: prefix.clone(),
        delimiter: delimiter.clone(),
        key_marker: (!key_marker.is_empty()).then(|| key_marker.to_owned()),
        upload_id_marker,
        max,
    };
    let page = match max {
        0 => UploadPage::default(),
        _ => engine::ops::list_multipart_uploads::list_multipart_uploads(s3.engine(), asked).await?,
    };

    let mut document = response::document("ListMultipartUploadsResult");
    document
        .text("Bucket", request.bucket_name())
        .text("KeyMarker", &encoding.text(key_marker))
        .text("UploadIdMarker", id_marker);
    let (next_key, next_id) = match &page.next {
        Some((key, id)) => (key.as_str(), id.map(|id| id.to_string()).unwrap_or_default()),
        None => ("", String::new()),
    };
    document.text("NextKeyMarker", &encoding.text(next_key)).text("NextUploadIdMarker", &next_id);
    if let Some(delimiter) = &delimiter {
        document.text("Delimiter", &encoding.text(delimiter));
    }
    document
        .text("Prefix", &encoding.text(&prefix))
        .number("MaxUploads", max as u64)
        .text_optional("EncodingType", encoding.name())
        .flag("IsTruncated", page.is_truncated);
    write_entries(&mut document, s3, &page, encoding);
    Ok(response::xml(document))
}

fn write_entries(document: &mut Writer, s3: &S3, page: &UploadPage, encoding: Encoding) {
    for entry in &page.entries {
        let UploadEntry::Upload { key, id, record } = entry else { continue };
        document.open("Upload").text("Key", &encoding.text(key)).text("UploadId", &id.to_string());
        response::write_owner(document, "Initiator", &record.initiator, s3.display_name(&record.initiator));
        let owner = record.owner.as_ref().unwrap_or(&record.initiator);
        response::write_owner(document, "Owner", owner, s3.display_name(owner));
        document
            .text("StorageClass", response::storage_class(record.metadata.storage_class.as_deref()))
            .time("Initiated", id.time_ms().div_euclid(1000));
        if let Some((algorithm, kind)) = &record.checksum {
            document.text("ChecksumAlgorithm", algorithm).text("ChecksumType", response::kind_name(*kind));
        }
        document.close();
    }
    for entry in &page.entries {
        if let UploadEntry::CommonPrefix(prefix) = entry {
            document.open("CommonPrefixes").text("Prefix", &encoding.text(prefix)).close();
        }
    }
}
