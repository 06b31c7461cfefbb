//! Times as headers, XML documents and signatures write them. Inside, a time is seconds since 1970, UTC; fractions
//! of a second are accepted and dropped, because every comparison S3 makes is in whole seconds.

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// The last second of the year 9999, and the first of the year 0: what four digits can say.
const UNIX_S_MAX: i64 = 253_402_300_799;
const UNIX_S_MIN: i64 = -62_167_219_200;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// `Mon, 12 Oct 2009 17:50:00 GMT`, for headers.
pub fn rfc1123(unix_s: i64) -> String {
    let at = calendar(unix_s);
    let mut text = *b"Day, 00 Mon 0000 00:00:00 GMT";
    text[..3].copy_from_slice(DAYS[at.weekday().number_days_from_monday() as usize].as_bytes());
    put_number(&mut text[5..7], at.day().into());
    text[8..11].copy_from_slice(MONTHS[at.month() as usize - 1].as_bytes());
    put_number(&mut text[12..16], at.year() as u32);
    put_number(&mut text[17..19], at.hour().into());
    put_number(&mut text[20..22], at.minute().into());
    put_number(&mut text[23..25], at.second().into());
    ascii(&text)
}

/// Overwrites all of `digits`.
fn put_number(digits: &mut [u8], number: u32) {
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

fn ascii(text: &[u8]) -> String {
    String::from_utf8(text.to_vec()).expect("it is made of ASCII")
}

/// `2009-10-12T17:50:00.000Z`, for XML. Always whole seconds, as AWS writes them.
pub fn iso8601(unix_s: i64) -> String {
    ascii(&iso8601_bytes(unix_s))
}

/// `20091012T175000Z`, for `x-amz-date`.
pub fn basic(unix_s: i64) -> String {
    let at = calendar(unix_s);
    let mut text = *b"00000000T000000Z";
    put_number(&mut text[..4], at.year() as u32);
    put_number(&mut text[4..6], at.month() as u32);
    put_number(&mut text[6..8], at.day().into());
    put_number(&mut text[9..11], at.hour().into());
    put_number(&mut text[11..13], at.minute().into());
    put_number(&mut text[13..15], at.second().into());
    ascii(&text)
}

/// The same as `iso8601` without an allocation: a listing writes a thousand of them.
pub(super) fn iso8601_bytes(unix_s: i64) -> [u8; 24] {
    let at = calendar(unix_s);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    put_number(&mut text[..4], at.year() as u32);
    put_number(&mut text[5..7], at.month() as u32);
    put_number(&mut text[8..10], at.day().into());
    put_number(&mut text[11..13], at.hour().into());
    put_number(&mut text[14..16], at.minute().into());
    put_number(&mut text[17..19], at.second().into());
    text
}

/// Reads any form a client may send: RFC 1123, RFC 850, asctime, ISO 8601 basic or extended, with a fraction, with
/// an offset, or a day alone.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    if text.bytes().next()?.is_ascii_digit() { parse_iso8601(text) } else { parse_http(text) }
}

/// Reads `20091012T175000Z` and nothing else.
pub fn parse_basic(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let at = |from: usize, to: usize| number(text.get(from..to)?);
    unix(at(0, 4)?, at(4, 6)?, at(6, 8)?, at(9, 11)?, at(11, 13)?, at(13, 15)?)
}

/// Whether a time has a year of four digits. Others are written as the first or the last of these.
pub fn has_four_digits(unix_s: i64) -> bool {
    (UNIX_S_MIN..=UNIX_S_MAX).contains(&unix_s)
}

fn calendar(unix_s: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(unix_s.clamp(UNIX_S_MIN, UNIX_S_MAX))
        .expect("clamped to years that the calendar has")
}

fn unix(year: u32, month: u32, day: u32, hour: u32, minute: u32, second: u32) -> Option<i64> {
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(year as i32, month, day as u8).ok()?;
    // A leap second is the second after it.
    let leap = i64::from(second == 60);
    let time = Time::from_hms(hour as u8, minute as u8, (i64::from(second) - leap) as u8).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp() + leap)
}

/// Two to four decimal digits; the callers' slices bound them.
fn number(text: &str) -> Option<u32> {
    if text.is_empty() || text.len() > 4 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn parse_iso8601(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let (year, month, day) = match date.len() {
        8 => (number(date.get(..4)?)?, number(date.get(4..6)?)?, number(date.get(6..)?)?),
        10 if date.as_bytes()[4] == b'-' && date.as_bytes()[7] == b'-' => {
            (number(date.get(..4)?)?, number(date.get(5..7)?)?, number(date.get(8..)?)?)
        }
        _ => return None,
    };
    let Some(time) = time else { return unix(year, month, day, 0, 0, 0) };
    let (clock, offset_s) = split_offset(time)?;
    let clock = match clock.split_once(['.', ',']) {
        Some((clock, fraction)) if !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit()) => {
            clock
        }
        Some(_) => return None,
        None => clock,
    };
    let (hour, minute, second) = match clock.len() {
        6 => (number(clock.get(..2)?)?, number(clock.get(2..4)?)?, number(clock.get(4..)?)?),
        8 => read_clock(clock)?,
        _ => return None,
    };
    Some(unix(year, month, day, hour, minute, second)? - offset_s)
}

