//! CreateBucket: takes a name for whoever asks.

use super::list_buckets::{arn, wrong_region};
use super::put_bucket_ownership_controls::ownership as ownership_of_name;
use crate::engine;
use crate::engine::access::acl::{self as lists, AskedAcl};
use crate::meta::records::ObjectOwnership;
use crate::s3::S3;
use crate::s3::acl::{self, Of};
use crate::s3::document;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::tags::{self, Tags};
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::{Document, Malformed};
use http::StatusCode;
use http::header::{HeaderName, LOCATION};

const OWNERSHIP: &str = "x-amz-object-ownership";
pub const BUCKET_ARN: HeaderName = HeaderName::from_static("x-amz-bucket-arn");

pub async fn create_bucket(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    check_headers(&request)?;
    let ownership = ownership(s3, &request)?;
    let acl = list(s3, &request, ownership)?;
    if s3.blocks_public_access()
        && lists::asks_for_public(&acl)
        && ownership != ObjectOwnership::BucketOwnerEnforced
    {
        return Err(ErrorCode::InvalidBucketAclWithBlockPublicAccessError.into());
    }
    let mut tags = Tags::new();
    let bytes = document::read(&mut request, document::LEN_MAX).await?;
    if !bytes.is_empty() {
        let configuration = parse(&bytes)?;
        if let Some(asked) = configuration.not_implemented {
            return Err(S3Error::new(ErrorCode::NotImplemented, format!("{asked} are not implemented")));
        }
        match configuration.location {
            Some(region) if !region.is_empty() && region != s3.region() => return Err(wrong_region(&region)),
            _ => {}
        }
        tags::check_bucket(&configuration.tags)?;
        tags = configuration.tags;
    }

    let name = request.bucket_name().to_owned();
    let owner = request.user()?.id.clone();
    let object_lock = request
        .header("x-amz-bucket-object-lock-enabled")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let asked = engine::ops::create_bucket::CreateBucket {
        name: name.clone(),
        owner: owner.clone(),
        ownership,
        acl,
        tags,
        object_lock,
        blocks_public_access: s3.blocks_public_access(),
    };
    match engine::ops::create_bucket::create_bucket(s3.engine(), asked).await {
        Ok(()) => {}
        Err(engine::Error::BucketAlreadyExists { owner: theirs }) if theirs == owner => {
            return Err(ErrorCode::BucketAlreadyOwnedByYou.into());
        }
        Err(engine::Error::AclsDisabled) => return Err(acls_disabled(&request)),
        Err(err) => return Err(err.into()),
    }
    let location = if request.target.in_host { request.url() } else { format!("/{name}") };
    let mut answer = response::empty(StatusCode::OK);
    response::set(answer.headers_mut(), LOCATION, &location);
    response::set(answer.headers_mut(), BUCKET_ARN, &arn(&name));
    Ok(answer)
}

fn check_headers(request: &Request) -> Result<(), S3Error> {
    if request.header("x-amz-bucket-namespace").is_some_and(|value| value != "global") {
        return Err(S3Error::not_implemented("x-amz-bucket-namespace"));
    }
    Ok(())
}

fn ownership(s3: &S3, request: &Request) -> Result<ObjectOwnership, S3Error> {
    match request.header(OWNERSHIP) {
        None => Ok(s3.default_object_ownership()),
        Some(name) => ownership_of_name(&name)
            .ok_or_else(|| S3Error::argument(OWNERSHIP, &name, "Invalid x-amz-object-ownership header")),
    }
}

/// The list that the bucket is to have. Where there are no lists, nobody has to be known who is named in one.
fn list(s3: &S3, request: &Request, ownership: ObjectOwnership) -> Result<AskedAcl, S3Error> {
    if ownership == ObjectOwnership::BucketOwnerEnforced && acl::has_grants(request.headers()) {
        return Err(acls_disabled(request));
    }
    acl::from_headers(request.headers(), Of::Bucket, s3)
}

/// Who names the ownership too says two things that exclude each other.
fn acls_disabled(request: &Request) -> S3Error {
    match request.headers().contains_key(OWNERSHIP) {
        true => ErrorCode::InvalidBucketAclWithObjectOwnership.into(),
        false => ErrorCode::AccessControlListNotSupported.into(),
    }
}

#[derive(Default)]
struct Configuration {
    location: Option<String>,
    /// Not checked.
    tags: Tags,
    /// What the document asks for and will not get.
    not_implemented: Option<&'static str>,
}

fn parse(bytes: &[u8]) -> Result<Configuration, Malformed> {
    let mut configuration = Configuration::default();
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["CreateBucketConfiguration", "CreateBucketConfigurationRequest"])?;
    while let Some(mut child) = root.next_child()? {
        match child.name() {
            "LocationConstraint" => configuration.location = Some(child.text_trimmed()?),
            "Tags" => configuration.tags = tags::parse_set(&mut child)?,
            "Location" | "Bucket" => configuration.not_implemented = Some("Directory buckets"),
            _ => {}
        }
    }
    Ok(configuration)
}
