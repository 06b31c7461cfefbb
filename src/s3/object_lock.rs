//! Object lock in headers and documents: of objects, of their versions, and of buckets.

use crate::meta::records::{
    BucketLock, DefaultRetention, ObjectLock, Retention, RetentionMode, RetentionPeriod, VersionRecord,
};
use crate::s3::error::S3Error;
use crate::s3::request::{Request, header};
use crate::s3::response;
use crate::wire::error_code::ErrorCode;
use crate::wire::http_date;
use crate::wire::xml::{Document, Element, Malformed, Writer};
use http::{HeaderMap, HeaderName};

/// The longest of these documents is far shorter.
pub const DOCUMENT_LEN_MAX: usize = 64 << 10;
/// What AWS allows a default retention to last.
const DAYS_MAX: u32 = 36_500;
const YEARS_MAX: u32 = 100;

const MODE: HeaderName = HeaderName::from_static("x-amz-object-lock-mode");
const RETAIN_UNTIL: HeaderName = HeaderName::from_static("x-amz-object-lock-retain-until-date");
const LEGAL_HOLD: HeaderName = HeaderName::from_static("x-amz-object-lock-legal-hold");
const BYPASS: HeaderName = HeaderName::from_static("x-amz-bypass-governance-retention");

/// What is to hold an object that is written at `now_ms`, if the headers say anything about it.
pub fn from_headers(headers: &HeaderMap, now_ms: i64) -> Result<Option<ObjectLock>, S3Error> {
    let retention = match (header(headers, MODE), header(headers, RETAIN_UNTIL)) {
        (None, None) => None,
        (Some(mode), Some(until)) => {
            let mode = mode_of(&mode)
                .ok_or_else(|| S3Error::argument(MODE.as_str(), &mode, "Unknown wormMode directive."))?;
            let until_ms = until_ms(&until).ok_or_else(|| {
                let message = "The retain until date must be provided in ISO 8601 format";
                S3Error::argument(RETAIN_UNTIL.as_str(), &until, message)
            })?;
            if until_ms <= now_ms {
                return Err(in_the_past());
            }
            Some(Retention { mode, until_ms })
        }
        _ => {
            let message =
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
            return Err(S3Error::argument(RETAIN_UNTIL.as_str(), "", message));
        }
    };
    let legal_hold = match header(headers, LEGAL_HOLD) {
        None => None,
        Some(text) => Some(hold_of(&text).ok_or_else(|| {
            S3Error::argument(LEGAL_HOLD.as_str(), &text, "Legal Hold must be either of 'ON' or 'OFF'")
        })?),
    };
    let lock = ObjectLock { retention, legal_hold };
    Ok((lock != ObjectLock::default()).then_some(lock))
}

/// Whether the requester says that governance mode is to be bypassed.
pub fn bypasses_governance(request: &Request) -> bool {
    request.header(BYPASS).is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case("true"))
}

/// The headers that tell what holds a version.
pub fn set(headers: &mut HeaderMap, version: &VersionRecord) {
    let Some(lock) = &version.lock else { return };
    if let Some(retention) = &lock.retention {
        response::set(headers, MODE, mode_name(retention.mode));
        response::set(headers, RETAIN_UNTIL, &http_date::iso8601(retention.until_ms.div_euclid(1000)));
    }
    if let Some(is_held) = lock.legal_hold {
        response::set(headers, LEGAL_HOLD, hold_name(is_held));
    }
}

/// The message of an object that was to be held until it was no more.
pub fn in_the_past() -> S3Error {
    S3Error::argument(RETAIN_UNTIL.as_str(), "", "The retain until date must be in the future!")
}

/// Reads an `ObjectLockConfiguration`.
pub fn parse_configuration(bytes: &[u8]) -> Result<BucketLock, S3Error> {
    let mut lock = BucketLock::default();
    let mut is_enabled = false;
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["ObjectLockConfiguration"])?;
    while let Some(mut child) = root.next_child()? {
        match child.name() {
            "ObjectLockEnabled" => match child.text_trimmed()?.as_str() {
                "Enabled" => is_enabled = true,
                _ => return Err(ErrorCode::MalformedXML.into()),
            },
            "Rule" => lock.default_retention = Some(parse_rule(&mut child)?),
            _ => {}
        }
    }
    if is_enabled { Ok(lock) } else { Err(ErrorCode::MalformedXML.into()) }
}

fn parse_rule(rule: &mut Element<'_, '_>) -> Result<DefaultRetention, S3Error> {
    let mut retention = None;
    while let Some(mut child) = rule.next_child()? {
        if child.name() == "DefaultRetention" {
            retention = Some(parse_default(&mut child)?);
        }
    }
    retention.ok_or_else(|| ErrorCode::MalformedXML.into())
}

