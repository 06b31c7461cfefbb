//! Tags of objects and buckets: their rules, the header and the document that they come in.

use crate::s3::error::S3Error;
use crate::s3::request::header;
use crate::s3::response;
use crate::wire::error_code::ErrorCode;
use crate::wire::percent;
use crate::wire::xml::{Document, Element, Malformed, Writer};
use http::HeaderMap;

/// Keys and values, in the order given.
pub type Tags = Vec<(String, String)>;

/// How many tags an object may have.
const OBJECT_TAGS_MAX: usize = 10;
/// How many tags a bucket may have.
const BUCKET_TAGS_MAX: usize = 50;
/// Characters that may stand in tags beside letters, digits and spaces.
const PUNCTUATION: &str = "+-=._:/@";
/// The longest document with tags is far shorter, whatever references it is written with.
pub const DOCUMENT_LEN_MAX: usize = 256 << 10;

/// An object's tags from `x-amz-tagging: name=value&name=value`.
pub fn from_header(headers: &HeaderMap) -> Result<Tags, S3Error> {
    let Some(text) = header(headers, "x-amz-tagging") else { return Ok(Vec::new()) };
    let mut tags: Tags = Vec::new();
    for (key, value) in percent::query_pairs(&text) {
        let (key, value) = (percent::decode_query_text(key), percent::decode_query_text(value));
        check_tag(&key, &value)?;
        if tags.iter().any(|(known, _)| *known == key) {
            return Err(S3Error::argument(
                "x-amz-tagging",
                &text,
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
            ));
        }
        tags.push((key.into_owned(), value.into_owned()));
    }
    check_object_count(&tags)?;
    Ok(tags)
}

/// An object's tags from a `Tagging` document.
pub fn of_object(bytes: &[u8]) -> Result<Tags, S3Error> {
    let tags = parse(bytes)?;
    check_object_count(&tags)?;
    check(&tags)?;
    Ok(tags)
}

/// A bucket's tags from a `Tagging` document.
pub fn of_bucket(bytes: &[u8]) -> Result<Tags, S3Error> {
    let tags = parse(bytes)?;
    check_bucket(&tags)?;
    Ok(tags)
}

/// The rules of a bucket's tags, wherever they were sent.
pub fn check_bucket(tags: &Tags) -> Result<(), S3Error> {
    if tags.len() > BUCKET_TAGS_MAX {
        let message = format!("Bucket tag count cannot be greater than {BUCKET_TAGS_MAX}");
        return Err(S3Error::new(ErrorCode::BadRequest, message));
    }
    check(tags)
}

fn check_object_count(tags: &Tags) -> Result<(), S3Error> {
    if tags.len() > OBJECT_TAGS_MAX {
        let message = format!("Object tags cannot be greater than {OBJECT_TAGS_MAX}");
        return Err(S3Error::new(ErrorCode::BadRequest, message));
    }
    Ok(())
}

fn check(tags: &Tags) -> Result<(), S3Error> {
    for (at, (key, value)) in tags.iter().enumerate() {
        check_tag(key, value)?;
        if tags[..at].iter().any(|(known, _)| known == key) {
            let message = "Cannot provide multiple Tags with the same key";
            return Err(S3Error::new(ErrorCode::InvalidTag, message).field("TagKey", key));
        }
    }
    Ok(())
}

/// The rules of one tag: 1 to 128 and 0 to 256 UTF-16 units of a few characters.
fn check_tag(key: &str, value: &str) -> Result<(), S3Error> {
    let is_allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || PUNCTUATION.contains(c);
    let units = |text: &str| text.encode_utf16().count();
    if !(1..=128).contains(&units(key)) || !key.chars().all(is_allowed) {
        return Err(S3Error::new(ErrorCode::InvalidTag, "The TagKey you have provided is invalid")
            .field("TagKey", key));
    }
    if key.starts_with("aws:") {
        return Err(S3Error::new(ErrorCode::InvalidTag, "System tags cannot be added/updated by requester")
            .field("TagKey", key));
    }
    if units(value) > 256 || !value.chars().all(is_allowed) {
        return Err(S3Error::new(ErrorCode::InvalidTag, "The TagValue you have provided is invalid")
            .field("TagKey", key)
            .field("TagValue", value));
    }
    Ok(())
}

fn parse(bytes: &[u8]) -> Result<Tags, Malformed> {
    let mut tags = None;
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["Tagging"])?;
    while let Some(mut child) = root.next_child()? {
        if child.name() == "TagSet" {
            if tags.is_some() {
                return Err(Malformed("more than one TagSet".to_owned()));
            }
            tags = Some(parse_set(&mut child)?);
        }
    }
    tags.ok_or_else(|| Malformed("no TagSet".to_owned()))
}