/// Splits `Z`, `+hh:mm` or `-hhmm` from a time of day. Without either the time is UTC.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let sign = if time.as_bytes()[at] == b'-' { -1 } else { 1 };
    let digits = time[at + 1..].replace(':', "");
    if digits.len() != 4 {
        return None;
    }
    let (hours, minutes) = (number(digits.get(..2)?)?, number(digits.get(2..)?)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    Some((&time[..at], sign * i64::from(hours * 3600 + minutes * 60)))
}

/// RFC 1123 `Sun, 06 Nov 1994 08:49:37 GMT`, RFC 850 `Sunday, 06-Nov-94 08:49:37 GMT`, asctime
/// `Sun Nov  6 08:49:37 1994`. The name of the day is not compared with the date.
fn parse_http(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split([' ', '-']).filter(|word| !word.is_empty()).take(7).collect();
    let (year, month, day, clock) = match words[..] {
        [_, day, month, year, clock, "GMT" | "UTC" | "+0000"] => (year, month, day, clock),
        [_, month, day, clock, year] => (year, month, day, clock),
        // `-0000`: the sign was taken for a separator.
        [_, day, month, year, clock, "0000"] => (year, month, day, clock),
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as u32 + 1;
    let year = match (year.len(), number(year)?) {
        (4, year) => year,
        (2, year) if year < 70 => 2000 + year,
        (2, year) => 1900 + year,
        _ => return None,
    };
    let (hour, minute, second) = read_clock(clock)?;
    if day.len() > 2 {
        return None;
    }
    unix(year, month, number(day)?, hour, minute, second)
}

/// `17:50:00`.
fn read_clock(clock: &str) -> Option<(u32, u32, u32)> {
    let bytes = clock.as_bytes();
    if bytes.len() != 8 || bytes[2] != b':' || bytes[5] != b':' {
        return None;
    }
    Some((number(clock.get(..2)?)?, number(clock.get(3..5)?)?, number(clock.get(6..)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: i64 = 1_255_369_800;

    #[test]
    fn writes_the_three_forms() {
        assert_eq!(rfc1123(TIME), "Mon, 12 Oct 2009 17:50:00 GMT");
        assert_eq!(iso8601(TIME), "2009-10-12T17:50:00.000Z");
        assert_eq!(basic(TIME), "20091012T175000Z");
        assert_eq!(basic(0), "19700101T000000Z");
        assert_eq!(iso8601(i64::MAX), "9999-12-31T23:59:59.000Z");
        assert_eq!(iso8601(i64::MIN), "0000-01-01T00:00:00.000Z");
    }

    #[test]
    fn reads_every_form_a_client_sends() {
        for text in [
            "Mon, 12 Oct 2009 17:50:00 GMT",
            "Mon, 12 Oct 2009 17:50:00 +0000",
            "Mon, 12 Oct 2009 17:50:00 -0000",
            "Monday, 12-Oct-09 17:50:00 GMT",
            "Mon Oct 12 17:50:00 2009",
            "2009-10-12T17:50:00Z",
            "2009-10-12T17:50:00.000Z",
            "2009-10-12T17:50:00.999999999Z",
            "2009-10-12T17:50:00",
            "2009-10-12T19:50:00+02:00",
            "2009-10-12T12:20:00.5-0530",
            "20091012T175000Z",
            "20091012T175000.25Z",
            " 2009-10-12 17:50:00Z ",
        ] {
            assert_eq!(parse(text), Some(TIME), "{text}");
        }
        assert_eq!(parse("2009-10-12"), Some(TIME - 17 * 3600 - 50 * 60));
        assert_eq!(parse("Sun Nov  6 08:49:37 1994"), Some(784_111_777));
        assert_eq!(parse("Thu, 1 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(parse("Sat, 31 Dec 2016 23:59:60 GMT"), Some(1_483_228_800));
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "now",
            "Mon, 12 Oct 2009 17:50:00",
            "Mon, 12 Oct 2009 17:50:00 GMT x",
            "Mon, 32 Oct 2009 17:50:00 GMT",
            "Mon, 12 Foo 2009 17:50:00 GMT",
            "2009-02-30T00:00:00Z",
            "2009-10-12T25:00:00Z",
            "2009-10-12T17:50:00.Z",
            "2009-10-12T17:50:00.xZ",
            "2009-10-12T17:50:00+9999",
            "2009-10-12T",
            "2009/10/12T17:50:00Z",
            "12345678901234567890",
            "2009-1é-12",
            "é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn signature_dates_have_one_form_only() {
        assert_eq!(parse_basic("20091012T175000Z"), Some(TIME));
        for text in [
            "20091012T175000",
            "2009-10-12T17:50:00Z",
            "20091012t175000Z",
            "20091312T175000Z",
            "+0091012T175000Z",
        ] {
            assert_eq!(parse_basic(text), None, "{text}");
        }
    }
}
