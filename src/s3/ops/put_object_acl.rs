//! PutObjectAcl: replaces an object's access control list.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html>

use super::get_object_tagging::of_marker;
use crate::engine;
use crate::engine::ops::put_object_acl::PutObjectAcl;
use crate::s3::S3;
use crate::s3::acl::{self, Of, Replacement};
use crate::s3::authorize;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use http::StatusCode;

pub async fn put_object_acl(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let version_id = request.version_id()?;
    let Replacement { owner, acl } = acl::replacement(s3, &mut request, Of::Object).await?;
    authorize::list(s3, &request, &acl).await?;
    let asked = PutObjectAcl {
        bucket: request.bucket(),
        key: request.key(),
        version_id,
        owner,
        acl,
        asker: request.asker.clone(),
    };
    let found = engine::ops::put_object_acl::put_object_acl(s3.engine(), asked).await.map_err(of_marker)?;
    let mut answer = response::empty(StatusCode::OK);
    response::set_version_id(answer.headers_mut(), found.shown_id.as_deref());
    Ok(answer)
}
