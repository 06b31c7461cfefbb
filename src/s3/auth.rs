//! Who sent a request: Signature Version 4 in a header, in a presigned URL or in a form, version 2 in the same places
//! where that is turned on, or nobody.

use crate::engine::access;
use crate::engine::users::{self, Users};
use crate::s3::error::S3Error;
use crate::s3::post_form::Fields;
use crate::s3::query::Query;
use crate::s3::router::Target;
use crate::wire::error_code::ErrorCode;
use crate::wire::sigv2;
use crate::wire::sigv4::{self, AuthError, PayloadKind, Request, Scheme, Secret, Verified, Verifier};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use std::collections::HashMap;
use std::sync::Arc;

/// Who may send requests. Each owns the buckets it creates, and uses others as far as their owners let it.
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
    /// What a user that was made at run time may do. A user of the configuration has none: it is the root of an account
    /// of its own.
    pub managed: Option<Arc<users::User>>,
}

/// Who sent a request.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody in particular: the request makes no claim.
    Anonymous,
    User(Arc<User>),
}

impl Caller {
    /// The canonical id; nobody has none.
    pub fn id(&self) -> Option<&str> {
        self.user().map(|user| user.id.as_str())
    }

    pub fn user(&self) -> Option<&User> {
        match self {
            Caller::Anonymous => None,
            Caller::User(user) => Some(user),
        }
    }

    /// As policies see the caller.
    pub fn principal(&self) -> access::Principal<'_> {
        match self {
            Caller::Anonymous => access::Principal::Anonymous,
            Caller::User(user) => access::Principal::User(access::User {
                account: &user.id,
                name: &user.name,
                policy: user.managed.as_ref().map(|managed| &managed.policy),
            }),
        }
    }
}

/// Who sent a request, and how that was claimed.
pub struct Sender {
    pub caller: Caller,
    /// A form is `Anonymous`, whoever signed its policy.
    pub scheme: Scheme,
    /// How long ago it was signed, where that is known.
    pub signature_age_ms: Option<i64>,
}

/// A request whose claim of identity has been checked.
pub struct Authenticated {
    pub caller: Caller,
    pub scheme: Scheme,
    /// How its body is protected.
    pub payload: PayloadKind,
    /// What the signatures of its chunks continue from.
    pub verified: Option<Verified>,
}

/// The users, and what checks their signatures.
pub struct Authenticator {
    by_access_key: HashMap<String, Arc<User>>,
    by_id: HashMap<String, Arc<User>>,
    /// As they are configured.
    users: Vec<Arc<User>>,
    managed: Users,
    verifier: Verifier,
    /// Whether Signature Version 2 is good enough.
    sigv2: bool,
}

impl Authenticator {
    pub fn new(
        users: Vec<User>,
        managed: Users,
        region: &str,
        any_region: bool,
        sigv2: bool,
    ) -> Authenticator {
        let users: Vec<Arc<User>> = users.into_iter().map(Arc::new).collect();
        Authenticator {
            by_id: users.iter().map(|user| (user.id.clone(), user.clone())).collect(),
            by_access_key: users.iter().map(|user| (user.access_key_id.clone(), user.clone())).collect(),
            users,
            managed,
            verifier: Verifier::new(region, any_region),
            sigv2,
        }
    }

    /// The display name of whoever has this canonical id.
    pub fn display_name(&self, id: &str) -> Option<&str> {
        self.by_id.get(id).map(|user| user.display_name.as_str())
    }

    /// Users that are made at run time.
    pub fn managed(&self) -> &Users {
        &self.managed
    }

    /// Whether a user of the configuration has this name.
    pub fn has_name(&self, name: &str) -> bool {
        self.users.iter().any(|user| user.name == name)
    }

    /// The canonical id of the configuration's user of this name; without a name, of the first.
    pub fn account(&self, name: Option<&str>) -> Option<&str> {
        let is_meant = |user: &&Arc<User>| name.is_none_or(|name| user.name == name);
        self.users.iter().find(is_meant).map(|user| user.id.as_str())
    }

    /// The name of the configuration's user who has this canonical id.
    pub fn name_of_account(&self, id: &str) -> Option<&str> {
        self.by_id.get(id).map(|user| user.name.as_str())
    }

    /// Whose key this is. A user who was made at run time has the id of its account, because that owns what it makes;
    /// when the configuration has nobody of that account any more, the key is as good as unknown.
    fn of_key(&self, access_key_id: &str) -> Option<Arc<User>> {
        if let Some(user) = self.by_access_key.get(access_key_id) {
            return Some(user.clone());
        }
        let key = self.managed.of_key(access_key_id)?;
        let account = self.by_id.get(&key.user.account)?;
        Some(Arc::new(User {
            name: key.user.name.clone(),
            id: account.id.clone(),
            display_name: account.display_name.clone(),
            email: None,
            access_key_id: access_key_id.to_owned(),
            secret_access_key: Secret::new(key.secret.expose()),
            managed: Some(key.user),
        }))
    }

