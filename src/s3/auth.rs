//! Who sent a request: Signature Version 4 in a header or in a presigned URL, or nobody.

use crate::s3::error::S3Error;
use crate::s3::query::Query;
use crate::wire::error_code::ErrorCode;
use crate::wire::sigv4::{AuthError, PayloadKind, Request, Scheme, Secret, Verified, Verifier};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use std::collections::HashMap;
use std::sync::Arc;

/// Who may send requests. Each owns the buckets it creates, and sees no others.
#[derive(Clone, Debug)]
pub struct User {
    /// For people and logs.
    pub name: String,
    /// The canonical id: what buckets and objects say who owns them.
    pub id: String,
    pub display_name: String,
    /// By which access control lists may name the user.
    pub email: Option<String>,
    pub access_key_id: String,
    pub secret_access_key: Secret,
}

/// A request whose claim of identity has been checked.
pub struct Caller {
    /// `None`: it made no claim.
    pub user: Option<Arc<User>>,
    /// How its body is protected.
    pub payload: PayloadKind,
    /// What the signatures of its chunks continue from.
    pub verified: Option<Verified>,
}

/// The users, and what checks their signatures.
pub struct Authenticator {
    by_access_key: HashMap<String, Arc<User>>,
    by_id: HashMap<String, Arc<User>>,
    verifier: Verifier,
}

impl Authenticator {
    pub fn new(users: Vec<User>, region: &str, any_region: bool) -> Authenticator {
        let users: Vec<Arc<User>> = users.into_iter().map(Arc::new).collect();
        Authenticator {
            by_id: users.iter().map(|user| (user.id.clone(), user.clone())).collect(),
            by_access_key: users.into_iter().map(|user| (user.access_key_id.clone(), user)).collect(),
            verifier: Verifier::new(region, any_region),
        }
    }

    /// The display name of whoever has this canonical id.
    pub fn display_name(&self, id: &str) -> Option<&str> {
        self.by_id.get(id).map(|user| user.display_name.as_str())
    }

    /// The canonical ids of everybody who has this address.
    pub fn by_email(&self, address: &str) -> Vec<String> {
        let has =
            |user: &&Arc<User>| user.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(address));
        self.by_id.values().filter(has).map(|user| user.id.clone()).collect()
    }

    /// Checks the request's claim. A request without one is let through with no user; it may do nothing yet.
    pub fn authenticate(&self, parts: &mut Parts, query: &Query, now_s: i64) -> Result<Caller, S3Error> {
        let raw_query = parts.uri.query().unwrap_or("");
        let scheme = Scheme::of(&parts.headers, raw_query)?;
        let request = Request {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: raw_query,
            headers: &parts.headers,
            authority: parts.uri.authority().map(|authority| authority.as_str()),
        };
        let lookup = |key: &str| self.by_access_key.get(key).map(|user| user.secret_access_key.clone());
        let verified = match scheme {
            Scheme::Header => self.verifier.verify_header(&request, &lookup, now_s)?,
            Scheme::Presigned => self.verifier.verify_presigned(&request, &lookup, now_s)?,
            Scheme::SigV2Header | Scheme::SigV2Query => return Err(AuthError::SigV2NotSupported.into()),
            Scheme::Anonymous => {
                let payload = PayloadKind::anonymous(&parts.headers)?;
                return Ok(Caller { user: None, payload, verified: None });
            }
        };
        // No session tokens are given out, so none can be good.
        if verified.session_token.is_some() {
            return Err(ErrorCode::InvalidToken.into());
        }
        if scheme == Scheme::Presigned {
            take_hoisted_headers(&mut parts.headers, query);
        }
        let user = self.by_access_key.get(&verified.access_key_id).cloned();
        Ok(Caller { user, payload: verified.payload, verified: Some(verified) })
    }
}

/// Presigned URLs may carry `x-amz-*` headers as parameters, which the signature covers. They count where the header
/// itself is absent.
///
/// Checksums are left out: the JavaScript SDK presigns the checksum of an empty body, and AWS ignores it.
fn take_hoisted_headers(headers: &mut HeaderMap, query: &Query) {
    for (name, value) in query.iter() {
        let name = name.to_ascii_lowercase();
        if !name.starts_with("x-amz-") || is_of_the_signature(&name) || is_checksum(&name) {
            continue;
        }
        let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        else {
            continue;
        };
        headers.entry(name).or_insert(value);
    }
}

fn is_of_the_signature(name: &str) -> bool {
    matches!(
        name,
        "x-amz-algorithm"
            | "x-amz-credential"
            | "x-amz-date"
            | "x-amz-expires"
            | "x-amz-signedheaders"
            | "x-amz-signature"
            | "x-amz-security-token"
            | "x-amz-content-sha256"
    )
}

fn is_checksum(name: &str) -> bool {
    name == "x-amz-sdk-checksum-algorithm"
        || (name.starts_with("x-amz-checksum-")
            && !matches!(name, "x-amz-checksum-mode" | "x-amz-checksum-algorithm" | "x-amz-checksum-type"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hoisted_headers_count_where_the_header_is_absent() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-acl", HeaderValue::from_static("private"));
        let query = Query::parse(Some(
            "X-Amz-Acl=public-read&x-amz-meta-A=b&X-Amz-Signature=s&x-amz-checksum-crc32=AAAAAA%3D%3D\
             &x-amz-checksum-mode=ENABLED&x-amz-sdk-checksum-algorithm=CRC32&prefix=p&x-amz-tagging=a%0D",
        ));
        take_hoisted_headers(&mut headers, &query);
        assert_eq!(headers["x-amz-acl"], "private");
        assert_eq!(headers["x-amz-meta-a"], "b");
        assert_eq!(headers["x-amz-checksum-mode"], "ENABLED");
        assert_eq!(headers.len(), 3, "{headers:?}");
    }
}
