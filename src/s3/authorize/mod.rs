//! Whether a request may be made: from the request to actions, resources and condition keys. The decision itself is
//! [`crate::engine::access`]'s.
//!
//! What the owner of a bucket without a policy does is allowed at once, and nothing of this is computed.

mod facts;
mod headers;
mod judging;
mod table;

use crate::engine::access::lists::{Asker, JudgedTags};
use crate::engine::access::{self, Action, BucketAccess, Decision, acl};
use crate::engine::bucket_settings;
use crate::meta::records::BucketRecord;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::object_lock;
use crate::s3::operation::Operation as O;
use crate::s3::request::Request;
use crate::wire::error_code::ErrorCode;
use http::HeaderValue;
use judging::{EXISTING_TAG, existing_tags, facts, judge, sees_absence, uses_key};
use std::sync::Arc;

/// What a request is judged on: mostly what it names, but also the source of a copy, or one key of many.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub bucket_name: &'a str,
    pub bucket: &'a BucketRecord,
    pub key: Option<&'a str>,
    /// Wire form, not checked.
    pub version_id: Option<&'a str>,
    /// The object's tags, where they have been looked up.
    pub existing_tags: Option<&'a JudgedTags>,
    /// The tags in the request's document, where it has such.
    pub request_tags: Option<&'a [(String, String)]>,
}

/// A request that may be made.
pub struct Judged {
    /// The caller may be told that an object is not there.
    pub sees_absence: bool,
    /// For the engine, to judge the object that it finds.
    pub asker: Option<Asker>,
}

impl Judged {
    /// Nothing was in question.
    const ALL: Judged = Judged { sees_absence: true, asker: None };
}

/// Whether the request may be made, as far as that can be said before its body is read.
pub async fn request(s3: &S3, request: &Request) -> Result<Judged, S3Error> {
    let actions = table::actions(request.operation, request.query.has("versionId"));
    let Some(subject) = request.subject() else {
        return without_bucket(s3, request, actions).map(|()| Judged::ALL);
    };
    let Some(access) = in_question(s3, request, &subject).await? else { return Ok(Judged::ALL) };
    let mut asker = None;
    if !waits_for_tags(request, &access) {
        // Together, so that all is judged by the same tags.
        let actions = [actions, &headers::actions(request, subject.bucket)].concat();
        asker = judge(s3, request, &subject, &access, &actions).await?;
    }
    let sees_absence =
        !reads_object(request.operation) || sees_absence(s3, request, &subject, &access).await?;
    Ok(Judged { sees_absence, asker })
}

/// The tags of the new set are in the document: the operation asks again once it has read it.
fn waits_for_tags(request: &Request, access: &BucketAccess) -> bool {
    request.operation == O::PutObjectTagging && uses_key(request, access, "s3:requestobjecttag")
}

/// Whether PutObjectTagging may set these tags, where that is still to be judged.
pub async fn tags(s3: &S3, request: &Request, tags: &[(String, String)]) -> Result<Option<Asker>, S3Error> {
    let Some(subject) = request.subject() else { return Ok(None) };
    let subject = Subject { request_tags: Some(tags), ..subject };
    match in_question(s3, request, &subject).await? {
        Some(access) if waits_for_tags(request, &access) => {
            let actions = table::actions(request.operation, subject.version_id.is_some());
            judge(s3, request, &subject, &access, actions).await
        }
        _ => Ok(request.asker.clone()),
    }
}

/// Whether what the request writes may get this list: `BlockPublicAcls` refuses those that are public. Where there are
/// no lists it is for the engine to say so.
pub async fn list(s3: &S3, request: &Request, asked: &acl::AskedAcl) -> Result<(), S3Error> {
    let Some(bucket) = &request.bucket_record else { return Ok(()) };
    if acl::is_disabled(bucket) || !acl::asks_for_public(asked) {
        return Ok(());
    }
    let access = access_of(s3, request.bucket_name(), bucket).await?;
    match access.public_access_block().block_public_acls {
        true => Err(S3Error::new(
            ErrorCode::AccessDenied,
            "Access Denied because public access control lists are blocked by the BlockPublicAcls setting of the bucket.",
        )),
        false => Ok(()),
    }
}

/// Whether DeleteObjects may delete this one, and what tags it has to have for that.
pub async fn deletion(
    s3: &S3,
    request: &Request,
    key: &str,
    version_id: Option<&str>,
    has_conditions: bool,
) -> Result<Option<JudgedTags>, S3Error> {
    let Some(subject) = request.subject() else { return Ok(None) };
    let subject = Subject { key: Some(key), version_id, existing_tags: None, ..subject };
    let Some(access) = in_question(s3, request, &subject).await? else { return Ok(None) };
    let mut actions = vec![table::delete_object(version_id.is_some())];
    if has_conditions {
        actions.push(table::get_object(version_id.is_some()));
    }
    if object_lock::bypasses_governance(request) {
        actions.push(Action::BypassGovernanceRetention);
    }
    let asker = judge(s3, request, &subject, &access, &actions).await?;
    Ok(asker.and_then(|asker| asker.judged_tags().cloned()))
}

