//! `CORSConfiguration`, read and written.

use crate::meta::records::{CorsRecord, CorsRule};
use crate::s3::error::S3Error;
use crate::s3::response;
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::{Document, Element, Writer};
use http::HeaderName;

/// Rules of one bucket.
const RULES_MAX: usize = 100;
/// S3's own limit. It bounds what looking through the rules costs.
pub const DOCUMENT_LEN_MAX: usize = 64 << 10;
/// Characters of a rule's name.
const ID_LEN_MAX: usize = 255;
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// Reads a configuration. What comes back keeps every rule that the record has.
pub fn parse(bytes: &[u8]) -> Result<CorsRecord, S3Error> {
    let mut rules = Vec::new();
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["CORSConfiguration"])?;
    while let Some(mut child) = root.next_child()? {
        if child.name() == "CORSRule" {
            rules.push(parse_rule(&mut child)?);
        }
    }
    match rules.len() {
        0 => Err(ErrorCode::MalformedXML.into()),
        1..=RULES_MAX => Ok(CorsRecord { rules }),
        _ => Err(S3Error::invalid_request(format!(
            "The number of CORS rules should not exceed allowed limit of {RULES_MAX} rules."
        ))),
    }
}

fn parse_rule(element: &mut Element<'_, '_>) -> Result<CorsRule, S3Error> {
    let mut rule = CorsRule::default();
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "ID" => rule.id = Some(id(child.text()?.into_owned())?),
            "AllowedOrigin" => {
                rule.allowed_origins.push(pattern("AllowedOrigin", child.text_trimmed()?)?);
            }
            "AllowedMethod" => rule.allowed_methods.push(method(child.text_trimmed()?)?),
            "AllowedHeader" => {
                rule.allowed_headers.push(pattern("AllowedHeader", child.text_trimmed()?)?);
            }
            "ExposeHeader" => rule.expose_headers.push(exposed(child.text_trimmed()?)?),
            // Kept as a 32-bit number without a sign, which is more than any browser follows.
            "MaxAgeSeconds" => rule.max_age_seconds = Some(child.parsed()?),
            _ => {}
        }
    }
    if rule.allowed_origins.is_empty() || rule.allowed_methods.is_empty() {
        return Err(ErrorCode::MalformedXML.into());
    }
    Ok(rule)
}

fn id(text: String) -> Result<String, S3Error> {
    if text.chars().count() > ID_LEN_MAX {
        return Err(S3Error::invalid_request(format!(
            "The ID of a CORS rule should not exceed allowed limit of {ID_LEN_MAX} characters."
        )));
    }
    Ok(text)
}

fn pattern(element: &str, text: String) -> Result<String, S3Error> {
    if text.bytes().filter(|byte| *byte == b'*').count() > 1 {
        let message = format!("{element} \"{text}\" can not have more than one wildcard.");
        return Err(S3Error::invalid_request(message));
    }
    Ok(text)
}

fn method(text: String) -> Result<String, S3Error> {
    if METHODS.contains(&text.as_str()) {
        return Ok(text);
    }
    Err(S3Error::invalid_request(format!(
        "Found unsupported HTTP method in CORS config. Unsupported method is {text}"
    )))
}

/// These go out in a header as they are, so they have to be names.
fn exposed(text: String) -> Result<String, S3Error> {
    if text.contains('*') {
        return Err(S3Error::invalid_request(format!(
            "ExposeHeader \"{text}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
        )));
    }
    if HeaderName::from_bytes(text.as_bytes()).is_err() {
        return Err(S3Error::invalid_request(format!("ExposeHeader \"{text}\" is no name of a header.")));
    }
    Ok(text)
}

/// The configuration as GetBucketCors gives it back.
pub fn write(record: &CorsRecord) -> Writer {
    let mut document = response::document("CORSConfiguration");
    for rule in &record.rules {
        document.open("CORSRule").text_optional("ID", rule.id.as_deref());
        for (name, values) in [
            ("AllowedHeader", &rule.allowed_headers),
            ("AllowedMethod", &rule.allowed_methods),
            ("AllowedOrigin", &rule.allowed_origins),
            ("ExposeHeader", &rule.expose_headers),
        ] {
            for value in values {
                document.text(name, value);
            }
        }
        document.number_optional("MaxAgeSeconds", rule.max_age_seconds.map(u64::from)).close();
    }
    document
}
