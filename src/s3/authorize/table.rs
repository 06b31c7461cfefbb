//! Which actions each operation needs.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>

use crate::engine::access::Action::{self, *};
use crate::s3::operation::Operation as O;

/// The actions that the operation itself needs, each on the bucket or the object that the request names. What its
/// headers add is in [`super::extra`]. `versioned`: the request names a version.
pub fn actions(operation: O, versioned: bool) -> &'static [Action] {
    let pick = |plain: &'static [Action], of_version: &'static [Action]| -> &'static [Action] {
        if versioned { of_version } else { plain }
    };
    match operation {
        // Judged key by key, or without a bucket, or by what they carry.
        O::DeleteObjects | O::CorsPreflight | O::WriteGetObjectResponse => &[],
        O::ListBuckets => &[ListAllMyBuckets],
        O::CreateBucket => &[CreateBucket],
        O::DeleteBucket => &[DeleteBucket],
        O::HeadBucket | O::ListObjects | O::ListObjectsV2 => &[ListBucket],
        O::ListObjectVersions => &[ListBucketVersions],
        O::ListMultipartUploads => &[ListBucketMultipartUploads],
        O::GetBucketLocation => &[GetBucketLocation],
        O::CreateSession => &[CreateSession],
        O::GetBucketAcl => &[GetBucketAcl],
        O::PutBucketAcl => &[PutBucketAcl],
        O::GetBucketVersioning => &[GetBucketVersioning],
        O::PutBucketVersioning => &[PutBucketVersioning],
        O::GetBucketPolicy => &[GetBucketPolicy],
        O::PutBucketPolicy => &[PutBucketPolicy],
        O::DeleteBucketPolicy => &[DeleteBucketPolicy],
        O::GetBucketPolicyStatus => &[GetBucketPolicyStatus],
        O::GetPublicAccessBlock => &[GetBucketPublicAccessBlock],
        O::PutPublicAccessBlock | O::DeletePublicAccessBlock => &[PutBucketPublicAccessBlock],
        O::GetBucketOwnershipControls => &[GetBucketOwnershipControls],
        O::PutBucketOwnershipControls | O::DeleteBucketOwnershipControls => &[PutBucketOwnershipControls],
        O::GetBucketCors => &[GetBucketCORS],
        O::PutBucketCors | O::DeleteBucketCors => &[PutBucketCORS],
        O::GetBucketTagging => &[GetBucketTagging],
        O::PutBucketTagging | O::DeleteBucketTagging => &[PutBucketTagging],
        O::GetBucketLifecycleConfiguration => &[GetLifecycleConfiguration],
        O::PutBucketLifecycleConfiguration | O::DeleteBucketLifecycle => &[PutLifecycleConfiguration],
        O::GetBucketEncryption => &[GetEncryptionConfiguration],
        O::PutBucketEncryption | O::DeleteBucketEncryption => &[PutEncryptionConfiguration],
        O::GetObjectLockConfiguration => &[GetBucketObjectLockConfiguration],
        O::PutObjectLockConfiguration => &[PutBucketObjectLockConfiguration],
        O::GetBucketWebsite => &[GetBucketWebsite],
        O::PutBucketWebsite => &[PutBucketWebsite],
        O::DeleteBucketWebsite => &[DeleteBucketWebsite],
        O::GetBucketLogging => &[GetBucketLogging],
        O::PutBucketLogging => &[PutBucketLogging],
        O::GetBucketNotificationConfiguration => &[GetBucketNotification],
        O::PutBucketNotificationConfiguration => &[PutBucketNotification],
        O::GetBucketRequestPayment => &[GetBucketRequestPayment],
        O::PutBucketRequestPayment => &[PutBucketRequestPayment],
        O::GetBucketAccelerateConfiguration => &[GetAccelerateConfiguration],
        O::PutBucketAccelerateConfiguration => &[PutAccelerateConfiguration],
        O::GetBucketReplication => &[GetReplicationConfiguration],
        O::PutBucketReplication | O::DeleteBucketReplication => &[PutReplicationConfiguration],
        O::GetBucketAbac => &[GetBucketAbac],
        O::PutBucketAbac => &[PutBucketAbac],
        O::ListBucketAnalyticsConfigurations | O::GetBucketAnalyticsConfiguration => {
            &[GetAnalyticsConfiguration]
        }
        O::PutBucketAnalyticsConfiguration | O::DeleteBucketAnalyticsConfiguration => {
            &[PutAnalyticsConfiguration]
        }
        O::ListBucketInventoryConfigurations | O::GetBucketInventoryConfiguration => {
            &[GetInventoryConfiguration]
        }
        O::PutBucketInventoryConfiguration | O::DeleteBucketInventoryConfiguration => {
            &[PutInventoryConfiguration]
        }
        O::ListBucketMetricsConfigurations | O::GetBucketMetricsConfiguration => &[GetMetricsConfiguration],
        O::PutBucketMetricsConfiguration | O::DeleteBucketMetricsConfiguration => &[PutMetricsConfiguration],
        O::ListBucketIntelligentTieringConfigurations | O::GetBucketIntelligentTieringConfiguration => {
            &[GetIntelligentTieringConfiguration]
        }
        O::PutBucketIntelligentTieringConfiguration | O::DeleteBucketIntelligentTieringConfiguration => {
            &[PutIntelligentTieringConfiguration]
        }
        O::GetBucketMetadataConfiguration | O::GetBucketMetadataTableConfiguration => {
            &[GetBucketMetadataTableConfiguration]
        }
        O::CreateBucketMetadataConfiguration | O::CreateBucketMetadataTableConfiguration => {
            &[CreateBucketMetadataTableConfiguration]
        }
        O::DeleteBucketMetadataConfiguration | O::DeleteBucketMetadataTableConfiguration => {
            &[DeleteBucketMetadataTableConfiguration]
        }
        O::UpdateBucketMetadataInventoryTableConfiguration => {
            &[UpdateBucketMetadataInventoryTableConfiguration]
        }
        O::UpdateBucketMetadataJournalTableConfiguration => &[UpdateBucketMetadataJournalTableConfiguration],
        O::GetObject | O::HeadObject => pick(&[GetObject], &[GetObjectVersion]),
        O::GetObjectAttributes => {
            pick(&[GetObject, GetObjectAttributes], &[GetObjectVersion, GetObjectVersionAttributes])
        }
        O::GetObjectTagging => pick(&[GetObjectTagging], &[GetObjectVersionTagging]),
        O::PutObjectTagging => pick(&[PutObjectTagging], &[PutObjectVersionTagging]),
        O::DeleteObjectTagging => pick(&[DeleteObjectTagging], &[DeleteObjectVersionTagging]),
        O::GetObjectAcl => pick(&[GetObjectAcl], &[GetObjectVersionAcl]),
        O::PutObjectAcl => pick(&[PutObjectAcl], &[PutObjectVersionAcl]),
        O::GetObjectTorrent => pick(&[GetObjectTorrent], &[GetObjectVersionTorrent]),
        O::DeleteObject => pick(&[DeleteObject], &[DeleteObjectVersion]),
        O::PutObject
        | O::PostObject
        | O::CopyObject
        | O::CreateMultipartUpload
        | O::UploadPart
        | O::UploadPartCopy
        | O::CompleteMultipartUpload
        // Of the new name; what it needs of the old one is the operation's to ask.
        | O::RenameObject => &[PutObject],
        O::AbortMultipartUpload => &[AbortMultipartUpload],
        O::ListParts => &[ListMultipartUploadParts],
        O::GetObjectRetention => &[GetObjectRetention],
        O::PutObjectRetention => &[PutObjectRetention],
        O::GetObjectLegalHold => &[GetObjectLegalHold],
        O::PutObjectLegalHold => &[PutObjectLegalHold],
        O::GetObjectAnnotation => &[GetObjectAnnotation],
        O::PutObjectAnnotation => &[PutObjectAnnotation],
        O::DeleteObjectAnnotation => &[DeleteObjectAnnotation],
        O::RestoreObject => &[RestoreObject],
        O::SelectObjectContent => &[GetObject],
        O::UpdateObjectEncryption => &[UpdateObjectEncryption],
    }
}

