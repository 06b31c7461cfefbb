//! Whether a request may be made: from the request to actions, resources and condition keys. The decision itself is
//! [`crate::engine::access`]'s.
//!
//! What the owner of a bucket without a policy does is allowed at once, and nothing of this is computed.

mod facts;
mod table;

use crate::engine::access::lists::Asker;
use crate::engine::access::{
    self, Action, BucketAccess, Decision, Question, Resource, ResourceKind, acl, lists,
};
use crate::engine::{bucket_settings, objects};
use crate::meta::records::BucketRecord;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::object_lock;
use crate::s3::operation::Operation as O;
use crate::s3::request::Request;
use crate::wire::error_code::ErrorCode;
use facts::RequestFacts;
use http::HeaderValue;
use std::sync::Arc;

/// What a request is judged on: mostly what it names, but also the source of a copy, or one key of many.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub bucket_name: &'a str,
    pub bucket: &'a BucketRecord,
    pub key: Option<&'a str>,
    /// Wire form, not checked.
    pub version_id: Option<&'a str>,
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
    // The tags of the new set are in the document: the operation asks again once it has read it.
    let waits_for_tags =
        request.operation == O::PutObjectTagging && uses_key(request, &access, "s3:requestobjecttag");
    if !waits_for_tags {
        asker = judge(s3, request, &subject, &access, actions).await?;
        judge(s3, request, &subject, &access, &extra(request, subject.bucket)).await?;
    }
    let sees_absence =
        !reads_object(request.operation) || sees_absence(s3, request, &subject, &access).await?;
    Ok(Judged { sees_absence, asker })
}

/// Whether the request may do this to another subject, or knowing more than its head says.
pub async fn further(
    s3: &S3,
    request: &Request,
    subject: &Subject<'_>,
    actions: &[Action],
) -> Result<(), S3Error> {
    match in_question(s3, request, subject).await? {
        None => Ok(()),
        Some(access) => judge(s3, request, subject, &access, actions).await.map(drop),
    }
}

