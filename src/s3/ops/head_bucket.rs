//! HeadBucket: the bucket exists and is the caller's. Both were checked before this.

use super::create_bucket::BUCKET_ARN;
use super::list_buckets::arn;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};

const BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");
const ACCESS_POINT_ALIAS: HeaderName = HeaderName::from_static("x-amz-access-point-alias");

pub fn head_bucket(s3: &S3, request: &Request) -> Result<Response, S3Error> {
    let mut answer = response::empty(StatusCode::OK);
    let headers = answer.headers_mut();
    response::set(headers, BUCKET_REGION, s3.region());
    response::set(headers, BUCKET_ARN, &arn(request.bucket_name()));
    headers.insert(ACCESS_POINT_ALIAS, HeaderValue::from_static("false"));
    Ok(answer)
}
