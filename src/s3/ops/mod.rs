//! The operations: each reads its request, asks the engine, and writes the answer. One file each, by S3's names.

pub mod abort_multipart_upload;
pub mod complete_multipart_upload;
pub mod copy_object;
pub mod cors_preflight;
pub mod create_bucket;
pub mod create_multipart_upload;
pub mod delete_bucket;
pub mod delete_bucket_cors;
pub mod delete_bucket_encryption;
pub mod delete_bucket_lifecycle;
pub mod delete_bucket_ownership_controls;
pub mod delete_bucket_policy;
pub mod delete_bucket_tagging;
pub mod delete_bucket_website;
pub mod delete_object;
pub mod delete_object_tagging;
pub mod delete_objects;
pub mod delete_public_access_block;
pub mod get_bucket_accelerate_configuration;
pub mod get_bucket_acl;
pub mod get_bucket_cors;
pub mod get_bucket_encryption;
pub mod get_bucket_lifecycle_configuration;
pub mod get_bucket_location;
pub mod get_bucket_ownership_controls;
pub mod get_bucket_policy;
pub mod get_bucket_policy_status;
pub mod get_bucket_tagging;
pub mod get_bucket_versioning;
pub mod get_bucket_website;
pub mod get_object;
pub mod get_object_acl;
pub mod get_object_attributes;
pub mod get_object_legal_hold;
pub mod get_object_lock_configuration;
pub mod get_object_retention;
pub mod get_object_tagging;
pub mod get_public_access_block;
pub mod head_bucket;
pub mod head_object;
pub mod list_buckets;
pub mod list_multipart_uploads;
pub mod list_object_versions;
pub mod list_objects;
pub mod list_objects_v2;
pub mod list_parts;
pub mod post_object;
pub mod put_bucket_accelerate_configuration;
pub mod put_bucket_acl;
pub mod put_bucket_cors;
pub mod put_bucket_encryption;
pub mod put_bucket_lifecycle_configuration;
pub mod put_bucket_ownership_controls;
pub mod put_bucket_policy;
pub mod put_bucket_tagging;
pub mod put_bucket_versioning;
pub mod put_bucket_website;
pub mod put_object;
pub mod put_object_acl;
pub mod put_object_legal_hold;
pub mod put_object_lock_configuration;
pub mod put_object_retention;
pub mod put_object_tagging;
pub mod put_public_access_block;
pub mod rename_object;
pub mod restore_object;
pub mod settings;
pub mod unset;
pub mod upload_part;
pub mod upload_part_copy;

use crate::s3::error::S3Error;
use crate::s3::operation::Operation as O;
use crate::s3::request::Request;
use crate::s3::response::Response;
use crate::s3::{S3, not_implemented};