/// Whether PutObjectTagging may set these tags.
pub async fn tags(s3: &S3, request: &Request, tags: &[(String, String)]) -> Result<(), S3Error> {
    let Some(subject) = request.subject() else { return Ok(()) };
    let subject = Subject { request_tags: Some(tags), ..subject };
    let actions = table::actions(request.operation, subject.version_id.is_some());
    further(s3, request, &subject, actions).await
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

/// Whether DeleteObjects may delete this one.
pub async fn deletion(
    s3: &S3,
    request: &Request,
    key: &str,
    version_id: Option<&str>,
    has_conditions: bool,
) -> Result<(), S3Error> {
    let Some(subject) = request.subject() else { return Ok(()) };
    let subject = Subject { key: Some(key), version_id, ..subject };
    let mut actions = vec![table::delete_object(version_id.is_some())];
    if has_conditions {
        actions.push(table::get_object(version_id.is_some()));
    }
    if object_lock::bypasses_governance(request) {
        actions.push(Action::BypassGovernanceRetention);
    }
    further(s3, request, &subject, &actions).await
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
    let asker = match &access {
        None => None,
        Some(access) => judge(s3, request, source, access, &[table::get_object(versioned)]).await?,
    };
    let target = request.subject();
    let target_access = match &target {
        None => None,
        Some(target) => in_question(s3, request, target).await?,
    };
    // Tags that are not there need no permission.
    if copies_tags
        && (access.is_some() || target_access.is_some())
        && existing_tags(s3, source).await?.is_some_and(|tags| !tags.is_empty())
    {
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
    Ok(Judged { sees_absence, asker })
}

/// Whether RenameObject may take this key's object away, and be told if there is none.
pub async fn rename_source(s3: &S3, request: &Request, key: &str) -> Result<bool, S3Error> {
    let Some(subject) = request.subject() else { return Ok(true) };
    let source = Subject { key: Some(key), version_id: None, ..subject };
    let Some(access) = in_question(s3, request, &source).await? else { return Ok(true) };
    judge(s3, request, &source, &access, &[Action::GetObject, Action::DeleteObject]).await?;
    sees_absence(s3, request, &source, &access).await
}

/// Characters of an account's id on AWS.
const ACCOUNT_ID_LEN: usize = 12;

/// What the caller asked to see must be the owner's to show: an id that is not the owner's is somebody else's. On AWS
/// an account's id has 12 digits; here any text of that length or more can be one, and a shorter one if it is the owner's.
pub fn expected_owner(expected: Option<&HeaderValue>, bucket: &BucketRecord) -> Result<(), S3Error> {
    match expected.map(HeaderValue::as_bytes) {
        None => Ok(()),
        Some(expected) if expected == bucket.owner.as_bytes() => Ok(()),
        Some(expected) if expected.len() < ACCOUNT_ID_LEN => {
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

async fn judge(
    s3: &S3,
    request: &Request,
    subject: &Subject<'_>,
    access: &BucketAccess,
    actions: &[Action],
) -> Result<Option<Asker>, S3Error> {
    let mut askers = None;
    let tags = match uses_key(request, access, "s3:existingobjecttag") && !actions.is_empty() {
        true => existing_tags(s3, subject).await?,
        false => None,
    };
    for action in actions {
        let facts = RequestFacts {
            existing_tags: tags.as_deref(),
            ..facts(s3, request, &subject.bucket.owner, Some(subject))
        };
        match is_allowed(s3, request, subject, access, *action, &facts).await {
            Ok(Allowed::No) => return Err(ErrorCode::AccessDenied.into()),
            Ok(Allowed::Yes) => {}
            Ok(Allowed::ByList(asker)) => {
                askers = Some(match askers.take() {
                    None => asker,
                    Some(other) => asker.stricter(other),
                });
            }
            // Whose the object is and what its list says could not be found out.
            Err(error) if is_absence(&error) && !sees_absence(s3, request, subject, access).await? => {
                return Err(ErrorCode::AccessDenied.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(askers)
}

/// What there is to say of one action.
enum Allowed {
    No,
    Yes,
    /// The object's list was asked, and is to be asked again.
    ByList(Asker),
}

fn is_absence(error: &S3Error) -> bool {
    matches!(error.code(), ErrorCode::NoSuchKey | ErrorCode::NoSuchVersion | ErrorCode::MethodNotAllowed)
}

async fn is_allowed(
    s3: &S3,
    request: &Request,
    subject: &Subject<'_>,
    access: &BucketAccess,
    action: Action,
    facts: &RequestFacts<'_>,
) -> Result<Allowed, S3Error> {
    let key = subject.key.filter(|_| action.kind() == ResourceKind::Object);
    let question = Question {
        principal: request.caller.principal(),
        action,
        resource: Resource { bucket: subject.bucket_name, key },
        owner: &subject.bucket.owner,
        facts,
    };
    let creates = creates_object(request.operation);
    let is_allowed = match access::decide(&question, access) {
        Decision::Denied => return Ok(Allowed::No),
        Decision::Allowed if !lists::concerns(subject.bucket, action, creates) => return Ok(Allowed::Yes),
        Decision::Allowed => true,
        Decision::UpToAcl => false,
    };
    let question = lists::ListQuestion {
        account: request.caller.id(),
        action,
        bucket_name: subject.bucket_name,
        bucket: subject.bucket,
        key,
        version_id: subject.version_id,
        ignores_public: access.ignores_public_acls(),
        creates,
        is_allowed,
    };
    let asker = lists::asker(&question);
    Ok(match (lists::grants(s3.engine(), question).await?, asker) {
        (false, _) => Allowed::No,
        (true, None) => Allowed::Yes,
        (true, Some(asker)) => Allowed::ByList(asker),
    })
}

/// Whether the request writes an object, or begins to.
fn creates_object(operation: O) -> bool {
    matches!(operation, O::PutObject | O::PostObject | O::CopyObject | O::CreateMultipartUpload)
}

/// Whether the caller may know that an object is not there: who may not list the bucket is told that access is denied,
/// as if it were there and somebody else's. A condition on the prefix is about the key.
async fn sees_absence(
    s3: &S3,
    request: &Request,
    subject: &Subject<'_>,
    access: &BucketAccess,
) -> Result<bool, S3Error> {
    let action = match subject.version_id {
        None => Action::ListBucket,
        Some(_) => Action::ListBucketVersions,
    };
    let facts =
        RequestFacts { prefix: subject.key, ..facts(s3, request, &subject.bucket.owner, Some(subject)) };
    Ok(!matches!(is_allowed(s3, request, subject, access, action, &facts).await?, Allowed::No))
}

/// The tags of the object that the subject names, if there is one.
async fn existing_tags(s3: &S3, subject: &Subject<'_>) -> Result<Option<Vec<(String, String)>>, S3Error> {
    let Some(key) = subject.key else { return Ok(None) };
    let version_id = subject.version_id.map(str::to_owned);
    Ok(objects::tags(s3.engine(), subject.bucket, key, version_id).await?)
}

fn facts<'a>(
    s3: &'a S3,
    request: &'a Request,
    owner: &'a str,
    subject: Option<&Subject<'a>>,
) -> RequestFacts<'a> {
    RequestFacts {
        request,
        region: s3.region(),
        owner,
        version_id: subject.and_then(|subject| subject.version_id),
        prefix: None,
        existing_tags: None,
        request_tags: subject.and_then(|subject| subject.request_tags),
    }
}

fn uses_key(request: &Request, access: &BucketAccess, prefix: &str) -> bool {
    let own = match request.caller.principal() {
        access::Principal::User(user) => user.policy,
        access::Principal::Anonymous => None,
    };
    access.policy().is_some_and(|policy| policy.uses_key(prefix))
        || own.is_some_and(|policy| policy.uses_key(prefix))
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

/// The actions that a request's headers add to its operation's.
fn extra(request: &Request, bucket: &BucketRecord) -> Vec<Action> {
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
