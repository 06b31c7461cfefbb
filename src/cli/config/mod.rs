//! Configuration: one TOML file, the environment over it, the flags over both.
//!
//! This alone knows where values come from; each layer has a `Settings` struct of its own that is filled in here.
//! [`raw::Raw`] is what was written, [`Settings`] what was checked, and everything is checked before `data_dir` is
//! touched. The keys are in the table of [`keys`].

pub mod keys;
mod raw;
#[cfg(test)]
mod tests;
mod texts;
mod users;
mod values;

pub use raw::{ConfigError, Source};
pub use values::keys as keys_in;

use raw::Raw;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use texts::{
    address, at_least, at_most, boolean, connections, domain, log_format, not_empty, ownership, region,
    timeout, to_usize, upload_memory, word,
};
use toml::Value;

use crate::engine::encryption::content_key::KEY_LEN;
use crate::meta::records::ObjectOwnership;
use crate::telemetry::log;
use crate::wire::sigv4::Secret;
use crate::{engine, http, meta};

/// Objects in the metadata store are read and written in one piece, so they have to be small.
const INLINE_LEN_MAX: u64 = 1 << 20;

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    pub data_dir: PathBuf,
    pub region: String,
    /// Lower case, without a dot at either end.
    pub domains: Vec<String>,
    pub log_format: log::Format,
    pub default_object_ownership: ObjectOwnership,
    /// `None` for `<data_dir>/blobs`.
    pub blobs_url: Option<String>,
    /// The backend's options; their values may be secrets.
    pub blob_options: BlobOptions,
    /// Empty when none is configured: then a key pair is made on the first start.
    pub users: Vec<User>,
    /// Whether Signature Version 2 is taken too.
    pub sigv2: bool,
    /// New buckets get a public access block with everything on.
    pub block_public_access: bool,
    pub http: http::Settings,
    /// Its keyring is empty: the keys are read when the data directory is open.
    pub engine: engine::Settings,
    pub encryption: Encryption,
    pub metadata: meta::rocksdb::Settings,
}

/// Options of the blob backend under object_store's names. `Debug` shows no value.
#[derive(Clone, Default)]
pub struct BlobOptions(pub BTreeMap<String, String>);

impl std::fmt::Debug for BlobOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Where the keys of server-side encryption are. `Debug` shows none.
#[derive(Clone)]
pub struct Encryption {
    pub master: MasterKey,
    pub kms_keys: BTreeMap<String, [u8; KEY_LEN]>,
    /// Keys of clients are refused over connections that are not encrypted.
    pub require_tls: bool,
}

/// Where the master keys are.
#[derive(Clone)]
pub enum MasterKey {
    /// In a file beside the data, made when there is none.
    InDataDir,
    File(PathBuf),
    /// From the oldest to the newest.
    Given(Vec<[u8; KEY_LEN]>),
}

impl std::fmt::Debug for Encryption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encryption").field("kms_keys", &self.kms_keys.keys()).finish_non_exhaustive()
    }
}

/// Who may sign requests with this key pair.
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    /// The canonical owner id.
    pub id: String,
    pub display_name: String,
    pub email: Option<String>,
    pub access_key_id: String,
    pub secret_access_key: Secret,
}

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub listen: Option<String>,
    pub data_dir: Option<PathBuf>,
    pub log_format: Option<String>,
}

/// Reads the file, the variables and the flags, and checks everything.
pub fn load(
    flags: Flags,
    variables: impl Iterator<Item = (String, String)> + Clone,
) -> Result<Settings, ConfigError> {
    let mut raw = Raw::default();
    if let Some(path) = &flags.config {
        let text = std::fs::read_to_string(path).map_err(|err| ConfigError {
            key: "--config".to_string(),
            source_of_value: Some(Source::File(path.clone())),
            reason: format!("cannot read it: {err}"),
        })?;
        raw.add_file(path, &text)?;
    }
    raw.add_environment(variables.clone().filter(|(_, value)| !value.is_empty()))?;
    raw.add_flag("listen", "--listen", flags.listen);
    raw.add_flag("data_dir", "--data-dir", flags.data_dir.map(|path| path.to_string_lossy().into_owned()));
    raw.add_flag("log_format", "--log-format", flags.log_format);
    let variable = |name: &str| {
        variables
            .clone()
            .find(|(variable, value)| variable == name && !value.is_empty())
            .map(|(_, value)| value)
    };
    let key_pair = (variable("DOVETAIL_ACCESS_KEY_ID"), variable("DOVETAIL_SECRET_ACCESS_KEY"));
    check(&raw, key_pair)
}