    /// The canonical ids of everybody who has this address.
    pub fn by_email(&self, address: &str) -> Vec<String> {
        let has =
            |user: &&Arc<User>| user.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(address));
        self.by_id.values().filter(has).map(|user| user.id.clone()).collect()
    }

    /// Checks the request's claim. A request without one is let through as nobody's.
    pub fn authenticate(
        &self,
        parts: &mut Parts,
        query: &Query,
        target: &Target,
        now_s: i64,
    ) -> Result<Authenticated, S3Error> {
        let raw_query = parts.uri.query().unwrap_or("");
        let scheme = Scheme::of(&parts.headers, raw_query)?;
        let request = Request {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: raw_query,
            headers: &parts.headers,
            authority: parts.uri.authority().map(|authority| authority.as_str()),
        };
        let lookup = |key: &str| self.secret(key);
        let verified = match scheme {
            Scheme::Header => self.verifier.verify_header(&request, &lookup, now_s)?,
            Scheme::Presigned => self.verifier.verify_presigned(&request, &lookup, now_s)?,
            Scheme::SigV2Header | Scheme::SigV2Query => {
                return self.authenticate_v2(scheme, parts, query, target, now_s);
            }
            Scheme::Anonymous => {
                let payload = PayloadKind::anonymous(&parts.headers)?;
                return Ok(Authenticated { caller: Caller::Anonymous, scheme, payload, verified: None });
            }
        };
        // No session tokens are given out, so none can be good.
        if verified.session_token.is_some() {
            return Err(ErrorCode::InvalidToken.into());
        }
        if scheme == Scheme::Presigned {
            take_hoisted_headers(&mut parts.headers, query, |name| name.starts_with("x-amz-"));
        }
        let user = self.of_key(&verified.access_key_id).ok_or(ErrorCode::InvalidAccessKeyId)?;
        let (caller, payload) = (Caller::User(user), verified.payload);
        Ok(Authenticated { caller, scheme, payload, verified: Some(verified) })
    }

    fn secret(&self, access_key_id: &str) -> Option<Secret> {
        self.of_key(access_key_id).map(|user| user.secret_access_key.clone())
    }

    /// Signature Version 2. Nothing of the body is signed.
    fn authenticate_v2(
        &self,
        scheme: Scheme,
        parts: &mut Parts,
        query: &Query,
        target: &Target,
        now_s: i64,
    ) -> Result<Authenticated, S3Error> {
        if !self.sigv2 {
            return Err(AuthError::SigV2NotSupported.into());
        }
        let request = sigv2::Request {
            method: parts.method.as_str(),
            resource: sigv2::Resource {
                host_bucket: target.bucket.as_deref().filter(|_| target.in_host),
                path: parts.uri.path(),
                query: parts.uri.query().unwrap_or(""),
            },
            headers: &parts.headers,
        };
        let lookup = |key: &str| self.secret(key);
        let access_key_id = match scheme {
            Scheme::SigV2Query => sigv2::verify_query(&request, &lookup, now_s)?,
            _ => sigv2::verify_header(&request, &lookup, now_s)?,
        };
        if scheme == Scheme::SigV2Query {
            take_hoisted_headers(&mut parts.headers, query, sigv2::is_hoisted);
        }
        if parts.headers.contains_key("x-amz-security-token") {
            return Err(ErrorCode::InvalidToken.into());
        }
        let caller = Caller::User(self.of_key(&access_key_id).ok_or(ErrorCode::InvalidAccessKeyId)?);
        // What a signature of this version covers says nothing of the body, as if there were none.
        let payload = PayloadKind::anonymous(&parts.headers)?;
        Ok(Authenticated { caller, scheme, payload, verified: None })
    }

    /// Who has signed a form's policy. Nobody, if the form has neither policy nor signature. Whether the policy allows the
    /// form is not judged here.
    pub fn authenticate_form(&self, fields: &Fields) -> Result<Caller, S3Error> {
        const V4: [&str; 4] = ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"];
        let is_v4 = V4.iter().any(|name| fields.get(name).is_some());
        let is_v2 = fields.get("awsaccesskeyid").is_some() || fields.get("signature").is_some();
        if !is_v4 && !is_v2 {
            return match fields.get("policy") {
                Some(_) => Err(ErrorCode::AccessDenied.into()),
                None => Ok(Caller::Anonymous),
            };
        }
        let lookup = |key: &str| self.secret(key);
        let policy = fields.required("policy")?;
        // No session tokens are given out, so none can be good.
        if fields.get("x-amz-security-token").is_some() {
            return Err(ErrorCode::InvalidToken.into());
        }
        let access_key_id = if is_v4 {
            let [algorithm, credential, date, signature] = V4.map(|name| fields.required(name));
            let (algorithm, credential, date, signature) = (algorithm?, credential?, date?, signature?);
            if algorithm != sigv4::ALGORITHM {
                let message = "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"";
                return Err(S3Error::argument("x-amz-algorithm", algorithm, message));
            }
            self.verifier.verify_policy(policy, credential, date, signature, &lookup)?
        } else {
            let access_key_id = fields.required("AWSAccessKeyId")?;
            let signature = fields.required("Signature")?;
            if !self.sigv2 {
                return Err(AuthError::SigV2NotSupported.into());
            }
            sigv2::verify_policy(policy, access_key_id, signature, &lookup)?;
            access_key_id.to_owned()
        };
        self.of_key(&access_key_id).map(Caller::User).ok_or_else(|| ErrorCode::InvalidAccessKeyId.into())
    }
}

/// Presigned URLs may carry `x-amz-*` headers as parameters, which the signature covers. They count where the header
/// itself is absent.
///
/// Checksums are left out: the JavaScript SDK presigns the checksum of an empty body, and AWS ignores it.
fn take_hoisted_headers(headers: &mut HeaderMap, query: &Query, is_hoisted: fn(&str) -> bool) {
    for (name, value) in query.iter() {
        let name = name.to_ascii_lowercase();
        if !is_hoisted(&name) || is_of_the_signature(&name) || is_checksum(&name) {
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
        take_hoisted_headers(&mut headers, &query, |name| name.starts_with("x-amz-"));
        assert_eq!(headers["x-amz-acl"], "private");
        assert_eq!(headers["x-amz-meta-a"], "b");
        assert_eq!(headers["x-amz-checksum-mode"], "ENABLED");
        assert_eq!(headers.len(), 3, "{headers:?}");
    }
}
