//! Access control lists: what a request may ask for, what becomes of it, and what a list allows.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>
//!
//! A bucket whose ownership is `BucketOwnerEnforced`, as it is unless somebody changes it, has no lists: its owner owns
//! every object, requests that want anything else are refused, and lists from another time are neither shown nor
//! followed. They are kept, and count again when the ownership is changed back.
//!
//! A list that gives the owner full control and nobody else anything is not stored: that is what no list means.

use crate::engine::Error;
use crate::meta::records::{
    Acl, BucketRecord, Grant, Grantee, Group, ListedVersion, ObjectOwnership, Permission, UploadRecord,
    VersionRecord,
};

/// More grants than this are refused, which bounds what a decision costs.
pub const GRANTS_MAX: usize = 100;

/// Owns what is written without a signature; the id that AWS has for nobody in particular.
pub const ANONYMOUS_ID: &str = "65a011a29cdf8ec533ec3d1ccaae921c";

/// S3's lists for the usual wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannedAcl {
    Private,
    PublicRead,
    PublicReadWrite,
    AuthenticatedRead,
    /// Of objects alone. On AWS it lets EC2 read machine images; there is no EC2 here, so it is `Private`.
    AwsExecRead,
    /// Of objects alone.
    BucketOwnerRead,
    /// Of objects alone.
    BucketOwnerFullControl,
    /// Of buckets alone.
    LogDeliveryWrite,
}

/// What a request says about the list of what it writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AskedAcl {
    #[default]
    Nothing,
    Canned(CannedAcl),
    /// Grantees are known users or groups; at most [`GRANTS_MAX`].
    Grants(Vec<Grant>),
}

/// Whose a new object or upload is, and its list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// Canonical id.
    pub owner: String,
    pub acl: Option<Acl>,
}

/// Whether the bucket has no lists.
pub fn is_disabled(bucket: &BucketRecord) -> bool {
    bucket.lists.ownership == ObjectOwnership::BucketOwnerEnforced
}

/// The canonical id of an object's owner.
pub fn owner_of<'a>(bucket: &'a BucketRecord, version: &'a VersionRecord) -> &'a str {
    if is_disabled(bucket) { &bucket.owner } else { &version.owner }
}

/// Makes a version say who its owner is, for listings.
pub fn show_owner(bucket: &BucketRecord, version: &mut ListedVersion) {
    if is_disabled(bucket) && version.owner != bucket.owner {
        version.owner.clone_from(&bucket.owner);
    }
}

/// The canonical id of whoever will own the object that an upload becomes.
pub fn owner_of_upload<'a>(bucket: &'a BucketRecord, upload: &'a UploadRecord) -> &'a str {
    if is_disabled(bucket) { &bucket.owner } else { upload.owner.as_ref().unwrap_or(&upload.initiator) }
}

/// Whose an object is that `writer` writes, and the list that it gets. Without lists, asking for one is
/// `AclsDisabled`, unless it says what is so anyway.
pub fn of_new_object(bucket: &BucketRecord, writer: &str, asked: &AskedAcl) -> Result<Owned, Error> {
    use CannedAcl::{BucketOwnerFullControl, Private};
    let preferred = match bucket.lists.ownership {
        ObjectOwnership::BucketOwnerEnforced => {
            return match asked {
                AskedAcl::Nothing | AskedAcl::Canned(BucketOwnerFullControl) => {
                    Ok(Owned { owner: bucket.owner.clone(), acl: None })
                }
                // Of its owner alone: so it is, if the writer is the one who owns it.
                AskedAcl::Canned(Private) if writer == bucket.owner => {
                    Ok(Owned { owner: bucket.owner.clone(), acl: None })
                }
                AskedAcl::Canned(_) | AskedAcl::Grants(_) => Err(Error::AclsDisabled),
            };
        }
        ObjectOwnership::BucketOwnerPreferred => *asked == AskedAcl::Canned(BucketOwnerFullControl),
        ObjectOwnership::ObjectWriter | ObjectOwnership::Unset => false,
    };
    let owner = if preferred { &bucket.owner } else { writer };
    Ok(Owned { owner: owner.to_string(), acl: of_object(bucket, owner, asked)? })
}

