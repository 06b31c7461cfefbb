//! What S3's operations mean: one file each, named as S3 names it, with one function of the same name.

pub mod copy_object;
pub mod create_bucket;
pub mod delete_bucket;
pub mod delete_object;
pub mod delete_objects;
pub mod get_object;
pub mod get_object_attributes;
pub mod head_bucket;
pub mod head_object;
pub mod list_buckets;
pub mod list_objects;
