//! Where CopyObject and UploadPartCopy copy from.

use crate::engine::Error;
use crate::engine::conditions::ReadConditions;
use crate::engine::objects::{self, Found};
use crate::meta::Read;

/// The object that a copy reads, and what has to be true of it.
#[derive(Clone, Debug, Default)]
pub struct Source {
    pub bucket: String,
    pub key: String,
    /// Wire form, well-formed.
    pub version_id: Option<String>,
    pub conditions: ReadConditions,
}

impl Source {
    /// The version to copy, its conditions judged. Read in the transaction that writes the copy.
    pub fn find(&self, read: &dyn Read, now_ms: i64) -> Result<Found, Error> {
        let bucket = objects::bucket(read, &self.bucket)?;
        let found = objects::version(read, &bucket, &self.key, self.version_id.as_deref())?;
        self.conditions.check_copy_source(&found.version, now_ms)?;
        Ok(found)
    }
}
