//! The sub-resources of buckets and objects, and the operations on them.

use crate::s3::operation::Operation;

/// A sub-resource and its operation for each method; a method without one is refused.
pub struct Row {
    pub name: &'static str,
    pub get: Option<Operation>,
    pub put: Option<Operation>,
    pub delete: Option<Operation>,
    pub post: Option<Operation>,
    /// GET without the parameter `id`, for configurations of which a bucket can have several.
    pub list: Option<Operation>,
}

impl Row {
    /// The value of `Allow`.
    pub fn allowed(&self) -> String {
        let methods = [("GET", self.get), ("PUT", self.put), ("DELETE", self.delete), ("POST", self.post)];
        let names: Vec<&str> =
            methods.into_iter().filter(|(_, operation)| operation.is_some()).map(|(name, _)| name).collect();
        names.join(", ")
    }
}

macro_rules! rows {
    ($($name:literal: $($method:ident $operation:ident),+;)+) => {
        &[$(Row {
            $($method: Some(Operation::$operation),)+
            ..Row { name: $name, get: None, put: None, delete: None, post: None, list: None }
        },)+]
    };
}

pub const BUCKET: &[Row] = rows! {
    "abac": get GetBucketAbac, put PutBucketAbac;
    "accelerate": get GetBucketAccelerateConfiguration, put PutBucketAccelerateConfiguration;
    "acl": get GetBucketAcl, put PutBucketAcl;
    "analytics": list ListBucketAnalyticsConfigurations, get GetBucketAnalyticsConfiguration,
        put PutBucketAnalyticsConfiguration, delete DeleteBucketAnalyticsConfiguration;
    "cors": get GetBucketCors, put PutBucketCors, delete DeleteBucketCors;
    "delete": post DeleteObjects;
    "encryption": get GetBucketEncryption, put PutBucketEncryption, delete DeleteBucketEncryption;
    "intelligent-tiering": list ListBucketIntelligentTieringConfigurations,
        get GetBucketIntelligentTieringConfiguration, put PutBucketIntelligentTieringConfiguration,
        delete DeleteBucketIntelligentTieringConfiguration;
    "inventory": list ListBucketInventoryConfigurations, get GetBucketInventoryConfiguration,
        put PutBucketInventoryConfiguration, delete DeleteBucketInventoryConfiguration;
    "lifecycle": get GetBucketLifecycleConfiguration, put PutBucketLifecycleConfiguration,
        delete DeleteBucketLifecycle;
    "location": get GetBucketLocation;
    "logging": get GetBucketLogging, put PutBucketLogging;
    "metadataConfiguration": get GetBucketMetadataConfiguration, post CreateBucketMetadataConfiguration,
        delete DeleteBucketMetadataConfiguration;
    "metadataInventoryTable": put UpdateBucketMetadataInventoryTableConfiguration;
    "metadataJournalTable": put UpdateBucketMetadataJournalTableConfiguration;
    "metadataTable": get GetBucketMetadataTableConfiguration, post CreateBucketMetadataTableConfiguration,
        delete DeleteBucketMetadataTableConfiguration;
    "metrics": list ListBucketMetricsConfigurations, get GetBucketMetricsConfiguration,
        put PutBucketMetricsConfiguration, delete DeleteBucketMetricsConfiguration;
    "notification": get GetBucketNotificationConfiguration, put PutBucketNotificationConfiguration;
    "object-lock": get GetObjectLockConfiguration, put PutObjectLockConfiguration;
    "ownershipControls": get GetBucketOwnershipControls, put PutBucketOwnershipControls,
        delete DeleteBucketOwnershipControls;
    "policy": get GetBucketPolicy, put PutBucketPolicy, delete DeleteBucketPolicy;
    "policyStatus": get GetBucketPolicyStatus;
    "publicAccessBlock": get GetPublicAccessBlock, put PutPublicAccessBlock, delete DeletePublicAccessBlock;
    "replication": get GetBucketReplication, put PutBucketReplication, delete DeleteBucketReplication;
    "requestPayment": get GetBucketRequestPayment, put PutBucketRequestPayment;
    "session": get CreateSession;
    "tagging": get GetBucketTagging, put PutBucketTagging, delete DeleteBucketTagging;
    "uploads": get ListMultipartUploads;
    "versioning": get GetBucketVersioning, put PutBucketVersioning;
    "versions": get ListObjectVersions;
    "website": get GetBucketWebsite, put PutBucketWebsite, delete DeleteBucketWebsite;
};

pub const OBJECT: &[Row] = rows! {
    "acl": get GetObjectAcl, put PutObjectAcl;
    "annotation": get GetObjectAnnotation, put PutObjectAnnotation, delete DeleteObjectAnnotation;
    "attributes": get GetObjectAttributes;
    "encryption": put UpdateObjectEncryption;
    "legal-hold": get GetObjectLegalHold, put PutObjectLegalHold;
    "renameObject": put RenameObject;
    "restore": post RestoreObject;
    "retention": get GetObjectRetention, put PutObjectRetention;
    "select": post SelectObjectContent;
    "tagging": get GetObjectTagging, put PutObjectTagging, delete DeleteObjectTagging;
    "torrent": get GetObjectTorrent;
    "uploads": post CreateMultipartUpload;
};
