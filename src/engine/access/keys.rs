//! Condition keys: their names, and what a request has for them.

use std::cell::OnceCell;

/// What is known of a request, by the names of condition keys in lower case: `aws:sourceip`, `s3:prefix`.
pub trait Facts: Sync {
    /// The key's values; `None` where the request has none, which is not the same as an empty text.
    fn values(&self, key: &str) -> Option<Vec<String>>;
}

/// A key, by its place among those that a policy uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyIndex(u16);

/// The keys that a policy uses, in lower case: only these are looked up when a request is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyNames(Vec<String>);

impl KeyNames {
    /// The place of this key, which is added if it is new.
    ///
    /// # Panics
    /// With more keys than a document of 20 KB can have.
    pub fn index(&mut self, name: &str) -> KeyIndex {
        let name = name.to_ascii_lowercase();
        let at = self.0.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.0.push(name);
            self.0.len() - 1
        });
        KeyIndex(u16::try_from(at).expect("a policy's length bounds its keys"))
    }

    pub fn name(&self, key: KeyIndex) -> &str {
        &self.0[usize::from(key.0)]
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// The values of a policy's keys for one request, each looked up when it is first asked for.
pub struct Known<'a> {
    names: &'a KeyNames,
    facts: &'a dyn Facts,
    found: Vec<OnceCell<Option<Vec<String>>>>,
}

impl<'a> Known<'a> {
    pub fn new(names: &'a KeyNames, facts: &'a dyn Facts) -> Known<'a> {
        Known { names, facts, found: vec![OnceCell::new(); names.0.len()] }
    }

    pub fn values(&self, key: KeyIndex) -> Option<&[String]> {
        let cell = &self.found[usize::from(key.0)];
        cell.get_or_init(|| self.facts.values(self.names.name(key))).as_deref()
    }
}