/// Whether a copy may read this source, and be told if it is not there. `copies_tags`: the copy gets its tags too.
pub async fn copy_source(
    s3: &S3,
    request: &Request,
    source: &Subject<'_>,
    copies_tags: bool,
) -> Result<Judged, S3Error> {
    let versioned = source.version_id.is_some();
    let access = in_question(s3, request, source).await?;
    let target = request.subject();
    let target_access = match &target {
        None => None,
        Some(target) => in_question(s3, request, target).await?,
    };
    // Looked up once: the operation has to find the tags that all of this is judged by.
    let wants_tags = (copies_tags && (access.is_some() || target_access.is_some()))
        || access.as_ref().is_some_and(|access| uses_key(request, access, EXISTING_TAG));
    let tags = match wants_tags {
        true => Some(existing_tags(s3, source).await?),
        false => None,
    };
    let source = &Subject { existing_tags: tags.as_ref(), ..*source };
    let mut asker = match &access {
        None => None,
        Some(access) => judge(s3, request, source, access, &[table::get_object(versioned)]).await?,
    };
    // Tags that are not there need no permission.
    let has_tags = |tags: &JudgedTags| tags.0.as_ref().is_some_and(|tags| !tags.is_empty());
    if copies_tags && tags.as_ref().is_some_and(has_tags) {
        if let Some(access) = &access {
            judge(s3, request, source, access, &[table::get_object_tagging(versioned)]).await?;
        }
        if let (Some(target), Some(access)) = (&target, &target_access) {
            judge(s3, request, target, access, &[Action::PutObjectTagging]).await?;
        }
    }
    let sees_absence = match &access {
        None => true,
        Some(access) => sees_absence(s3, request, source, access).await?,
    };
    // Also where it was judged that there are none to copy.
    if let Some(tags) = tags.filter(|_| copies_tags) {
        asker = Some(asker.unwrap_or_default().with_tags(tags));
    }
    Ok(Judged { sees_absence, asker })
}

/// Whether RenameObject may take this key's object away, and be told if there is none.
pub async fn rename_source(s3: &S3, request: &Request, key: &str) -> Result<Judged, S3Error> {
    let Some(subject) = request.subject() else { return Ok(Judged::ALL) };
    let source = Subject { key: Some(key), version_id: None, existing_tags: None, ..subject };
    let Some(access) = in_question(s3, request, &source).await? else { return Ok(Judged::ALL) };
    let asker = judge(s3, request, &source, &access, &[Action::GetObject, Action::DeleteObject]).await?;
    Ok(Judged { sees_absence: sees_absence(s3, request, &source, &access).await?, asker })
}

/// Digits of an account's id on AWS.
const ACCOUNT_ID_LEN: usize = 12;

/// What the caller asked to see must be the owner's to show: an id that is not the owner's is somebody else's. On AWS
/// an account's id has 12 digits; here any text can be one, but fewer or more digits are one of AWS's with a mistake.
pub fn expected_owner(expected: Option<&HeaderValue>, bucket: &BucketRecord) -> Result<(), S3Error> {
    match expected.map(HeaderValue::as_bytes) {
        None => Ok(()),
        Some(expected) if expected == bucket.owner.as_bytes() => Ok(()),
        Some(expected) if expected.len() != ACCOUNT_ID_LEN && expected.iter().all(u8::is_ascii_digit) => {
            Err(ErrorCode::InvalidBucketOwnerAWSAccountID.into())
        }
        Some(_) => Err(ErrorCode::AccessDenied.into()),
    }
}

fn without_bucket(s3: &S3, request: &Request, actions: &[Action]) -> Result<(), S3Error> {
    let facts = facts(s3, request, "", None);
    let principal = request.caller.principal();
    let allowed = actions.iter().all(|action| {
        access::decide_without_bucket(principal, *action, request.bucket_name(), &facts) == Decision::Allowed
    });
    if allowed { Ok(()) } else { Err(ErrorCode::AccessDenied.into()) }
}

/// What the bucket says about access, unless the caller may do everything anyway: who owns a bucket that has no
/// policy nor access control lists, and is no user with a policy of its own.
async fn in_question(
    s3: &S3,
    request: &Request,
    subject: &Subject<'_>,
) -> Result<Option<Arc<BucketAccess>>, S3Error> {
    let is_owner = matches!(request.caller.principal(), access::Principal::User(user)
        if user.is_root() && user.account == subject.bucket.owner);
    let access = access_of(s3, subject.bucket_name, subject.bucket).await?;
    let is_free = is_owner && access.policy().is_none() && acl::is_disabled(subject.bucket);
    Ok((!is_free).then_some(access))
}

/// What the bucket's documents say about access.
pub async fn access_of(s3: &S3, name: &str, record: &BucketRecord) -> Result<Arc<BucketAccess>, S3Error> {
    let settings = bucket_settings::of(s3.engine(), name, record).await?;
    Ok(Arc::clone(&settings.access))
}

fn reads_object(operation: O) -> bool {
    matches!(
        operation,
        O::GetObject
            | O::HeadObject
            | O::GetObjectAcl
            | O::GetObjectAttributes
            | O::GetObjectLegalHold
            | O::GetObjectRetention
            | O::GetObjectTagging
            | O::SelectObjectContent
    )
}

/// Whether the request writes an object, or begins to.
fn creates_object(operation: O) -> bool {
    matches!(operation, O::PutObject | O::PostObject | O::CopyObject | O::CreateMultipartUpload)
}
