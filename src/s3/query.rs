//! A query, decoded once: names and values in the order sent.

use crate::wire::percent;

/// The parameters of a request.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(raw: Option<&str>) -> Query {
        let pairs = percent::query_pairs(raw.unwrap_or(""));
        let decode = |text| percent::decode_query_text(text).into_owned();
        Query(pairs.map(|(name, value)| (decode(name), decode(value))).collect())
    }

    /// Whether the name is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The first value of this name; empty when it came without one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The first value, unless it is empty.
    pub fn get_nonempty(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_repeated_parameter_counts() {
        let query = Query::parse(Some("prefix=a%2Fb+c&uploads&prefix=x&max-keys="));
        assert_eq!(query.get("prefix"), Some("a/b c"));
        assert_eq!(query.get("uploads"), Some(""));
        assert_eq!(query.get_nonempty("max-keys"), None);
        assert!(query.has("max-keys") && !query.has("Prefix"));
        assert!(!Query::parse(None).has(""));
    }
}
