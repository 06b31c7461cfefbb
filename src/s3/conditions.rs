//! Conditional headers, of reads, writes and copies.

use crate::engine::conditions::{ReadConditions, Tags, WriteConditions};
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::request::header;
use crate::wire::etag::TagList;
use crate::wire::http_date;
use http::HeaderMap;

/// `If-Match`, `If-None-Match` and the two dates of a GET or HEAD. A date that cannot be read is no condition.
pub fn read(headers: &HeaderMap) -> ReadConditions {
    read_named(headers, ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"])
}

/// The same for the source of a copy.
pub fn copy_source(headers: &HeaderMap) -> ReadConditions {
    read_named(
        headers,
        [
            "x-amz-copy-source-if-match",
            "x-amz-copy-source-if-none-match",
            "x-amz-copy-source-if-modified-since",
            "x-amz-copy-source-if-unmodified-since",
        ],
    )
}

/// The same for the object that is renamed.
pub fn rename_source(headers: &HeaderMap) -> ReadConditions {
    read_named(
        headers,
        [
            "x-amz-rename-source-if-match",
            "x-amz-rename-source-if-none-match",
            "x-amz-rename-source-if-modified-since",
            "x-amz-rename-source-if-unmodified-since",
        ],
    )
}

/// `If-Match` and `If-None-Match` of a write. Both at once mean nothing that S3 defines.
/// With them goes what the request was judged by.
pub fn write(request: &Request) -> Result<WriteConditions, S3Error> {
    let asked = asked(request.headers())?;
    Ok(WriteConditions { judged_tags: request.judged_tags().cloned(), ..asked })
}

fn asked(headers: &HeaderMap) -> Result<WriteConditions, S3Error> {
    let conditions = WriteConditions {
        if_match: tags(headers, "if-match"),
        if_none_match: tags(headers, "if-none-match"),
        judged_tags: None,
    };
    if conditions.if_match.is_some() && conditions.if_none_match.is_some() {
        return Err(S3Error::not_implemented("If-Match,If-None-Match"));
    }
    Ok(conditions)
}

fn read_named(headers: &HeaderMap, names: [&'static str; 4]) -> ReadConditions {
    let [if_match, if_none_match, modified, unmodified] = names;
    ReadConditions {
        if_match: tags(headers, if_match),
        if_none_match: tags(headers, if_none_match),
        if_modified_since: date(headers, modified),
        if_unmodified_since: date(headers, unmodified),
    }
}

pub fn tags(headers: &HeaderMap, name: &'static str) -> Option<Tags> {
    Some(match TagList::parse(&header(headers, name)?) {
        TagList::Any => Tags::Any,
        TagList::Tags(tags) => Tags::Listed(tags),
    })
}

/// A date header in Unix seconds.
pub fn date(headers: &HeaderMap, name: &'static str) -> Option<i64> {
    http_date::parse(&header(headers, name)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn reads_conditions_and_ignores_dates_that_are_none() {
        let conditions = read(&headers(&[
            ("if-match", "\"a\""),
            ("if-match", "W/\"b\", c"),
            ("if-modified-since", "Mon, 12 Oct 2009 17:50:00 GMT"),
            ("if-unmodified-since", "yesterday"),
        ]));
        assert_eq!(conditions.if_match, Some(Tags::Listed(vec!["a".into(), "b".into(), "c".into()])));
        assert_eq!(conditions.if_modified_since, Some(1_255_369_800));
        assert_eq!(conditions.if_unmodified_since, None);
        assert_eq!(
            copy_source(&headers(&[("x-amz-copy-source-if-none-match", "*")])).if_none_match,
            Some(Tags::Any)
        );
    }

    #[test]
    fn both_conditions_of_a_write_are_refused() {
        assert_eq!(asked(&headers(&[("if-none-match", "*")])).unwrap().if_none_match, Some(Tags::Any));
        assert!(asked(&headers(&[])).unwrap().is_empty());
        let error = asked(&headers(&[("if-none-match", "*"), ("if-match", "x")])).unwrap_err();
        assert_eq!(error.status(), 501);
    }
}