/// The action on an object, without and with a version's id.
pub fn get_object(versioned: bool) -> Action {
    if versioned { GetObjectVersion } else { GetObject }
}

/// The same for its tags.
pub fn get_object_tagging(versioned: bool) -> Action {
    if versioned { GetObjectVersionTagging } else { GetObjectTagging }
}

/// The same for deleting it.
pub fn delete_object(versioned: bool) -> Action {
    if versioned { DeleteObjectVersion } else { DeleteObject }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::access::ResourceKind;

    #[test]
    fn actions_are_about_what_the_operation_is_about() {
        for operation in O::ALL {
            for versioned in [false, true] {
                let all = actions(*operation, versioned);
                let kinds: Vec<ResourceKind> = all.iter().map(|action| action.kind()).collect();
                assert!(kinds.windows(2).all(|pair| pair[0] == pair[1]), "{operation:?}: {all:?}");
                let is_of_object = all.first().is_some_and(|action| action.kind() == ResourceKind::Object);
                let name = operation.name();
                let sounds_so = (name.contains("Object") && !name.contains("ListObject"))
                    || name.contains("Multipart") && name != "ListMultipartUploads"
                    || name.contains("Part");
                let is_exception = matches!(
                    operation,
                    O::DeleteObjects
                        | O::WriteGetObjectResponse
                        | O::GetObjectLockConfiguration
                        | O::PutObjectLockConfiguration
                );
                assert!(is_exception || is_of_object == sounds_so, "{operation:?}: {all:?}");
            }
        }
    }
}
