//! PutBucketVersioning: enables or suspends the keeping of versions.

use crate::engine;
use crate::engine::ops::put_bucket_versioning::PutBucketVersioning;
use crate::s3::S3;
use crate::s3::document;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::Document;
use http::StatusCode;

pub const ENABLED: &str = "Enabled";
pub const SUSPENDED: &str = "Suspended";

pub async fn put_bucket_versioning(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let bytes = document::read(&mut request, document::LEN_MAX).await?;
    let asked = PutBucketVersioning { bucket: request.bucket(), enabled: parse(&bytes)? };
    engine::ops::put_bucket_versioning::put_bucket_versioning(s3.engine(), asked).await?;
    Ok(response::empty(StatusCode::OK))
}

/// Whether versions are to be kept. Deletes that need a second factor are not offered, and nobody may believe they
/// were switched on.
fn parse(bytes: &[u8]) -> Result<bool, S3Error> {
    let mut status = None;
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["VersioningConfiguration"])?;
    while let Some(mut child) = root.next_child()? {
        let text = match child.name() {
            "Status" | "MfaDelete" => child.text_trimmed()?,
            _ => continue,
        };
        match (child.name(), text.as_str()) {
            ("Status", ENABLED) => status = Some(true),
            ("Status", SUSPENDED) => status = Some(false),
            ("MfaDelete", "Disabled") => {}
            ("MfaDelete", "Enabled") => return Err(S3Error::not_implemented("MfaDelete")),
            _ => return Err(ErrorCode::MalformedXML.into()),
        }
    }
    status.ok_or_else(|| ErrorCode::IllegalVersioningConfigurationException.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_status_and_refuses_everything_unclear() {
        let of = |inner: &str| {
            let document = format!(
                "<VersioningConfiguration xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>{inner}</VersioningConfiguration>"
            );
            parse(document.as_bytes()).map_err(|err| err.code().as_str())
        };
        assert_eq!(of("<Status>Enabled</Status>"), Ok(true));
        assert_eq!(of("<MfaDelete>Disabled</MfaDelete><Status> Suspended </Status>"), Ok(false));
        assert_eq!(of(""), Err("IllegalVersioningConfigurationException"));
        assert_eq!(of("<MfaDelete>Disabled</MfaDelete>"), Err("IllegalVersioningConfigurationException"));
        assert_eq!(of("<Status>enabled</Status>"), Err("MalformedXML"));
        assert_eq!(of("<Status/>"), Err("MalformedXML"));
        assert_eq!(of("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>"), Err("NotImplemented"));
        assert_eq!(parse(b"<Other/>").unwrap_err().code().as_str(), "MalformedXML");
        assert_eq!(parse(b"").unwrap_err().code().as_str(), "MalformedXML");
    }
}
