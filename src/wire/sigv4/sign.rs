//! Signing, for the client and for tests of the server.

use http::{HeaderMap, HeaderValue, header};

use super::canonical::string_to_sign;
use super::{ALGORITHM, PayloadKind, Request, Scope, Secret, SigningKey, canonical_query, canonical_uri};
use crate::wire::{http_date, percent};

/// Headers that are never signed, because something between client and server may change or drop them.
const NEVER_SIGNED: [&str; 9] = [
    "authorization",
    "connection",
    "expect",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

/// Whoever holds a secret.
#[derive(Clone, Debug)]
pub struct Signer {
    pub access_key_id: String,
    pub secret: Secret,
    pub region: String,
    /// Sent along as `x-amz-security-token`.
    pub session_token: Option<String>,
}

/// What signing the chunks of a body continues from.
#[derive(Clone, Debug)]
pub struct Signed {
    pub signature: String,
    pub signing_key: SigningKey,
    pub scope: Scope,
    /// In Unix seconds.
    pub timestamp: i64,
}

impl Signer {
    /// Signs every header in `headers`, which must hold `host`, and adds `x-amz-date`, `x-amz-content-sha256`,
    /// `x-amz-security-token` and `authorization`. `path` and `query` are as they will be sent.
    ///
    /// # Panics
    /// If the access key, the region or the session token cannot stand in a header.
    pub fn sign_header(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &mut HeaderMap,
        payload: PayloadKind,
        now: i64,
    ) -> Signed {
        headers.insert("x-amz-date", ascii(http_date::basic(now)));
        headers.insert("x-amz-content-sha256", ascii(payload.to_header()));
        if let Some(token) = &self.session_token {
            headers.insert("x-amz-security-token", ascii(token.clone()));
        }
        let signed_headers = signed_headers(headers);
        let query = canonical_query(query, None);
        let request = Request { method, path, query: &query, headers, authority: None };
        let signed = self.sign(&request, &query, &signed_headers, &payload.to_header(), now);
        let value = format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders={signed_headers}, Signature={}",
            self.access_key_id, signed.scope, signed.signature
        );
        headers.insert(header::AUTHORIZATION, ascii(value));
        signed
    }

    /// The query of a presigned URL: `query` with the six parameters and the signature. Every header in `headers`,
    /// which must hold `host`, has to be sent with the request.
    pub fn presign(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        expires_s: u32,
        now: i64,
    ) -> String {
        let signed_headers = signed_headers(headers);
        let credential = format!("{}/{}", self.access_key_id, self.scope(now));
        let mut query = query.to_owned();
        let mut add = |name: &str, value: &str| {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            query.push_str(&percent::encode(value.as_bytes()));
        };
        add("X-Amz-Algorithm", ALGORITHM);
        add("X-Amz-Credential", &credential);
        add("X-Amz-Date", &http_date::basic(now));
        add("X-Amz-Expires", &expires_s.to_string());
        if let Some(token) = &self.session_token {
            add("X-Amz-Security-Token", token);
        }
        add("X-Amz-SignedHeaders", &signed_headers);
        let request = Request { method, path, query: &query, headers, authority: None };
        let signed =
            self.sign(&request, &canonical_query(&query, None), &signed_headers, "UNSIGNED-PAYLOAD", now);
        format!("{query}&X-Amz-Signature={}", signed.signature)
    }

    /// The signature of a POST policy, given as the base64 text that the form will carry.
    pub fn sign_policy(&self, policy: &str, now: i64) -> Signed {
        let scope = self.scope(now);
        let signing_key = SigningKey::derive(&self.secret, &scope);
        Signed { signature: signing_key.sign(policy.as_bytes()), signing_key, scope, timestamp: now }
    }

    fn sign(
        &self,
        request: &Request<'_>,
        query: &str,
        signed_headers: &str,
        payload: &str,
        now: i64,
    ) -> Signed {
        let scope = self.scope(now);
        let canonical = request.canonical(&canonical_uri(request.path), query, signed_headers, payload);
        let signing_key = SigningKey::derive(&self.secret, &scope);
        let signature = signing_key.sign(string_to_sign(now, &scope, &canonical).as_bytes());
        Signed { signature, signing_key, scope, timestamp: now }
    }

    fn scope(&self, now: i64) -> Scope {
        Scope { date: http_date::basic(now)[..8].to_owned(), region: self.region.clone() }
    }
}

/// The names of all headers to sign, sorted and joined.
fn signed_headers(headers: &HeaderMap) -> String {
    let mut names: Vec<&str> =
        headers.keys().map(|name| name.as_str()).filter(|name| !NEVER_SIGNED.contains(name)).collect();
    names.sort_unstable();
    names.join(";")
}

fn ascii(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("access keys, regions and tokens are printable ASCII")
}
