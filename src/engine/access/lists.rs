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
    /// The tags that policies were asked about, where they want to know.
    tags: Option<Vec<(String, String)>>,
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
        if self.tags.as_ref().is_some_and(|judged| *judged != version.metadata.tags) {
            return Err(Error::JudgedOtherTags);
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

    /// The same, judged by these tags of the object; none where there was no object.
    pub fn with_tags(self, tags: Vec<(String, String)>) -> Asker {
        Asker { tags: Some(tags), ..self }
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
mod tests {
    use super::*;
    use crate::engine::access::acl::{AskedAcl, CannedAcl};
    use crate::engine::conditions::{ReadConditions, Tags};
    use crate::engine::copy_source::Source;
    use crate::engine::ops::copy_object::{CopyObject, copy_object};
    use crate::engine::ops::get_object::{GetObject, get_object};
    use crate::engine::ops::get_object_acl::{GetObjectAcl, get_object_acl};
    use crate::engine::ops::get_object_attributes::{GetObjectAttributes, get_object_attributes};
    use crate::engine::ops::head_bucket::head_bucket;
    use crate::engine::ops::head_object::head_object;
    use crate::engine::ops::put_bucket_ownership_controls::{
        PutBucketOwnershipControls, put_bucket_ownership_controls,
    };
    use crate::engine::ops::put_object_acl::{PutObjectAcl, put_object_acl};
    use crate::engine::ops::put_object_tagging::{PutObjectTagging, put_object_tagging};
    use crate::engine::ops::rename_object::{RenameObject, rename_object};
    use crate::engine::testing::{BUCKET, Fixture};
    use crate::meta::records::ObjectOwnership;

    /// What a stranger asks for once the object was judged.
    async fn outcomes(fixture: &Fixture, asker: &Option<Asker>) -> Vec<(&'static str, Result<(), Error>)> {
        let (engine, bucket, key) = (&fixture.engine, || BUCKET.into(), || "key".to_owned());
        let read =
            || GetObject { bucket: bucket(), key: key(), asker: asker.clone(), ..GetObject::default() };
        let attributes = GetObjectAttributes {
            bucket: bucket(),
            key: key(),
            asker: asker.clone(),
            ..GetObjectAttributes::default()
        };
        let shown = GetObjectAcl { bucket: bucket(), key: key(), version_id: None, asker: asker.clone() };
        let put = PutObjectAcl {
            bucket: bucket(),
            key: key(),
            acl: AskedAcl::Canned(CannedAcl::PublicRead),
            asker: asker.clone(),
            ..PutObjectAcl::default()
        };
        let copy = CopyObject {
            source: Source { bucket: bucket(), key: key(), asker: asker.clone(), ..Source::default() },
            bucket: bucket(),
            key: "copy".into(),
            writer: "stranger".into(),
            ..CopyObject::default()
        };
        // Refused for its condition after it was judged, so that the object stays where it is.
        let rename = RenameObject {
            bucket: bucket(),
            source: key(),
            key: "renamed".into(),
            conditions: ReadConditions { if_match: Some(Tags::Any), ..ReadConditions::default() },
            asker: asker.clone(),
            ..RenameObject::default()
        };
        let renamed = match rename_object(engine, rename).await {
            Err(Error::PreconditionFailed { .. }) => Ok(()),
            outcome => outcome,
        };
        vec![
            ("get", get_object(engine, read()).await.map(drop)),
            ("head", head_object(engine, read()).await.map(drop)),
            ("attributes", get_object_attributes(engine, attributes).await.map(drop)),
            ("copy", copy_object(engine, copy).await.map(drop)),
            ("rename", renamed),
            ("get the list", get_object_acl(engine, shown).await.map(drop)),
            ("put a list", put_object_acl(engine, put).await.map(drop)),
        ]
    }

    #[tokio::test]
    async fn what_was_judged_on_an_object_does_not_hold_for_the_one_that_overwrites_it() {
        let fixture = Fixture::new().await;
        let lists = ObjectOwnership::ObjectWriter;
        let request = PutBucketOwnershipControls { bucket: BUCKET.into(), ownership: lists };
        put_bucket_ownership_controls(&fixture.engine, request).await.unwrap();
        fixture.put_inline("key", b"public").await;
        let public = PutObjectAcl {
            bucket: BUCKET.into(),
            key: "key".into(),
            acl: AskedAcl::Canned(CannedAcl::PublicRead),
            ..PutObjectAcl::default()
        };
        put_object_acl(&fixture.engine, public).await.unwrap();

        let bucket = head_bucket(&fixture.engine, BUCKET).await.unwrap();
        let question = |action, is_allowed| ListQuestion {
            account: None,
            action,
            bucket_name: BUCKET,
            bucket: &bucket,
            key: Some("key"),
            version_id: None,
            ignores_public: false,
            creates: false,
            is_allowed,
        };
        assert!(grants(&fixture.engine, question(Action::GetObject, false)).await.unwrap());
        let by_list = asker(&question(Action::GetObject, false));
        let by_policy = asker(&question(Action::GetObject, true));
        for (what, outcome) in outcomes(&fixture, &by_list).await {
            assert!(outcome.is_ok(), "{what}: {outcome:?}");
        }
        // Overwritten between the judgement and the operation, without a list.
        fixture.put_inline("key", b"private").await;
        for (what, outcome) in outcomes(&fixture, &by_list).await {
            assert!(matches!(outcome, Err(Error::NotListed)), "{what}: {outcome:?}");
        }
        assert_eq!(fixture.get("copy").await.unwrap(), b"public");
        // The bucket's owner owns it, so the bucket's policy has a say; in what is another's it has none.
        for (what, outcome) in outcomes(&fixture, &by_policy).await {
            assert!(outcome.is_ok(), "{what}: {outcome:?}");
        }
        fixture.put_of("key", b"another's", "another").await;
        for (what, outcome) in outcomes(&fixture, &by_policy).await {
            assert!(matches!(outcome, Err(Error::NotListed)), "{what}: {outcome:?}");
        }
    }

    #[tokio::test]
    async fn what_was_judged_by_tags_holds_for_an_object_that_has_them() {
        let fixture = Fixture::new().await;
        fixture.put_inline("key", b"public").await;
        let tags = |value: &str| vec![("level".to_owned(), value.to_owned())];
        let put_tags = async |tags: Vec<(String, String)>| {
            let request =
                PutObjectTagging { bucket: BUCKET.into(), key: "key".into(), version_id: None, tags };
            put_object_tagging(&fixture.engine, request).await.unwrap();
        };
        put_tags(tags("public")).await;
        let asker = Some(Asker::default().with_tags(tags("public")));
        for (what, outcome) in outcomes(&fixture, &asker).await {
            let wants_lists = matches!(outcome, Err(Error::AclsDisabled));
            assert!(outcome.is_ok() || wants_lists, "{what}: {outcome:?}");
        }
        put_tags(tags("secret")).await;
        for (what, outcome) in outcomes(&fixture, &asker).await {
            let wants_lists = matches!(outcome, Err(Error::AclsDisabled));
            assert!(matches!(outcome, Err(Error::JudgedOtherTags)) || wants_lists, "{what}: {outcome:?}");
        }
        assert_eq!(fixture.get("copy").await.unwrap(), b"public");
    }

    #[test]
    fn of_two_askers_the_one_counts_that_may_less() {
        let list = |is_allowed| Asker {
            list: Some(ListAsker {
                account: None,
                ignores_public: false,
                is_allowed,
                permission: Permission::Read,
            }),
            tags: None,
        };
        let tags = Asker::default().with_tags(vec![("a".into(), "b".into())]);
        assert_eq!(list(true).stricter(list(false)), list(false));
        assert_eq!(list(false).stricter(list(true)), list(false));
        let both = tags.clone().stricter(list(true));
        assert_eq!((both.list, both.tags), (list(true).list, tags.tags));
    }
}
