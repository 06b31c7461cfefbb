//! GetObject, and what HeadObject shares with it.

use crate::base::limits::PART_NUMBER_MAX;
use crate::engine;
use crate::engine::ops::get_object::{
    ByteRange, GetObject, IfRange, Opened, PartOrRange, Partial, RangeSpec,
};
use crate::engine::reading::ContentReader;
use crate::meta::records::{ChecksumKind, VersionRecord};
use crate::s3::S3;
use crate::s3::conditions;
use crate::s3::encryption;
use crate::s3::error::S3Error;
use crate::s3::lifecycle;
use crate::s3::query::Query;
use crate::s3::request::Request;
use crate::s3::response::{self, ChecksumText, Response};
use crate::s3::trace::Trace;
use crate::wire::{http_date, range};
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};

pub async fn get_object(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let asked = read(s3, &request)?;
    let overrides = Overrides::of(&request)?;
    let opened = match engine::ops::get_object::get_object(s3.engine(), asked).await {
        Ok(opened) => opened,
        Err(err) => return refusal(&request, err),
    };
    let mut answer = head(&request, &opened, &overrides);
    set_expiration(s3, &request, &opened, &mut answer).await;
    if opened.len > 0 {
        *answer.body_mut() = stream(opened.reader, Trace::from(request)).boxed_unsync();
    }
    Ok(answer)
}

/// What a GET or a HEAD asks for.
pub fn read(s3: &S3, request: &Request) -> Result<GetObject, S3Error> {
    encryption::refuse_method(request.headers())?;
    Ok(GetObject {
        bucket: request.bucket(),
        key: request.key(),
        version_id: request.version_id()?,
        conditions: conditions::read(request.headers()),
        part: part_or_range(request)?,
        customer_key: encryption::customer_key(request.headers(), s3.may_bring_keys(&request.parts))?,
        asker: request.asker.clone(),
    })
}

fn part_or_range(request: &Request) -> Result<PartOrRange, S3Error> {
    let range = request.header(header::RANGE);
    if let Some(text) = request.query.get("partNumber") {
        if range.is_some() {
            return Err(S3Error::invalid_request(
                "Cannot specify both Range header and partNumber query parameter",
            ));
        }
        return part_number(text).map(PartOrRange::Part);
    }
    let Some(range) = range.and_then(|text| range_spec(&text)) else { return Ok(PartOrRange::Whole) };
    let if_range = request.header(header::IF_RANGE).map(|text| if_range(text.trim_ascii()));
    Ok(PartOrRange::Range(ByteRange { range, if_range }))
}

/// A part number as parameters have it: 1 to 10,000.
pub fn part_number(text: &str) -> Result<u16, S3Error> {
    match text.parse() {
        Ok(number) if (1..=PART_NUMBER_MAX).contains(&number) => Ok(number),
        _ => Err(S3Error::argument(
            "partNumber",
            text,
            format!("Part number must be an integer between 1 and {PART_NUMBER_MAX}, inclusive"),
        )),
    }
}

/// `bytes=first-last`, `bytes=first-` or `bytes=-length`. Several ranges, other units and garbage are no ranges at
/// all: the answer is the whole object, as it is on AWS.
fn range_spec(text: &str) -> Option<RangeSpec> {
    let (unit, spec) = text.trim_ascii().split_once('=')?;
    let (first, last) = spec.split_once('-')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    match (first.is_empty(), last.is_empty()) {
        (true, true) => None,
        (true, false) => Some(RangeSpec::Suffix(digits(last)?)),
        (false, true) => Some(RangeSpec::FromTo { first: digits(first)?, last: None }),
        (false, false) => Some(RangeSpec::FromTo { first: digits(first)?, last: Some(digits(last)?) }),
    }
}

/// Digits alone. A number beyond 2^64 is as good as the largest one.
fn digits(text: &str) -> Option<u64> {
    text.bytes().try_fold(0u64, |value, byte| match byte {
        b'0'..=b'9' => Some(value.saturating_mul(10).saturating_add(u64::from(byte - b'0'))),
        _ => None,
    })
}

