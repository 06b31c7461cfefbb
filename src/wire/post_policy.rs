//! The policy of a browser's form: until when, and with which fields, whoever holds the form may upload.
//!
//! Its author signs it; this judges what it says. Fields are compared after `${filename}` has been filled in, by names
//! in lower case.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>

use crate::wire::http_date;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::ops::RangeInclusive;

/// A policy that was taken apart, and not yet compared with anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostPolicy {
    /// Unix seconds; the form is good until then.
    pub expiration: i64,
    conditions: Vec<Condition>,
    /// What every `content-length-range` allows.
    length: Option<RangeInclusive<u64>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    /// In lower case. `None` for a name that was written without its `$`, which is no field's.
    field: Option<String>,
    operator: Operator,
    value: String,
    /// As an error repeats it.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equals,
    StartsWith,
}

/// Why a form may not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No policy that anybody could follow.
    #[error("Invalid Policy: {0}")]
    Document(&'static str),
    #[error("Invalid according to Policy: Policy expired.")]
    Expired,
    #[error("Invalid according to Policy: Policy Condition failed: {0}")]
    ConditionFailed(String),
    #[error("Invalid according to Policy: Extra input fields: {0}")]
    ExtraField(String),
}

impl PostPolicy {
    /// Reads the base64 of the document, as it stands in the form.
    pub fn parse(base64: &str) -> Result<PostPolicy, PolicyError> {
        let text: String = base64.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = STANDARD.decode(text).map_err(|_| PolicyError::Document("Invalid base64."))?;
        PostPolicy::from_json(&bytes)
    }

    /// Reads the document itself.
    pub fn from_json(bytes: &[u8]) -> Result<PostPolicy, PolicyError> {
        let document: Value =
            serde_json::from_slice(bytes).map_err(|_| PolicyError::Document("Invalid JSON."))?;
        let expiration =
            document.get("expiration").ok_or(PolicyError::Document("Policy missing expiration."))?;
        let conditions =
            document.get("conditions").ok_or(PolicyError::Document("Policy missing conditions."))?;
        let conditions =
            conditions.as_array().ok_or(PolicyError::Document("'conditions' must be a list."))?;
        let mut policy =
            PostPolicy { expiration: parse_expiration(expiration)?, conditions: Vec::new(), length: None };
        for condition in conditions {
            policy.add(condition)?;
        }
        Ok(policy)
    }

    /// The lengths that the file may have.
    pub fn length(&self) -> Option<RangeInclusive<u64>> {
        self.length.clone()
    }

    /// Judges a form. `fields` are names in lower case and values; `bucket` among them is the one that is written to,
    /// whatever the form calls it. Conditions come in the policy's order, then what no condition is about.
    pub fn check(&self, fields: &[(String, String)], now: i64) -> Result<(), PolicyError> {
        if now > self.expiration {
            return Err(PolicyError::Expired);
        }
        for condition in &self.conditions {
            if !condition.holds(fields) {
                return Err(PolicyError::ConditionFailed(condition.text.clone()));
            }
        }
        let is_covered =
            |name: &str| self.conditions.iter().any(|condition| condition.field.as_deref() == Some(name));
        match fields.iter().find(|(name, _)| !needs_no_condition(name) && !is_covered(name)) {
            Some((name, _)) => Err(PolicyError::ExtraField(name.clone())),
            None => Ok(()),
        }
    }

    fn add(&mut self, condition: &Value) -> Result<(), PolicyError> {
        match condition {
            Value::Object(map) => {
                let mut properties = map.iter();
                let (Some((name, value)), None) = (properties.next(), properties.next()) else {
                    return Err(PolicyError::Document(
                        "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
                    ));
                };
                let value = value
                    .as_str()
                    .ok_or(PolicyError::Document("Invalid Simple-Condition: value must be a string."))?;
                self.push(Operator::Equals, Some(name), value);
                Ok(())
            }
            Value::Array(items) => self.add_list(items),
            _ => Err(PolicyError::Document("a condition must be an object or a list.")),
        }
    }

