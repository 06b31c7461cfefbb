//! What a bucket's own configuration says about access.

use super::Policy;
use crate::engine::{Error, bucket_documents};
use crate::meta::keys::BucketId;
use crate::meta::records::{PolicyRecord, PublicAccessBlockRecord};
use crate::meta::{Error as MetaError, ErrorKind, Read};

/// A bucket's policy and its public access block, ready to be used.
#[derive(Clone, Debug, Default)]
pub struct BucketAccess {
    policy: Option<BucketPolicy>,
    public_access_block: Option<PublicAccessBlockRecord>,
}

#[derive(Clone, Debug)]
struct BucketPolicy {
    policy: Policy,
    is_public: bool,
    owner_is_bound: bool,
}

impl BucketAccess {
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref().map(|policy| &policy.policy)
    }

    /// Whether the policy lets in people whom nobody knows; nothing without a policy.
    pub fn policy_is_public(&self) -> Option<bool> {
        self.policy.as_ref().map(|policy| policy.is_public)
    }

    /// Whether a policy's denial counts for the owner's root even where it is about the policy.
    pub fn owner_is_bound(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.owner_is_bound)
    }

    /// The bucket's block, with everything off where it has none.
    pub fn public_access_block(&self) -> PublicAccessBlockRecord {
        self.public_access_block.unwrap_or_default()
    }

    /// `RestrictPublicBuckets`: a public policy allows nothing to anybody but the owner's account.
    pub fn restricts_others(&self) -> bool {
        self.public_access_block().restrict_public_buckets && self.policy_is_public() == Some(true)
    }

    /// `IgnorePublicAcls`: access control lists grant nothing to groups that anybody can be in.
    pub fn ignores_public_acls(&self) -> bool {
        self.public_access_block().ignore_public_acls
    }

    /// As if these documents were the bucket's, for tests.
    #[cfg(test)]
    pub(super) fn of(
        policy: Option<&str>,
        owner_is_bound: bool,
        public_access_block: Option<PublicAccessBlockRecord>,
    ) -> BucketAccess {
        let policy = policy.map(|text| {
            let policy = Policy::of_bucket(text.as_bytes(), "bucket").unwrap();
            BucketPolicy { is_public: policy.is_public(), policy, owner_is_bound }
        });
        BucketAccess { policy, public_access_block }
    }

    /// Reads and takes apart the bucket's documents about access.
    pub(crate) fn read(read: &dyn Read, name: &str, id: BucketId) -> Result<BucketAccess, Error> {
        let policy = match bucket_documents::find::<PolicyRecord>(read, id)? {
            None => None,
            Some(record) => {
                let policy = Policy::of_bucket(record.text.as_bytes(), name).map_err(|malformed| {
                    // It was checked when it was put. Who may do what is unknown, so nobody may.
                    let step = format!("cannot read the policy of the bucket {name}");
                    Error::from(MetaError::with_source(ErrorKind::Corrupt, step, malformed))
                })?;
                let is_public = policy.is_public();
                Some(BucketPolicy { policy, is_public, owner_is_bound: record.owner_is_bound })
            }
        };
        let public_access_block = bucket_documents::find(read, id)?;
        Ok(BucketAccess { policy, public_access_block })
    }
}