/// A date, or a tag. Tags are compared strongly, so a weak one keeps its `W/` and matches nothing.
fn if_range(text: &str) -> IfRange {
    match http_date::parse(text) {
        Some(seconds) if !text.starts_with('"') => IfRange::Date(seconds),
        _ => IfRange::ETag(text.trim_matches('"').to_owned()),
    }
}

/// 304 for what the client has already, and the error of everything else.
pub fn refusal(request: &Request, err: engine::Error) -> Result<Response, S3Error> {
    match err {
        engine::Error::NotModified(version) => Ok(not_modified(&version)),
        err @ engine::Error::InvalidRange { .. } => {
            let asked = request.header(header::RANGE).unwrap_or_default();
            Err(S3Error::from(err).field("RangeRequested", asked))
        }
        err => Err(err.into()),
    }
}

fn not_modified(version: &VersionRecord) -> Response {
    let mut answer = response::empty(StatusCode::NOT_MODIFIED);
    response::set_validators(answer.headers_mut(), version);
    for name in ["cache-control", "expires"] {
        if let Some((_, value)) = version.metadata.headers.iter().find(|(known, _)| known == name) {
            response::set(answer.headers_mut(), HeaderName::from_static(name), value);
        }
    }
    answer
}

/// Status and headers of an answer with these bytes.
pub fn head<R>(request: &Request, opened: &Opened<R>, overrides: &Overrides) -> Response {
    let version = &opened.version;
    let mut answer = response::empty(StatusCode::OK);
    let headers = answer.headers_mut();
    response::set_object(headers, version);
    encryption::set(headers, version.encryption.as_ref(), request.headers());
    response::set_version_id(headers, opened.shown_id.as_deref());
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(opened.len));
    if asks_for_checksum(request)
        && let Some(checksum) = checksum_to_show(opened)
    {
        checksum.set(headers);
    }
    overrides.apply(headers);
    if let Partial::Part { parts: Some(parts) } = opened.partial {
        headers.insert(response::PARTS_COUNT, HeaderValue::from(parts));
    }
    if opened.partial != Partial::Whole && opened.len > 0 {
        let last = opened.first + opened.len - 1;
        response::set(headers, header::CONTENT_RANGE, &range::content_range(opened.first, last, version.len));
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    answer
}

/// A version that is asked for by its id may be an old one, so nothing is said about its end.
pub async fn set_expiration<R>(s3: &S3, request: &Request, opened: &Opened<R>, answer: &mut Response) {
    if !request.query.has("versionId") {
        lifecycle::set_expiration(s3, request, answer.headers_mut(), &opened.version).await;
    }
}

fn asks_for_checksum(request: &Request) -> bool {
    request.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"))
}

/// A checksum is shown only where it is one of exactly the bytes sent: clients verify what they see.
fn checksum_to_show<R>(opened: &Opened<R>) -> Option<ChecksumText> {
    let version = &opened.version;
    let whole = || version.checksum.as_ref().map(|checksum| (checksum, version.etag.parts));
    let (checksum, parts) = match opened.partial {
        Partial::Whole => whole(),
        Partial::Part { .. } => opened.part_checksum.as_ref().map(|checksum| (checksum, None)),
        Partial::Range if opened.len == version.len => {
            whole().filter(|(checksum, _)| checksum.kind == ChecksumKind::FullObject)
        }
        Partial::Range => None,
    }?;
    ChecksumText::new(checksum, parts)
}

/// The bytes, as they are read. An error cuts the connection: the length was promised, so the client notices.
fn stream(
    reader: ContentReader,
    trace: Trace,
) -> impl http_body::Body<Data = bytes::Bytes, Error = Box<dyn std::error::Error + Send + Sync>> + Send {
    StreamBody::new(futures::stream::unfold((reader, trace), |(mut reader, trace)| async move {
        let piece = match reader.next().await? {
            Ok(bytes) => Ok(Frame::data(bytes)),
            Err(err) => {
                trace.log_cut(&err);
                Err(err.into())
            }
        };
        Some((piece, (reader, trace)))
    }))
}