    fn add_list(&mut self, items: &[Value]) -> Result<(), PolicyError> {
        let [operator, left, right] = items else {
            return Err(PolicyError::Document("a condition that is a list must have three elements."));
        };
        let operator = operator.as_str().unwrap_or("").to_ascii_lowercase();
        if operator == "content-length-range" {
            let bound = |value| length(value).ok_or(PolicyError::Document("Invalid content-length-range."));
            let (min, max) = (bound(left)?, bound(right)?);
            let before = self.length.take().unwrap_or(0..=u64::MAX);
            self.length = Some(min.max(*before.start())..=max.min(*before.end()));
            return Ok(());
        }
        let operator = match operator.as_str() {
            "eq" => Operator::Equals,
            "starts-with" => Operator::StartsWith,
            _ => return Err(PolicyError::Document("unknown operator in a condition.")),
        };
        let (Some(field), Some(value)) = (left.as_str(), right.as_str()) else {
            return Err(PolicyError::Document("a condition's field and value must be strings."));
        };
        let name = field.strip_prefix('$');
        self.push(operator, name, value);
        if name.is_none()
            && let Some(condition) = self.conditions.last_mut()
        {
            condition.text = text(operator, field, value);
        }
        Ok(())
    }

    fn push(&mut self, operator: Operator, field: Option<&str>, value: &str) {
        let text = text(operator, &format!("${}", field.unwrap_or("")), value);
        let field = field.map(str::to_ascii_lowercase);
        self.conditions.push(Condition { field, operator, value: value.to_owned(), text });
    }
}

impl Condition {
    /// A field that is not there is empty.
    fn holds(&self, fields: &[(String, String)]) -> bool {
        let Some(field) = &self.field else { return false };
        let found = fields.iter().find(|(name, _)| name == field).map_or("", |(_, value)| value.as_str());
        match self.operator {
            Operator::Equals => found == self.value,
            // Of a list of types each must begin so.
            Operator::StartsWith if field == "content-type" => {
                found.split(',').all(|item| item.trim_start().starts_with(&self.value))
            }
            Operator::StartsWith => found.starts_with(&self.value),
        }
    }
}

/// As AWS repeats a condition, whichever way it was written.
fn text(operator: Operator, field: &str, value: &str) -> String {
    let operator = match operator {
        Operator::Equals => "eq",
        Operator::StartsWith => "starts-with",
    };
    let quote = |text: &str| Value::from(text).to_string();
    format!("[{}, {}, {}]", quote(operator), quote(field), quote(value))
}

/// What carries the policy and its signature cannot be in it. A checksum can only make an upload fail.
fn needs_no_condition(name: &str) -> bool {
    matches!(
        name,
        "file"
            | "policy"
            | "signature"
            | "awsaccesskeyid"
            | "x-amz-signature"
            | "x-amz-algorithm"
            | "x-amz-credential"
            | "x-amz-date"
            | "x-amz-sdk-checksum-algorithm"
    ) || name.starts_with("x-ignore-")
        || name.starts_with("x-amz-checksum-")
}

/// ISO 8601 with a time, in UTC.
fn parse_expiration(value: &Value) -> Result<i64, PolicyError> {
    let text = value.as_str().filter(|text| text.ends_with('Z') && text.contains('T'));
    text.and_then(http_date::parse).ok_or(PolicyError::Document("Invalid 'expiration' value."))
}

