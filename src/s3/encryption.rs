//! The headers of server-side encryption: what a request asks for, the keys it brings, and what an answer says.
//!
//! Everything is read from a `HeaderMap`, so that the fields of a form can be read the same way.

use crate::base::body::Peer;
use crate::engine::encryption::{CustomerKey, Encryption, Kms};
use crate::meta::records::{EncryptionMethod, EncryptionRecord};
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::header;
use crate::s3::response;
use crate::wire::customer_key::{COPY_SOURCE, KeyHeaders, OWN};
use crate::wire::error_code::ErrorCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;

const METHOD: HeaderName = HeaderName::from_static("x-amz-server-side-encryption");
const KMS_KEY_ID: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-aws-kms-key-id");
const CONTEXT: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-context");
const BUCKET_KEY: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-bucket-key-enabled");

pub const AES256: &str = "AES256";
pub const KMS: &str = "aws:kms";
pub const KMS_DUAL_LAYER: &str = "aws:kms:dsse";

impl S3 {
    /// Whether keys may come over this connection: what is sent in the clear is no secret any more.
    pub fn may_bring_keys(&self, parts: &Parts) -> bool {
        !self.0.keys_need_tls || parts.extensions.get::<Peer>().is_some_and(|peer| peer.tls)
    }
}

/// What a new object is to be encrypted with: the headers of PutObject, CreateMultipartUpload and CopyObject, and the
/// fields of a form.
pub fn of_new_object(headers: &HeaderMap, may_bring_keys: bool) -> Result<Option<Encryption>, S3Error> {
    let customer_key = customer_key(headers, may_bring_keys)?;
    let kms_key_id = header(headers, &KMS_KEY_ID);
    let method = header(headers, &METHOD);
    if let (Some(_), Some(method)) = (&customer_key, &method) {
        let message = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified";
        return Err(S3Error::argument(METHOD.as_str(), method, message));
    }
    if let Some(key_id) = &kms_key_id
        && !matches!(method.as_deref(), Some(KMS | KMS_DUAL_LAYER))
    {
        let message = "Server Side Encryption with AWS KMS managed key requires HTTP header \
                       x-amz-server-side-encryption : aws:kms";
        return Err(S3Error::argument(KMS_KEY_ID.as_str(), key_id, message));
    }
    let dual_layer = match method.as_deref() {
        None => return Ok(customer_key.map(Encryption::Customer)),
        Some(AES256) => return Ok(Some(Encryption::S3)),
        Some(KMS) => false,
        Some(KMS_DUAL_LAYER) => true,
        Some(other) => {
            let message = "The encryption method specified is not supported";
            return Err(S3Error::argument(METHOD.as_str(), other, message));
        }
    };
    Ok(Some(Encryption::Kms(Kms {
        dual_layer,
        key_id: kms_key_id.map(|id| id.into_owned()).filter(|id| !id.is_empty()),
        bucket_key: flag(headers, &BUCKET_KEY)?,
        context: context(headers)?,
    })))
}

fn flag(headers: &HeaderMap, name: &HeaderName) -> Result<bool, S3Error> {
    match header(headers, name).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(S3Error::argument(name.as_str(), other, "The value must be true or false")),
    }
}

/// Base64 of a JSON object of texts.
fn context(headers: &HeaderMap) -> Result<Option<String>, S3Error> {
    let Some(text) = header(headers, &CONTEXT) else { return Ok(None) };
    let decoded = BASE64.decode(text.as_bytes()).ok();
    let pairs = decoded
        .and_then(|json| serde_json::from_slice::<std::collections::BTreeMap<String, String>>(&json).ok());
    match pairs {
        Some(_) => Ok(Some(text.into_owned())),
        None => {
            let message = "The header must be a base64 encoded JSON document of keys and values";
            Err(S3Error::argument(CONTEXT.as_str(), &text, message))
        }
    }
}

