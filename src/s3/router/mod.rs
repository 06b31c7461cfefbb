//! Which operation a request asks for: from its host, path, method, query and a header or two.
//!
//! A sub-resource that is known and not implemented is still routed to its own operation, never to the plain one: a
//! `PUT ?acl` taken for a PutObject would overwrite the object.

mod address;
mod table;
#[cfg(test)]
mod tests;

pub use address::{Target, address, check_key};

use crate::s3::error::{S3Error, method_not_allowed};
use crate::s3::operation::Operation;
use crate::s3::query::Query;
use crate::wire::error_code::ErrorCode;
use crate::wire::sub_resources::SUB_RESOURCES;
use http::{HeaderMap, Method, header};
use table::{BUCKET, OBJECT, Row};

/// What a request's path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Service,
    Bucket,
    Object,
}

/// The operation, or why there is none.
pub fn route(
    method: &Method,
    target: &Target,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Operation, S3Error> {
    if method == Method::OPTIONS {
        return Ok(Operation::CorsPreflight);
    }
    match target.level() {
        Level::Service => match *method {
            Method::GET => Ok(Operation::ListBuckets),
            _ => Err(method_not_allowed(method, "SERVICE", "GET")),
        },
        Level::Bucket => bucket_operation(method, target, query, headers),
        Level::Object => object_operation(method, query, headers),
    }
}

fn bucket_operation(
    method: &Method,
    target: &Target,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Operation, S3Error> {
    if method == Method::HEAD {
        return Ok(Operation::HeadBucket);
    }
    if method == Method::POST && target.bucket.as_deref() == Some("WriteGetObjectResponse") {
        return Ok(Operation::WriteGetObjectResponse);
    }
    if let Some(name) = sub_resource(query)? {
        return by_table(BUCKET, name, method, query);
    }
    match *method {
        Method::GET if query.get("list-type") == Some("2") => Ok(Operation::ListObjectsV2),
        Method::GET => Ok(Operation::ListObjects),
        Method::PUT => Ok(Operation::CreateBucket),
        Method::DELETE => Ok(Operation::DeleteBucket),
        Method::POST if is_form(headers) => Ok(Operation::PostObject),
        Method::POST => Err(S3Error::from(ErrorCode::PreconditionFailed)
            .field("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")),
        _ => Err(method_not_allowed(method, "BUCKET", "GET, HEAD, PUT, DELETE, POST")),
    }
}

fn object_operation(method: &Method, query: &Query, headers: &HeaderMap) -> Result<Operation, S3Error> {
    let is_copy = names_copy_source(query, headers);
    if is_copy && [Method::GET, Method::POST, Method::DELETE].contains(method) {
        return Err(S3Error::argument(
            "x-amz-copy-source",
            "",
            "You can only specify a copy source header for copy requests.",
        ));
    }
    let name = sub_resource(query)?;
    let has_upload_id = query.has("uploadId");
    match name {
        Some(_) if has_upload_id => return Err(conflicting_sub_resources(query)),
        Some(name @ ("versions" | "uploads")) if method == Method::GET => {
            return Err(S3Error::invalid_request(format!(
                "Key is not expected for the GET method ?{name} subresource"
            )));
        }
        Some(name) => return by_table(OBJECT, name, method, query),
        None if has_upload_id => return upload_operation(method, query, is_copy),
        None => {}
    }
    match *method {
        Method::GET => Ok(Operation::GetObject),
        Method::HEAD => Ok(Operation::HeadObject),
        Method::DELETE => Ok(Operation::DeleteObject),
        Method::PUT if query.has("partNumber") => Err(S3Error::argument(
            "partNumber",
            query.get("partNumber").unwrap_or(""),
            "This operation does not accept partNumber without uploadId",
        )),
        Method::PUT if query.has("versionId") => Err(S3Error::argument(
            "versionId",
            query.get("versionId").unwrap_or(""),
            "This operation does not accept a version-id.",
        )),
        Method::PUT if is_copy => Ok(Operation::CopyObject),
        Method::PUT => Ok(Operation::PutObject),
        _ => Err(method_not_allowed(method, "OBJECT", "GET, HEAD, PUT, DELETE")),
    }
}

fn upload_operation(method: &Method, query: &Query, is_copy: bool) -> Result<Operation, S3Error> {
    match *method {
        Method::GET => Ok(Operation::ListParts),
        Method::POST => Ok(Operation::CompleteMultipartUpload),
        Method::DELETE => Ok(Operation::AbortMultipartUpload),
        Method::PUT if !query.has("partNumber") => Err(S3Error::argument(
            "partNumber",
            "",
            "This operation does not accept uploadId without partNumber",
        )),
        Method::PUT if is_copy => Ok(Operation::UploadPartCopy),
        Method::PUT => Ok(Operation::UploadPart),
        _ => Err(method_not_allowed(method, "UPLOAD", "GET, PUT, POST, DELETE")),
    }
}

/// The one sub-resource that selects an operation. `uploadId`, `partNumber` and `versionId` go with others.
fn sub_resource(query: &Query) -> Result<Option<&'static str>, S3Error> {
    let mut found = None;
    for (name, _) in query.iter() {
        let Some(name) = SUB_RESOURCES.iter().find(|known| **known == name) else { continue };
        if found.is_some_and(|found| found != *name) {
            return Err(conflicting_sub_resources(query));
        }
        found = Some(*name);
    }
    Ok(found)
}

fn conflicting_sub_resources(query: &Query) -> S3Error {
    let names: Vec<&str> =
        query.iter().map(|(name, _)| name).filter(|name| SUB_RESOURCES.contains(name)).collect();
    S3Error::argument("ResourceType", &names.join(","), "Conflicting query string parameters")
}

fn by_table(table: &[Row], name: &str, method: &Method, query: &Query) -> Result<Operation, S3Error> {
    let resource = name.to_ascii_uppercase();
    let Some(row) = table.iter().find(|row| row.name == name) else {
        return Err(method_not_allowed(method, &resource, ""));
    };
    let operation = match *method {
        Method::GET if row.list.is_some() && !query.has("id") => row.list,
        Method::GET => row.get,
        Method::PUT => row.put,
        Method::DELETE => row.delete,
        Method::POST => row.post,
        _ => None,
    };
    let operation = operation.ok_or_else(|| method_not_allowed(method, &resource, &row.allowed()))?;
    if row.list.is_some() && method != Method::GET && !query.has("id") {
        return Err(S3Error::argument("id", "", "The configuration id is missing"));
    }
    Ok(operation)
}

/// In a header, or moved into the query of a presigned URL.
fn names_copy_source(query: &Query, headers: &HeaderMap) -> bool {
    const NAME: &str = "x-amz-copy-source";
    headers.contains_key(NAME)
        || (query.has("X-Amz-Signature") && query.iter().any(|(name, _)| name.eq_ignore_ascii_case(NAME)))
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("multipart/form-data")
}
