//! The fields of a form, and what they are called where the same things come in headers.

use super::malformed;
use crate::s3::error::S3Error;
use crate::s3::tags;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_TYPE, EXPIRES, HeaderName,
};
use http::{HeaderMap, HeaderValue};

/// Stands for the name of the file that the user has chosen.
const FILENAME: &str = "${filename}";

/// Names in lower case and values, in the order sent, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Adds a field. Metadata that is sent twice is joined, as that of headers is; of anything else it would be unclear
    /// which one the policy is about.
    pub(super) fn add(&mut self, name: &str, value: &[u8]) -> Result<(), S3Error> {
        let name = name.to_ascii_lowercase();
        let value = std::str::from_utf8(value).map_err(|_| malformed("a field is not UTF-8"))?;
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            None => self.0.push((name, value.to_owned())),
            Some((name, joined)) if name.starts_with("x-amz-meta-") => {
                joined.push(',');
                joined.push_str(value);
            }
            Some((name, _)) if name.starts_with("x-ignore-") => {}
            Some((name, _)) => {
                return Err(S3Error::argument(name, value, "POST form fields must not be repeated."));
            }
        }
        Ok(())
    }

    /// Puts the file's name where fields ask for it. A form whose file has none keeps the text as it is.
    pub(super) fn fill_in(&mut self, filename: Option<&str>) {
        let Some(filename) = filename else { return };
        for (name, value) in &mut self.0 {
            // What is signed is signed as it was sent.
            if name != "policy" && value.contains(FILENAME) {
                *value = value.replace(FILENAME, filename);
            }
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A field without which nothing can be done.
    pub fn required(&self, name: &str) -> Result<&str, S3Error> {
        let value = self.get(&name.to_ascii_lowercase());
        value.ok_or_else(|| {
            S3Error::argument(
                name,
                "",
                format!(
                    "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order \
                     of the fields."
                ),
            )
        })
    }

    /// What a policy is judged on: the fields, with the bucket that is really written to.
    pub fn under_policy(&self, bucket: &str) -> Vec<(String, String)> {
        let mut fields: Vec<_> = self.0.iter().filter(|(name, _)| name != "bucket").cloned().collect();
        fields.push(("bucket".to_owned(), bucket.to_owned()));
        fields
    }

    /// The headers with which a PutObject would say the same. Of the request's own those stay that are about the
    /// connection rather than the object.
    pub fn to_headers(&self, request: &HeaderMap) -> Result<HeaderMap, S3Error> {
        let mut headers = request.clone();
        let of_object: Vec<HeaderName> = headers.keys().filter(|name| is_of_object(name)).cloned().collect();
        for name in of_object {
            headers.remove(name);
        }
        for (field, value) in &self.0 {
            let (name, value) = match field.as_str() {
                "acl" => ("x-amz-acl", value.as_str()),
                "tagging" => {
                    let tags = tags::to_header(&tags::of_object(value.as_bytes())?);
                    headers.insert("x-amz-tagging", header_value("tagging", &tags)?);
                    continue;
                }
                name if is_kept(name) => (name, value.as_str()),
                _ => continue,
            };
            let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                S3Error::argument(field, value, "The name of the field is no name of a header.")
            })?;
            headers.insert(known, header_value(field, value)?);
        }
        Ok(headers)
    }
}

fn header_value(field: &str, value: &str) -> Result<HeaderValue, S3Error> {
    HeaderValue::from_bytes(value.trim_ascii().as_bytes())
        .map_err(|_| S3Error::argument(field, value, "The value of the field cannot stand in a header."))
}

