//! How a request claims its identity, taken apart but not yet believed.

use http::{HeaderMap, header};

use super::{ALGORITHM, AuthError, Credential, EXPIRES_MAX_S};
use crate::wire::{http_date, percent};

/// Which kind of claim a request makes. A browser's form (`POST` of multipart/form-data) makes its claim in the body
/// and is `Anonymous` here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `Authorization: AWS4-HMAC-SHA256 ...`.
    Header,
    /// `X-Amz-Signature` and its companions in the query.
    Presigned,
    /// `Authorization: AWS key:signature`.
    SigV2Header,
    /// `AWSAccessKeyId` or `Signature` in the query; whether all three parameters are there is still to be seen.
    SigV2Query,
    Anonymous,
}

impl Scheme {
    /// Looks at the `Authorization` header and the names in the query, no further.
    pub fn of(headers: &HeaderMap, query: &str) -> Result<Scheme, AuthError> {
        let in_header = Scheme::of_header(headers)?;
        let in_query = Scheme::of_query(query);
        match (in_header, in_query) {
            (Some(_), Some(_)) => {
                Err(AuthError::SeveralMechanisms { authorization: authorization_text(headers) })
            }
            (Some(scheme), None) | (None, Some(scheme)) => Ok(scheme),
            (None, None) => Ok(Scheme::Anonymous),
        }
    }

    fn of_header(headers: &HeaderMap) -> Result<Option<Scheme>, AuthError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let authorization = authorization_text(headers);
        let Ok(text) = value.to_str() else {
            return Err(AuthError::UnreadableAuthorization { authorization });
        };
        let mechanism = text.split_ascii_whitespace().next().unwrap_or("");
        if values.next().is_some() || mechanism.len() == text.trim_ascii().len() {
            return Err(AuthError::UnreadableAuthorization { authorization });
        }
        match mechanism {
            ALGORITHM => Ok(Some(Scheme::Header)),
            "AWS" => Ok(Some(Scheme::SigV2Header)),
            "AWS4-ECDSA-P256-SHA256" => Err(AuthError::SigV4aNotSupported),
            _ => Err(AuthError::UnsupportedType { authorization }),
        }
    }

    fn of_query(query: &str) -> Option<Scheme> {
        let mut is_v2 = false;
        for (name, _) in percent::query_pairs(query) {
            let name = percent::decode_query_text(name);
            if ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"]
                .iter()
                .any(|n| name.eq_ignore_ascii_case(n))
            {
                return Some(Scheme::Presigned);
            }
            // `Expires` alone claims nothing.
            is_v2 |= name == "AWSAccessKeyId" || name == "Signature";
        }
        is_v2.then_some(Scheme::SigV2Query)
    }
}

/// The header without its signature: an error repeats it to the client, and errors end up in logs.
fn authorization_text(headers: &HeaderMap) -> String {
    let text = headers.get(header::AUTHORIZATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
    text.as_deref().unwrap_or("").split_ascii_whitespace().next().unwrap_or("").to_owned()
}

/// `Authorization: AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    pub credential: Credential,
    /// Names joined with `;`, as sent.
    pub signed_headers: String,
    /// As sent; a form that no signature has fails like a wrong one.
    pub signature: String,
}

impl Authorization {
    /// Reads the header's value. The parts may come in any order, with or without spaces after the commas.
    pub fn parse(value: &str) -> Result<Authorization, AuthError> {
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        let parts = value.trim_ascii_start().strip_prefix(ALGORITHM).unwrap_or("");
        for part in parts.split(',').map(str::trim_ascii).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(AuthError::HeaderMalformed("a part is given twice."));
            }
        }
        let credential = required(
            credential,
            "the authorization header requires three components: Credential, SignedHeaders, and Signature. Credential is missing.",
        )?;
        let signed_headers = required(
            signed_headers,
            "the authorization header requires three components: Credential, SignedHeaders, and Signature. SignedHeaders is missing.",
        )?;
        let signature = required(
            signature,
            "the authorization header requires three components: Credential, SignedHeaders, and Signature. Signature is missing.",
        )?;
        Ok(Authorization {
            credential: Credential::parse(credential).map_err(AuthError::HeaderCredential)?,
            signed_headers: signed_headers.to_owned(),
            signature: signature.to_owned(),
        })
    }
}

fn required<'a>(part: Option<&'a str>, otherwise: &'static str) -> Result<&'a str, AuthError> {
    part.filter(|text| !text.is_empty()).ok_or(AuthError::HeaderMalformed(otherwise))
}

/// The parameters of a presigned URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presigned {
    pub credential: Credential,
    /// `X-Amz-Date`, in Unix seconds.
    pub timestamp: i64,
    /// 0 to seven days.
    pub expires_s: i64,
    /// Names joined with `;`, as sent.
    pub signed_headers: String,
    pub signature: String,
    /// `X-Amz-Content-Sha256`, if given.
    pub content_sha256: Option<String>,
    /// `X-Amz-Security-Token`, if given.
    pub session_token: Option<String>,
}

impl Presigned {
    /// Reads the raw query. Names are found in any case; of a repeated one the first counts.
    pub fn parse(query: &str) -> Result<Presigned, AuthError> {
        const NAMES: [&str; 8] = [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Signature",
            "X-Amz-Date",
            "X-Amz-SignedHeaders",
            "X-Amz-Expires",
            "X-Amz-Content-Sha256",
            "X-Amz-Security-Token",
        ];
        let mut values: [Option<String>; NAMES.len()] = Default::default();
        for (name, value) in percent::query_pairs(query) {
            let name = percent::decode_query_text(name);
            if let Some(index) = NAMES.iter().position(|known| name.eq_ignore_ascii_case(known)) {
                values[index].get_or_insert_with(|| percent::decode_query_text(value).into_owned());
            }
        }
        let [algorithm, credential, signature, date, signed_headers, expires, content_sha256, session_token] =
            values;
        let (
            Some(algorithm),
            Some(credential),
            Some(signature),
            Some(date),
            Some(signed_headers),
            Some(expires),
        ) = (algorithm, credential, signature, date, signed_headers, expires)
        else {
            return Err(AuthError::QueryMalformed(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                 X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            ));
        };
        if algorithm != ALGORITHM {
            return Err(AuthError::QueryMalformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
        }
        let credential = Credential::parse(&credential).map_err(AuthError::QueryCredential)?;
        let timestamp = http_date::parse_basic(&date).ok_or(AuthError::QueryMalformed(
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
        ))?;
        let expires_s = parse_expires(&expires)?;
        Ok(Presigned {
            credential,
            timestamp,
            expires_s,
            signed_headers,
            signature,
            content_sha256,
            session_token,
        })
    }
}

fn parse_expires(text: &str) -> Result<i64, AuthError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AuthError::QueryMalformed("X-Amz-Expires should be a number"));
    }
    match text.parse::<i64>() {
        Ok(expires_s) if (0..=EXPIRES_MAX_S).contains(&expires_s) => Ok(expires_s),
        _ if text.starts_with('-') => Err(AuthError::QueryMalformed("X-Amz-Expires must be non-negative")),
        _ => Err(AuthError::QueryMalformed(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             604800 seconds",
        )),
    }
}