/// The `Tag` elements inside this one. They are not checked.
pub fn parse_set(set: &mut Element<'_, '_>) -> Result<Tags, Malformed> {
    let mut tags = Vec::new();
    while let Some(mut tag) = set.next_child()? {
        if tag.name() != "Tag" {
            return Err(Malformed("something other than a Tag in a set of tags".to_owned()));
        }
        // One more than allowed is enough to refuse them.
        if tags.len() > BUCKET_TAGS_MAX {
            continue;
        }
        let (mut key, mut value) = (None, None);
        while let Some(mut child) = tag.next_child()? {
            match child.name() {
                "Key" => key = Some(child.text()?.into_owned()),
                "Value" => value = Some(child.text()?.into_owned()),
                _ => {}
            }
        }
        tags.push(key.zip(value).ok_or_else(|| Malformed("a Tag without Key or Value".to_owned()))?);
    }
    Ok(tags)
}

/// The value of `x-amz-tagging` that says the same.
pub fn to_header(tags: &Tags) -> String {
    let encode = |text: &str| percent::encode(text.as_bytes()).into_owned();
    let pairs: Vec<String> =
        tags.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    pairs.join("&")
}

/// The `Tagging` document of these tags. They are a set: by key, so that equal sets are equal documents, whether they
/// came in a header, a form or a document.
pub fn document(tags: &[(String, String)]) -> Writer {
    let mut document = response::document("Tagging");
    document.open("TagSet");
    let mut tags: Vec<&(String, String)> = tags.iter().collect();
    tags.sort();
    for (key, value) in tags {
        document.open("Tag").text("Key", key).text("Value", value).close();
    }
    document.close();
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn code<T: std::fmt::Debug>(result: Result<T, S3Error>) -> &'static str {
        result.map_or_else(|err| err.code().as_str(), |_| "ok")
    }

    fn written(tags: &[(&str, &str)]) -> Vec<u8> {
        let owned: Tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        document(&owned).finish()
    }

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let tags = [("+-=._:/@", "+-=._:/@ 1"), ("key", "value"), ("mit Umlaut ä", "")];
        let read = of_object(&written(&tags)).unwrap();
        assert_eq!(read.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), tags);
        assert!(of_bucket(&written(&[])).unwrap().is_empty());
    }

    #[test]
    fn tags_have_rules() {
        let long = |units: usize| "x".repeat(units);
        for (key, value, expected) in [
            (long(128).as_str(), long(256).as_str(), "ok"),
            (&long(129), "", "InvalidTag"),
            ("k", &long(257), "InvalidTag"),
            // Two UTF-16 units a letter.
            (&"𝒜".repeat(64), "", "ok"),
            (&"𝒜".repeat(65), "", "InvalidTag"),
            ("", "v", "InvalidTag"),
            ("a,b", "v", "InvalidTag"),
            ("a", "v<w", "InvalidTag"),
            ("aws:a", "v", "InvalidTag"),
        ] {
            assert_eq!(code(of_object(&written(&[(key, value)]))), expected, "{key:?} {value:?}");
            assert_eq!(code(of_bucket(&written(&[(key, value)]))), expected, "{key:?} {value:?}");
        }
        assert_eq!(code(of_bucket(&written(&[("a", "1"), ("b", "1"), ("a", "2")]))), "InvalidTag");
    }

    #[test]
    fn objects_and_buckets_have_so_many() {
        let keys: Vec<String> = (0..1000).map(|number| format!("k{number}")).collect();
        let first = |n: usize| written(&keys[..n].iter().map(|key| (key.as_str(), "")).collect::<Vec<_>>());
        assert_eq!(code(of_object(&first(10))), "ok");
        assert_eq!(code(of_object(&first(11))), "BadRequest");
        assert_eq!(code(of_bucket(&first(50))), "ok");
        assert_eq!(code(of_bucket(&first(51))), "BadRequest");
        assert_eq!(code(of_bucket(&first(1000))), "BadRequest");
    }

    #[test]
    fn refuses_documents_without_form() {
        for text in [
            "",
            "tags",
            "<Tagging/>",
            "<Other><TagSet/></Other>",
            "<Tagging><TagSet/><TagSet/></Tagging>",
            "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tog/></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Key><b/></Key><Value/></Tag></TagSet></Tagging>",
        ] {
            assert_eq!(code(of_object(text.as_bytes())), "MalformedXML", "{text}");
        }
    }

    #[test]
    fn a_header_is_a_query_without_repetitions() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-tagging", HeaderValue::from_str(text).unwrap());
            from_header(&headers)
        };
        let tags = read("k=v&with%20space=a%2Bb").unwrap();
        assert_eq!(tags[1], ("with space".to_owned(), "a+b".to_owned()));
        assert_eq!(read(&to_header(&tags)).unwrap(), tags);
        let many: Vec<String> = (0..11).map(|n| format!("k{n}=v")).collect();
        for (text, expected) in [
            ("a=1&a=2", "InvalidArgument"),
            ("=1", "InvalidTag"),
            ("a,b=1", "InvalidTag"),
            ("aws:a=1", "InvalidTag"),
            (many.join("&").as_str(), "BadRequest"),
        ] {
            assert_eq!(code(read(text)), expected, "{text}");
        }
    }
}