/// The client's key, if one came: to read with, or for a part.
pub fn customer_key(headers: &HeaderMap, may_bring_keys: bool) -> Result<Option<CustomerKey>, S3Error> {
    key(headers, &OWN, may_bring_keys)
}

/// The same for the source of a copy.
pub fn copy_source_key(headers: &HeaderMap, may_bring_keys: bool) -> Result<Option<CustomerKey>, S3Error> {
    key(headers, &COPY_SOURCE, may_bring_keys)
}

/// For GetObject and HeadObject: what the object is encrypted with is known, so naming it is a mistake.
pub fn refuse_method(headers: &HeaderMap) -> Result<(), S3Error> {
    match header(headers, &METHOD) {
        None => Ok(()),
        Some(method) => {
            let message = "x-amz-server-side-encryption header is not supported for this operation.";
            Err(S3Error::argument(METHOD.as_str(), &method, message))
        }
    }
}

/// A key and its MD5, both in base64, and the one algorithm there is. The key is in no error.
fn key(
    headers: &HeaderMap,
    names: &KeyHeaders,
    may_bring_keys: bool,
) -> Result<Option<CustomerKey>, S3Error> {
    let (algorithm, key, key_md5) =
        (header(headers, &names.algorithm), header(headers, &names.key), header(headers, &names.key_md5));
    if algorithm.is_none() && key.is_none() && key_md5.is_none() {
        return Ok(None);
    }
    if !may_bring_keys {
        return Err(S3Error::invalid_request(
            "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure \
             connection.",
        ));
    }
    let must = |name: &HeaderName, what: &str| {
        let message = format!(
            "Requests specifying Server Side Encryption with Customer provided keys must provide {what}."
        );
        S3Error::argument(name.as_str(), "", message)
    };
    let algorithm = algorithm.ok_or_else(|| must(&names.algorithm, "a valid encryption algorithm"))?;
    if algorithm != AES256 {
        return Err(S3Error::from(ErrorCode::InvalidEncryptionAlgorithmError)
            .field("ArgumentName", names.algorithm.as_str())
            .field("ArgumentValue", algorithm));
    }
    let key = key.ok_or_else(|| must(&names.key, "an appropriate secret key"))?;
    let key_md5 =
        key_md5.ok_or_else(|| must(&names.key_md5, "the client calculated MD5 of the secret key"))?;
    let key: Option<[u8; 32]> = BASE64.decode(key.as_bytes()).ok().and_then(|key| key.try_into().ok());
    let message = "The secret key was invalid for the specified algorithm.";
    let key = key.ok_or_else(|| S3Error::argument(names.key.as_str(), "", message))?;
    if BASE64.encode(dovetail_digest::md5(&key)) != key_md5 {
        let message = "The calculated MD5 hash of the key did not match the hash that was provided.";
        return Err(S3Error::argument(names.key_md5.as_str(), &key_md5, message));
    }
    Ok(Some(CustomerKey::new(key)))
}

/// Says in an answer how the bytes are encrypted. Of a client's key it repeats what `request` says about it.
pub fn set(headers: &mut HeaderMap, record: Option<&EncryptionRecord>, request: &HeaderMap) {
    let Some(record) = record else { return };
    let (method, key_id) = match &record.method {
        EncryptionMethod::S3 => (AES256, None),
        EncryptionMethod::Kms(key_id) => (KMS, Some(key_id)),
        EncryptionMethod::KmsDualLayer(key_id) => (KMS_DUAL_LAYER, Some(key_id)),
        EncryptionMethod::Customer => {
            headers.insert(OWN.algorithm, HeaderValue::from_static(AES256));
            if let Some(key_md5) = request.get(&OWN.key_md5) {
                headers.insert(OWN.key_md5, key_md5.clone());
            }
            return;
        }
    };
    headers.insert(METHOD, HeaderValue::from_static(method));
    if let Some(key_id) = key_id {
        response::set(headers, KMS_KEY_ID, key_id);
    }
    if record.bucket_key {
        headers.insert(BUCKET_KEY, HeaderValue::from_static("true"));
    }
}

