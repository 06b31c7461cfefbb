//! What an upload says of the object: content type, metadata, storage class, and other headers that S3 keeps with it.

use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::client::error::Error;
use crate::client::operations::copy::KEPT_HEADERS;

/// Headers about an object that a HEAD tells again, besides [`KEPT_HEADERS`].
const TOLD: [&str; 5] = [
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];
/// Others, by their beginning: what is there already is not compared with these.
const UNTOLD: [&str; 5] = [
    "x-amz-acl",
    "x-amz-grant-",
    "x-amz-object-lock-",
    "x-amz-server-side-encryption-context",
    "x-amz-tagging",
];
const METADATA: &str = "x-amz-meta-";
/// Every server makes something else of other letters, so that nobody could tell whether an object has them.
const NOT_ASCII: &str = "headers are; encode it, such as with %C3%BC for an ü";

#[derive(Args, Debug)]
pub struct Description {
    /// What the object is, such as text/plain [default: by the file's ending]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Metadata to keep with the object, in ASCII
    #[arg(long, value_name = "NAME=VALUE")]
    metadata: Vec<String>,
    /// Such as STANDARD_IA
    #[arg(long, value_name = "NAME")]
    storage_class: Option<String>,
    /// Another header to keep with the object, such as 'Cache-Control: no-cache', 'x-amz-acl: public-read' or 'x-amz-tagging: a=b'
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
}

impl Description {
    pub fn headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        let mut add = |name: &str, value: &str| {
            if !name.is_ascii() || !value.is_ascii() {
                return Err(Error::Usage(format!("{name}: {value:?} is not ASCII: {NOT_ASCII}")));
            }
            // Blanks around it are not the value's, for HTTP.
            let value = value.trim_matches([' ', '\t']);
            let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
                return Err(Error::Usage(format!("{name}: {value:?} is nothing that HTTP can carry")));
            };
            headers.insert(name, value);
            Ok(())
        };
        if let Some(kind) = &self.content_type {
            add("content-type", kind)?;
        }
        if let Some(class) = &self.storage_class {
            add("x-amz-storage-class", class)?;
        }
        for pair in &self.metadata {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(Error::Usage(format!("--metadata is NAME=VALUE, not {pair:?}")));
            };
            add(&format!("{METADATA}{name}"), value)?;
        }
        for line in &self.header {
            let Some((name, value)) = line.split_once(':') else {
                return Err(Error::Usage(format!("--header is 'NAME: VALUE', not {line:?}")));
            };
            let name = name.trim().to_ascii_lowercase();
            if !is_told(&name) && !is_untold(&name) {
                return Err(Error::Usage(format!(
                    "--header takes what describes an object; {name:?} does not"
                )));
            }
            add(&name, value)?;
        }
        Ok(headers)
    }
}

/// Those that an object which is already there has to say of itself, too.
pub fn comparable(headers: &HeaderMap) -> HeaderMap {
    let told = headers.iter().filter(|(name, _)| is_told(name.as_str()));
    told.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn is_told(name: &str) -> bool {
    KEPT_HEADERS.contains(&name) || TOLD.contains(&name) || name.starts_with(METADATA)
}

/// Keys of the customer belong to each request, not to the object.
fn is_untold(name: &str) -> bool {
    UNTOLD.iter().any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(metadata: &[&str], header: &[&str]) -> Result<HeaderMap, Error> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Description {
            content_type: Some("text/plain".into()),
            metadata: owned(metadata),
            storage_class: None,
            header: owned(header),
        }
        .headers()
    }

    #[test]
    fn headers_of_an_object_are_taken_and_others_are_not() {
        let headers = described(
            &["Owner=me"],
            &["Cache-Control: max-age=60", "x-amz-acl:public-read", "x-amz-tagging: a=b"],
        );
        let headers = headers.unwrap();
        assert_eq!(headers["x-amz-meta-owner"], "me");
        assert_eq!(headers["cache-control"], "max-age=60");
        assert_eq!(headers["x-amz-acl"], "public-read");
        let compared = comparable(&headers);
        assert_eq!(compared.len(), 3, "{compared:?}");
        for header in [
            "no colon",
            "host: other",
            "authorization: me",
            "x-amz-date: 1",
            "x-amz-server-side-encryption-customer-key: k",
            "cache-control: a\nb",
        ] {
            assert!(matches!(described(&[], &[header]), Err(Error::Usage(_))), "{header}");
        }
        for metadata in ["owner", "a b=c", "a=ü", "ü=a"] {
            assert!(matches!(described(&[metadata], &[]), Err(Error::Usage(_))), "{metadata}");
        }
        let file = "content-disposition: attachment; filename=ü";
        assert!(matches!(described(&[], &[file]), Err(Error::Usage(_))));
        assert_eq!(described(&["a= b \t"], &[]).unwrap()["x-amz-meta-a"], "b");
    }
}
