//! A bucket's website configuration, as it was set. Dovetail serves no website; clients read it back.

use super::{BucketDocument, DocumentKind};
use minicbor::{Decode, Encode};

/// Either everything is redirected, or there is an index document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct WebsiteRecord {
    /// What is appended to a key that ends in a slash.
    #[n(0)]
    pub index_suffix: Option<String>,
    /// The key of the object that errors show.
    #[n(1)]
    pub error_key: Option<String>,
    /// Host and protocol that every request is sent to.
    #[n(2)]
    pub redirect_all: Option<(String, Option<String>)>,
    #[n(3)]
    pub rules: Vec<RoutingRule>,
}

/// When and whereto a request is redirected. A rule without conditions fits every request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct RoutingRule {
    #[n(0)]
    pub error_code: Option<String>,
    #[n(1)]
    pub key_prefix: Option<String>,
    #[n(2)]
    pub host: Option<String>,
    #[n(3)]
    pub redirect_code: Option<String>,
    #[n(4)]
    pub protocol: Option<String>,
    #[n(5)]
    pub replace_prefix: Option<String>,
    #[n(6)]
    pub replace_key: Option<String>,
}

impl BucketDocument for WebsiteRecord {
    const KIND: DocumentKind = DocumentKind::Website;
}