/// Hands the request to its operation. What is not listed is recognised and refused.
pub async fn dispatch(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    // Each operation's future lives on the heap: together on the stack they would be as large as the largest one.
    match request.operation {
        O::AbortMultipartUpload => {
            Box::pin(abort_multipart_upload::abort_multipart_upload(s3, request)).await
        }
        O::CompleteMultipartUpload => {
            Box::pin(complete_multipart_upload::complete_multipart_upload(s3, request)).await
        }
        O::CopyObject => Box::pin(copy_object::copy_object(s3, request)).await,
        O::CreateBucket => Box::pin(create_bucket::create_bucket(s3, request)).await,
        O::CreateMultipartUpload => {
            Box::pin(create_multipart_upload::create_multipart_upload(s3, request)).await
        }
        O::DeleteBucket => Box::pin(delete_bucket::delete_bucket(s3, request)).await,
        O::DeleteBucketCors => Box::pin(delete_bucket_cors::delete_bucket_cors(s3, request)).await,
        O::DeleteBucketLifecycle => {
            Box::pin(delete_bucket_lifecycle::delete_bucket_lifecycle(s3, request)).await
        }
        O::DeleteBucketOwnershipControls => {
            Box::pin(delete_bucket_ownership_controls::delete_bucket_ownership_controls(s3, request)).await
        }
        O::DeleteBucketEncryption => {
            Box::pin(delete_bucket_encryption::delete_bucket_encryption(s3, request)).await
        }
        O::DeleteBucketPolicy => Box::pin(delete_bucket_policy::delete_bucket_policy(s3, request)).await,
        O::DeleteBucketTagging => Box::pin(delete_bucket_tagging::delete_bucket_tagging(s3, request)).await,
        O::DeleteBucketWebsite => Box::pin(delete_bucket_website::delete_bucket_website(s3, request)).await,
        O::DeleteObject => Box::pin(delete_object::delete_object(s3, request)).await,
        O::DeleteObjectTagging => Box::pin(delete_object_tagging::delete_object_tagging(s3, request)).await,
        O::DeleteObjects => Box::pin(delete_objects::delete_objects(s3, request)).await,
        O::DeletePublicAccessBlock => {
            Box::pin(delete_public_access_block::delete_public_access_block(s3, request)).await
        }
        O::GetBucketAcl => get_bucket_acl::get_bucket_acl(s3, &request),
        O::GetBucketAccelerateConfiguration => {
            let get = get_bucket_accelerate_configuration::get_bucket_accelerate_configuration(s3, request);
            Box::pin(get).await
        }
        O::GetBucketCors => Box::pin(get_bucket_cors::get_bucket_cors(s3, request)).await,
        O::GetBucketLifecycleConfiguration => {
            let get = get_bucket_lifecycle_configuration::get_bucket_lifecycle_configuration(s3, request);
            Box::pin(get).await
        }
        O::GetBucketEncryption => Box::pin(get_bucket_encryption::get_bucket_encryption(s3, request)).await,
        O::GetBucketLocation => get_bucket_location::get_bucket_location(s3),
        O::GetBucketOwnershipControls => {
            get_bucket_ownership_controls::get_bucket_ownership_controls(&request)
        }
        O::GetBucketPolicy => Box::pin(get_bucket_policy::get_bucket_policy(s3, request)).await,
        O::GetBucketPolicyStatus => {
            Box::pin(get_bucket_policy_status::get_bucket_policy_status(s3, request)).await
        }
        O::GetBucketTagging => Box::pin(get_bucket_tagging::get_bucket_tagging(s3, request)).await,
        O::GetBucketVersioning => get_bucket_versioning::get_bucket_versioning(&request),
        O::GetBucketWebsite => Box::pin(get_bucket_website::get_bucket_website(s3, request)).await,
        O::GetObject => Box::pin(get_object::get_object(s3, request)).await,
        O::GetObjectAcl => Box::pin(get_object_acl::get_object_acl(s3, request)).await,
        O::GetObjectAttributes => Box::pin(get_object_attributes::get_object_attributes(s3, request)).await,
        O::GetObjectLegalHold => Box::pin(get_object_legal_hold::get_object_legal_hold(s3, request)).await,
        O::GetObjectLockConfiguration => {
            get_object_lock_configuration::get_object_lock_configuration(&request)
        }
        O::GetObjectRetention => Box::pin(get_object_retention::get_object_retention(s3, request)).await,
        O::GetObjectTagging => Box::pin(get_object_tagging::get_object_tagging(s3, request)).await,
        O::GetPublicAccessBlock => {
            Box::pin(get_public_access_block::get_public_access_block(s3, request)).await
        }
        O::HeadBucket => head_bucket::head_bucket(s3, &request),
        O::HeadObject => Box::pin(head_object::head_object(s3, request)).await,
        O::ListBuckets => Box::pin(list_buckets::list_buckets(s3, request)).await,
        O::ListMultipartUploads => {
            Box::pin(list_multipart_uploads::list_multipart_uploads(s3, request)).await
        }
        O::ListObjectVersions => Box::pin(list_object_versions::list_object_versions(s3, request)).await,
        O::ListObjects => Box::pin(list_objects::list_objects(s3, request)).await,
        O::ListObjectsV2 => Box::pin(list_objects_v2::list_objects_v2(s3, request)).await,
        O::ListParts => Box::pin(list_parts::list_parts(s3, request)).await,
        O::PutBucketAcl => Box::pin(put_bucket_acl::put_bucket_acl(s3, request)).await,
        O::PutBucketAccelerateConfiguration => {
            let put = put_bucket_accelerate_configuration::put_bucket_accelerate_configuration(s3, request);
            Box::pin(put).await
        }
        O::PutBucketCors => Box::pin(put_bucket_cors::put_bucket_cors(s3, request)).await,
        O::PutBucketLifecycleConfiguration => {
            let put = put_bucket_lifecycle_configuration::put_bucket_lifecycle_configuration(s3, request);
            Box::pin(put).await
        }
        O::PutBucketOwnershipControls => {
            Box::pin(put_bucket_ownership_controls::put_bucket_ownership_controls(s3, request)).await
        }
        O::PutBucketEncryption => Box::pin(put_bucket_encryption::put_bucket_encryption(s3, request)).await,
        O::PutBucketPolicy => Box::pin(put_bucket_policy::put_bucket_policy(s3, request)).await,
        O::PutBucketTagging => Box::pin(put_bucket_tagging::put_bucket_tagging(s3, request)).await,
        O::PutBucketVersioning => Box::pin(put_bucket_versioning::put_bucket_versioning(s3, request)).await,
        O::PutBucketWebsite => Box::pin(put_bucket_website::put_bucket_website(s3, request)).await,
        O::PutObject => Box::pin(put_object::put_object(s3, request)).await,
        O::PutObjectAcl => Box::pin(put_object_acl::put_object_acl(s3, request)).await,
        O::PutObjectLegalHold => Box::pin(put_object_legal_hold::put_object_legal_hold(s3, request)).await,
        O::PutObjectLockConfiguration => {
            Box::pin(put_object_lock_configuration::put_object_lock_configuration(s3, request)).await
        }
        O::PutObjectRetention => Box::pin(put_object_retention::put_object_retention(s3, request)).await,
        O::PutObjectTagging => Box::pin(put_object_tagging::put_object_tagging(s3, request)).await,
        O::PutPublicAccessBlock => {
            Box::pin(put_public_access_block::put_public_access_block(s3, request)).await
        }
        O::RenameObject => Box::pin(rename_object::rename_object(s3, request)).await,
        O::RestoreObject => Box::pin(restore_object::restore_object(s3, request)).await,
        O::UploadPart => Box::pin(upload_part::upload_part(s3, request)).await,
        O::UploadPartCopy => Box::pin(upload_part_copy::upload_part_copy(s3, request)).await,
        other => match unset::answer(&request) {
            Some(answer) => answer,
            None => match Box::pin(settings::answer(s3, &mut request)).await {
                Some(answer) => answer,
                None => Err(not_implemented(other)),
            },
        },
    }
}
