//! PutBucketEncryption: what becomes of new objects whose client asks for nothing. What is there stays as it is.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html>

use crate::engine::bucket_documents;
use crate::meta::records::{BucketEncryptionRecord, RuleMethod};
use crate::s3::S3;
use crate::s3::document;
use crate::s3::encryption::{AES256, KMS, KMS_DUAL_LAYER};
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::{Document, Element};
use http::StatusCode;

/// What names SSE-C among the types that a bucket can block, and what names none.
pub const CUSTOMER: &str = "SSE-C";
pub const NONE: &str = "NONE";

pub async fn put_bucket_encryption(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let bytes = document::read(&mut request, document::LEN_MAX).await?;
    bucket_documents::put(s3.engine(), request.bucket(), parse(&bytes)?).await?;
    Ok(response::empty(StatusCode::OK))
}

fn parse(bytes: &[u8]) -> Result<BucketEncryptionRecord, S3Error> {
    let mut rule = None;
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["ServerSideEncryptionConfiguration"])?;
    while let Some(mut child) = root.next_child()? {
        if child.name() == "Rule" && rule.replace(parse_rule(&mut child)?).is_some() {
            return Err(ErrorCode::MalformedXML.into());
        }
    }
    rule.ok_or_else(|| ErrorCode::MalformedXML.into())
}

fn parse_rule(rule: &mut Element<'_, '_>) -> Result<BucketEncryptionRecord, S3Error> {
    let mut record = BucketEncryptionRecord::default();
    while let Some(mut child) = rule.next_child()? {
        match child.name() {
            "ApplyServerSideEncryptionByDefault" => record.method = Some(parse_default(&mut child)?),
            "BucketKeyEnabled" => {
                record.bucket_key = match child.text_trimmed()?.as_str() {
                    "true" => true,
                    "false" => false,
                    _ => return Err(ErrorCode::MalformedXML.into()),
                }
            }
            "BlockedEncryptionTypes" => {
                record.names_blocked = true;
                record.blocks_customer_keys = parse_blocked(&mut child)?;
            }
            _ => {}
        }
    }
    // A rule has to say something.
    match record.method.is_none() && !record.names_blocked && !record.bucket_key {
        true => Err(ErrorCode::MalformedXML.into()),
        false => Ok(record),
    }
}

/// Key ids are not looked for here, as AWS does not: a write that needs one that is not there is refused.
fn parse_default(default: &mut Element<'_, '_>) -> Result<RuleMethod, S3Error> {
    let (mut algorithm, mut key_id) = (None, None);
    while let Some(mut child) = default.next_child()? {
        match child.name() {
            "SSEAlgorithm" => algorithm = Some(child.text_trimmed()?),
            "KMSMasterKeyID" => key_id = Some(child.text_trimmed()?).filter(|id| !id.is_empty()),
            _ => {}
        }
    }
    match (algorithm.as_deref(), key_id) {
        (Some(AES256), None) => Ok(RuleMethod::S3),
        (Some(AES256), Some(key_id)) => {
            let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
            Err(S3Error::argument("KMSMasterKeyID", &key_id, message))
        }
        (Some(KMS), key_id) => Ok(RuleMethod::Kms(key_id)),
        (Some(KMS_DUAL_LAYER), key_id) => Ok(RuleMethod::KmsDualLayer(key_id)),
        _ => Err(ErrorCode::MalformedXML.into()),
    }
}

/// Whether SSE-C is among the types that are blocked.
fn parse_blocked(blocked: &mut Element<'_, '_>) -> Result<bool, S3Error> {
    let mut blocks_customer_keys = false;
    while let Some(mut child) = blocked.next_child()? {
        if child.name() != "EncryptionType" {
            continue;
        }
        match child.text_trimmed()?.as_str() {
            CUSTOMER => blocks_customer_keys = true,
            NONE => {}
            _ => return Err(ErrorCode::MalformedXML.into()),
        }
    }
    Ok(blocks_customer_keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(inner: &str) -> Result<BucketEncryptionRecord, &'static str> {
        let document = format!(
            "<ServerSideEncryptionConfiguration xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>{inner}</ServerSideEncryptionConfiguration>"
        );
        parse(document.as_bytes()).map_err(|err| err.code().as_str())
    }

    fn default(inner: &str) -> String {
        format!(
            "<Rule><ApplyServerSideEncryptionByDefault>{inner}</ApplyServerSideEncryptionByDefault></Rule>"
        )
    }

    #[test]
    fn reads_one_rule() {
        let method = |inner: &str| of(&default(inner)).map(|rule| rule.method.unwrap());
        assert_eq!(method("<SSEAlgorithm>AES256</SSEAlgorithm>"), Ok(RuleMethod::S3));
        assert_eq!(method("<SSEAlgorithm>aws:kms</SSEAlgorithm>"), Ok(RuleMethod::Kms(None)));
        assert_eq!(
            method("<KMSMasterKeyID>id</KMSMasterKeyID><SSEAlgorithm>aws:kms:dsse</SSEAlgorithm>"),
            Ok(RuleMethod::KmsDualLayer(Some("id".into())))
        );
        let blocked = "<Rule><BucketKeyEnabled>true</BucketKeyEnabled><BlockedEncryptionTypes>\
                       <EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes></Rule>";
        let expected = BucketEncryptionRecord {
            method: None,
            bucket_key: true,
            blocks_customer_keys: true,
            names_blocked: true,
        };
        assert_eq!(of(blocked), Ok(expected));
        let none = "<Rule><BlockedEncryptionTypes><EncryptionType>NONE</EncryptionType></BlockedEncryptionTypes></Rule>";
        assert!(of(none).is_ok_and(|rule| rule.names_blocked && !rule.blocks_customer_keys));
    }

    #[test]
    fn refuses_what_is_no_rule() {
        let fine = default("<SSEAlgorithm>AES256</SSEAlgorithm>");
        for (inner, code) in [
            (String::new(), "MalformedXML"),
            ("<Rule/>".to_owned(), "MalformedXML"),
            (format!("{fine}{fine}"), "MalformedXML"),
            (default(""), "MalformedXML"),
            (default("<SSEAlgorithm>AES128</SSEAlgorithm>"), "MalformedXML"),
            (default("<SSEAlgorithm>aws:fsx</SSEAlgorithm>"), "MalformedXML"),
            (default("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>id</KMSMasterKeyID>"), "InvalidArgument"),
            ("<Rule><BucketKeyEnabled>yes</BucketKeyEnabled></Rule>".to_owned(), "MalformedXML"),
            (
                "<Rule><BlockedEncryptionTypes><EncryptionType>SSE-X</EncryptionType></BlockedEncryptionTypes></Rule>"
                    .to_owned(),
                "MalformedXML",
            ),
        ] {
            assert_eq!(of(&inner), Err(code), "{inner}");
        }
    }
}