fn parse_default(element: &mut Element<'_, '_>) -> Result<DefaultRetention, S3Error> {
    let (mut mode, mut days, mut years) = (None, None, None);
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "Mode" => mode = Some(parse_mode(&mut child)?),
            "Days" => days = Some(child.parsed::<i64>()?),
            "Years" => years = Some(child.parsed::<i64>()?),
            _ => {}
        }
    }
    let mode = mode.ok_or(ErrorCode::MalformedXML)?;
    let period = match (days, years) {
        (Some(days), None) => RetentionPeriod::Days(period("Days", days, DAYS_MAX)?),
        (None, Some(years)) => RetentionPeriod::Years(period("Years", years, YEARS_MAX)?),
        _ => return Err(ErrorCode::MalformedXML.into()),
    };
    Ok(DefaultRetention { mode, period })
}

fn period(name: &str, value: i64, max: u32) -> Result<u32, S3Error> {
    match u32::try_from(value) {
        Ok(value) if (1..=max).contains(&value) => Ok(value),
        Ok(value) if value > max => {
            let message = format!("Default retention period too large, at most {max} {name}.");
            Err(S3Error::argument(name, &value.to_string(), message))
        }
        _ => {
            let message = "Default retention period must be a positive integer value.";
            Err(S3Error::argument(name, &value.to_string(), message))
        }
    }
}

/// Reads a `Retention`; an empty one is none.
pub fn parse_retention(bytes: &[u8]) -> Result<Option<Retention>, S3Error> {
    let (mut mode, mut until) = (None, None);
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["Retention"])?;
    while let Some(mut child) = root.next_child()? {
        match child.name() {
            "Mode" => mode = Some(parse_mode(&mut child)?),
            "RetainUntilDate" => until = Some(until_ms(&child.text()?).ok_or(ErrorCode::MalformedXML)?),
            _ => {}
        }
    }
    match (mode, until) {
        (Some(mode), Some(until_ms)) => Ok(Some(Retention { mode, until_ms })),
        (None, None) => Ok(None),
        _ => Err(ErrorCode::MalformedXML.into()),
    }
}

/// Reads a `LegalHold`: whether it is on.
pub fn parse_legal_hold(bytes: &[u8]) -> Result<bool, S3Error> {
    let mut status = None;
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["LegalHold"])?;
    while let Some(mut child) = root.next_child()? {
        if child.name() == "Status" {
            status = Some(hold_of(&child.text_trimmed()?).ok_or(ErrorCode::MalformedXML)?);
        }
    }
    status.ok_or_else(|| ErrorCode::MalformedXML.into())
}

fn parse_mode(element: &mut Element<'_, '_>) -> Result<RetentionMode, Malformed> {
    let text = element.text_trimmed()?;
    mode_of(&text).ok_or_else(|| Malformed("an unknown mode of retention".to_owned()))
}

/// The `ObjectLockConfiguration` as it was set.
pub fn configuration(lock: &BucketLock) -> Writer {
    let mut document = response::document("ObjectLockConfiguration");
    document.text("ObjectLockEnabled", "Enabled");
    if let Some(default) = &lock.default_retention {
        document.open("Rule").open("DefaultRetention").text("Mode", mode_name(default.mode));
        match default.period {
            RetentionPeriod::Days(days) => document.number("Days", days.into()),
            RetentionPeriod::Years(years) => document.number("Years", years.into()),
        };
        document.close().close();
    }
    document
}

pub fn retention(retention: &Retention) -> Writer {
    let mut document = response::document("Retention");
    document.text("Mode", mode_name(retention.mode));
    document.time("RetainUntilDate", retention.until_ms.div_euclid(1000));
    document
}

pub fn legal_hold(is_held: bool) -> Writer {
    let mut document = response::document("LegalHold");
    document.text("Status", hold_name(is_held));
    document
}

/// A fraction of a second is dropped, as from every time.
fn until_ms(text: &str) -> Option<i64> {
    http_date::parse(text).filter(|unix_s| http_date::has_four_digits(*unix_s)).map(|unix_s| unix_s * 1000)
}

fn mode_of(text: &str) -> Option<RetentionMode> {
    match text {
        "GOVERNANCE" => Some(RetentionMode::Governance),
        "COMPLIANCE" => Some(RetentionMode::Compliance),
        _ => None,
    }
}

fn mode_name(mode: RetentionMode) -> &'static str {
    match mode {
        RetentionMode::Governance => "GOVERNANCE",
        RetentionMode::Compliance => "COMPLIANCE",
    }
}

fn hold_of(text: &str) -> Option<bool> {
    match text {
        "ON" => Some(true),
        "OFF" => Some(false),
        _ => None,
    }
}

