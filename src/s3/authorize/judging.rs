//! One subject, some actions: everything that the decision needs to know is found out, and the decision asked for.

use super::facts::RequestFacts;
use super::{Subject, creates_object};
use crate::engine::access::lists::{self, Asker, JudgedTags};
use crate::engine::access::{self, Action, BucketAccess, Decision, Question, Resource, ResourceKind};
use crate::engine::objects;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::wire::error_code::ErrorCode;
use std::sync::atomic::AtomicBool;

/// What a condition on the tags that an object has begins with.
pub const EXISTING_TAG: &str = "s3:existingobjecttag";

/// Whether all of this may be done. What is left for the operation to ask is returned.
pub async fn judge(
    s3: &S3,
    request: &Request,
    subject: &Subject<'_>,
    access: &BucketAccess,
    actions: &[Action],
) -> Result<Option<Asker>, S3Error> {
    let (mut askers, mut depends_on_tags) = (None, false);
    let wants_tags = uses_key(request, access, EXISTING_TAG) && !actions.is_empty();
    let tags = match subject.existing_tags {
        Some(tags) => Some(tags.clone()),
        None if wants_tags && subject.key.is_some() => Some(existing_tags(s3, subject).await?),
        None => None,
    };
    for action in actions {
        let facts = RequestFacts {
            existing_tags: tags.as_ref().and_then(|tags| tags.0.as_deref()),
            ..facts(s3, request, &subject.bucket.owner, Some(subject))
        };
        let outcome = is_allowed(s3, request, subject, access, *action, &facts).await;
        depends_on_tags |= facts.asked_for_tags.into_inner();
        match outcome {
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
    if let Some(tags) = tags.filter(|_| depends_on_tags) {
        askers = Some(askers.unwrap_or_default().with_tags(tags));
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

/// Whether the caller may know that an object is not there: who may not list the bucket is told that access is denied,
/// as if it were there and somebody else's. A condition on the prefix is about the key.
pub async fn sees_absence(
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
pub async fn existing_tags(s3: &S3, subject: &Subject<'_>) -> Result<JudgedTags, S3Error> {
    let Some(key) = subject.key else { return Ok(JudgedTags(None)) };
    let version_id = subject.version_id.map(str::to_owned);
    Ok(JudgedTags(objects::tags(s3.engine(), subject.bucket, key, version_id).await?))
}

pub fn facts<'a>(
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
        asked_for_tags: AtomicBool::new(false),
        request_tags: subject.and_then(|subject| subject.request_tags),
    }
}

/// Whether a policy that has a say uses a condition key that begins with this, in lower case.
pub fn uses_key(request: &Request, access: &BucketAccess, prefix: &str) -> bool {
    let own = match request.caller.principal() {
        access::Principal::User(user) => user.policy,
        access::Principal::Anonymous => None,
    };
    access.policy().is_some_and(|policy| policy.uses_key(prefix))
        || own.is_some_and(|policy| policy.uses_key(prefix))
}
