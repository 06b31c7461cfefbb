//! Keys of the customer (SSE-C): a server encrypts an object with one and does not keep it, so each request brings it along.
//!
//! [`CustomerKeys::add_to`] is the one place that knows which requests need it. A key leaves this module only as a header's value, which
//! no log shows, and as [`CustomerKey::digest`], by which a journal knows it again.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderValue, Method};

use crate::client::address::Address;
use crate::client::endpoint::call::Call;
use crate::client::error::Error;
use crate::wire::customer_key::{COPY_SOURCE, KeyHeaders, OWN};
use crate::wire::sigv4::sha256_hex;

const KEY_LEN: usize = 32;
/// So much of a digest tells keys apart.
const DIGEST_LEN: usize = 16;

/// One key, of which nothing is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct CustomerKey([u8; KEY_LEN]);

/// The keys of one run.
#[derive(Clone, Debug, Default)]
pub struct CustomerKeys {
    /// Of every object that is read or written.
    pub own: Option<CustomerKey>,
    /// Of what is copied.
    pub copy_source: Option<CustomerKey>,
}

impl CustomerKey {
    /// What a file holds: 32 bytes, or these in base64 with white space around them.
    pub fn parse(content: &[u8]) -> Option<CustomerKey> {
        if let Ok(key) = content.try_into() {
            return Some(CustomerKey(key));
        }
        let decoded = BASE64.decode(content.trim_ascii()).ok()?;
        decoded.try_into().ok().map(CustomerKey)
    }

    /// The same for the same key. It says nothing about a key that was made at random.
    pub fn digest(&self) -> String {
        sha256_hex(&[&b"dovetail customer key "[..], &self.0].concat())[..DIGEST_LEN].to_owned()
    }

    fn add_to(&self, names: &KeyHeaders, headers: &mut HeaderMap) {
        let encoded = |bytes: &[u8]| {
            let mut value = HeaderValue::try_from(BASE64.encode(bytes)).expect("base64 is ASCII");
            value.set_sensitive(true);
            value
        };
        headers.insert(&names.algorithm, HeaderValue::from_static("AES256"));
        headers.insert(&names.key, encoded(&self.0));
        headers.insert(&names.key_md5, encoded(&dovetail_digest::md5(&self.0)));
    }
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerKey(..)")
    }
}

impl CustomerKeys {
    pub fn is_empty(&self) -> bool {
        self.own.is_none() && self.copy_source.is_none()
    }

    /// As a journal names the key that objects are written with.
    pub fn digest(&self) -> Option<String> {
        self.own.as_ref().map(CustomerKey::digest)
    }

    /// Whether a request about this object carries a key, whose refusal may then be the key's fault.
    pub fn are_in(headers: &HeaderMap) -> bool {
        headers.contains_key(&OWN.key) || headers.contains_key(&COPY_SOURCE.key)
    }

    /// Adds the keys that a request needs. Whatever reads or writes an object needs its key: also the list of an upload's parts and
    /// its end, where it has a checksum. Deleting and aborting do not.
    pub(super) fn add_to(&self, call: &Call, headers: &mut HeaderMap) {
        if call.key.is_empty() || call.method == Method::DELETE {
            return;
        }
        let own = if call.reads_copy_source { &self.copy_source } else { &self.own };
        if let Some(key) = own {
            key.add_to(&OWN, headers);
        }
        if let Some(key) = self.copy_source.as_ref().filter(|_| headers.contains_key("x-amz-copy-source")) {
            key.add_to(&COPY_SOURCE, headers);
        }
    }

    /// Whether an answer says that the object is encrypted as was asked for. A server that knows no such keys passes over them.
    pub fn are_taken(&self, answer: &HeaderMap) -> bool {
        self.own.is_none() || answer.contains_key(&OWN.algorithm)
    }