/// The list that an object of `owner` gets.
pub fn of_object(bucket: &BucketRecord, owner: &str, asked: &AskedAcl) -> Result<Option<Acl>, Error> {
    let canned = match asked {
        AskedAcl::Nothing => return Ok(None),
        AskedAcl::Grants(grants) if is_disabled(bucket) => {
            let says_what_is_so = *grants == [full_control(&bucket.owner)];
            return if says_what_is_so { Ok(None) } else { Err(Error::AclsDisabled) };
        }
        AskedAcl::Canned(CannedAcl::BucketOwnerFullControl) if is_disabled(bucket) => return Ok(None),
        AskedAcl::Canned(_) if is_disabled(bucket) => return Err(Error::AclsDisabled),
        AskedAcl::Grants(grants) => return Ok(stored(owner, grants.clone())),
        AskedAcl::Canned(canned) => canned,
    };
    let user = |permission| Grant { grantee: Grantee::User(bucket.owner.clone()), permission };
    let further = match canned {
        CannedAcl::BucketOwnerRead if owner != bucket.owner => vec![user(Permission::Read)],
        CannedAcl::BucketOwnerFullControl if owner != bucket.owner => vec![user(Permission::FullControl)],
        canned => for_groups(*canned),
    };
    Ok(stored(owner, [vec![full_control(owner)], further].concat()))
}

/// The list that a bucket of `owner` gets with this ownership.
pub fn of_bucket(owner: &str, ownership: ObjectOwnership, asked: &AskedAcl) -> Result<Option<Acl>, Error> {
    let is_disabled = ownership == ObjectOwnership::BucketOwnerEnforced;
    match asked {
        AskedAcl::Nothing | AskedAcl::Canned(CannedAcl::BucketOwnerFullControl) => Ok(None),
        AskedAcl::Grants(grants) if is_disabled && *grants == [full_control(owner)] => Ok(None),
        _ if is_disabled => Err(Error::AclsDisabled),
        AskedAcl::Grants(grants) => Ok(stored(owner, grants.clone())),
        AskedAcl::Canned(canned) => {
            Ok(stored(owner, [vec![full_control(owner)], for_groups(*canned)].concat()))
        }
    }
}

/// What a list is shown as.
pub fn entries(owner: &str, acl: Option<&Acl>) -> Vec<Grant> {
    acl.map_or_else(|| vec![full_control(owner)], |acl| acl.grants.clone())
}

/// Whether a list gives anything to people whom nobody named.
pub fn is_public(acl: Option<&Acl>) -> bool {
    acl.is_some_and(|acl| acl.grants.iter().any(|grant| is_for_the_public(&grant.grantee)))
}

/// Whether a request wants such a list.
pub fn asks_for_public(asked: &AskedAcl) -> bool {
    match asked {
        AskedAcl::Nothing => false,
        AskedAcl::Canned(canned) => for_groups(*canned).iter().any(|grant| is_for_the_public(&grant.grantee)),
        AskedAcl::Grants(grants) => grants.iter().any(|grant| is_for_the_public(&grant.grantee)),
    }
}

/// Who asks for something, as far as lists are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Requester<'a> {
    /// Canonical id; `None` without a signature.
    pub id: Option<&'a str>,
    /// Grants to the public do not count.
    pub ignore_public: bool,
}

/// Whether the list of something that `owner` owns gives this permission. Owners can always read and write the list,
/// whatever it says, so that they cannot lock themselves out.
pub fn allows(owner: &str, acl: Option<&Acl>, requester: Requester<'_>, wanted: Permission) -> bool {
    let id = requester.id.unwrap_or(ANONYMOUS_ID);
    // Nobody in particular is no owner who could be locked out.
    let is_owner = id == owner && requester.id.is_some();
    if is_owner && matches!(wanted, Permission::ReadAcp | Permission::WriteAcp) {
        return true;
    }
    let Some(acl) = acl else { return id == owner };
    acl.grants.iter().any(|grant| {
        let is_meant = match &grant.grantee {
            Grantee::User(user) => user == id,
            Grantee::Group(Group::AllUsers) => !requester.ignore_public,
            Grantee::Group(Group::AuthenticatedUsers) => requester.id.is_some() && !requester.ignore_public,
            Grantee::Group(Group::LogDelivery) => false,
        };
        is_meant && (grant.permission == wanted || grant.permission == Permission::FullControl)
    })
}

