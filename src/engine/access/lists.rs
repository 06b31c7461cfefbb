//! What the access control lists of a bucket and its objects grant. Asked only where no policy has decided, so that
//! the owner's requests never wait for an object's list to be read.

use super::Action;
use crate::engine::{Engine, Error};
use crate::meta::records::BucketRecord;

/// What a caller who is not let in by a policy wants to do.
#[derive(Clone, Copy, Debug)]
pub struct ListQuestion<'a> {
    /// The canonical id of who asks; nobody has none.
    pub account: Option<&'a str>,
    pub action: Action,
    pub bucket_name: &'a str,
    pub bucket: &'a BucketRecord,
    pub key: Option<&'a str>,
    /// Wire form, not checked.
    pub version_id: Option<&'a str>,
    /// `IgnorePublicAcls`: grants to all users and to all authenticated users count for nothing.
    pub ignores_public: bool,
}

/// Whether a list grants it. None is asked yet.
pub async fn grants(_engine: &Engine, _question: ListQuestion<'_>) -> Result<bool, Error> {
    Ok(false)
}
