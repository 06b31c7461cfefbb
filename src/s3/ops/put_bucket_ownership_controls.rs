//! PutBucketOwnershipControls: who owns the objects of a bucket, and whether it has access control lists.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html>

use crate::engine;
use crate::engine::ops::put_bucket_ownership_controls::PutBucketOwnershipControls;
use crate::meta::records::ObjectOwnership;
use crate::s3::S3;
use crate::s3::document;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::Document;
use http::StatusCode;

/// S3's names. There is none for a setting that was deleted.
pub const OWNERSHIPS: [(&str, ObjectOwnership); 3] = [
    ("BucketOwnerEnforced", ObjectOwnership::BucketOwnerEnforced),
    ("BucketOwnerPreferred", ObjectOwnership::BucketOwnerPreferred),
    ("ObjectWriter", ObjectOwnership::ObjectWriter),
];

pub async fn put_bucket_ownership_controls(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let bytes = document::read(&mut request, document::LEN_MAX).await?;
    let asked = PutBucketOwnershipControls { bucket: request.bucket(), ownership: parse(&bytes)? };
    engine::ops::put_bucket_ownership_controls::put_bucket_ownership_controls(s3.engine(), asked).await?;
    Ok(response::empty(StatusCode::OK))
}

/// The ownership of this name.
pub fn ownership(name: &str) -> Option<ObjectOwnership> {
    OWNERSHIPS.iter().find(|(known, _)| *known == name).map(|(_, ownership)| *ownership)
}

/// Exactly one rule.
fn parse(bytes: &[u8]) -> Result<ObjectOwnership, S3Error> {
    let mut rules = Vec::new();
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["OwnershipControls"])?;
    while let Some(mut child) = root.next_child()? {
        if child.name() != "Rule" {
            continue;
        }
        let mut named = None;
        while let Some(mut field) = child.next_child()? {
            if field.name() == "ObjectOwnership" {
                named = ownership(&field.text_trimmed()?);
            }
        }
        rules.push(named.ok_or(ErrorCode::MalformedXML)?);
    }
    match rules[..] {
        [ownership] => Ok(ownership),
        _ => Err(ErrorCode::MalformedXML.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_rule_and_refuses_everything_unclear() {
        let of = |inner: &str| {
            let document = format!("<OwnershipControls>{inner}</OwnershipControls>");
            parse(document.as_bytes()).map_err(|err| err.code().as_str())
        };
        let rule = |name: &str| format!("<Rule><ObjectOwnership>{name}</ObjectOwnership></Rule>");
        for (name, ownership) in OWNERSHIPS {
            assert_eq!(of(&rule(name)), Ok(ownership));
        }
        for bad in
            [String::new(), "<Rule/>".into(), rule("objectwriter"), rule(""), rule("ObjectWriter").repeat(2)]
        {
            assert_eq!(of(&bad), Err("MalformedXML"), "{bad}");
        }
        assert_eq!(parse(b"").unwrap_err().code().as_str(), "MalformedXML");
    }
}
