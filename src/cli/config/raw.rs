//! What was written where: the file, the environment and the flags, laid over one another but not yet understood.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

use super::keys;

/// Variables that begin like keys and are none.
const OTHER_VARIABLES: [&str; 5] = [
    "DOVETAIL_LOG",
    "DOVETAIL_KILL_AT",
    "DOVETAIL_CACHE",
    "DOVETAIL_ACCESS_KEY_ID",
    "DOVETAIL_SECRET_ACCESS_KEY",
];

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    Environment(String),
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Environment(variable) => f.write_str(variable),
            Source::Flag(flag) => f.write_str(flag),
        }
    }
}

/// What is wrong with a configuration, in one line: which key, where it was written, why, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}{}: {reason}", .source_of_value.as_ref().map(|source| format!(" (from {source})")).unwrap_or_default())]
pub struct ConfigError {
    pub key: String,
    pub source_of_value: Option<Source>,
    pub reason: String,
}

/// The merged input: keys with dots, such as `limits.connections` and `users.0.name`, each known to the table.
#[derive(Clone, Debug, Default)]
pub struct Raw(BTreeMap<String, (Value, Source)>);

impl Raw {
    /// Lays a TOML document's keys under what will follow.
    pub fn add_file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let source = Source::File(path.to_path_buf());
        let table: Table = text.parse().map_err(|err: toml::de::Error| {
            let line =
                err.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            // The crate's own message shows the line, which may hold a secret.
            let reason = format!("line {line} is not TOML: {}", err.message().replace('\n', " "));
            ConfigError { key: "--config".to_string(), source_of_value: Some(source.clone()), reason }
        })?;
        self.add_table("", table, &source)
    }

    fn add_table(&mut self, prefix: &str, table: Table, source: &Source) -> Result<(), ConfigError> {
        for (name, value) in table {
            let name = format!("{prefix}{name}");
            match value {
                Value::Table(inner) => self.add_table(&format!("{name}."), inner, source)?,
                Value::Array(entries) if name == "users" => {
                    for (index, entry) in entries.into_iter().enumerate() {
                        let Value::Table(user) = entry else {
                            let reason = "write each user as a [[users]] table".to_string();
                            return Err(ConfigError {
                                key: name,
                                source_of_value: Some(source.clone()),
                                reason,
                            });
                        };
                        self.add_table(&format!("users.{index}."), user, source)?;
                    }
                }
                value => self.add(name, value, source.clone())?,
            }
        }
        Ok(())
    }

    /// Lays the process's variables over the file. Those that do not begin with `DOVETAIL_` are not looked at.
    pub fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        for (variable, value) in variables {
            let Some(name) = variable.strip_prefix("DOVETAIL_") else { continue };
            if OTHER_VARIABLES.contains(&variable.as_str())
                || name.starts_with("TEST_")
                || is_service_link(name)
            {
                continue;
            }
            let name = name.to_ascii_lowercase().replace("__", ".");
            self.add(name, Value::String(value), Source::Environment(variable))?;
        }
        Ok(())
    }

    /// Lays a flag over file and environment.
    pub fn add_flag(&mut self, key: &'static str, flag: &'static str, value: Option<String>) {
        if let Some(value) = value {
            self.0.insert(key.to_string(), (Value::String(value), Source::Flag(flag)));
        }
    }

    fn add(&mut self, name: String, value: Value, source: Source) -> Result<(), ConfigError> {
        if keys::find(&name).is_none() {
            let reason = unknown(&name);
            return Err(ConfigError { key: name, source_of_value: Some(source), reason });
        }
        self.0.insert(name, (value, source));
        Ok(())
    }

    pub fn get(&self, name: &str) -> Option<&(Value, Source)> {
        self.0.get(name)
    }

    /// The keys that begin with `prefix`, without it.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a (Value, Source))> {
        let from = self.0.range(prefix.to_string()..);
        from.map_while(move |(name, value)| Some((name.strip_prefix(prefix)?, value)))
    }
}

/// Kubernetes sets these for a service called `dovetail`, in every container beside it.
fn is_service_link(name: &str) -> bool {
    name.starts_with("SERVICE_") || name == "PORT" || name.starts_with("PORT_")
}

fn unknown(name: &str) -> String {
    let closest = keys::KEYS.iter().map(|key| key.name).min_by_key(|known| edits(name, known));
    match closest {
        Some(known) if edits(name, known) <= 3 => {
            format!("unknown key; did you mean {known}? All keys are in docs/configuration.md")
        }
        _ => "unknown key; all keys are in docs/configuration.md".to_string(),
    }
}

/// The Levenshtein distance.
fn edits(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, from) in left.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, to) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}