/// From what was written to what it means.
fn check(raw: &Raw, key_pair: (Option<String>, Option<String>)) -> Result<Settings, ConfigError> {
    let input = Input(raw);
    let settings = Settings {
        data_dir: input.parse("data_dir", not_empty)?.into(),
        region: input.parse("region", region)?,
        domains: domains(&input)?,
        log_format: input.parse("log_format", log_format)?,
        default_object_ownership: input.parse("default_object_ownership", ownership)?,
        blobs_url: input.parse_optional("blobs.url", not_empty)?,
        blob_options: blob_options(&input)?,
        users: users::users(&input, key_pair)?,
        sigv2: input.parse("sigv2", boolean)?,
        block_public_access: block_public_access(&input)?,
        http: http_settings(&input)?,
        engine: engine_settings(&input)?,
        encryption: encryption(&input)?,
        metadata: metadata_settings(&input)?,
    };
    if settings.blobs_url.is_none() && !settings.blob_options.0.is_empty() {
        let names: Vec<&str> = settings.blob_options.0.keys().map(String::as_str).collect();
        let reason = format!("is needed for the options {}; the local default takes none", names.join(", "));
        return Err(input.error("blobs.url", reason));
    }
    Ok(settings)
}

/// On, unless new buckets have access control lists: who turns those on gets new buckets as AWS made them when it did.
fn block_public_access(input: &Input<'_>) -> Result<bool, ConfigError> {
    let ownership = input.parse("default_object_ownership", |text| word("default_object_ownership", text))?;
    let block = input.parse_optional("default_public_access_block", boolean)?;
    Ok(block.unwrap_or(ownership == "BucketOwnerEnforced"))
}

fn http_settings(input: &Input<'_>) -> Result<http::Settings, ConfigError> {
    Ok(http::Settings {
        listen: input.parse("listen", address)?,
        tls: tls_files(input)?,
        connections: input.parse("limits.connections", connections)?,
        header_timeout: input.parse("limits.header_timeout", timeout)?,
        idle_timeout: input.parse("limits.idle_timeout", timeout)?,
        body_idle_timeout: input.parse("limits.body_idle_timeout", timeout)?,
        body_min_rate: input.parse("limits.body_min_rate", values::size)?,
        write_timeout: input.parse("limits.write_timeout", timeout)?,
        shutdown_timeout: input.parse("shutdown_timeout", values::duration)?,
        ..http::Settings::default()
    })
}

fn tls_files(input: &Input<'_>) -> Result<Option<http::tls::Files>, ConfigError> {
    let certificate = input.parse_optional("tls.certificate", not_empty)?;
    let private_key = input.parse_optional("tls.private_key", not_empty)?;
    match (certificate, private_key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(private_key)) => {
            Ok(Some(http::tls::Files { certificate: certificate.into(), private_key: private_key.into() }))
        }
        (Some(_), None) => Err(input.error("tls.private_key", "is needed with tls.certificate")),
        (None, Some(_)) => Err(input.error("tls.certificate", "is needed with tls.private_key")),
    }
}

fn engine_settings(input: &Input<'_>) -> Result<engine::Settings, ConfigError> {
    Ok(engine::Settings {
        inline_len_max: input
            .parse("metadata.inline_max", |text| at_most(values::size(text)?, INLINE_LEN_MAX))?,
        body_memory_len: input.parse("limits.upload_memory", upload_memory)?,
        body_memory_wait: input.parse("limits.upload_wait", values::duration)?,
        upload_expire_after: input.parse("uploads.expire_after", timeout)?,
        complete_repeat_window: input.parse("uploads.complete_repeat_window", values::duration)?,
        sweep_interval: input.parse("uploads.sweep_interval", timeout)?,
        lifecycle_interval: input.parse("lifecycle.sweep_interval", timeout)?,
        lifecycle_day: input.parse("lifecycle.day_length", timeout)?,
        keyring: Arc::default(),
    })
}

fn encryption(input: &Input<'_>) -> Result<Encryption, ConfigError> {
    let file = input.parse_optional("encryption.master_key_file", not_empty)?;
    let keys = input.parse_optional("encryption.master_key", |text| match values::keys(text)? {
        keys if keys.is_empty() => Err("is empty; allowed: 32 bytes in base64".to_string()),
        keys => Ok(keys),
    })?;
    let master = match (file, keys) {
        (None, None) => MasterKey::InDataDir,
        (Some(file), None) => MasterKey::File(file.into()),
        (None, Some(keys)) => MasterKey::Given(keys),
        (Some(_), Some(_)) => {
            let reason = "is there beside encryption.master_key_file; allowed: one of the two";
            return Err(input.error("encryption.master_key", reason));
        }
    };
    let names = input.0.below("encryption.kms_keys.").map(|(name, _)| name.to_string());
    let kms_keys = names.map(|name| {
        let key = input.parse_optional(&format!("encryption.kms_keys.{name}"), values::encryption_key)?;
        Ok((name, key.expect("the name comes from the input")))
    });
    Ok(Encryption {
        master,
        kms_keys: kms_keys.collect::<Result<_, ConfigError>>()?,
        require_tls: input.parse("encryption.require_tls", boolean)?,
    })
}

