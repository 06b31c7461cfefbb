//! The keys that wrap the keys of contents: the gateway's master keys, and the operator's keys for SSE-KMS.
//!
//! Every wrapped key says by its wrapping key's fingerprint which one that was, so a missing key is said to be missing
//! and nothing is tried. Of several master keys the newest one wraps and all unwrap: that is how they are rotated.

use super::content_key::{ContentKey, KEY_LEN, KeyBytes};
use crate::engine::Error;
use crate::meta::records::{EncryptionMethod, EncryptionRecord, WrappedKey};
use dovetail_digest::{Algorithm, Hasher};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

/// The key of the operator's that stands for `aws:kms` without a key id, by the name that AWS gives its own.
pub const DEFAULT_KMS_KEY: &str = "aws/s3";

/// A client's key, which comes with each request that needs it (SSE-C).
#[derive(Clone)]
pub struct CustomerKey(KeyBytes);

impl CustomerKey {
    pub fn new(bytes: [u8; KEY_LEN]) -> CustomerKey {
        CustomerKey(KeyBytes::new(bytes))
    }
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerKey")
    }
}

/// A wrapping key that is kept somewhere, and what it is called in records.
#[derive(Clone, Debug)]
struct NamedKey {
    fingerprint: String,
    key: KeyBytes,
}

impl NamedKey {
    fn new(bytes: [u8; KEY_LEN]) -> NamedKey {
        NamedKey { fingerprint: fingerprint(&bytes), key: KeyBytes::new(bytes) }
    }
}

/// What a key is called that must not be shown: 16 hexadecimal digits, of which no way leads back.
pub fn fingerprint(key: &[u8; KEY_LEN]) -> String {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(b"dovetail key fingerprint\0");
    hasher.update(key);
    hasher.finish().to_hex()[..16].to_owned()
}

/// All keys of a gateway. `Debug` shows fingerprints.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    /// The newest is the last.
    masters: Vec<NamedKey>,
    kms: BTreeMap<String, NamedKey>,
    /// The newest master key is registered.
    pub(super) is_registered: OnceLock<()>,
}

impl Keyring {
    /// The master keys from the oldest to the newest, and the keys for SSE-KMS by their names.
    pub fn new(masters: &[[u8; KEY_LEN]], kms: &BTreeMap<String, [u8; KEY_LEN]>) -> Keyring {
        Keyring {
            masters: masters.iter().copied().map(NamedKey::new).collect(),
            kms: kms.iter().map(|(name, key)| (name.clone(), NamedKey::new(*key))).collect(),
            is_registered: OnceLock::new(),
        }
    }

    /// The fingerprints of the master keys; the newest is the last.
    pub fn masters(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.masters.iter().map(|master| master.fingerprint.as_str())
    }

    pub fn has_kms_keys(&self) -> bool {
        !self.kms.is_empty()
    }

    /// The name of the key that a client means: the name itself, or an ARN that ends in it.
    pub fn kms_key_name<'a>(&self, key_id: &'a str) -> &'a str {
        match key_id.rsplit_once(":key/") {
            Some((_, name)) if !self.kms.contains_key(key_id) => name,
            _ => key_id,
        }
    }

    /// Wraps a content's key. A method of the client's needs the client's key, any other takes none.
    pub fn wrap(
        &self,
        method: &EncryptionMethod,
        key: &ContentKey,
        customer: Option<&CustomerKey>,
    ) -> Result<WrappedKey, Error> {
        let (by, wrapping) = match method {
            EncryptionMethod::S3 => {
                let master = self.masters.last().ok_or_else(|| missing("there is no master key".into()))?;
                (master.fingerprint.clone(), &master.key)
            }
            EncryptionMethod::Kms(name) | EncryptionMethod::KmsDualLayer(name) => {
                let found = self.kms.get(name).ok_or_else(|| Error::NoSuchKmsKey { key_id: name.clone() })?;
                (found.fingerprint.clone(), &found.key)
            }
            EncryptionMethod::Customer => (String::new(), &customer.ok_or(Error::CustomerKeyRequired)?.0),
        };
        let (salt, sealed) = key.wrap(wrapping, &context(method));
        Ok(WrappedKey { by, salt, sealed })
    }

    /// The key of a content. A client's key that is not the one is `CustomerKeyDiffers`; an operator's key that is not
    /// there is `Storage`, and so is a record that was changed.
    pub fn unwrap(
        &self,
        record: &EncryptionRecord,
        customer: Option<&CustomerKey>,
    ) -> Result<ContentKey, Error> {
        let WrappedKey { by, salt, sealed } = &record.key;
        let wrapping = match &record.method {
            EncryptionMethod::S3 => {
                let master = self.masters.iter().find(|master| master.fingerprint == *by);
                &master.ok_or_else(|| missing(format!("the master key {by} is not in the key file")))?.key
            }
            EncryptionMethod::Kms(name) | EncryptionMethod::KmsDualLayer(name) => {
                let found = self.kms.get(name).filter(|found| found.fingerprint == *by);
                let gone = || missing(format!("encryption.kms_keys has no {name} with fingerprint {by}"));
                &found.ok_or_else(gone)?.key
            }
            EncryptionMethod::Customer => &customer.ok_or(Error::CustomerKeyRequired)?.0,
        };
        ContentKey::unwrap(wrapping, &context(&record.method), salt, sealed).map_err(|_| {
            match record.method {
                EncryptionMethod::Customer => Error::CustomerKeyDiffers,
                _ => missing(format!(
                    "the key {by} does not open what was wrapped by it: the record was changed"
                )),
            }
        })
    }
}

