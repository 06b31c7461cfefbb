//! The `Credential` of a request: an access key and the scope its signature holds in.

use std::fmt;

/// Where and when a signature holds: `20130524/us-east-1/s3/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `yyyymmdd`.
    pub date: String,
    pub region: String,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/s3/aws4_request", self.date, self.region)
    }
}

/// `<access key id>/<scope>`. The service is `s3` and the terminator `aws4_request`, or it would not have parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub access_key_id: String,
    pub scope: Scope,
}

/// What is wrong with a credential. The texts are AWS's, after the prefix that `AuthError` puts before them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    #[error("the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")]
    Form,
    #[error("incorrect date format \"{0}\". This date in the credential must be in the format \"yyyyMMdd\".")]
    Date(String),
    #[error(
        "Invalid credential date \"{date}\". This date is not the same as X-Amz-Date: \"{request_date}\"."
    )]
    OtherDate { date: String, request_date: String },
    #[error("the region '{region}' is wrong; expecting '{expected}'")]
    Region { region: String, expected: String },
    #[error("incorrect service \"{0}\". This endpoint belongs to \"s3\".")]
    Service(String),
    #[error("incorrect terminal \"{0}\". This endpoint uses \"aws4_request\".")]
    Terminator(String),
}

impl Credential {
    /// Reads a credential. The scope is split off from the right, because an access key may contain slashes.
    pub fn parse(text: &str) -> Result<Credential, CredentialFault> {
        let mut fields = text.rsplitn(5, '/');
        let mut field = || fields.next().ok_or(CredentialFault::Form);
        let (terminator, service, region, date, access_key_id) =
            (field()?, field()?, field()?, field()?, field()?);
        if access_key_id.is_empty() || region.is_empty() {
            return Err(CredentialFault::Form);
        }
        if terminator != "aws4_request" {
            return Err(CredentialFault::Terminator(terminator.to_owned()));
        }
        if service != "s3" {
            return Err(CredentialFault::Service(service.to_owned()));
        }
        if date.len() != 8 || crate::wire::http_date::parse_basic(&format!("{date}T000000Z")).is_none() {
            return Err(CredentialFault::Date(date.to_owned()));
        }
        let scope = Scope { date: date.to_owned(), region: region.to_owned() };
        Ok(Credential { access_key_id: access_key_id.to_owned(), scope })
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.access_key_id, self.scope)
    }
}
