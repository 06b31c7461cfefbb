//! The actions that a request's headers add to its operation's.

use super::creates_object;
use crate::engine::access::Action;
use crate::meta::records::BucketRecord;
use crate::s3::object_lock;
use crate::s3::operation::Operation as O;
use crate::s3::request::Request;

pub fn actions(request: &Request, bucket: &BucketRecord) -> Vec<Action> {
    let headers = request.headers();
    let mut actions = Vec::new();
    if creates_object(request.operation) {
        if headers.get("x-amz-tagging").is_some_and(|tags| !tags.is_empty()) {
            actions.push(Action::PutObjectTagging);
        }
        if grants_to_others(request, bucket) {
            actions.push(Action::PutObjectAcl);
        }
        if headers.contains_key("x-amz-object-lock-mode")
            || headers.contains_key("x-amz-object-lock-retain-until-date")
        {
            actions.push(Action::PutObjectRetention);
        }
        if headers.contains_key("x-amz-object-lock-legal-hold") {
            actions.push(Action::PutObjectLegalHold);
        }
    }
    let writes = matches!(request.operation, O::PutObject | O::CopyObject | O::CompleteMultipartUpload);
    // Its answer says whether the object has this tag.
    let learns = headers.get(http::header::IF_MATCH).is_some_and(|tag| {
        writes || (request.operation == O::DeleteObject && tag.as_bytes().trim_ascii() != b"*")
    });
    if learns {
        actions.push(Action::GetObject);
    }
    if matches!(request.operation, O::DeleteObject | O::PutObjectRetention)
        && object_lock::bypasses_governance(request)
    {
        actions.push(Action::BypassGovernanceRetention);
    }
    actions
}

/// Whether an object's list is to grant something to anybody but the bucket's owner. Full control for the owner needs
/// no permission of its own: policies that demand just that allow PutObject alone, in AWS's examples too.
fn grants_to_others(request: &Request, bucket: &BucketRecord) -> bool {
    let mut grants = request.headers().iter().filter(|(name, _)| name.as_str().starts_with("x-amz-grant-"));
    let owner = format!("id={}", bucket.owner);
    request.header("x-amz-acl").is_some_and(|acl| acl != "bucket-owner-full-control")
        || grants.any(|(name, value)| {
            let grantee = String::from_utf8_lossy(value.as_bytes()).replace('"', "");
            name != "x-amz-grant-full-control" || grantee.trim() != owner
        })
}
