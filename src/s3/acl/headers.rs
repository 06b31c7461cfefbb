//! `x-amz-acl`, which names a canned list, and `x-amz-grant-*`, which spell one out.

use super::{Directory, Of, email, group, user};
use crate::engine::access::acl::{AskedAcl, CannedAcl, GRANTS_MAX};
use crate::meta::records::{Grant, Grantee, Permission};
use crate::s3::error::S3Error;
use crate::s3::request::header;
use crate::wire::error_code::ErrorCode;
use http::HeaderMap;

const CANNED: &str = "x-amz-acl";
const GRANTS: [(&str, Permission); 5] = [
    ("x-amz-grant-read", Permission::Read),
    ("x-amz-grant-write", Permission::Write),
    ("x-amz-grant-read-acp", Permission::ReadAcp),
    ("x-amz-grant-write-acp", Permission::WriteAcp),
    ("x-amz-grant-full-control", Permission::FullControl),
];

/// Whether a request spells a list out.
pub fn has_grants(headers: &HeaderMap) -> bool {
    GRANTS.iter().any(|(name, _)| headers.contains_key(*name))
}

/// What the headers ask for.
pub fn from_headers(headers: &HeaderMap, of: Of, directory: &dyn Directory) -> Result<AskedAcl, S3Error> {
    let canned = header(headers, CANNED).map(|name| canned(&name, of)).transpose()?;
    let mut grants = Vec::new();
    for (name, permission) in GRANTS {
        let Some(value) = header(headers, name) else { continue };
        for grantee in grantees(name, &value, directory)? {
            grants.push(Grant { grantee, permission });
        }
    }
    if grants.len() > GRANTS_MAX {
        return Err(ErrorCode::MalformedACLError.into());
    }
    match (canned, grants.is_empty()) {
        (None, true) => Ok(AskedAcl::Nothing),
        (None, false) => Ok(AskedAcl::Grants(grants)),
        (Some(canned), true) => Ok(AskedAcl::Canned(canned)),
        (Some(_), false) => {
            Err(S3Error::invalid_request("Specifying both Canned ACLs and Header Grants is not allowed"))
        }
    }
}

fn canned(name: &str, of: Of) -> Result<CannedAcl, S3Error> {
    Ok(match (name, of) {
        ("private", _) => CannedAcl::Private,
        ("public-read", _) => CannedAcl::PublicRead,
        ("public-read-write", _) => CannedAcl::PublicReadWrite,
        ("authenticated-read", _) => CannedAcl::AuthenticatedRead,
        // Of a bucket it says nothing, but that is accepted where nothing else is.
        ("bucket-owner-full-control", _) => CannedAcl::BucketOwnerFullControl,
        ("bucket-owner-read", Of::Object) => CannedAcl::BucketOwnerRead,
        ("aws-exec-read", Of::Object) => CannedAcl::AwsExecRead,
        ("log-delivery-write", Of::Bucket) => CannedAcl::LogDeliveryWrite,
        _ => return Err(S3Error::argument(CANNED, name, "")),
    })
}

/// Reads `id="...", uri="...", emailAddress="..."`; the quotes may be missing.
fn grantees(header: &str, value: &str, directory: &dyn Directory) -> Result<Vec<Grantee>, S3Error> {
    let mut grantees = Vec::new();
    for entry in value.split(',') {
        let unclear = || S3Error::argument(header, value, "Argument format not recognized");
        let (kind, name) = entry.split_once('=').ok_or_else(unclear)?;
        let name = name.trim();
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
        grantees.push(match kind.trim() {
            kind if kind.eq_ignore_ascii_case("id") => user(name, directory)?,
            kind if kind.eq_ignore_ascii_case("uri") => group(name)?,
            kind if kind.eq_ignore_ascii_case("emailAddress") => email(name, directory)?,
            _ => return Err(unclear()),
        });
    }
    Ok(grantees)
}
