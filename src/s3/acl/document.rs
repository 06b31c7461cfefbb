//! `AccessControlPolicy`, read and written.

use super::{ALL_USERS, AUTHENTICATED_USERS, Directory, LOG_DELIVERY, email, group, user};
use crate::engine::access::acl::GRANTS_MAX;
use crate::meta::records::{Grant, Grantee, Group, Permission};
use crate::s3::error::S3Error;
use crate::s3::response;
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::{Document, Element, Malformed, Writer};

/// A hundred grants are a third of this.
pub const DOCUMENT_LEN_MAX: usize = 64 << 10;

const PERMISSIONS: [(&str, Permission); 5] = [
    ("READ", Permission::Read),
    ("WRITE", Permission::Write),
    ("READ_ACP", Permission::ReadAcp),
    ("WRITE_ACP", Permission::WriteAcp),
    ("FULL_CONTROL", Permission::FullControl),
];

/// A grantee as a document names it; which of these counts is said by `xsi:type`, or by there being only one.
#[derive(Default)]
struct Named {
    kind: Option<String>,
    id: Option<String>,
    uri: Option<String>,
    email: Option<String>,
}

/// Reads a list: the owner that it names, and its grants, whose grantees there are.
pub fn parse(bytes: &[u8], directory: &dyn Directory) -> Result<(String, Vec<Grant>), S3Error> {
    let malformed = || S3Error::from(ErrorCode::MalformedACLError);
    let (owner, entries) = structure(bytes).map_err(|err| malformed().source(err))?;
    let owner = owner.ok_or_else(malformed)?;
    let entries = entries.filter(|entries| entries.len() <= GRANTS_MAX).ok_or_else(malformed)?;
    let grants = entries.into_iter().map(|(named, permission)| {
        let known = PERMISSIONS.iter().find(|(name, _)| Some(*name) == permission.as_deref());
        let (_, permission) = *known.ok_or_else(malformed)?;
        let grantee = named.ok_or_else(malformed)?.grantee(directory)?;
        Ok(Grant { grantee, permission })
    });
    Ok((owner, grants.collect::<Result<_, S3Error>>()?))
}

type Entry = (Option<Named>, Option<String>);

fn structure(bytes: &[u8]) -> Result<(Option<String>, Option<Vec<Entry>>), Malformed> {
    let (mut owner, mut entries) = (None, None);
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["AccessControlPolicy"])?;
    while let Some(mut child) = root.next_child()? {
        match child.name() {
            "Owner" => {
                while let Some(mut field) = child.next_child()? {
                    if field.name() == "ID" {
                        owner = Some(field.text_trimmed()?);
                    }
                }
            }
            "AccessControlList" => {
                let mut found = Vec::new();
                while let Some(mut grant) = child.next_child()? {
                    if grant.name() == "Grant" {
                        found.push(entry(&mut grant)?);
                    }
                }
                entries = Some(found);
            }
            _ => {}
        }
    }
    Ok((owner, entries))
}

fn entry(grant: &mut Element<'_, '_>) -> Result<Entry, Malformed> {
    let (mut named, mut permission) = (None, None);
    while let Some(mut child) = grant.next_child()? {
        match child.name() {
            "Grantee" => {
                let mut grantee = Named { kind: child.attribute("type")?, ..Named::default() };
                while let Some(mut field) = child.next_child()? {
                    match field.name() {
                        "ID" => grantee.id = Some(field.text_trimmed()?),
                        "URI" => grantee.uri = Some(field.text_trimmed()?),
                        "EmailAddress" => grantee.email = Some(field.text_trimmed()?),
                        _ => {}
                    }
                }
                named = Some(grantee);
            }
            "Permission" => permission = Some(child.text_trimmed()?),
            _ => {}
        }
    }
    Ok((named, permission))
}

impl Named {
    fn grantee(&self, directory: &dyn Directory) -> Result<Grantee, S3Error> {
        match (self.kind.as_deref(), &self.id, &self.uri, &self.email) {
            (Some("CanonicalUser"), Some(id), _, _) | (None, Some(id), None, None) => user(id, directory),
            (Some("Group"), _, Some(uri), _) | (None, None, Some(uri), None) => group(uri),
            (Some("AmazonCustomerByEmail"), _, _, Some(address)) | (None, None, None, Some(address)) => {
                email(address, directory)
            }
            _ => Err(ErrorCode::MalformedACLError.into()),
        }
    }
}

/// A list as GetBucketAcl and GetObjectAcl give it back. `name` tells the display name of a canonical id.
pub fn write<'a>(owner: &str, grants: &[Grant], name: impl Fn(&str) -> Option<&'a str>) -> Writer {
    let mut document = response::document("AccessControlPolicy");
    response::write_owner(&mut document, "Owner", owner, name(owner));
    document.open("AccessControlList");
    for Grant { grantee, permission } in grants {
        document.open("Grant");
        match grantee {
            Grantee::User(id) => {
                open_grantee(&mut document, "CanonicalUser")
                    .text("ID", id)
                    .text_optional("DisplayName", name(id));
            }
            Grantee::Group(group) => {
                open_grantee(&mut document, "Group").text("URI", uri(*group));
            }
        }
        document.close().text("Permission", permission_name(*permission)).close();
    }
    document.close();
    document
}

fn open_grantee<'w>(document: &'w mut Writer, kind: &str) -> &'w mut Writer {
    let attributes = [("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"), ("xsi:type", kind)];
    document.open_with("Grantee", &attributes)
}

fn permission_name(permission: Permission) -> &'static str {
    match permission {
        Permission::Read => "READ",
        Permission::Write => "WRITE",
        Permission::ReadAcp => "READ_ACP",
        Permission::WriteAcp => "WRITE_ACP",
        Permission::FullControl => "FULL_CONTROL",
    }
}

fn uri(group: Group) -> &'static str {
    match group {
        Group::AllUsers => ALL_USERS,
        Group::AuthenticatedUsers => AUTHENTICATED_USERS,
        Group::LogDelivery => LOG_DELIVERY,
    }
}
