//! Whether a signed request is what the holder of a secret sent.
//!
//! Order, the first failure wins: the form of the credentials, their region and date, the clock, the access key,
//! headers left unsigned, the signature.

use http::{HeaderMap, header};

use super::canonical::string_to_sign;
use super::{
    AuthError, Authorization, CredentialFault, KeyCache, Mismatch, PayloadKind, Presigned, Request,
    SKEW_MAX_S, Scope, Secret, SigningKey, canonical_query, canonical_uri, signatures_equal,
};
use crate::wire::http_date;

/// A request whose signature holds.
#[derive(Clone, Debug)]
pub struct Verified {
    pub access_key_id: String,
    /// What `X-Amz-Security-Token` said, which is signed but not judged here.
    pub session_token: Option<String>,
    /// How to read the body. `Sha256` is a promise that is still to be checked.
    pub payload: PayloadKind,
    /// The request's signature: the first chunk's signature continues from it.
    pub seed_signature: String,
    pub signing_key: SigningKey,
    pub scope: Scope,
    /// The request's own time, in Unix seconds.
    pub timestamp: i64,
}

/// Checks signatures for one region.
#[derive(Debug)]
pub struct Verifier {
    region: String,
    /// Clients that were told no region say `us-east-1` or `aws-global`; some installations let them.
    any_region: bool,
    keys: KeyCache,
}

/// What both schemes have in common once they are taken apart.
struct Claim<'a> {
    access_key_id: &'a str,
    scope: &'a Scope,
    timestamp: i64,
    signed_headers: &'a str,
    signature: &'a str,
    /// The payload's line in the canonical request.
    payload: &'a str,
    is_presigned: bool,
}

impl Verifier {
    /// A verifier for `region`; with `any_region` it takes whatever region the client signed for.
    pub fn new(region: impl Into<String>, any_region: bool) -> Verifier {
        Verifier { region: region.into(), any_region, keys: KeyCache::default() }
    }

    /// Checks a request with an `Authorization` header (`Scheme::Header`). `now` is in Unix seconds.
    pub fn verify_header(
        &self,
        request: &Request<'_>,
        lookup: &dyn Fn(&str) -> Option<Secret>,
        now: i64,
    ) -> Result<Verified, AuthError> {
        let authorization = header_text(request.headers, header::AUTHORIZATION.as_str()).unwrap_or_default();
        let Authorization { credential, signed_headers, signature } = Authorization::parse(&authorization)?;
        self.check_region(&credential.scope).map_err(AuthError::HeaderCredential)?;
        let payload =
            header_text(request.headers, "x-amz-content-sha256").ok_or(AuthError::MissingContentSha256)?;
        let kind = PayloadKind::parse(&payload)?;

        let (date_text, timestamp) = request_date(request.headers)?;
        check_date(&credential.scope, timestamp).map_err(AuthError::HeaderCredential)?;
        if now.abs_diff(timestamp) > SKEW_MAX_S as u64 {
            return Err(AuthError::TimeTooSkewed { request_time: date_text, now });
        }
        let claim = Claim {
            access_key_id: &credential.access_key_id,
            scope: &credential.scope,
            timestamp,
            signed_headers: &signed_headers,
            signature: &signature,
            payload: &payload,
            is_presigned: false,
        };
        let signing_key = self.check_signature(request, &claim, lookup)?;
        Ok(Verified {
            access_key_id: credential.access_key_id,
            session_token: header_text(request.headers, "x-amz-security-token"),
            payload: kind,
            seed_signature: signature,
            signing_key,
            scope: credential.scope,
            timestamp,
        })
    }

