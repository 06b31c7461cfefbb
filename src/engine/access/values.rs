//! The values that conditions compare other than as text: numbers, dates, addresses, ARNs.

use super::keys::{KeyNames, Known};
use super::pattern::{BadVariable, Pattern, Syntax};
use std::net::{IpAddr, Ipv6Addr};
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};

/// `true` or `false`, in any case.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A decimal number.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Number(f64);

impl Number {
    pub fn parse(text: &str) -> Option<Number> {
        // Only what looks like a number: the standard parser also takes `inf` and `nan`.
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if !digits.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        text.parse().ok().map(Number)
    }
}

/// An instant, in Unix nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Time(i128);

impl Time {
    /// ISO 8601 as AWS writes it (`2026-01-31T12:00:00Z`, or a day alone), or Unix seconds.
    pub fn parse(text: &str) -> Option<Time> {
        if let Ok(seconds) = text.parse::<i64>() {
            return Some(Time(i128::from(seconds) * 1_000_000_000));
        }
        if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
            return Some(Time(time.unix_timestamp_nanos()));
        }
        let day = Date::parse(text, time::macros::format_description!("[year]-[month]-[day]")).ok()?;
        Some(Time(day.midnight().assume_utc().unix_timestamp_nanos()))
    }
}

/// A range of addresses. An IPv4 address is the same as the IPv6 address that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix_len: u8,
}

impl Cidr {
    /// `203.0.113.0/24`, `2001:db8::/32`, or one address.
    pub fn parse(text: &str) -> Option<Cidr> {
        let (address, prefix_len) = match text.split_once('/') {
            None => (text, None),
            Some((address, len)) => (address, Some(len)),
        };
        let network: IpAddr = address.parse().ok()?;
        let len_max = if network.is_ipv4() { 32 } else { 128 };
        let prefix_len = match prefix_len {
            None => len_max,
            Some(len) if len.bytes().all(|byte| byte.is_ascii_digit()) => len.parse().ok()?,
            Some(_) => return None,
        };
        (prefix_len <= len_max).then_some(Cidr { network, prefix_len })
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let (network, address, width) = match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
            (IpAddr::V6(network), IpAddr::V4(address)) => {
                (network.to_bits(), address.to_ipv6_mapped().to_bits(), 128)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) => return false,
        };
        let ignored = width - u32::from(self.prefix_len);
        network.checked_shr(ignored).unwrap_or(0) == address.checked_shr(ignored).unwrap_or(0)
    }

    /// Whether it is as good as everybody, in AWS's reading: more than a /8 of IPv4 or a /32 of IPv6, private
    /// networks aside.
    pub fn is_public(&self) -> bool {
        match self.network {
            IpAddr::V4(network) => self.prefix_len < 8 && !network.is_private(),
            IpAddr::V6(network) => self.prefix_len < 32 && !is_unique_local(network),
        }
    }
}

fn is_unique_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xfe00 == 0xfc00
}

/// An ARN whose six parts are patterns: no wildcard reaches over a colon, but in the last part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arn(Vec<Pattern>);

impl Arn {
    const PARTS: usize = 6;

    pub fn parse(text: &str, variables: bool, keys: &mut KeyNames) -> Result<Arn, BadVariable> {
        let syntax = Syntax { wildcards: true, variables };
        let parts = split(text, variables);
        let patterns: Result<Vec<Pattern>, BadVariable> =
            parts.into_iter().map(|part| Pattern::parse(part, syntax, keys)).collect();
        Ok(Arn(patterns?))
    }

    /// A text that is no ARN fits a pattern that is none, and those whose parts it has.
    pub fn matches(&self, text: &str, known: &Known<'_>) -> bool {
        let parts: Vec<&str> = text.splitn(Self::PARTS, ':').collect();
        parts.len() == self.0.len()
            && self.0.iter().zip(parts).all(|(pattern, part)| pattern.matches(part, known))
    }

    /// Whether it stands for more than one ARN.
    pub fn is_open(&self) -> bool {
        self.0.iter().any(Pattern::is_open)
    }
}

/// The parts between colons, but not those inside of variables.
fn split(text: &str, variables: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut in_variable) = (0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if variables && text[..at].ends_with('$') => in_variable = true,
            b'}' => in_variable = false,
            b':' if !in_variable && parts.len() + 1 < Arn::PARTS => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::super::keys::Facts;
    use super::*;

    #[test]
    fn numbers_and_times() {
        assert!(Number::parse("10") > Number::parse("9.5"));
        assert!(Number::parse("-1") < Number::parse("0"));
        for bad in ["", "a", "inf", "nan", "1x", "-"] {
            assert_eq!(Number::parse(bad), None, "{bad}");
        }
        assert_eq!(Time::parse("1767225600"), Time::parse("2026-01-01T00:00:00Z"));
        assert_eq!(Time::parse("2026-01-01"), Time::parse("2026-01-01T01:00:00+01:00"));
        assert!(Time::parse("2026-01-01T00:00:00.001Z") > Time::parse("2026-01-01"));
        for bad in ["", "soon", "2026-13-01", "2026-01-01T00:00"] {
            assert_eq!(Time::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses() {
        let table = [
            ("203.0.113.0/24", "203.0.113.77", true),
            ("203.0.113.0/24", "203.0.114.0", false),
            ("203.0.113.9", "203.0.113.9", true),
            ("203.0.113.9", "203.0.113.8", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("203.0.113.0/24", "::ffff:203.0.113.1", true),
            ("::/0", "8.8.8.8", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ];
        for (range, address, expected) in table {
            let cidr = Cidr::parse(range).unwrap();
            assert_eq!(cidr.contains(address.parse().unwrap()), expected, "{address} in {range}");
        }
        for bad in ["", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/+8", "::/129", "all"] {
            assert_eq!(Cidr::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn wide_ranges_are_public() {
        let table = [
            ("0.0.0.0/0", true),
            ("8.0.0.0/7", true),
            ("8.0.0.0/8", false),
            ("10.0.0.0/32", false),
            ("::/0", true),
            ("2001:db8::/31", true),
            ("2001:db8::/32", false),
            ("fc00::/7", false),
        ];
        for (range, expected) in table {
            assert_eq!(Cidr::parse(range).unwrap().is_public(), expected, "{range}");
        }
    }

    struct Nobody;

    impl Facts for Nobody {
        fn values(&self, _: &str) -> Option<Vec<String>> {
            None
        }
    }

    #[test]
    fn wildcards_stay_between_colons() {
        let table = [
            ("arn:aws:iam::1:user/*", "arn:aws:iam::1:user/a:b/c", true),
            ("arn:aws:iam::*:user/a", "arn:aws:iam::1:user/a", true),
            ("arn:aws:iam::*", "arn:aws:iam::1:user/a", false),
            ("arn:*:user/a", "arn:aws:iam::1:user/a", false),
            ("*", "arn:aws:iam::1:user/a", false),
        ];
        for (pattern, text, expected) in table {
            let mut keys = KeyNames::default();
            let arn = Arn::parse(pattern, true, &mut keys).unwrap();
            assert_eq!(arn.matches(text, &Known::new(&keys, &Nobody)), expected, "{pattern} on {text}");
        }
        let mut keys = KeyNames::default();
        assert_eq!(Arn::parse("arn:aws:iam::1:user/${aws:username}", true, &mut keys).unwrap().0.len(), 6);
    }
}
