//! Access control lists as clients write and read them: in `x-amz-acl`, in `x-amz-grant-*`, and as a document.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>
//!
//! Who is meant is looked up here, so that the engine sees canonical ids of users that there are, and groups.

mod document;
mod headers;
#[cfg(test)]
mod tests;

pub use document::{DOCUMENT_LEN_MAX, write};
pub use headers::{from_headers, has_grants};

use crate::engine::access::acl::{self, ANONYMOUS_ID, AskedAcl};
use crate::meta::records::{Grantee, Group};
use crate::s3::S3;
use crate::s3::authorize;
use crate::s3::document::read;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::wire::error_code::ErrorCode;

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// What a list is for: the canned lists differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Bucket,
    Object,
}

/// Who can be named in a list. Ids are canonical.
pub trait Directory {
    fn is_known(&self, id: &str) -> bool;
    /// Everybody who has this address.
    fn by_email(&self, address: &str) -> Vec<String>;
}

/// A list that was sent to replace another.
#[derive(Debug)]
pub struct Replacement {
    /// Canonical id of the owner that a document names.
    pub owner: Option<String>,
    pub acl: AskedAcl,
}

/// The list that the headers ask for, if the bucket's public access block lets it. Where there are no lists, nobody has
/// to be known who is named in one.
pub async fn of_request(s3: &S3, request: &Request, of: Of) -> Result<AskedAcl, S3Error> {
    if request.bucket_record.as_deref().is_some_and(acl::is_disabled) && has_grants(request.headers()) {
        return Err(ErrorCode::AccessControlListNotSupported.into());
    }
    let asked = from_headers(request.headers(), of, s3)?;
    authorize::list(s3, request, &asked).await?;
    Ok(asked)
}

/// The list of PutBucketAcl and PutObjectAcl, which stands in the headers or in the body and never in both.
pub async fn replacement(s3: &S3, request: &mut Request, of: Of) -> Result<Replacement, S3Error> {
    let in_headers = of_request(s3, request, of).await?;
    let bytes = read(request, DOCUMENT_LEN_MAX).await?;
    match (in_headers, bytes.is_empty()) {
        (AskedAcl::Nothing, true) => {
            Err(S3Error::from(ErrorCode::MissingSecurityHeader).field("MissingHeaderName", "x-amz-acl"))
        }
        (AskedAcl::Nothing, false) => {
            let (owner, grants) = document::parse(&bytes, s3)?;
            Ok(Replacement { owner: Some(owner), acl: AskedAcl::Grants(grants) })
        }
        (acl, true) => Ok(Replacement { owner: None, acl }),
        (_, false) => Err(ErrorCode::UnexpectedContent.into()),
    }
}

fn user(id: &str, directory: &dyn Directory) -> Result<Grantee, S3Error> {
    if id == ANONYMOUS_ID || directory.is_known(id) {
        return Ok(Grantee::User(id.to_owned()));
    }
    Err(S3Error::argument("CanonicalUser/ID", id, "Invalid id"))
}

fn group(uri: &str) -> Result<Grantee, S3Error> {
    match uri {
        ALL_USERS => Ok(Grantee::Group(Group::AllUsers)),
        AUTHENTICATED_USERS => Ok(Grantee::Group(Group::AuthenticatedUsers)),
        LOG_DELIVERY => Ok(Grantee::Group(Group::LogDelivery)),
        _ => Err(S3Error::argument("Group/URI", uri, "Invalid group uri")),
    }
}

fn email(address: &str, directory: &dyn Directory) -> Result<Grantee, S3Error> {
    let mut found = directory.by_email(address).into_iter();
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(Grantee::User(id)),
        (None, _) => Err(S3Error::from(ErrorCode::UnresolvableGrantByEmailAddress)),
        (Some(_), Some(_)) => Err(S3Error::from(ErrorCode::AmbiguousGrantByEmailAddress)),
    }
}