    /// Checks a presigned URL (`Scheme::Presigned`). `now` is in Unix seconds; the URL only has to be valid at the
    /// start of the request.
    pub fn verify_presigned(
        &self,
        request: &Request<'_>,
        lookup: &dyn Fn(&str) -> Option<Secret>,
        now: i64,
    ) -> Result<Verified, AuthError> {
        let presigned = Presigned::parse(request.query)?;
        let scope = &presigned.credential.scope;
        self.check_region(scope)
            .and_then(|()| check_date(scope, presigned.timestamp))
            .map_err(AuthError::QueryCredential)?;
        check_validity(&presigned, now)?;

        let payload = presigned_payload(request.headers, &presigned);
        let kind = match PayloadKind::parse(&payload)? {
            // What the header says of the framing is true whether or not it is signed: taken for plain bytes, the
            // frames would be stored as the object.
            PayloadKind::Unsigned => framing(request.headers)?.unwrap_or(PayloadKind::Unsigned),
            kind => kind,
        };
        let claim = Claim {
            access_key_id: &presigned.credential.access_key_id,
            scope,
            timestamp: presigned.timestamp,
            signed_headers: &presigned.signed_headers,
            signature: &presigned.signature,
            payload: &payload,
            is_presigned: true,
        };
        let signing_key = self.check_signature(request, &claim, lookup)?;
        Ok(Verified {
            access_key_id: presigned.credential.access_key_id,
            session_token: presigned.session_token,
            payload: kind,
            seed_signature: presigned.signature,
            signing_key,
            scope: presigned.credential.scope,
            timestamp: presigned.timestamp,
        })
    }

    /// Checks the signature of a browser's form: it covers the policy's base64 text as received. Whether the policy
    /// allows the upload, and until when, is the front end's to judge. `date` is the field `x-amz-date`.
    pub fn verify_policy(
        &self,
        policy: &str,
        credential: &str,
        date: &str,
        signature: &str,
        lookup: &dyn Fn(&str) -> Option<Secret>,
    ) -> Result<String, AuthError> {
        let credential = super::Credential::parse(credential).map_err(AuthError::QueryCredential)?;
        let timestamp = http_date::parse(date).ok_or(AuthError::MissingDate)?;
        let scope = &credential.scope;
        self.check_region(scope)
            .and_then(|()| check_date(scope, timestamp))
            .map_err(AuthError::QueryCredential)?;
        let signing_key = self.signing_key(&credential.access_key_id, scope, lookup)?;
        if signatures_equal(&signing_key.sign(policy.as_bytes()), signature) {
            return Ok(credential.access_key_id);
        }
        Err(AuthError::SignatureDoesNotMatch(Box::new(Mismatch {
            access_key_id: credential.access_key_id,
            signature_provided: signature.to_owned(),
            string_to_sign: policy.to_owned(),
            canonical_request: None,
        })))
    }

    fn check_region(&self, scope: &Scope) -> Result<(), CredentialFault> {
        if self.any_region || scope.region == self.region {
            return Ok(());
        }
        Err(CredentialFault::Region { region: scope.region.clone(), expected: self.region.clone() })
    }

    fn signing_key(
        &self,
        access_key_id: &str,
        scope: &Scope,
        lookup: &dyn Fn(&str) -> Option<Secret>,
    ) -> Result<SigningKey, AuthError> {
        match lookup(access_key_id) {
            Some(secret) => Ok(self.keys.get(access_key_id, &secret, scope)),
            None => Err(AuthError::UnknownKey { access_key_id: access_key_id.to_owned() }),
        }
    }

    fn check_signature(
        &self,
        request: &Request<'_>,
        claim: &Claim<'_>,
        lookup: &dyn Fn(&str) -> Option<Secret>,
    ) -> Result<SigningKey, AuthError> {
        let signing_key = self.signing_key(claim.access_key_id, claim.scope, lookup)?;
        check_signed_headers(request.headers, claim)?;

        let query = canonical_query(request.query, claim.is_presigned.then_some("X-Amz-Signature"));
        let path = canonical_uri(request.path);
        let attempt = |path: &str| {
            let canonical = request.canonical(path, &query, claim.signed_headers, claim.payload);
            let text = string_to_sign(claim.timestamp, claim.scope, &canonical);
            let holds = signatures_equal(&signing_key.sign(text.as_bytes()), claim.signature);
            (holds, canonical, text)
        };
        let (holds, canonical_request, string_to_sign) = attempt(&path);
        // Some clients sign `$ & , : ; = @ ( ) ! * '` in a path as they send them, not encoded.
        if holds || (path != request.path && attempt(request.path).0) {
            return Ok(signing_key);
        }
        Err(AuthError::SignatureDoesNotMatch(Box::new(Mismatch {
            access_key_id: claim.access_key_id.to_owned(),
            signature_provided: claim.signature.to_owned(),
            string_to_sign,
            canonical_request: Some(canonical_request),
        })))
    }
}

