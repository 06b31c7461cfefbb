use super::*;
use crate::engine::access::acl::CannedAcl;
use crate::meta::records::{Grant, Permission};
use http::{HeaderMap, HeaderValue};

struct Users;

impl Directory for Users {
    fn is_known(&self, id: &str) -> bool {
        ["alice", "bob"].contains(&id)
    }

    fn by_email(&self, address: &str) -> Vec<String> {
        match address {
            "bob@example.test" => vec!["bob".into()],
            "both@example.test" => vec!["alice".into(), "bob".into()],
            _ => Vec::new(),
        }
    }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    map
}

fn asked(pairs: &[(&'static str, &str)], of: Of) -> Result<AskedAcl, &'static str> {
    from_headers(&headers(pairs), of, &Users).map_err(|err| err.code().as_str())
}

fn bob(permission: Permission) -> Grant {
    Grant { grantee: Grantee::User("bob".into()), permission }
}

#[test]
fn a_canned_list_has_a_name() {
    for (name, bucket, object) in [
        ("private", Some(CannedAcl::Private), Some(CannedAcl::Private)),
        ("public-read", Some(CannedAcl::PublicRead), Some(CannedAcl::PublicRead)),
        ("public-read-write", Some(CannedAcl::PublicReadWrite), Some(CannedAcl::PublicReadWrite)),
        ("authenticated-read", Some(CannedAcl::AuthenticatedRead), Some(CannedAcl::AuthenticatedRead)),
        ("bucket-owner-read", None, Some(CannedAcl::BucketOwnerRead)),
        ("aws-exec-read", None, Some(CannedAcl::AwsExecRead)),
        ("log-delivery-write", Some(CannedAcl::LogDeliveryWrite), None),
        ("Private", None, None),
        ("public", None, None),
        ("", None, None),
    ] {
        for (of, expected) in [(Of::Bucket, bucket), (Of::Object, object)] {
            let expected = expected.map(AskedAcl::Canned).ok_or("InvalidArgument");
            assert_eq!(asked(&[("x-amz-acl", name)], of), expected, "{name} of {of:?}");
        }
    }
    assert_eq!(asked(&[], Of::Object), Ok(AskedAcl::Nothing));
}

#[test]
fn headers_spell_a_list_out() {
    let all = format!("uri=\"{ALL_USERS}\" , emailAddress=bob@example.test");
    let grants = asked(&[("x-amz-grant-write-acp", "ID=\"bob\""), ("x-amz-grant-read", &all)], Of::Object);
    let public = Grant { grantee: Grantee::Group(Group::AllUsers), permission: Permission::Read };
    let expected = vec![public, bob(Permission::Read), bob(Permission::WriteAcp)];
    assert_eq!(grants, Ok(AskedAcl::Grants(expected)));
    let many = vec!["id=bob"; 101].join(",");
    for (value, code) in [
        ("id=carol", "InvalidArgument"),
        ("uri=http://acs.amazonaws.com/groups/global/Nobody", "InvalidArgument"),
        ("emailAddress=nobody@example.test", "UnresolvableGrantByEmailAddress"),
        ("emailAddress=both@example.test", "AmbiguousGrantByEmailAddress"),
        ("bob", "InvalidArgument"),
        ("name=bob", "InvalidArgument"),
        ("", "InvalidArgument"),
        (&many, "MalformedACLError"),
    ] {
        assert_eq!(asked(&[("x-amz-grant-read", value)], Of::Bucket), Err(code), "{value}");
    }
    let both = [("x-amz-acl", "private"), ("x-amz-grant-read", "id=bob")];
    assert_eq!(asked(&both, Of::Object), Err("InvalidRequest"));
}

const NAMESPACES: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";

fn parse(inner: &str) -> Result<(String, Vec<Grant>), &'static str> {
    let text = format!("<AccessControlPolicy {NAMESPACES}>{inner}</AccessControlPolicy>");
    document::parse(text.as_bytes(), &Users).map_err(|err| err.code().as_str())
}

#[test]
fn a_list_is_read_back_as_it_was_written() {
    let group = |group| Grant { grantee: Grantee::Group(group), permission: Permission::ReadAcp };
    let grants = vec![
        group(Group::AllUsers),
        group(Group::AuthenticatedUsers),
        group(Group::LogDelivery),
        bob(Permission::Read),
        bob(Permission::Write),
        bob(Permission::WriteAcp),
        bob(Permission::FullControl),
    ];
    let written = write("alice", &grants, |id| (id == "bob").then_some("Bob")).finish();
    let text = String::from_utf8(written.clone()).unwrap();
    assert!(text.contains("xsi:type=\"CanonicalUser\"><ID>bob</ID><DisplayName>Bob</DisplayName>"), "{text}");
    assert_eq!(document::parse(&written, &Users).unwrap(), ("alice".to_owned(), grants));
}

#[test]
fn unclear_documents_are_refused() {
    let owner = "<Owner><ID>alice</ID></Owner>";
    let list = |grants: &str| format!("{owner}<AccessControlList>{grants}</AccessControlList>");
    let grant = |grantee: &str, permission: &str| {
        list(&format!("<Grant>{grantee}<Permission>{permission}</Permission></Grant>"))
    };
    let user = "<Grantee xsi:type=\"CanonicalUser\"><ID>bob</ID></Grantee>";
    assert_eq!(parse(&grant(user, "READ")), Ok(("alice".into(), vec![bob(Permission::Read)])));
    assert_eq!(parse(&list("")), Ok(("alice".into(), vec![])));
    let untyped = "<Grantee><EmailAddress>bob@example.test</EmailAddress></Grantee>";
    assert_eq!(parse(&grant(untyped, "READ")), Ok(("alice".into(), vec![bob(Permission::Read)])));
    let one = format!("<Grant>{user}<Permission>READ</Permission></Grant>");
    for (inner, code) in [
        (String::new(), "MalformedACLError"),
        (owner.to_owned(), "MalformedACLError"),
        ("<AccessControlList/>".to_owned(), "MalformedACLError"),
        ("<Owner/><AccessControlList/>".to_owned(), "MalformedACLError"),
        (grant("", "READ"), "MalformedACLError"),
        (grant("<Grantee/>", "READ"), "MalformedACLError"),
        (grant("<Grantee xsi:type=\"Group\"><ID>bob</ID></Grantee>", "READ"), "MalformedACLError"),
        (grant("<Grantee xsi:type=\"Other\"><ID>bob</ID></Grantee>", "READ"), "MalformedACLError"),
        (grant("<Grantee><ID>bob</ID><URI>x</URI></Grantee>", "READ"), "MalformedACLError"),
        (grant(user, "EVERYTHING"), "MalformedACLError"),
        (grant(user, ""), "MalformedACLError"),
        (list(&one.repeat(101)), "MalformedACLError"),
        ("<Owner><ID>alice</ID>".to_owned(), "MalformedACLError"),
        (grant("<Grantee xsi:type=\"CanonicalUser\"><ID>_foo</ID></Grantee>", "READ"), "InvalidArgument"),
        (grant("<Grantee xsi:type=\"Group\"><URI>x</URI></Grantee>", "READ"), "InvalidArgument"),
        (
            grant(
                "<Grantee xsi:type=\"AmazonCustomerByEmail\"><EmailAddress>x</EmailAddress></Grantee>",
                "READ",
            ),
            "UnresolvableGrantByEmailAddress",
        ),
    ] {
        assert_eq!(parse(&inner), Err(code), "{inner}");
    }
    assert_eq!(parse(&list(&one.repeat(100))).unwrap().1.len(), 100);
}
