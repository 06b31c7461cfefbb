//! GetBucketVersioning: an empty document for a bucket that has never had versions.

use super::put_bucket_versioning::{ENABLED, SUSPENDED};
use crate::meta::records::Versioning;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};

pub fn get_bucket_versioning(request: &Request) -> Result<Response, S3Error> {
    let status = match request.bucket_record()?.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some(ENABLED),
        Versioning::Suspended => Some(SUSPENDED),
    };
    let mut document = response::document("VersioningConfiguration");
    document.text_optional("Status", status);
    Ok(response::xml(document))
}
