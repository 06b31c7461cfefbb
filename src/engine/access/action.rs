//! The actions that policies name, and what each is done to.

use std::fmt;

use crate::base::wildcard;

/// What an action is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// The gateway itself: no bucket's policy can be about it.
    Service,
    Bucket,
    Object,
}

macro_rules! actions {
    ($($kind:ident { $($name:ident,)+ })+) => {
        /// An action, in S3's spelling without the `s3:` in front.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Action { $($(#[doc = concat!("`s3:", stringify!($name), "`")] $name,)+)+ }

        impl Action {
            pub const ALL: &'static [Action] = &[$($(Action::$name,)+)+];

            /// `s3:GetObject`
            pub fn name(self) -> &'static str {
                match self { $($(Action::$name => concat!("s3:", stringify!($name)),)+)+ }
            }

            pub fn kind(self) -> ResourceKind {
                match self { $($(Action::$name)|+ => ResourceKind::$kind,)+ }
            }
        }
    };
}

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html, those of buckets and objects.
actions! {
    Service {
        ListAllMyBuckets,
    }
    Bucket {
        CreateBucket, CreateBucketMetadataTableConfiguration, CreateSession, DeleteBucket,
        DeleteBucketMetadataTableConfiguration, DeleteBucketPolicy, DeleteBucketWebsite, GetAccelerateConfiguration,
        GetAnalyticsConfiguration, GetBucketAbac, GetBucketAcl, GetBucketCORS, GetBucketLocation, GetBucketLogging,
        GetBucketMetadataTableConfiguration, GetBucketNotification, GetBucketObjectLockConfiguration,
        GetBucketOwnershipControls, GetBucketPolicy, GetBucketPolicyStatus, GetBucketPublicAccessBlock,
        GetBucketRequestPayment, GetBucketTagging, GetBucketVersioning, GetBucketWebsite,
        GetEncryptionConfiguration, GetIntelligentTieringConfiguration, GetInventoryConfiguration,
        GetLifecycleConfiguration, GetMetricsConfiguration, GetReplicationConfiguration, ListBucket,
        ListBucketMultipartUploads, ListBucketVersions, PutAccelerateConfiguration, PutAnalyticsConfiguration,
        PutBucketAbac, PutBucketAcl, PutBucketCORS, PutBucketLogging, PutBucketNotification,
        PutBucketObjectLockConfiguration, PutBucketOwnershipControls, PutBucketPolicy,
        PutBucketPublicAccessBlock, PutBucketRequestPayment, PutBucketTagging, PutBucketVersioning,
        PutBucketWebsite, PutEncryptionConfiguration, PutIntelligentTieringConfiguration,
        PutInventoryConfiguration, PutLifecycleConfiguration, PutMetricsConfiguration,
        PutReplicationConfiguration, UpdateBucketMetadataInventoryTableConfiguration,
        UpdateBucketMetadataJournalTableConfiguration,
    }
    Object {
        AbortMultipartUpload, BypassGovernanceRetention, DeleteObject, DeleteObjectAnnotation, DeleteObjectTagging,
        DeleteObjectVersion, DeleteObjectVersionTagging, GetObject, GetObjectAcl, GetObjectAnnotation,
        GetObjectAttributes, GetObjectLegalHold, GetObjectRetention, GetObjectTagging, GetObjectTorrent,
        GetObjectVersion, GetObjectVersionAcl, GetObjectVersionAttributes, GetObjectVersionForReplication,
        GetObjectVersionTagging, GetObjectVersionTorrent, InitiateReplication, ListMultipartUploadParts,
        ObjectOwnerOverrideToBucketOwner, PutObject, PutObjectAcl, PutObjectAnnotation, PutObjectLegalHold,
        PutObjectRetention, PutObjectTagging, PutObjectVersionAcl, PutObjectVersionTagging, ReplicateDelete,
        ReplicateObject, ReplicateTags, RestoreObject, UpdateObjectEncryption,
    }
}

/// A set of actions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Actions(u128);

const _: () = assert!(Action::ALL.len() <= u128::BITS as usize, "the set of actions has a bit for each");

impl Actions {
    pub const NONE: Actions = Actions(0);

    /// The actions that a policy's pattern names: `s3:Get*`, in any case.
    pub fn matching(pattern: &str) -> Actions {
        let pattern = pattern.to_ascii_lowercase();
        let matches = |action: &&Action| wildcard::matches(&pattern, &action.name().to_ascii_lowercase());
        Action::ALL.iter().filter(matches).fold(Actions::NONE, |set, action| set.with(*action))
    }

    pub fn with(self, action: Action) -> Actions {
        Actions(self.0 | 1 << action as u8)
    }

    pub fn union(self, other: Actions) -> Actions {
        Actions(self.0 | other.0)
    }

    pub fn complement(self) -> Actions {
        Actions(!self.0)
    }

    pub fn has(self, action: Action) -> bool {
        self.0 & (1 << action as u8) != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.iter().copied().filter(move |action| self.has(*action))
    }
}

impl fmt::Debug for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_actions_in_any_case() {
        let table: [(&str, &[Action]); 7] = [
            ("s3:GetObject", &[Action::GetObject]),
            ("S3:getobject", &[Action::GetObject]),
            ("s3:*MultipartUpload", &[Action::AbortMultipartUpload]),
            ("s3:?etBucketCORS", &[Action::GetBucketCORS]),
            ("s3:Put*Retention", &[Action::PutObjectRetention]),
            ("s3:GetNothing", &[]),
            ("ec2:*", &[]),
        ];
        for (pattern, expected) in table {
            assert_eq!(Actions::matching(pattern).iter().collect::<Vec<_>>(), expected, "{pattern}");
        }
        assert_eq!(Actions::matching("*").iter().count(), Action::ALL.len());
        assert_eq!(Actions::matching("s3:*"), Actions::matching("*"));
    }

    #[test]
    fn a_complement_has_all_others() {
        let set = Actions::matching("s3:Get*").complement();
        assert!(!set.has(Action::GetObject) && set.has(Action::PutObject));
        assert!(set.union(Actions::NONE.with(Action::GetObject)).has(Action::GetObject));
    }
}
