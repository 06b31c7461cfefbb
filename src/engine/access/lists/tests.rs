//! Objects that are overwritten between the judgement and the operation.

use super::*;
use crate::engine::access::acl::{AskedAcl, CannedAcl};
use crate::engine::conditions::{ReadConditions, Tags, WriteConditions};
use crate::engine::copy_source::Source;
use crate::engine::ops::copy_object::{CopyObject, copy_object};
use crate::engine::ops::delete_object::{DeleteObject, ObjectToDelete, delete_object};
use crate::engine::ops::delete_objects::{DeleteObjects, delete_objects};
use crate::engine::ops::get_object::{GetObject, get_object};
use crate::engine::ops::get_object_acl::{GetObjectAcl, get_object_acl};
use crate::engine::ops::get_object_attributes::{GetObjectAttributes, get_object_attributes};
use crate::engine::ops::head_bucket::head_bucket;
use crate::engine::ops::head_object::{find_object, head_object};
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
    let read = || GetObject { bucket: bucket(), key: key(), asker: asker.clone(), ..GetObject::default() };
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
        let request = PutObjectTagging {
            bucket: BUCKET.into(),
            key: "key".into(),
            tags,
            ..PutObjectTagging::default()
        };
        put_object_tagging(&fixture.engine, request).await.unwrap();
    };
    put_tags(tags("public")).await;
    let asker = Some(Asker::default().with_tags(JudgedTags(Some(tags("public")))));
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
    let tags = Asker::default().with_tags(JudgedTags(Some(vec![("a".into(), "b".into())])));
    assert_eq!(list(true).stricter(list(false)), list(false));
    assert_eq!(list(false).stricter(list(true)), list(false));
    let both = tags.clone().stricter(list(true));
    assert_eq!((both.list, both.tags), (list(true).list, tags.tags));
}

/// What Bob may do to an object that is public, each time in one transaction.
async fn writes(fixture: &Fixture, judged: &JudgedTags) -> Vec<(&'static str, Result<(), Error>)> {
    let (engine, bucket, key) = (&fixture.engine, || BUCKET.into(), || "key".to_owned());
    let asker = || Some(Asker::default().with_tags(judged.clone()));
    let conditions = || WriteConditions { judged_tags: Some(judged.clone()), ..WriteConditions::default() };
    let object = || ObjectToDelete { key: key(), conditions: conditions(), ..ObjectToDelete::default() };
    let copy = CopyObject {
        source: Source { bucket: bucket(), key: "other".into(), ..Source::default() },
        bucket: bucket(),
        key: key(),
        writer: "bob".into(),
        conditions: conditions(),
        ..CopyObject::default()
    };
    let rename = RenameObject {
        bucket: bucket(),
        source: "other".into(),
        key: key(),
        // Refused for it after it was judged, so that both objects stay where they are.
        conditions: ReadConditions { if_none_match: Some(Tags::Any), ..ReadConditions::default() },
        judged_tags: Some(judged.clone()),
        ..RenameObject::default()
    };
    let renamed = match rename_object(engine, rename).await {
        Err(Error::PreconditionFailed { .. }) => Ok(()),
        outcome => outcome,
    };
    let tags = judged.0.clone().unwrap_or_default();
    let tagging = PutObjectTagging { bucket: bucket(), key: key(), tags, asker: asker(), version_id: None };
    let several = DeleteObjects {
        bucket: bucket(),
        owner: "bob".into(),
        objects: vec![object()],
        bypass_governance: false,
    };
    let one =
        DeleteObject { bucket: bucket(), owner: "bob".into(), object: object(), ..DeleteObject::default() };
    let read = GetObject { bucket: bucket(), key: key(), asker: asker(), ..GetObject::default() };
    vec![
        ("rename onto it", renamed),
        ("put tags", put_object_tagging(engine, tagging).await.map(drop)),
        ("get tags", find_object(engine, read).await.map(drop)),
        ("delete several", delete_objects(engine, several).await.and_then(|mut all| all.remove(0)).map(drop)),
        ("overwrite", fixture.put_if(BUCKET, "key", b"by Bob", conditions()).await.map(drop)),
        ("copy onto it", copy_object(engine, copy).await.map(drop)),
        ("delete", delete_object(engine, one).await.map(drop)),
    ]
}

#[tokio::test]
async fn writes_that_were_judged_by_tags_are_done_to_an_object_that_has_them_alone() {
    let fixture = Fixture::new().await;
    let tags = |value: &str| vec![("level".to_owned(), value.to_owned())];
    let put = async || {
        fixture.put_inline("key", b"of Ann").await;
        let request = PutObjectTagging {
            bucket: BUCKET.into(),
            key: "key".into(),
            tags: tags("secret"),
            ..PutObjectTagging::default()
        };
        put_object_tagging(&fixture.engine, request).await.unwrap();
    };
    fixture.put_inline("other", b"other").await;
    for judged in [Some(tags("public")), Some(Vec::new()), None] {
        put().await;
        for (what, outcome) in writes(&fixture, &JudgedTags(judged.clone())).await {
            assert!(matches!(outcome, Err(Error::JudgedOtherTags)), "{judged:?}, {what}: {outcome:?}");
            assert_eq!(fixture.get("key").await.unwrap(), b"of Ann", "{judged:?}, {what}");
        }
    }
    // Each has another object before it than the one that was judged, unless that is one with the same tags.
    let outcomes = writes(&fixture, &JudgedTags(Some(tags("secret")))).await;
    let done: Vec<_> = outcomes.iter().map(|(what, outcome)| (*what, outcome.is_ok())).collect();
    let after_delete = [("overwrite", false), ("copy onto it", false), ("delete", true)];
    let before = [("rename onto it", true), ("put tags", true), ("get tags", true), ("delete several", true)];
    assert_eq!(done, [&before[..], &after_delete[..]].concat(), "{outcomes:?}");
    // To delete what is not there is fine, whatever it was.
    assert!(matches!(fixture.get("key").await, Err(Error::NoSuchKey)));
}
