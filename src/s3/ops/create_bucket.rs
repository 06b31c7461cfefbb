//! CreateBucket: takes a name for whoever asks.

use super::list_buckets::{arn, wrong_region};
use crate::engine;
use crate::s3::S3;
use crate::s3::document;
use crate::s3::error::S3Error;
use crate::s3::metadata;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::tags::{self, Tags};
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::{Document, Malformed};
use http::StatusCode;
use http::header::{HeaderName, LOCATION};

pub const BUCKET_ARN: HeaderName = HeaderName::from_static("x-amz-bucket-arn");

pub async fn create_bucket(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    check_headers(&request)?;
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

    let name = request.bucket();
    let owner = request.user.id.clone();
    let asked = engine::ops::create_bucket::CreateBucket { name: name.clone(), owner, tags };
    match engine::ops::create_bucket::create_bucket(s3.engine(), asked).await {
        Ok(()) => {}
        Err(engine::Error::BucketAlreadyExists { owner }) if owner == request.user.id => {
            return Err(ErrorCode::BucketAlreadyOwnedByYou.into());
        }
        Err(err) => return Err(err.into()),
    }
    let location = if request.target.in_host { request.url() } else { format!("/{name}") };
    let mut answer = response::empty(StatusCode::OK);
    response::set(answer.headers_mut(), LOCATION, &location);
    response::set(answer.headers_mut(), BUCKET_ARN, &arn(&name));
    Ok(answer)
}

fn check_headers(request: &Request) -> Result<(), S3Error> {
    match request.header("x-amz-object-ownership").as_deref() {
        None => metadata::refuse_acl(request.headers())?,
        Some("BucketOwnerEnforced") => metadata::refuse_acl(request.headers())
            .map_err(|_| S3Error::from(ErrorCode::InvalidBucketAclWithObjectOwnership))?,
        Some("BucketOwnerPreferred" | "ObjectWriter") => {
            return Err(S3Error::not_implemented("x-amz-object-ownership"));
        }
        Some(other) => {
            return Err(S3Error::argument(
                "x-amz-object-ownership",
                other,
                "Invalid x-amz-object-ownership header",
            ));
        }
    }
    if request
        .header("x-amz-bucket-object-lock-enabled")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return Err(S3Error::not_implemented("x-amz-bucket-object-lock-enabled"));
    }
    if request.header("x-amz-bucket-namespace").is_some_and(|value| value != "global") {
        return Err(S3Error::not_implemented("x-amz-bucket-namespace"));
    }
    Ok(())
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
