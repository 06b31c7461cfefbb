//! Secrets, the keys derived from them, and a cache of those keys.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::{Scope, to_hex};

/// A secret access key. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    pub fn new(secret: impl Into<Arc<str>>) -> Secret {
        Secret(secret.into())
    }

    /// The key itself, for the few places that compute with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// What signs for one secret, day and region. As good as the secret for that day, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// Derives the key: four HMACs, one after the other.
    pub fn derive(secret: &Secret, scope: &Scope) -> SigningKey {
        let day = hmac(format!("AWS4{}", secret.expose()).as_bytes(), scope.date.as_bytes());
        let region = hmac(&day, scope.region.as_bytes());
        let service = hmac(&region, b"s3");
        SigningKey(hmac(&service, b"aws4_request"))
    }

    /// The lower-case hexadecimal signature of `text`.
    pub fn sign(&self, text: &[u8]) -> String {
        to_hex(&hmac(&self.0, text))
    }

    #[cfg(test)]
    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(redacted)")
    }
}

/// Compares without telling by its duration where the first difference is.
pub fn signatures_equal(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// More keys than one gateway has users, days and regions in use at once; a bound on memory, not a tuning knob.
const CACHE_LEN_MAX: usize = 1024;

/// Signing keys that were used lately, so that most requests need one HMAC instead of five.
#[derive(Default)]
pub struct KeyCache {
    keys: Mutex<HashMap<String, (Secret, SigningKey)>>,
}

impl KeyCache {
    /// The key for this secret and scope, derived unless it is here. A changed secret never finds the old key.
    pub fn get(&self, access_key_id: &str, secret: &Secret, scope: &Scope) -> SigningKey {
        // No part can contain a slash but the first, so different triples have different names.
        let name = format!("{access_key_id}/{}/{}", scope.date, scope.region);
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known_secret, key)) = keys.get(&name)
            && known_secret == secret
        {
            return key.clone();
        }
        // Full means yesterday's keys, mostly; deriving the rest again is cheap.
        if keys.len() >= CACHE_LEN_MAX {
            keys.clear();
        }
        let key = SigningKey::derive(secret, scope);
        keys.insert(name, (secret.clone(), key.clone()));
        key
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.keys.lock().unwrap().len()
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyCache(..)")
    }
}
