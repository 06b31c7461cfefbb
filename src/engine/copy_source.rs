//! Where CopyObject and UploadPartCopy copy from.

use crate::engine::Error;
use crate::engine::access::lists::Asker;
use crate::engine::conditions::ReadConditions;
use crate::engine::encryption::{self, ContentKey, CustomerKey, Keyring};
use crate::engine::named_bucket::NamedBucket;
use crate::engine::objects::{self, Found};
use crate::meta::Read;

/// The object that a copy reads, and what has to be true of it.
#[derive(Clone, Debug, Default)]
pub struct Source {
    pub bucket: NamedBucket,
    pub key: String,
    /// Wire form, well-formed.
    pub version_id: Option<String>,
    pub conditions: ReadConditions,
    pub customer_key: Option<CustomerKey>,
    /// Judged on the version that is found, where its list has a say.
    pub asker: Option<Asker>,
}

impl Source {
    /// The version to copy, its conditions judged. Read in the transaction that writes the copy.
    pub fn find(&self, read: &dyn Read, now_ms: i64) -> Result<Found, Error> {
        let bucket = self.bucket.find(read)?;
        let found = objects::version(read, &bucket, &self.key, self.version_id.as_deref())?;
        if let Some(asker) = &self.asker {
            asker.check(&bucket, &found.version)?;
        }
        self.conditions.check_copy_source(&found.version, now_ms)?;
        Ok(found)
    }

    /// The key to read what was found with, if it is encrypted.
    pub fn open(&self, found: &Found, keyring: &Keyring) -> Result<Option<ContentKey>, Error> {
        encryption::open(keyring, found.version.encryption.as_ref(), self.customer_key.as_ref())
    }
}
