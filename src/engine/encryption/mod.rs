//! Server-side encryption: what a write asks for, which key a new content gets, and who may read it.
//!
//! Every encrypted content has a random key of its own ([`content_key`]), which is kept wrapped by another key
//! ([`keyring`]) in the records of its versions. So a copy that changes the encryption wraps the key anew and moves no
//! byte, and a master key is rotated without a byte being read. The bytes are encrypted block by block, as their
//! checksums are, so that a range costs its blocks.

pub mod content_key;
pub mod keyring;
pub mod registry;
#[cfg(test)]
mod tests;

pub use content_key::{BlobOpener, BlobSealer, ContentKey};
pub use keyring::{CustomerKey, DEFAULT_KMS_KEY, Keyring};

use crate::engine::named_bucket::NamedBucket;
use crate::engine::{Engine, Error};
use crate::meta::records::{ETag, EncryptionMethod, EncryptionRecord, RuleMethod, VersionRecord};

/// What a client asks a new object to be encrypted with.
#[derive(Clone, Debug)]
pub enum Encryption {
    /// SSE-S3.
    S3,
    /// SSE-KMS.
    Kms(Kms),
    /// SSE-C.
    Customer(CustomerKey),
}

/// A request for a key of the operator's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kms {
    /// Asked for as `aws:kms:dsse`.
    pub dual_layer: bool,
    /// `None` is [`DEFAULT_KMS_KEY`].
    pub key_id: Option<String>,
    pub bucket_key: bool,
    pub context: Option<String>,
}

/// The encryption of a new content: its key, and the record that keeps it.
#[derive(Clone, Debug)]
pub struct Sealing {
    pub record: EncryptionRecord,
    pub key: ContentKey,
}

/// What a new object of this bucket is encrypted with: what its client asks for, else what the bucket's rule says, else
/// nothing. An unknown key id is `NoSuchKmsKey`, a method that the bucket does not allow `EncryptionBlocked`.
pub async fn for_new(
    engine: &Engine,
    bucket: &NamedBucket,
    asked: Option<&Encryption>,
) -> Result<Option<Sealing>, Error> {
    let Some(wanted) = wanted(engine, bucket, asked).await? else { return Ok(None) };
    seal(&engine.settings.keyring, &wanted, ContentKey::random()).map(Some)
}

/// The same, for who has a key already or none to make.
pub async fn wanted(
    engine: &Engine,
    bucket: &NamedBucket,
    asked: Option<&Encryption>,
) -> Result<Option<Encryption>, Error> {
    let settings = bucket.settings(engine).await?;
    let rule = settings.encryption.clone().unwrap_or_default();
    let wanted = match asked {
        Some(Encryption::Customer(_)) if rule.blocks_customer_keys => return Err(Error::EncryptionBlocked),
        Some(asked) => Some(asked.clone()),
        None => rule.method.map(|method| by_rule(method, rule.bucket_key)),
    };
    registry::before_use(engine, wanted.as_ref()).await?;
    Ok(wanted)
}

fn by_rule(method: RuleMethod, bucket_key: bool) -> Encryption {
    match method {
        RuleMethod::S3 => Encryption::S3,
        RuleMethod::Kms(key_id) => Encryption::Kms(Kms { key_id, bucket_key, ..Kms::default() }),
        RuleMethod::KmsDualLayer(key_id) => {
            Encryption::Kms(Kms { dual_layer: true, key_id, bucket_key, ..Kms::default() })
        }
    }
}

/// Wraps a content's key as `wanted` says.
pub fn seal(keyring: &Keyring, wanted: &Encryption, key: ContentKey) -> Result<Sealing, Error> {
    let (method, customer, kms) = match wanted {
        Encryption::S3 => (EncryptionMethod::S3, None, Kms::default()),
        Encryption::Customer(customer) => (EncryptionMethod::Customer, Some(customer), Kms::default()),
        Encryption::Kms(kms) => {
            let name = kms.key_id.as_deref().unwrap_or(DEFAULT_KMS_KEY);
            let name = keyring.kms_key_name(name).to_owned();
            let method = match kms.dual_layer {
                false => EncryptionMethod::Kms(name),
                true => EncryptionMethod::KmsDualLayer(name),
            };
            (method, None, kms.clone())
        }
    };
    let wrapped = keyring.wrap(&method, &key, customer)?;
    let record = EncryptionRecord { method, key: wrapped, bucket_key: kms.bucket_key, context: kms.context };
    Ok(Sealing { record, key })
}

/// Whether a reader has said what is needed to read this: the client's own key where it is needed, and none where it is
/// not.
pub fn check(
    keyring: &Keyring,
    record: Option<&EncryptionRecord>,
    customer: Option<&CustomerKey>,
) -> Result<(), Error> {
    match (record.map(|record| &record.method), customer) {
        (Some(EncryptionMethod::Customer), _) => open(keyring, record, customer).map(drop),
        (_, Some(_)) => Err(Error::CustomerKeyNotApplicable),
        (_, None) => Ok(()),
    }
}

/// The key to read with, if one is needed.
pub fn open(
    keyring: &Keyring,
    record: Option<&EncryptionRecord>,
    customer: Option<&CustomerKey>,
) -> Result<Option<ContentKey>, Error> {
    match (record, customer) {
        (None, Some(_)) => Err(Error::CustomerKeyNotApplicable),
        (None, None) => Ok(None),
        (Some(record), Some(_)) if record.method != EncryptionMethod::Customer => {
            Err(Error::CustomerKeyNotApplicable)
        }
        (Some(record), customer) => keyring.unwrap(record, customer).map(Some),
    }
}

/// The key for another part of an upload. The client's key has to come with each of them.
pub fn for_part(
    keyring: &Keyring,
    record: Option<EncryptionRecord>,
    customer: Option<&CustomerKey>,
) -> Result<Option<Sealing>, Error> {
    let key = open(keyring, record.as_ref(), customer).map_err(of_upload)?;
    Ok(record.zip(key).map(|(record, key)| Sealing { record, key }))
}

/// What [`check`] and [`open`] say, said of an upload.
pub fn of_upload(err: Error) -> Error {
    match err {
        Error::CustomerKeyRequired | Error::CustomerKeyNotApplicable => Error::UploadKeyMissing,
        Error::CustomerKeyDiffers => Error::UploadKeyDiffers,
        other => other,
    }
}

/// The MD5 as a client may see it.
pub fn etag(sealing: Option<&Sealing>, md5: [u8; 16]) -> [u8; 16] {
    match sealing {
        Some(sealing) if !sealing.record.method.shows_md5() => sealing.key.hide_md5(md5),
        _ => md5,
    }
}

/// The ETag of a copy that shares its source's content. That of a multipart object stays as it is.
pub fn etag_of_copy(source: &VersionRecord, sealing: Option<&Sealing>) -> ETag {
    let ETag { md5, parts: None } = source.etag else { return source.etag };
    let shown = match (&source.encryption, sealing) {
        (Some(record), Some(sealing)) if !record.method.shows_md5() => sealing.key.reveal_md5(md5),
        _ => md5,
    };
    ETag { md5: etag(sealing, shown), parts: None }
}
