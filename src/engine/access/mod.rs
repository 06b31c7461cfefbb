//! Who may do what: what S3 means by it, without headers, documents or users' names.

pub mod acl;
