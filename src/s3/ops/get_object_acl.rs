//! GetObjectAcl: an object's owner and who else may do what with it.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html>

use super::get_object_tagging::of_marker;
use crate::engine;
use crate::engine::ops::get_object_acl::GetObjectAcl;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, acl};

pub async fn get_object_acl(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let asked = GetObjectAcl {
        bucket: request.bucket(),
        key: request.key(),
        version_id: request.version_id()?,
        asker: request.asker.clone(),
    };
    let found = engine::ops::get_object_acl::get_object_acl(s3.engine(), asked).await.map_err(of_marker)?;
    let mut answer = response::xml(acl::write(&found.owner, &found.grants, |id| s3.display_name(id)));
    response::set_version_id(answer.headers_mut(), found.shown_id.as_deref());
    Ok(answer)
}