fn hold_name(is_held: bool) -> &'static str {
    if is_held { "ON" } else { "OFF" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// 2026-01-01T00:00:00Z.
    const NOW_MS: i64 = 1_767_225_600_000;

    fn code<T: std::fmt::Debug>(result: Result<T, S3Error>) -> &'static str {
        result.map_or_else(|err| err.code().as_str(), |_| "ok")
    }

    #[test]
    fn a_configuration_has_one_mode_and_one_period() {
        let document = |inner: &str| {
            format!(
                "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{inner}</ObjectLockConfiguration>"
            )
        };
        let rule =
            |inner: &str| document(&format!("<Rule><DefaultRetention>{inner}</DefaultRetention></Rule>"));
        for (text, expected) in [
            (document(""), "ok"),
            (rule("<Mode>GOVERNANCE</Mode><Days>1</Days>"), "ok"),
            (rule("<Years> 100 </Years><Mode>COMPLIANCE</Mode>"), "ok"),
            (rule("<Mode>GOVERNANCE</Mode><Days>36500</Days>"), "ok"),
            (rule("<Mode>GOVERNANCE</Mode><Days>36501</Days>"), "InvalidArgument"),
            (rule("<Mode>GOVERNANCE</Mode><Years>101</Years>"), "InvalidArgument"),
            (rule("<Mode>GOVERNANCE</Mode><Days>0</Days>"), "InvalidArgument"),
            (rule("<Mode>GOVERNANCE</Mode><Years>-1</Years>"), "InvalidArgument"),
            (rule("<Mode>GOVERNANCE</Mode><Days>99999999999</Days>"), "InvalidArgument"),
            (rule("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>"), "MalformedXML"),
            (rule("<Mode>GOVERNANCE</Mode>"), "MalformedXML"),
            (rule("<Mode>governance</Mode><Days>1</Days>"), "MalformedXML"),
            (rule("<Days>1</Days>"), "MalformedXML"),
            (rule("<Mode>GOVERNANCE</Mode><Days>one</Days>"), "MalformedXML"),
            (document("<Rule/>"), "MalformedXML"),
            ("<ObjectLockConfiguration/>".to_owned(), "MalformedXML"),
            (document("").replace("Enabled<", "Disabled<"), "MalformedXML"),
            ("<Other/>".to_owned(), "MalformedXML"),
            (String::new(), "MalformedXML"),
        ] {
            let read = parse_configuration(text.as_bytes());
            if let Ok(lock) = &read {
                let again = parse_configuration(&configuration(lock).finish()).unwrap();
                assert_eq!(again, *lock, "{text}");
            }
            assert_eq!(code(read), expected, "{text}");
        }
    }

    #[test]
    fn a_retention_is_whole_or_none() {
        let both = "<Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-01T00:00:00.5Z</RetainUntilDate>";
        let read = |inner: &str| parse_retention(format!("<Retention>{inner}</Retention>").as_bytes());
        let found = read(both).unwrap().unwrap();
        assert_eq!(found, Retention { mode: RetentionMode::Governance, until_ms: 1_893_456_000_000 });
        assert_eq!(parse_retention(&retention(&found).finish()).unwrap(), Some(found));
        assert_eq!(read("").unwrap(), None);
        for (inner, expected) in [
            ("<Mode>GOVERNANCE</Mode>", "MalformedXML"),
            ("<RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate>", "MalformedXML"),
            ("<Mode>abc</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate>", "MalformedXML"),
            ("<Mode>GOVERNANCE</Mode><RetainUntilDate>tomorrow</RetainUntilDate>", "MalformedXML"),
        ] {
            assert_eq!(code(read(inner)), expected, "{inner}");
        }
    }

    #[test]
    fn a_legal_hold_is_on_or_off() {
        for (text, expected) in [
            ("<LegalHold><Status>ON</Status></LegalHold>", Ok(true)),
            ("<LegalHold><Status> OFF </Status></LegalHold>", Ok(false)),
            ("<LegalHold><Status>on</Status></LegalHold>", Err("MalformedXML")),
            ("<LegalHold/>", Err("MalformedXML")),
            ("<Other><Status>ON</Status></Other>", Err("MalformedXML")),
        ] {
            let read = parse_legal_hold(text.as_bytes()).map_err(|err| err.code().as_str());
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn headers_come_together() {
        let until = "2030-01-01T00:00:00Z";
        let name = |header: &HeaderName| header.as_str().to_owned();
        for (pairs, expected) in [
            (vec![], "ok"),
            (vec![(MODE, "GOVERNANCE"), (RETAIN_UNTIL, until)], "ok"),
            (vec![(MODE, "COMPLIANCE"), (RETAIN_UNTIL, until), (LEGAL_HOLD, "OFF")], "ok"),
            (vec![(LEGAL_HOLD, "ON")], "ok"),
            (vec![(LEGAL_HOLD, "on")], "InvalidArgument"),
            (vec![(MODE, "GOVERNANCE")], "InvalidArgument"),
            (vec![(RETAIN_UNTIL, until)], "InvalidArgument"),
            (vec![(MODE, "governance"), (RETAIN_UNTIL, until)], "InvalidArgument"),
            (vec![(MODE, "GOVERNANCE"), (RETAIN_UNTIL, "tomorrow")], "InvalidArgument"),
            (vec![(MODE, "GOVERNANCE"), (RETAIN_UNTIL, "2026-01-01T00:00:00Z")], "InvalidArgument"),
        ] {
            let mut headers = HeaderMap::new();
            for (header, value) in &pairs {
                headers.insert(header.clone(), HeaderValue::from_static(value));
            }
            let what: Vec<_> = pairs.iter().map(|(header, value)| (name(header), *value)).collect();
            assert_eq!(code(from_headers(&headers, NOW_MS)), expected, "{what:?}");
        }
    }
}
