//! What S3's operations mean: one file each, named as S3 names it, with one function of the same name.

pub mod abort_multipart_upload;
pub mod complete_multipart_upload;
pub mod copy_object;
pub mod create_bucket;
pub mod create_multipart_upload;
pub mod delete_bucket;
pub mod delete_object;
pub mod delete_object_tagging;
pub mod delete_objects;
pub mod get_object;
pub mod get_object_attributes;
pub mod head_bucket;
pub mod head_object;
pub mod list_buckets;
pub mod list_multipart_uploads;
pub mod list_object_versions;
pub mod list_objects;
pub mod list_parts;
pub mod put_bucket_versioning;
pub mod put_object;
pub mod put_object_tagging;
pub mod upload_part;
pub mod upload_part_copy;
