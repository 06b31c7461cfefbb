//! What access control lists make of a request, where a bucket has them.
//!
//! Lists come after policies: what is denied there is denied. But in a bucket with lists an object may be somebody
//! else's than the bucket, and then neither the bucket's owner nor its policy has a say in who reads it.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#permissions>

use super::Action;
use super::acl::{self, Requester};
use crate::engine::{Engine, Error, objects};
use crate::meta::records::{BucketRecord, Permission, VersionRecord};

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

/// What was judged on an object and may be otherwise on the one that the operation finds, as it may be overwritten in
/// between. So the operation asks again, in its own snapshot or transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asker {
    list: Option<ListAsker>,
    tags: Option<JudgedTags>,
}

/// The tags that policies were asked about, where they want to know; `None` where there was no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedTags(pub Option<Vec<(String, String)>>);

impl JudgedTags {
    /// `JudgedOtherTags` unless the operation finds what was judged: an object with these tags, or none.
    pub fn check(&self, found: Option<&VersionRecord>) -> Result<(), Error> {
        match found.map(|version| &version.metadata.tags) == self.0.as_ref() {
            true => Ok(()),
            false => Err(Error::JudgedOtherTags),
        }
    }
}

/// Who asks for an object whose list has a say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ListAsker {
    /// The canonical id of who asks; nobody has none.
    account: Option<String>,
    ignores_public: bool,
    /// The bucket's owner or its policy allows it.
    is_allowed: bool,
    permission: Permission,
}

impl Asker {
    /// `NotListed` unless this version is the asker's to use, `JudgedOtherTags` if that cannot be told by its tags.
    pub fn check(&self, bucket: &BucketRecord, version: &VersionRecord) -> Result<(), Error> {
        if let Some(judged) = &self.tags {
            judged.check(Some(version))?;
        }
        match &self.list {
            Some(list) if !list.may_use(bucket, version) => Err(Error::NotListed),
            _ => Ok(()),
        }
    }

    /// The one of two that may less: a request that needs both actions.
    pub fn stricter(self, other: Asker) -> Asker {
        let list = match (self.list, other.list) {
            (Some(list), Some(other)) => Some(if list.is_allowed { other } else { list }),
            (list, other) => list.or(other),
        };
        Asker { list, tags: self.tags.or(other.tags) }
    }

    /// The same, judged by these tags.
    pub fn with_tags(self, tags: JudgedTags) -> Asker {
        Asker { tags: Some(tags), ..self }
    }

    pub fn judged_tags(&self) -> Option<&JudgedTags> {
        self.tags.as_ref()
    }
}

impl ListAsker {
    fn may_use(&self, bucket: &BucketRecord, version: &VersionRecord) -> bool {
        if acl::is_disabled(bucket) {
            return self.is_allowed;
        }
        let requester = Requester { id: self.account.as_deref(), ignore_public: self.ignores_public };
        (self.is_allowed && version.owner == bucket.owner)
            || acl::allows(&version.owner, version.acl.as_ref(), requester, self.permission)
    }
}

/// The asker that an operation on an object is given; `None` where its list has no say.
pub fn asker(question: &ListQuestion<'_>) -> Option<Asker> {
    match wanted(question.action, question.creates) {
        Wanted::OfObject(permission) if !acl::is_disabled(question.bucket) => {
            let list = ListAsker {
                account: question.account.map(str::to_owned),
                ignores_public: question.ignores_public,
                is_allowed: question.is_allowed,
                permission,
            };
            Some(Asker { list: Some(list), tags: None })
        }
        _ => None,
    }
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
        Wanted::OfObject(_) => {
            let (Some(asker), Some(key)) = (asker(&question), question.key) else { return Ok(false) };
            let (bucket, key) = (bucket.clone(), key.to_owned());
            let version_id = question.version_id.map(str::to_owned);
            let found = engine.meta.read(move |read| {
                let found = objects::version(read, &bucket, &key, version_id.as_deref())?;
                asker.check(&bucket, &found.version)
            });
            match found.await {
                Ok(()) => Ok(true),
                Err(Error::NotListed) => Ok(false),
                // There is nothing that could be anybody else's: the operation says so in its own words.
                Err(Error::NoSuchKey | Error::NoSuchVersion) if is_allowed => Ok(true),
                Err(Error::ObjectDeleted { .. } | Error::IsDeleteMarker { .. }) if is_allowed => Ok(true),
                Err(err) => Err(err),
            }
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

#[cfg(test)]
mod tests;