/// What a wrapped key is bound to, so that none can be passed off as another's.
fn context(method: &EncryptionMethod) -> Vec<u8> {
    match method {
        EncryptionMethod::S3 => b"AES256".to_vec(),
        EncryptionMethod::Kms(name) => [b"aws:kms\0", name.as_bytes()].concat(),
        EncryptionMethod::KmsDualLayer(name) => [b"aws:kms:dsse\0", name.as_bytes()].concat(),
        EncryptionMethod::Customer => b"customer".to_vec(),
    }
}

fn missing(why: String) -> Error {
    Error::Storage(format!("cannot get at an encryption key: {why}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(masters: &[u8], kms: &[(&str, u8)]) -> Keyring {
        let masters: Vec<_> = masters.iter().map(|byte| [*byte; KEY_LEN]).collect();
        Keyring::new(&masters, &kms.iter().map(|(name, byte)| (name.to_string(), [*byte; KEY_LEN])).collect())
    }

    fn wrapped(ring: &Keyring, method: EncryptionMethod, customer: Option<&CustomerKey>) -> EncryptionRecord {
        let key = ring.wrap(&method, &ContentKey::random(), customer).unwrap();
        EncryptionRecord { method, key, bucket_key: false, context: None }
    }

    #[test]
    fn the_newest_master_key_wraps_and_every_one_unwraps() {
        let old = ring(&[1], &[]);
        let record = wrapped(&old, EncryptionMethod::S3, None);
        let both = ring(&[1, 2], &[]);
        both.unwrap(&record, None).unwrap();
        let newer = wrapped(&both, EncryptionMethod::S3, None);
        assert_eq!(newer.key.by, fingerprint(&[2; KEY_LEN]));
        assert_eq!(both.masters().collect::<Vec<_>>(), [record.key.by.as_str(), newer.key.by.as_str()]);
        ring(&[2], &[]).unwrap(&newer, None).unwrap();
        let error = ring(&[2], &[]).unwrap(&record, None).unwrap_err();
        assert!(error.to_string().contains(&record.key.by), "{error}");
        assert!(matches!(
            ring(&[], &[]).wrap(&EncryptionMethod::S3, &ContentKey::random(), None),
            Err(Error::Storage(_))
        ));
    }

    #[test]
    fn a_kms_key_is_known_by_its_name_and_missed_by_it() {
        let keys = ring(&[], &[("one", 1), ("two", 2)]);
        let record = wrapped(&keys, EncryptionMethod::Kms("one".into()), None);
        keys.unwrap(&record, None).unwrap();
        let unknown = keys.wrap(&EncryptionMethod::Kms("three".into()), &ContentKey::random(), None);
        assert!(matches!(unknown, Err(Error::NoSuchKmsKey { key_id }) if key_id == "three"));
        for other in [ring(&[], &[]), ring(&[], &[("one", 2)])] {
            assert!(matches!(other.unwrap(&record, None), Err(Error::Storage(_))));
        }
        // A record that was made to name another key, or another method, does not open.
        for method in [EncryptionMethod::Kms("two".into()), EncryptionMethod::KmsDualLayer("one".into())] {
            let changed = EncryptionRecord { method, ..record.clone() };
            assert!(matches!(keys.unwrap(&changed, None), Err(Error::Storage(_))));
        }
    }

    #[test]
    fn a_clients_key_is_the_only_one_that_opens() {
        let keys = ring(&[1], &[]);
        let (right, wrong) = (CustomerKey::new([1; KEY_LEN]), CustomerKey::new([2; KEY_LEN]));
        let record = wrapped(&keys, EncryptionMethod::Customer, Some(&right));
        assert_eq!(record.key.by, "", "not even a hash of the key is kept");
        keys.unwrap(&record, Some(&right)).unwrap();
        assert!(matches!(keys.unwrap(&record, Some(&wrong)), Err(Error::CustomerKeyDiffers)));
        assert!(matches!(keys.unwrap(&record, None), Err(Error::CustomerKeyRequired)));
    }

    #[test]
    fn no_key_is_shown() {
        let keys = format!("{:?} {:?}", ring(&[0xab], &[("name", 0xab)]), CustomerKey::new([0xab; KEY_LEN]));
        assert!(!keys.contains("171") && !keys.to_lowercase().contains("abab"), "{keys}");
    }
}
