//! Where an object is: `s3://bucket/key`.

use std::fmt;

use crate::client::Error;

const SCHEME: &str = "s3://";
/// Old buckets have longer names than new ones may have.
const BUCKET_LEN_MAX: usize = 255;

/// A bucket and a key, or a bucket and a prefix; an empty key stands for the whole bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub bucket: String,
    pub key: String,
    /// Which version of an object, if not the newest.
    pub version: Option<String>,
}

impl Address {
    /// The newest version.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Address {
        Address { bucket: bucket.into(), key: key.into(), version: None }
    }

    /// Reads `s3://bucket`, `s3://bucket/` or `s3://bucket/key`. The key is taken as it stands, without decoding.
    pub fn parse(text: &str) -> Result<Address, Error> {
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return Err(Error::Usage(format!("{text:?} is no S3 address; expected s3://bucket/key")));
        };
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if !may_be_bucket(bucket) {
            let allowed = "letters, digits, dots, hyphens and underscores";
            return Err(Error::Usage(format!(
                "{bucket:?} in {text:?} cannot be the name of a bucket: it has {allowed}"
            )));
        }
        Ok(Address::new(bucket, key))
    }

    /// Reads `s3://bucket` or `s3://bucket/`.
    pub fn parse_bucket(text: &str) -> Result<Address, Error> {
        let address = Address::parse(text)?;
        match address.key.is_empty() {
            true => Ok(address),
            false => Err(Error::Usage(format!("{address} is no bucket"))),
        }
    }

    /// Whether `text` means an object rather than a local file.
    pub fn is_address(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Whether this names a place for objects rather than one object.
    pub fn is_prefix(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }

    /// The place as a folder: what is under `s3://bucket/a` is under `a/`, and `ab` is not.
    pub fn folder(&self) -> Address {
        self.join("")
    }

    /// Whether a URL can name the object. HTTP libraries and proxies take `.` and `..` for steps in a path, percent-encoded or not, and
    /// would ask for another object.
    pub fn has_url(&self) -> bool {
        !self.key.split('/').any(|segment| matches!(segment, "." | ".."))
    }

    /// The object named `name` under this prefix.
    pub fn join(&self, name: &str) -> Address {
        let slash = if self.is_prefix() { "" } else { "/" };
        Address::new(&self.bucket, format!("{}{slash}{name}", self.key))
    }

    /// The last segment of the key.
    pub fn file_name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or(&self.key)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.key)?;
        // As a copy source says it.
        match &self.version {
            Some(id) => write!(f, "?versionId={id}"),
            None => Ok(()),
        }
    }
}

/// Whether a server could have a bucket of this name. Which ones can be made is for the server to say: old ones and those of other
/// servers have capital letters and underscores. (aws-cli draws the same line.)
fn may_be_bucket(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=BUCKET_LEN_MAX).contains(&name.len()) && name.bytes().all(is_allowed) && !matches!(name, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_buckets_prefixes_and_keys() {
        for (text, key, is_prefix) in [
            ("s3://bucket", "", true),
            ("s3://bucket/", "", true),
            ("s3://bucket/a/", "a/", true),
            ("s3://bucket/a//b c", "a//b c", false),
            ("s3://bucket//a", "/a", false),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.bucket.as_str(), address.key.as_str()), ("bucket", key), "{text}");
            assert_eq!(address.is_prefix(), is_prefix, "{text}");
        }
        for (key, expected) in
            [("a/b", true), ("...", true), ("a/.b/c.", true), (".", false), ("a/../b", false), ("a/.", false)]
        {
            assert_eq!(Address::new("bucket", key).has_url(), expected, "{key}");
        }
        assert_eq!(Address::parse("s3://Old_Bucket/key").unwrap().bucket, "Old_Bucket");
        for text in [
            "bucket/key",
            "s3:/bucket/key",
            "s3://",
            "s3:///key",
            "s3://b c/key",
            "s3://../key",
            "s3://b%2f/key",
            "",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn joins_names_to_prefixes() {
        let join = |prefix: &str| Address::parse(prefix).unwrap().join("name").to_string();
        assert_eq!(join("s3://bucket"), "s3://bucket/name");
        assert_eq!(join("s3://bucket/a/"), "s3://bucket/a/name");
        assert_eq!(join("s3://bucket/a"), "s3://bucket/a/name");
        assert_eq!(Address::parse("s3://bucket/a/b.txt").unwrap().file_name(), "b.txt");
        let folder = |text: &str| Address::parse(text).unwrap().folder().to_string();
        for (text, expected) in [
            ("s3://bucket", "s3://bucket/"),
            ("s3://bucket/a", "s3://bucket/a/"),
            ("s3://bucket/a/", "s3://bucket/a/"),
        ] {
            assert_eq!(folder(text), expected);
        }
    }
}
