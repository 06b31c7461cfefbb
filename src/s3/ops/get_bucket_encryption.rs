//! GetBucketEncryption: the rule as it was set. Without one nothing is encrypted unless a client asks for it, so there is
//! no rule to tell of, where AWS always has one.

use super::put_bucket_encryption::{CUSTOMER, NONE};
use crate::engine::bucket_documents;
use crate::meta::records::{BucketEncryptionRecord, RuleMethod};
use crate::s3::S3;
use crate::s3::encryption::{AES256, KMS, KMS_DUAL_LAYER};
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::Writer;

pub async fn get_bucket_encryption(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let rule = bucket_documents::get::<BucketEncryptionRecord>(s3.engine(), request.bucket()).await?;
    let rule = rule.ok_or(ErrorCode::ServerSideEncryptionConfigurationNotFoundError)?;
    Ok(response::xml(write(&rule)))
}

fn write(rule: &BucketEncryptionRecord) -> Writer {
    let mut document = response::document("ServerSideEncryptionConfiguration");
    document.open("Rule");
    let default = rule.method.as_ref().map(|method| match method {
        RuleMethod::S3 => (AES256, None),
        RuleMethod::Kms(key_id) => (KMS, key_id.as_deref()),
        RuleMethod::KmsDualLayer(key_id) => (KMS_DUAL_LAYER, key_id.as_deref()),
    });
    if let Some((algorithm, key_id)) = default {
        document.open("ApplyServerSideEncryptionByDefault").text("SSEAlgorithm", algorithm);
        document.text_optional("KMSMasterKeyID", key_id).close();
    }
    document.flag("BucketKeyEnabled", rule.bucket_key);
    if rule.names_blocked {
        let blocked = if rule.blocks_customer_keys { CUSTOMER } else { NONE };
        document.open("BlockedEncryptionTypes").text("EncryptionType", blocked).close();
    }
    document.close();
    document
}
