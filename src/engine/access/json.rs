//! JSON in which no object has a name twice: of two, readers differ on which counts.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A value, with the names of its objects in the order sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    /// As it was written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Why a text is refused.
#[derive(Debug, PartialEq, Eq)]
pub enum BadJson {
    /// The object that has a name twice.
    Duplicate,
    Syntax,
}

impl Json {
    /// Reads a document. The depth is bounded by the parser.
    pub fn parse(bytes: &[u8]) -> Result<Json, BadJson> {
        serde_json::from_slice(bytes).map_err(|err| match err.to_string().contains(DUPLICATE) {
            true => BadJson::Duplicate,
            false => BadJson::Syntax,
        })
    }

    /// A scalar as text: conditions may have numbers and booleans where texts are meant.
    pub fn scalar(&self) -> Option<String> {
        match self {
            Json::Text(text) | Json::Number(text) => Some(text.clone()),
            Json::Bool(value) => Some(value.to_string()),
            Json::Null | Json::List(_) | Json::Object(_) => None,
        }
    }

    /// The elements of a list, or the one value that stands for a list of one.
    pub fn elements(&self) -> &[Json] {
        match self {
            Json::List(elements) => elements,
            other => std::slice::from_ref(other),
        }
    }
}

/// What the parser's error says, and nothing else does: a name is quoted, so it cannot say this either.
const DUPLICATE: &str = "two members of one name";

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Json::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Json>()? {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(DUPLICATE));
            }
            members.push((name, value));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_once() {
        let parse = |text: &str| Json::parse(text.as_bytes());
        assert_eq!(parse(r#"{"a":{"b":1,"b":2}}"#), Err(BadJson::Duplicate));
        assert_eq!(parse(r#"{"a":1,"\u0061":2}"#), Err(BadJson::Duplicate));
        assert_eq!(parse(r#"{"a":1} x"#), Err(BadJson::Syntax));
        assert_eq!(parse(r#"{"two members of one name""#), Err(BadJson::Syntax));
        assert_eq!(parse(&"[".repeat(10_000)), Err(BadJson::Syntax));
        let object = Json::Object(vec![("a".into(), Json::Number("1".into())), ("A".into(), Json::Null)]);
        assert_eq!(parse(r#"{"a":1,"A":null}"#), Ok(object));
    }
}