/// `response-*` parameters: headers the client wants to see instead of the stored ones.
#[derive(Debug, Default)]
pub struct Overrides(Vec<(HeaderName, HeaderValue)>);

impl Overrides {
    /// Who signs a request may choose its answer's headers, so that nobody makes others' links do so.
    pub fn of(request: &Request) -> Result<Overrides, S3Error> {
        let overrides = Overrides::parse(&request.query)?;
        if !overrides.0.is_empty() && request.caller.user().is_none() {
            return Err(S3Error::invalid_request(
                "Request specific response headers cannot be used for anonymous GET requests.",
            ));
        }
        Ok(overrides)
    }

    fn parse(query: &Query) -> Result<Overrides, S3Error> {
        const PARAMETERS: [(&str, HeaderName); 6] = [
            ("response-content-type", header::CONTENT_TYPE),
            ("response-content-language", header::CONTENT_LANGUAGE),
            ("response-expires", header::EXPIRES),
            ("response-cache-control", header::CACHE_CONTROL),
            ("response-content-disposition", header::CONTENT_DISPOSITION),
            ("response-content-encoding", header::CONTENT_ENCODING),
        ];
        let mut found = Vec::new();
        for (parameter, name) in PARAMETERS {
            let Some(text) = query.get_nonempty(parameter) else { continue };
            found.push((
                name,
                latin1(text).ok_or_else(|| {
                    S3Error::argument(parameter, text, "Header value cannot be represented using ISO-8859-1.")
                })?,
            ));
        }
        Ok(Overrides(found))
    }

    fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.insert(name.clone(), value.clone());
        }
    }
}

fn latin1(text: &str) -> Option<HeaderValue> {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    HeaderValue::from_bytes(&bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ranges_and_ignores_what_is_none() {
        use RangeSpec::{FromTo, Suffix};
        for (text, expected) in [
            ("bytes=0-9", Some(FromTo { first: 0, last: Some(9) })),
            ("Bytes=00-01", Some(FromTo { first: 0, last: Some(1) })),
            ("bytes=5-", Some(FromTo { first: 5, last: None })),
            ("bytes=-7", Some(Suffix(7))),
            ("bytes=-99999999999999999999", Some(Suffix(u64::MAX))),
            ("bytes=", None),
            ("bytes=-", None),
            ("bytes=0-1,3-4", None),
            ("bytes=0 - 1", None),
            ("bytes=a-b", None),
            ("items=0-1", None),
            ("0-1", None),
        ] {
            assert_eq!(range_spec(text), expected, "{text}");
        }
    }

    #[test]
    fn if_range_is_a_strong_tag_or_a_date() {
        assert_eq!(if_range("\"a\""), IfRange::ETag("a".into()));
        assert_eq!(if_range("W/\"a\""), IfRange::ETag("W/\"a".into()));
        assert_eq!(if_range("Mon, 12 Oct 2009 17:50:00 GMT"), IfRange::Date(1_255_369_800));
    }

    #[test]
    fn part_numbers_are_one_to_ten_thousand() {
        assert_eq!(part_number("10000").unwrap(), 10_000);
        for bad in ["0", "10001", "-1", "", "x", "1.0", "65537"] {
            assert!(part_number(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn overrides_must_fit_in_a_header() {
        let parse = |raw: &str| Overrides::parse(&Query::parse(Some(raw)));
        assert_eq!(parse("response-content-type=text%2Fplain&response-expires=").unwrap().0.len(), 1);
        assert!(parse("response-content-disposition=caf%C3%A9").is_ok());
        assert!(parse("response-content-type=a%0D%0Ab").is_err());
        assert!(parse("response-content-type=%E2%82%AC").is_err());
    }
}
