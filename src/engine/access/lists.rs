//! What access control lists make of a request, where a bucket has them.
//!
//! Lists come after policies: what is denied there is denied. But in a bucket with lists an object may be somebody
//! else's than the bucket, and then neither the bucket's owner nor its policy has a say in who reads it.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#permissions>

use super::Action;
use super::acl::{self, Requester};
use crate::engine::{Engine, Error, objects};
use crate::meta::records::{BucketRecord, Permission};

/// A request that no policy has denied.
#[derive(Clone, Copy, Debug)]
pub struct ListQuestion<'a> {
    /// The canonical id of who asks; nobody has none.
    pub account: Option<&'a str>,
    pub action: Action,
    pub bucket_name: &'a str,
    pub bucket: &'a BucketRecord,
    pub key: Option<&'a str>,
    /// Wire form, not checked.
    pub version_id: Option<&'a str>,
    /// `IgnorePublicAcls`: grants to all users and to all authenticated users count for nothing.
    pub ignores_public: bool,
    /// The action is a part of writing a new object, which its writer will own.
    pub creates: bool,
    /// The bucket's owner or its policy allows it.
    pub is_allowed: bool,
}

enum Wanted {
    OfBucket(Permission),
    OfObject(Permission),
    /// Lists have no word for it.
    Nothing,
}

/// Whether lists can change what policies allow: then the object has to be looked at, for its owner's requests too.
pub fn concerns(bucket: &BucketRecord, action: Action, creates: bool) -> bool {
    !acl::is_disabled(bucket) && matches!(wanted(action, creates), Wanted::OfObject(_))
}

/// Whether the request may be made. To somebody whom no policy lets in, an object that is not there is an error, as the
/// operation itself would have it; whether it is told is the front end's to say.
pub async fn grants(engine: &Engine, question: ListQuestion<'_>) -> Result<bool, Error> {
    let ListQuestion { account, bucket, is_allowed, .. } = question;
    if acl::is_disabled(bucket) {
        return Ok(is_allowed);
    }
    let requester = Requester { id: account, ignore_public: question.ignores_public };
    match wanted(question.action, question.creates) {
        Wanted::Nothing => Ok(is_allowed),
        Wanted::OfBucket(permission) => {
            let list = bucket.lists.acl.as_ref();
            Ok(is_allowed || acl::allows(&bucket.owner, list, requester, permission))
        }
        Wanted::OfObject(permission) => {
            let Some(key) = question.key else { return Ok(false) };
            let (bucket, key) = (bucket.clone(), key.to_owned());
            let version_id = question.version_id.map(str::to_owned);
            let owner = bucket.owner.clone();
            let found = engine
                .meta
                .read(move |read| objects::version(read, &bucket, &key, version_id.as_deref()))
                .await;
            let version = match found {
                Ok(found) => found.version,
                // There is nothing that could be anybody else's: the operation says so in its own words.
                Err(Error::NoSuchKey | Error::NoSuchVersion) if is_allowed => return Ok(true),
                Err(Error::ObjectDeleted { .. } | Error::IsDeleteMarker { .. }) if is_allowed => {
                    return Ok(true);
                }
                Err(err) => return Err(err),
            };
            let is_the_buckets = version.owner == owner;
            let listed = acl::allows(&version.owner, version.acl.as_ref(), requester, permission);
            Ok((is_allowed && is_the_buckets) || listed)
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#acl-access-policy-permission-mapping>
fn wanted(action: Action, creates: bool) -> Wanted {
    use Action as A;
    match action {
        A::ListBucket | A::ListBucketVersions | A::ListBucketMultipartUploads => {
            Wanted::OfBucket(Permission::Read)
        }
        A::PutObject | A::DeleteObject | A::AbortMultipartUpload | A::ListMultipartUploadParts => {
            Wanted::OfBucket(Permission::Write)
        }
        // Whoever writes an object will own it, and says what it is like.
        A::PutObjectAcl | A::PutObjectTagging if creates => Wanted::OfBucket(Permission::Write),
        A::GetBucketAcl => Wanted::OfBucket(Permission::ReadAcp),
        A::PutBucketAcl => Wanted::OfBucket(Permission::WriteAcp),
        A::GetObject | A::GetObjectVersion | A::GetObjectAttributes | A::GetObjectVersionAttributes => {
            Wanted::OfObject(Permission::Read)
        }
        A::GetObjectAcl | A::GetObjectVersionAcl => Wanted::OfObject(Permission::ReadAcp),
        A::PutObjectAcl | A::PutObjectVersionAcl => Wanted::OfObject(Permission::WriteAcp),
        _ => Wanted::Nothing,
    }
}