/// Fields that describe the object and are called as headers are.
fn is_kept(name: &str) -> bool {
    const PREFIXES: [&str; 5] = [
        "x-amz-meta-",
        "x-amz-checksum-",
        "x-amz-server-side-encryption",
        "x-amz-object-lock-",
        "x-amz-grant-",
    ];
    const NAMES: [&str; 10] = [
        "content-type",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-md5",
        "expires",
        "x-amz-storage-class",
        "x-amz-website-redirect-location",
        "x-amz-sdk-checksum-algorithm",
    ];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Headers that would be about an object, had they come with a PutObject.
fn is_of_object(name: &HeaderName) -> bool {
    let names = [
        AUTHORIZATION,
        CACHE_CONTROL,
        CONTENT_DISPOSITION,
        CONTENT_ENCODING,
        CONTENT_LANGUAGE,
        CONTENT_LENGTH,
        CONTENT_TYPE,
        EXPIRES,
    ];
    let text = name.as_str();
    text.starts_with("x-amz-") || text.starts_with("if-") || text == "content-md5" || names.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in pairs {
            fields.add(name, value.as_bytes()).unwrap();
        }
        fields
    }

    #[test]
    fn names_have_no_case_and_come_once() {
        let mut form =
            fields(&[("KeY", "a"), ("X-Amz-Meta-A", "1"), ("x-amz-meta-a", "2"), ("x-ignore-b", "")]);
        assert_eq!(form.get("key"), Some("a"));
        assert_eq!(form.get("x-amz-meta-a"), Some("1,2"));
        assert!(form.add("X-Ignore-B", b"again").is_ok());
        assert_eq!(form.add("key", b"b").unwrap_err().code().as_str(), "InvalidArgument");
        assert_eq!(form.add("a", b"\xff").unwrap_err().code().as_str(), "MalformedPOSTRequest");
        assert_eq!(form.required("AWSAccessKeyId").unwrap_err().code().as_str(), "InvalidArgument");
    }

    #[test]
    fn the_name_of_the_file_is_filled_in_where_there_is_one() {
        let form =
            fields(&[("key", "u/${filename}"), ("x-amz-meta-n", "${filename}"), ("policy", "${filename}")]);
        let mut named = form.clone();
        named.fill_in(Some("a b.txt"));
        assert_eq!(named.get("key"), Some("u/a b.txt"));
        assert_eq!(named.get("x-amz-meta-n"), Some("a b.txt"));
        assert_eq!(named.get("policy"), Some("${filename}"));
        let mut unnamed = form.clone();
        unnamed.fill_in(None);
        assert_eq!(unnamed, form);
    }

    #[test]
    fn the_bucket_of_a_policy_is_the_one_that_is_written_to() {
        let form = fields(&[("bucket", "claimed"), ("key", "k")]);
        let expected = [("key".to_owned(), "k".to_owned()), ("bucket".to_owned(), "real".to_owned())];
        assert_eq!(form.under_policy("real"), expected);
    }

    #[test]
    fn fields_become_the_headers_of_a_put() {
        let mut request = HeaderMap::new();
        for (name, value) in [
            ("host", "h"),
            ("origin", "o"),
            ("content-type", "multipart/form-data"),
            ("content-length", "9"),
            ("x-amz-acl", "public-read"),
            ("if-none-match", "*"),
            ("authorization", "x"),
        ] {
            request.insert(name, value.parse().unwrap());
        }
        let form = fields(&[
            ("key", "k"),
            ("acl", "private"),
            ("Content-Type", " text/plain "),
            ("x-amz-meta-a", "ü"),
            ("x-amz-credential", "c"),
            ("x-amz-copy-source", "b/k"),
            ("submit", "Upload"),
            ("tagging", "<Tagging><TagSet><Tag><Key>a b</Key><Value>1=2</Value></Tag></TagSet></Tagging>"),
        ]);
        let headers = form.to_headers(&request).unwrap();
        let mut found: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), std::str::from_utf8(value.as_bytes()).unwrap()))
            .collect();
        found.sort_unstable();
        let expected = [
            ("content-type", "text/plain"),
            ("host", "h"),
            ("origin", "o"),
            ("x-amz-acl", "private"),
            ("x-amz-meta-a", "ü"),
            ("x-amz-tagging", "a%20b=1%3D2"),
        ];
        assert_eq!(found, expected);
        for (name, value, code) in [
            ("tagging", "<Tagging>", "MalformedXML"),
            ("x-amz-meta-a", "two\nlines", "InvalidArgument"),
            ("x-amz-meta-a b", "value", "InvalidArgument"),
        ] {
            let error = fields(&[(name, value)]).to_headers(&request).unwrap_err();
            assert_eq!(error.code().as_str(), code, "{name}");
        }
    }
}
