//! CompleteMultipartUpload: the parts become an object. It takes milliseconds whatever their number, so there is an
//! ordinary answer, and no status sent before the outcome is known.

use super::upload_part::{of_upload, upload_id};
use crate::base::limits::PART_NUMBER_MAX;
use crate::engine;
use crate::engine::ops::complete_multipart_upload::{self as engine_complete, ListedPart};
use crate::engine::ops::list_parts::{ListParts, list_parts};
use crate::meta::keys::UploadId;
use crate::s3::S3;
use crate::s3::checksums;
use crate::s3::conditions;
use crate::s3::document;
use crate::s3::encryption;
use crate::s3::error::S3Error;
use crate::s3::lifecycle;
use crate::s3::request::Request;
use crate::s3::response::{self, ChecksumText, Response};
use crate::wire::checksum;
use crate::wire::error_code::ErrorCode;
use crate::wire::etag;
use crate::wire::xml::{Document, Element};
use dovetail_digest::{Algorithm, Digest};

pub async fn complete_multipart_upload(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let upload_id = upload_id(&request)?;
    let conditions = conditions::write(&request)?;
    let object_checksum = checksum::object_from_headers(request.headers())?;
    let checksum_kind = checksums::kind(request.headers())?;
    let size = object_size(&request)?;
    let customer_key = encryption::customer_key(request.headers(), s3.may_bring_keys(&request.parts))?;
    let bytes = document::read_without_checksum(&mut request, document::LONG_LEN_MAX).await?;
    let parts = match parse(&bytes) {
        Ok(parts) => parts,
        Err(error) => return Err(unless_gone(s3, &request, upload_id, error).await),
    };
    // `-N` says how many parts the client thinks there are.
    if let Some(checksum) = object_checksum
        && checksum.part_count.is_some_and(|count| count as usize != parts.len())
    {
        return Err(engine::Error::ChecksumMismatch { algorithm: checksum.algorithm }.into());
    }
    let asked = engine_complete::CompleteMultipartUpload {
        bucket: request.bucket(),
        key: request.key(),
        upload_id,
        parts,
        checksum: object_checksum.map(|checksum| (checksum.algorithm, checksum.digest)),
        checksum_kind,
        size,
        conditions,
        customer_key,
    };
    let completed =
        engine_complete::complete_multipart_upload(s3.engine(), asked).await.map_err(of_upload(&request))?;

    let mut document = response::document("CompleteMultipartUploadResult");
    document
        .text("Location", &request.url())
        .text("Bucket", request.bucket_name())
        .text("Key", &request.key())
        .etag("ETag", &completed.etag.to_string());
    if let Some(checksum) = ChecksumText::new(&completed.checksum, completed.etag.parts) {
        checksum.write(&mut document);
        document.text("ChecksumType", checksum.kind);
    }
    let mut answer = response::xml(document);
    let version_id = completed.version_id.as_deref();
    response::set_version_id(answer.headers_mut(), version_id);
    lifecycle::set_expiration_of(s3, &request, answer.headers_mut(), version_id).await;
    encryption::set(answer.headers_mut(), completed.encryption.as_ref(), request.headers());
    Ok(answer)
}

/// What is wrong with a list matters only while there is an upload that it could be for.
async fn unless_gone(s3: &S3, request: &Request, upload_id: UploadId, error: S3Error) -> S3Error {
    let asked = ListParts { bucket: request.bucket(), key: request.key(), upload_id, after: 0, max: 0 };
    match list_parts(s3.engine(), asked).await {
        Ok(_) => error,
        Err(err) => of_upload(request)(err),
    }
}