/// The signature must hold on the day the request was made.
fn check_date(scope: &Scope, timestamp: i64) -> Result<(), CredentialFault> {
    let request_date = http_date::basic(timestamp)[..8].to_owned();
    if scope.date == request_date {
        return Ok(());
    }
    Err(CredentialFault::OtherDate { date: scope.date.clone(), request_date })
}

fn check_validity(presigned: &Presigned, now: i64) -> Result<(), AuthError> {
    if presigned.timestamp > now.saturating_add(SKEW_MAX_S) {
        return Err(AuthError::NotYetValid { now });
    }
    let expired_at = presigned.timestamp + presigned.expires_s;
    // A validity of 0 is over at once, whatever the clocks say.
    if now > expired_at || presigned.expires_s == 0 {
        return Err(AuthError::Expired { expires_s: presigned.expires_s, expired_at, now });
    }
    Ok(())
}

/// `host` and every `x-amz-*` header must be signed, or whoever relays a request could add to it. None may be named
/// twice: each naming repeats the header in what is hashed, so that a few kilobytes could become gigabytes.
fn check_signed_headers(headers: &HeaderMap, claim: &Claim<'_>) -> Result<(), AuthError> {
    if names_one_twice(claim.signed_headers) {
        const WHY: &str = "SignedHeaders names a header twice.";
        return Err(match claim.is_presigned {
            true => AuthError::QueryMalformed(WHY),
            false => AuthError::HeaderMalformed(WHY),
        });
    }
    let is_signed =
        |name: &str| claim.signed_headers.split(';').any(|signed| signed.eq_ignore_ascii_case(name));
    // Presigned URLs are used by clients that add this one to everything.
    let is_exempt = |name: &str| claim.is_presigned && name == "x-amz-content-sha256";
    let mut names = Vec::new();
    if !is_signed("host") {
        names.push("host".to_owned());
    }
    for name in headers.keys().map(|name| name.as_str()) {
        if name.starts_with("x-amz-") && !is_signed(name) && !is_exempt(name) {
            names.push(name.to_owned());
        }
    }
    if names.is_empty() { Ok(()) } else { Err(AuthError::HeadersNotSigned { names }) }
}

fn names_one_twice(signed_headers: &str) -> bool {
    let mut names: Vec<String> = signed_headers.split(';').map(str::to_ascii_lowercase).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

/// The payload's line for a presigned URL: the signed header, else the parameter, else unsigned.
fn presigned_payload(headers: &HeaderMap, presigned: &Presigned) -> String {
    let is_signed =
        presigned.signed_headers.split(';').any(|name| name.eq_ignore_ascii_case("x-amz-content-sha256"));
    let header = is_signed.then(|| header_text(headers, "x-amz-content-sha256")).flatten();
    header.or_else(|| presigned.content_sha256.clone()).unwrap_or_else(|| "UNSIGNED-PAYLOAD".to_owned())
}

/// The aws-chunked kind that `x-amz-content-sha256` names, if it names one.
fn framing(headers: &HeaderMap) -> Result<Option<PayloadKind>, AuthError> {
    let streaming =
        header_text(headers, "x-amz-content-sha256").filter(|value| value.starts_with("STREAMING-"));
    streaming.map(|value| PayloadKind::parse(&value)).transpose()
}

/// `x-amz-date`, or else `Date`: the text and its Unix seconds.
fn request_date(headers: &HeaderMap) -> Result<(String, i64), AuthError> {
    let (text, timestamp) = match header_text(headers, "x-amz-date") {
        Some(text) => {
            let timestamp = http_date::parse(&text);
            (text, timestamp)
        }
        None => {
            let text = header_text(headers, "date").ok_or(AuthError::MissingDate)?;
            let timestamp = http_date::parse(&text);
            (text, timestamp)
        }
    };
    Ok((text, timestamp.ok_or(AuthError::MissingDate)?))
}

fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).trim_ascii().to_owned())
}
