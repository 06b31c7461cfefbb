//! GetBucketVersioning: an empty document for a bucket that has never had versions.

use super::put_bucket_versioning::{ENABLED, SUSPENDED};
use crate::engine;
use crate::meta::records::Versioning;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};

pub async fn get_bucket_versioning(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let bucket = engine::ops::head_bucket::head_bucket(s3.engine(), request.bucket_name()).await?;
    let status = match bucket.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some(ENABLED),
        Versioning::Suspended => Some(SUSPENDED),
    };
    let mut document = response::document("VersioningConfiguration");
    document.text_optional("Status", status);
    Ok(response::xml(document))
}