fn is_for_the_public(grantee: &Grantee) -> bool {
    matches!(grantee, Grantee::Group(Group::AllUsers | Group::AuthenticatedUsers))
}

fn full_control(owner: &str) -> Grant {
    Grant { grantee: Grantee::User(owner.to_string()), permission: Permission::FullControl }
}

/// What a canned list gives to groups.
fn for_groups(canned: CannedAcl) -> Vec<Grant> {
    let group = |group, permission| Grant { grantee: Grantee::Group(group), permission };
    match canned {
        CannedAcl::Private
        | CannedAcl::AwsExecRead
        | CannedAcl::BucketOwnerRead
        | CannedAcl::BucketOwnerFullControl => Vec::new(),
        CannedAcl::PublicRead => vec![group(Group::AllUsers, Permission::Read)],
        CannedAcl::PublicReadWrite => {
            vec![group(Group::AllUsers, Permission::Read), group(Group::AllUsers, Permission::Write)]
        }
        CannedAcl::AuthenticatedRead => vec![group(Group::AuthenticatedUsers, Permission::Read)],
        CannedAcl::LogDeliveryWrite => {
            vec![group(Group::LogDelivery, Permission::Write), group(Group::LogDelivery, Permission::ReadAcp)]
        }
    }
}

/// The list as it is kept, or `None` when it says what no list says.
fn stored(owner: &str, mut grants: Vec<Grant>) -> Option<Acl> {
    if grants == [full_control(owner)] {
        return None;
    }
    grants.sort_by_key(|grant| matches!(grant.grantee, Grantee::User(_)));
    Some(Acl { grants })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::keys::BucketId;
    use crate::meta::records::{BucketLists, Versioning};

    fn bucket(ownership: ObjectOwnership) -> BucketRecord {
        BucketRecord {
            id: BucketId::random(),
            owner: "owner".into(),
            created_ms: 0,
            versioning: Versioning::Never,
            object_lock: None,
            lists: BucketLists { ownership, acl: None },
            documents_revision: crate::meta::records::NO_DOCUMENTS,
        }
    }

    fn user(id: &str, permission: Permission) -> Grant {
        Grant { grantee: Grantee::User(id.into()), permission }
    }

    #[test]
    fn an_object_belongs_to_whom_the_buckets_ownership_says() {
        use AskedAcl::{Canned, Nothing};
        use CannedAcl::{BucketOwnerFullControl as Full, Private, PublicRead};
        use ObjectOwnership::{BucketOwnerEnforced, BucketOwnerPreferred, ObjectWriter, Unset};
        for (ownership, writer, asked, owner) in [
            (BucketOwnerEnforced, "other", Nothing, Some("owner")),
            (BucketOwnerEnforced, "other", Canned(Full), Some("owner")),
            (BucketOwnerEnforced, "owner", Canned(Private), Some("owner")),
            (BucketOwnerEnforced, "other", Canned(Private), None),
            (BucketOwnerEnforced, "owner", Canned(PublicRead), None),
            (BucketOwnerEnforced, "owner", AskedAcl::Grants(vec![full_control("owner")]), None),
            (BucketOwnerPreferred, "other", Nothing, Some("other")),
            (BucketOwnerPreferred, "other", Canned(Full), Some("owner")),
            (BucketOwnerPreferred, "other", Canned(Private), Some("other")),
            (ObjectWriter, "other", Nothing, Some("other")),
            (ObjectWriter, "other", Canned(Full), Some("other")),
            (Unset, "other", Canned(Full), Some("other")),
        ] {
            let owned = of_new_object(&bucket(ownership), writer, &asked);
            let found = owned.as_ref().map(|owned| owned.owner.as_str()).ok();
            assert_eq!(found, owner, "{ownership:?} {writer} {asked:?}");
            assert!(owner.is_some() || matches!(owned, Err(Error::AclsDisabled)));
        }
    }

    #[test]
    fn canned_lists_stand_for_their_grants() {
        use CannedAcl as C;
        let all = |permission| Grant { grantee: Grantee::Group(Group::AllUsers), permission };
        let authenticated =
            Grant { grantee: Grantee::Group(Group::AuthenticatedUsers), permission: Permission::Read };
        let bucket = bucket(ObjectOwnership::ObjectWriter);
        for (canned, expected, public) in [
            (C::Private, vec![full_control("writer")], false),
            (C::AwsExecRead, vec![full_control("writer")], false),
            (C::PublicRead, vec![all(Permission::Read), full_control("writer")], true),
            (
                C::PublicReadWrite,
                vec![all(Permission::Read), all(Permission::Write), full_control("writer")],
                true,
            ),
            (C::AuthenticatedRead, vec![authenticated, full_control("writer")], true),
            (C::BucketOwnerRead, vec![full_control("writer"), user("owner", Permission::Read)], false),
            (C::BucketOwnerFullControl, vec![full_control("writer"), full_control("owner")], false),
        ] {
            let acl = of_object(&bucket, "writer", &AskedAcl::Canned(canned)).unwrap();
            assert_eq!(entries("writer", acl.as_ref()), expected, "{canned:?}");
            assert_eq!(is_public(acl.as_ref()), public, "{canned:?}");
            assert_eq!(asks_for_public(&AskedAcl::Canned(canned)), public, "{canned:?}");
        }
        let own = of_object(&bucket, "owner", &AskedAcl::Canned(C::BucketOwnerFullControl)).unwrap();
        assert_eq!(own, None, "what is so anyway is not stored");
    }

    #[test]
    fn a_list_allows_what_it_grants_to_those_it_names() {
        let list = |grants: Vec<Grant>| Some(Acl { grants });
        let group = |group, permission| Grant { grantee: Grantee::Group(group), permission };
        let none = None;
        let empty = list(vec![]);
        let named = list(vec![user("bob", Permission::Read), user("carol", Permission::FullControl)]);
        let public = list(vec![group(Group::AllUsers, Permission::Read)]);
        let signed = list(vec![group(Group::AuthenticatedUsers, Permission::Write)]);
        let logs = list(vec![group(Group::LogDelivery, Permission::Write)]);
        use Permission::{Read, ReadAcp, Write, WriteAcp};
        for (acl, id, wanted, expected) in [
            (&none, Some("owner"), Write, true),
            (&none, Some("bob"), Read, false),
            (&none, None, Read, false),
            (&empty, Some("owner"), Read, false),
            (&empty, Some("owner"), ReadAcp, true),
            (&empty, Some("owner"), WriteAcp, true),
            (&named, Some("bob"), Read, true),
            (&named, Some("bob"), Write, false),
            (&named, Some("bob"), ReadAcp, false),
            (&named, Some("carol"), WriteAcp, true),
            (&named, None, Read, false),
            (&public, None, Read, true),
            (&public, Some("bob"), Read, true),
            (&public, None, Write, false),
            (&signed, None, Write, false),
            (&signed, Some("bob"), Write, true),
            (&logs, Some("bob"), Write, false),
        ] {
            let requester = Requester { id, ignore_public: false };
            assert_eq!(
                allows("owner", acl.as_ref(), requester, wanted),
                expected,
                "{acl:?} {id:?} {wanted:?}"
            );
        }
        for acl in [&public, &signed] {
            for wanted in [Read, Write] {
                let requester = Requester { id: Some("bob"), ignore_public: true };
                assert!(!allows("owner", acl.as_ref(), requester, wanted));
            }
        }
        // What was written without a signature is everybody's who has none, but not to lock up or open.
        let nobody = Requester { id: None, ignore_public: false };
        assert!(allows(ANONYMOUS_ID, None, nobody, Read));
        assert!(!allows(ANONYMOUS_ID, Some(&Acl::default()), nobody, WriteAcp));
    }
}