fn metadata_settings(input: &Input<'_>) -> Result<meta::rocksdb::Settings, ConfigError> {
    let memory = |text: &str| at_least(to_usize(values::size(text)?)?, 1 << 20);
    Ok(meta::rocksdb::Settings {
        block_cache_len: input.parse("metadata.block_cache", memory)?,
        write_buffer_len: input.parse("metadata.write_buffer", memory)?,
        ..meta::rocksdb::Settings::default()
    })
}

fn domains(input: &Input<'_>) -> Result<Vec<String>, ConfigError> {
    input
        .texts("domain")?
        .iter()
        .map(|text| domain(text).map_err(|reason| input.error("domain", reason)))
        .collect()
}

fn blob_options(input: &Input<'_>) -> Result<BlobOptions, ConfigError> {
    let names = input.0.below("blobs.").map(|(name, _)| name).filter(|name| *name != "url");
    let options = names.map(|name| {
        let text = input.text(&format!("blobs.{name}"), true)?;
        Ok((name.to_string(), text.expect("the name comes from the input")))
    });
    Ok(BlobOptions(options.collect::<Result<_, ConfigError>>()?))
}

/// Reads keys, with the defaults of the table, and says what is wrong with one.
struct Input<'a>(&'a Raw);

impl Input<'_> {
    fn error(&self, name: &str, reason: impl Into<String>) -> ConfigError {
        let source_of_value = self.0.get(name).map(|(_, source)| source.clone());
        ConfigError { key: name.to_string(), source_of_value, reason: reason.into() }
    }

    /// The value of a key that has a default.
    fn parse<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, ConfigError> {
        let default = keys::find(name).expect("the key is in the table").default;
        let parsed = self.parse_optional(name, &parse)?;
        parsed.map_or_else(|| parse(default).map_err(|reason| self.error(name, reason)), Ok)
    }

    /// The value of a key, if it was written anywhere.
    fn parse_optional<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let numbers =
            !matches!(keys::find(name).map(|key| key.kind), Some(keys::Kind::Text | keys::Kind::Secret));
        let text = self.text(name, numbers)?;
        text.map(|text| parse(&text)).transpose().map_err(|reason| self.error(name, reason))
    }

    /// A value as text. `numbers`: whether numbers and booleans may stand without quotes.
    fn text(&self, name: &str, numbers: bool) -> Result<Option<String>, ConfigError> {
        match self.0.get(name).map(|(value, _)| value) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Integer(number)) if numbers => Ok(Some(number.to_string())),
            Some(Value::Boolean(flag)) if numbers => Ok(Some(flag.to_string())),
            Some(_) => Err(self.error(name, "has the wrong type; allowed: text in quotes")),
        }
    }

    /// A list; one text stands for itself, in the environment with commas between several.
    fn texts(&self, name: &str) -> Result<Vec<String>, ConfigError> {
        match self.0.get(name).map(|(value, _)| value) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(text.split(',').map(|part| part.trim().to_string()).collect()),
            Some(Value::Array(entries)) => {
                let texts = entries.iter().map(|entry| entry.as_str().map(str::to_string));
                let texts: Option<Vec<String>> = texts.collect();
                texts
                    .ok_or_else(|| self.error(name, "has an entry that is no text; allowed: texts in quotes"))
            }
            Some(_) => {
                Err(self.error(name, "has the wrong type; allowed: text in quotes, or a list of them"))
            }
        }
    }
}

/// Reads the level of the log from the environment.
pub fn log_level(variables: impl Iterator<Item = (String, String)>) -> Result<String, ConfigError> {
    let set = variables.into_iter().find(|(name, value)| name == "DOVETAIL_LOG" && !value.is_empty());
    let level = set.map_or_else(|| "info".to_string(), |(_, value)| value);
    match log::parse_level(&level) {
        Ok(_) => Ok(level),
        Err(reason) => Err(ConfigError { key: "DOVETAIL_LOG".to_string(), source_of_value: None, reason }),
    }
}

/// The process's environment. Variables that are not text are left out: no key is meant by them.
pub fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// A file as the operator's own editor would show it, for messages.
pub fn shown(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).display().to_string()
}