/// The same in the answer to who has just asked for it.
pub fn set_of_new(headers: &mut HeaderMap, record: Option<&EncryptionRecord>, request: &HeaderMap) {
    set(headers, record, request);
    if let Some(context) = record.and_then(|record| record.context.as_deref()) {
        response::set(headers, CONTEXT, context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "pO3upElrwuEXSoFwCfnZPdSsmt/xWeFa0N9KgDijwVs=";
    const KEY_MD5: &str = "DWygnHRtgiJ77HCm+1rvHw==";

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                let name = format!("x-amz-server-side-encryption{name}");
                (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
            })
            .collect()
    }

    #[test]
    fn reads_what_is_asked_for() {
        let of = |pairs: &[(&str, &str)]| of_new_object(&headers(pairs), true).unwrap();
        assert!(of(&[]).is_none());
        assert!(matches!(of(&[("", "AES256")]), Some(Encryption::S3)));
        let key = [("-customer-algorithm", "AES256"), ("-customer-key", KEY), ("-customer-key-md5", KEY_MD5)];
        assert!(matches!(of(&key), Some(Encryption::Customer(_))));
        let Some(Encryption::Kms(kms)) = of(&[
            ("", "aws:kms:dsse"),
            ("-aws-kms-key-id", "id"),
            ("-bucket-key-enabled", "true"),
            ("-context", "eyJhIjoiYiJ9"),
        ]) else {
            panic!("no KMS")
        };
        let context = Some("eyJhIjoiYiJ9".to_owned());
        assert_eq!(kms, Kms { dual_layer: true, key_id: Some("id".into()), bucket_key: true, context });
        assert!(matches!(of(&[("", "aws:kms")]), Some(Encryption::Kms(kms)) if kms == Kms::default()));
    }

    #[test]
    fn refuses_what_contradicts_itself() {
        let algorithm = ("-customer-algorithm", "AES256");
        let key = ("-customer-key", KEY);
        let md5 = ("-customer-key-md5", KEY_MD5);
        for (pairs, code) in [
            (&[("", "aes:kms")][..], "InvalidArgument"),
            (&[("", "")], "InvalidArgument"),
            (&[("", "AES256"), ("-aws-kms-key-id", "id")], "InvalidArgument"),
            (&[("-aws-kms-key-id", "id")], "InvalidArgument"),
            (&[("", "aws:kms"), ("-context", "e30")], "InvalidArgument"),
            (&[("", "aws:kms"), ("-context", "W10=")], "InvalidArgument"),
            (&[("", "aws:kms"), ("-bucket-key-enabled", "yes")], "InvalidArgument"),
            (&[("", "AES256"), algorithm, key, md5], "InvalidArgument"),
            (&[("", "aws:kms"), algorithm, key, md5], "InvalidArgument"),
            (&[key, md5], "InvalidArgument"),
            (&[algorithm, md5], "InvalidArgument"),
            (&[algorithm, key], "InvalidArgument"),
            (&[algorithm], "InvalidArgument"),
            (&[("-customer-algorithm", "AES128"), key, md5], "InvalidEncryptionAlgorithmError"),
            (&[algorithm, ("-customer-key", "c2hvcnQ="), md5], "InvalidArgument"),
            (&[algorithm, ("-customer-key", "!"), md5], "InvalidArgument"),
            (&[algorithm, key, ("-customer-key-md5", "AAAAAAAAAAAAAAAAAAAAAA==")], "InvalidArgument"),
        ] {
            let error = of_new_object(&headers(pairs), true).unwrap_err();
            assert_eq!(error.code().as_str(), code, "{pairs:?}");
            assert!(!format!("{error:?}").contains(KEY), "{error:?}");
        }
        let error = customer_key(&headers(&[algorithm, key, md5]), false).unwrap_err();
        assert_eq!(error.code().as_str(), "InvalidRequest", "in the clear");
        assert!(customer_key(&headers(&[("", "AES256")]), false).unwrap().is_none());
    }
}
