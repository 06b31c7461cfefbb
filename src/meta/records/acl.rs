//! Who may do what with a bucket or an object by its access control list, and whether a bucket has such lists at all.

use minicbor::{Decode, Encode};

/// An access control list. Where none is stored the owner has full control and nobody else has anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Acl {
    /// Groups before users, otherwise in the order given; at most 100.
    #[n(0)]
    pub grants: Vec<Grant>,
}

/// One permission for one grantee.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Grant {
    #[n(0)]
    pub grantee: Grantee,
    #[n(1)]
    pub permission: Permission,
}

/// Whom a grant is for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Grantee {
    /// A canonical id.
    #[n(0)]
    User(#[n(0)] String),
    #[n(1)]
    Group(#[n(0)] Group),
}

/// S3's predefined groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Group {
    /// Everybody, without a signature too.
    #[n(0)]
    AllUsers,
    /// Everybody who signs a request, whoever they are.
    #[n(1)]
    AuthenticatedUsers,
    /// What writes access logs; nobody here.
    #[n(2)]
    LogDelivery,
}

/// What a grant allows. Of a bucket: to list it, to write and delete its objects, to read and to write its list. Of an
/// object: to read it, nothing, to read and to write its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Permission {
    #[n(0)]
    Read,
    #[n(1)]
    Write,
    #[n(2)]
    ReadAcp,
    #[n(3)]
    WriteAcp,
    #[n(4)]
    FullControl,
}

/// Who owns the objects of a bucket, and whether access control lists count in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ObjectOwnership {
    /// The bucket's owner owns every object, and lists are ignored. What buckets have that are older than this field.
    #[default]
    #[n(0)]
    BucketOwnerEnforced,
    /// The writer, but the bucket's owner when the writer gives it full control with the canned list for that.
    #[n(1)]
    BucketOwnerPreferred,
    #[n(2)]
    ObjectWriter,
    /// The setting was deleted: the same as [`ObjectOwnership::ObjectWriter`], but there is nothing to read.
    #[n(3)]
    Unset,
}

/// A bucket's own access control list, and whether it has any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct BucketLists {
    #[n(0)]
    pub ownership: ObjectOwnership,
    /// `None`: the owner has full control.
    #[n(1)]
    pub acl: Option<Acl>,
}