fn length(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_225_600;

    fn policy(conditions: &str) -> Result<PostPolicy, PolicyError> {
        parse(&format!(r#"{{"expiration": "2026-01-01T00:00:00.000Z", "conditions": {conditions}}}"#))
    }

    fn parse(json: &str) -> Result<PostPolicy, PolicyError> {
        PostPolicy::parse(&STANDARD.encode(json))
    }

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn conditions_hold_or_fail_in_their_own_words() {
        for (conditions, name, value, failure) in [
            (r#"[{"ACL": "private"}]"#, "acl", "private", None),
            (r#"[{"acl": "private"}]"#, "acl", "Private", Some(r#"["eq", "$acl", "private"]"#)),
            (r#"[{"acl": ""}]"#, "acl", "", None),
            (r#"[["eq", "$Acl", "x"]]"#, "acl", "x", None),
            (r#"[["EQ", "$acl", "x"]]"#, "acl", "xy", Some(r#"["eq", "$acl", "x"]"#)),
            (r#"[["StArTs-WiTh", "$KeY", "foo"]]"#, "key", "foo.txt", None),
            (r#"[["starts-with", "$key", ""]]"#, "key", "anything", None),
            (r#"[["starts-with", "$key", "a\"b"]]"#, "key", "c", Some(r#"["starts-with", "$key", "a\"b"]"#)),
            (r#"[["starts-with", "key", "foo"]]"#, "key", "foo", Some(r#"["starts-with", "key", "foo"]"#)),
            (r#"[["starts-with", "$content-type", "image/"]]"#, "content-type", "image/a, image/b", None),
            (
                r#"[["starts-with", "$content-type", "image/"]]"#,
                "content-type",
                "image/a,text/html",
                Some(r#"["starts-with", "$content-type", "image/"]"#),
            ),
            (
                r#"[["starts-with", "$other", "x"], {"acl": "y"}]"#,
                "acl",
                "y",
                Some(r#"["starts-with", "$other", "x"]"#),
            ),
            (r#"[["starts-with", "$other", ""], {"acl": "y"}]"#, "acl", "y", None),
        ] {
            let checked = policy(conditions).unwrap().check(&fields(&[(name, value)]), NOW);
            match failure {
                None => assert_eq!(checked, Ok(()), "{conditions}"),
                Some(text) => assert_eq!(checked, Err(PolicyError::ConditionFailed(text.into()))),
            }
        }
    }

    #[test]
    fn every_field_needs_a_condition_but_a_few() {
        let policy = policy(r#"[{"bucket": "b"}, {"key": "k"}]"#).unwrap();
        let known = [("bucket", "b"), ("key", "k")];
        let free = [
            ("policy", ""),
            ("x-amz-signature", ""),
            ("x-amz-credential", ""),
            ("x-amz-date", ""),
            ("x-amz-algorithm", ""),
            ("signature", ""),
            ("awsaccesskeyid", ""),
            ("file", ""),
            ("x-ignore-me", ""),
            ("x-amz-checksum-crc32", "AAAAAA=="),
        ];
        assert_eq!(policy.check(&fields(&[&known[..], &free].concat()), NOW), Ok(()));
        for extra in ["acl", "submit", "x-amz-meta-a", "x-amz-security-token", "x-amz-storage-class"] {
            let error = policy.check(&fields(&[&known[..], &[(extra, "v")]].concat()), NOW).unwrap_err();
            assert_eq!(error, PolicyError::ExtraField(extra.into()));
        }
        // An empty value is a field too.
        assert!(policy.check(&fields(&[&known[..], &[("acl", "")]].concat()), NOW).is_err());
    }

    #[test]
    fn a_policy_expires() {
        let policy = policy("[]").unwrap();
        assert_eq!(policy.check(&[], NOW), Ok(()));
        assert_eq!(policy.check(&[], NOW + 1), Err(PolicyError::Expired));
    }

    #[test]
    fn lengths_are_numbers_or_texts_of_numbers() {
        let length = |conditions: &str| policy(conditions).map(|policy| policy.length());
        assert_eq!(length("[]"), Ok(None));
        assert_eq!(length(r#"[["content-length-range", 1, 10]]"#), Ok(Some(1..=10)));
        assert_eq!(length(r#"[["Content-Length-Range", "1", "10"]]"#), Ok(Some(1..=10)));
        let both = r#"[["content-length-range", 1, 10], ["content-length-range", 5, 20]]"#;
        assert_eq!(length(both), Ok(Some(5..=10)));
        for bad in ["-1, 0", "0", "0, 1, 2", "0, 1.5", "0, null", r#""", "1""#] {
            assert!(length(&format!(r#"[["content-length-range", {bad}]]"#)).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        assert_eq!(PostPolicy::parse("*"), Err(PolicyError::Document("Invalid base64.")));
        for json in [
            "",
            "[]",
            "{",
            r#"{"expiration": "2026-01-01T00:00:00Z"}"#,
            r#"{"conditions": []}"#,
            r#"{"EXPIRATION": "2026-01-01T00:00:00Z", "conditions": []}"#,
            r#"{"expiration": "2026-01-01T00:00:00Z", "CONDITIONS": []}"#,
            r#"{"expiration": "2026-01-01T00:00:00Z", "conditions": {}}"#,
            r#"{"expiration": "2026-01-01 00:00:00", "conditions": []}"#,
            r#"{"expiration": "2026-01-01", "conditions": []}"#,
            r#"{"expiration": 1767225600, "conditions": []}"#,
            r#"{"expiration": "2026-01-01T00:00:00+01:00", "conditions": []}"#,
        ] {
            assert!(matches!(parse(json), Err(PolicyError::Document(_))), "{json}");
        }
        for condition in [
            "{}",
            r#"{"a": "1", "b": "2"}"#,
            r#"{"a": 1}"#,
            "\"a\"",
            "[]",
            r#"["eq", "$a"]"#,
            r#"["ends-with", "$a", "b"]"#,
            r#"["eq", 1, "b"]"#,
            r#"["eq", "$a", null]"#,
        ] {
            assert!(
                matches!(policy(&format!("[{condition}]")), Err(PolicyError::Document(_))),
                "{condition}"
            );
        }
        assert!(parse(&"[".repeat(20_000)).is_err());
    }
}