    /// Whether a transfer that was begun with one key can go on with what there is now.
    pub fn check_begun_with(&self, begun: Option<&str>, what: &Address) -> Result<(), Error> {
        let now = self.digest();
        let text = match (begun, now.as_deref()) {
            (begun, now) if begun == now => return Ok(()),
            (Some(_), None) => "with a key: name that one by --sse-c-key-file",
            (Some(_), Some(_)) => "with another key: name that one by --sse-c-key-file",
            (None, _) => "without a key: leave --sse-c-key-file out",
        };
        Err(Error::Incomplete(format!(
            "the transfer of {what} was begun {text}, or give it up with `dovetail abort {what}`"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> CustomerKey {
        CustomerKey::parse(&[byte; 32]).unwrap()
    }

    #[test]
    fn a_key_is_32_bytes_or_these_in_base64() {
        let text = BASE64.encode([7; 32]);
        for content in [text.clone(), format!("{text}\n"), format!(" {text}\r\n")] {
            assert!(CustomerKey::parse(content.as_bytes()) == Some(key(7)), "{content:?}");
        }
        for content in [&b""[..], &[7; 31], &[7; 33], b"not base64", BASE64.encode([7; 16]).as_bytes()] {
            assert!(CustomerKey::parse(content).is_none(), "{content:?}");
        }
    }

    #[test]
    fn a_key_is_shown_to_nobody() {
        let keys = CustomerKeys { own: Some(key(b'k')), copy_source: None };
        let mut headers = HeaderMap::new();
        keys.add_to(&Call::new("try", Method::GET, "bucket", "key"), &mut headers);
        let shown = format!("{keys:?} {headers:?}");
        assert!(!shown.contains("kkk") && !shown.contains(&BASE64.encode([b'k'; 32])), "{shown}");
        assert_ne!(key(1).digest(), key(2).digest());
        assert_eq!(key(1).digest().len(), DIGEST_LEN);
    }

    #[test]
    fn requests_bring_the_keys_that_they_need() {
        let keys = CustomerKeys { own: Some(key(1)), copy_source: Some(key(2)) };
        let call = |method: Method, key: &str| Call::new("try", method, "bucket", key);
        let copy = call(Method::PUT, "key").header("x-amz-copy-source", "/other/key");
        let source = Call { reads_copy_source: true, ..call(Method::HEAD, "key") };
        for (call, own, copied) in [
            (call(Method::PUT, "key"), Some(1), None),
            (call(Method::HEAD, "key"), Some(1), None),
            (call(Method::GET, "key").query("uploadId", "x"), Some(1), None),
            (call(Method::POST, "key").query("uploads", ""), Some(1), None),
            (call(Method::DELETE, "key"), None, None),
            (call(Method::GET, ""), None, None),
            (copy, Some(1), Some(2)),
            (source, Some(2), None),
        ] {
            let mut headers = call.headers.clone();
            keys.add_to(&call, &mut headers);
            let has = |names: &KeyHeaders| {
                let value = headers.get(&names.key).map(|value| BASE64.decode(value.as_bytes()).unwrap()[0]);
                assert_eq!(headers.contains_key(&names.key_md5), value.is_some());
                value
            };
            assert_eq!((has(&OWN), has(&COPY_SOURCE)), (own, copied), "{call:?}");
        }
        let mut headers = HeaderMap::new();
        CustomerKeys::default().add_to(&call(Method::GET, "key"), &mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn a_transfer_goes_on_with_its_key_alone() {
        let now = |own: Option<u8>| CustomerKeys { own: own.map(key), copy_source: None };
        let what = Address::new("bucket", "key");
        let said = |begun: Option<u8>, keys: CustomerKeys| {
            let digest = begun.map(|byte| key(byte).digest());
            keys.check_begun_with(digest.as_deref(), &what).map_err(|error| error.to_string())
        };
        assert!(said(None, now(None)).is_ok() && said(Some(1), now(Some(1))).is_ok());
        assert!(said(Some(1), now(Some(2))).unwrap_err().contains("another key"));
        assert!(said(Some(1), now(None)).unwrap_err().contains("begun with a key"));
        assert!(said(None, now(Some(1))).unwrap_err().contains("leave --sse-c-key-file out"));
    }
}