/// `x-amz-mp-object-size`.
fn object_size(request: &Request) -> Result<Option<u64>, S3Error> {
    let Some(text) = request.header("x-amz-mp-object-size") else { return Ok(None) };
    match text.trim().parse() {
        Ok(size) => Ok(Some(size)),
        Err(_) => Err(S3Error::invalid_request("Value for x-amz-mp-object-size header is invalid.")),
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<ListedPart>, S3Error> {
    let mut parts = Vec::new();
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["CompleteMultipartUpload"])?;
    while let Some(mut child) = root.next_child()? {
        if child.name() != "Part" {
            continue;
        }
        if parts.len() == usize::from(PART_NUMBER_MAX) {
            return Err(ErrorCode::MalformedXML.into());
        }
        parts.push(parse_part(&mut child)?);
    }
    match parts.is_empty() {
        true => Err(ErrorCode::MalformedXML.into()),
        false => Ok(parts),
    }
}

fn parse_part(part: &mut Element<'_, '_>) -> Result<ListedPart, S3Error> {
    let (mut number, mut tag, mut checksum) = (None, None, None);
    while let Some(mut child) = part.next_child()? {
        let algorithm = checksum::algorithm_of_element(child.name());
        match (child.name(), algorithm) {
            ("PartNumber", _) => number = Some(child.parsed::<i64>()?),
            ("ETag", _) => tag = Some(etag::unquote(&child.text_trimmed()?).to_owned()),
            (_, Some(algorithm)) => {
                let digest = part_checksum(algorithm, &child.text_trimmed()?)?;
                if checksum.replace((algorithm, digest)).is_some() {
                    return Err(S3Error::invalid_request("A part can have one checksum only"));
                }
            }
            _ => {}
        }
    }
    let (Some(number), Some(etag)) = (number, tag) else { return Err(ErrorCode::MalformedXML.into()) };
    let number = u16::try_from(number)
        .ok()
        .filter(|number| (1..=PART_NUMBER_MAX).contains(number))
        .ok_or_else(|| {
            let message =
                format!("Part number must be an integer between 1 and {PART_NUMBER_MAX}, inclusive");
            S3Error::argument("PartNumber", &number.to_string(), message)
        })?;
    Ok(ListedPart { number, etag, checksum })
}

fn part_checksum(algorithm: Algorithm, text: &str) -> Result<Digest, S3Error> {
    checksum::decode(algorithm, text).ok_or_else(|| {
        S3Error::argument(checksum::element_name(algorithm), text, "The checksum of a part is not valid")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> &'static str {
        parse(body.as_bytes()).map(|_| "").unwrap_or_else(|err| err.code().as_str())
    }

    #[test]
    fn reads_every_form_of_a_part() {
        let parts = parse(
            b"\xef\xbb\xbf<?xml version=\"1.0\"?><!-- x --><m:CompleteMultipartUpload xmlns:m='any'>\
              <m:Part><m:ETag>&quot;aa&quot;</m:ETag><m:PartNumber> 1 </m:PartNumber></m:Part>\
              <m:Part><m:PartNumber>3</m:PartNumber><m:ETag>&#34;bb&#34;</m:ETag><m:Other>x</m:Other>\
              <m:ChecksumCRC32>AAAAAA==</m:ChecksumCRC32></m:Part></m:CompleteMultipartUpload>",
        )
        .unwrap();
        assert_eq!((parts[0].number, parts[0].etag.as_str()), (1, "aa"));
        assert_eq!((parts[1].number, parts[1].etag.as_str()), (3, "bb"));
        assert_eq!(parts[1].checksum, Some((Algorithm::Crc32, Digest::new(&[0; 4]))));
    }

    #[test]
    fn refuses_lists_that_name_no_parts() {
        let part =
            |inner: &str| format!("<CompleteMultipartUpload><Part>{inner}</Part></CompleteMultipartUpload>");
        for (body, expected) in [
            (String::new(), "MalformedXML"),
            ("<CompleteMultipartUpload/>".to_owned(), "MalformedXML"),
            ("<Other/>".to_owned(), "MalformedXML"),
            (part("<PartNumber>1</PartNumber>"), "MalformedXML"),
            (part("<ETag>x</ETag>"), "MalformedXML"),
            (part("<PartNumber>one</PartNumber><ETag>x</ETag>"), "MalformedXML"),
            (part("<PartNumber>0</PartNumber><ETag>x</ETag>"), "InvalidArgument"),
            (part("<PartNumber>10001</PartNumber><ETag>x</ETag>"), "InvalidArgument"),
            (
                part("<PartNumber>1</PartNumber><ETag>x</ETag><ChecksumSHA1>x</ChecksumSHA1>"),
                "InvalidArgument",
            ),
            (
                part(
                    "<PartNumber>1</PartNumber><ETag>x</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32>\
                     <ChecksumCRC32C>AAAAAA==</ChecksumCRC32C>",
                ),
                "InvalidRequest",
            ),
        ] {
            assert_eq!(code(&body), expected, "{body}");
        }
        let many = "<Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>".repeat(10_001);
        assert_eq!(
            code(&format!("<CompleteMultipartUpload>{many}</CompleteMultipartUpload>")),
            "MalformedXML"
        );
    }
}
