//! From the configuration's `blobs.url` and the options beside it to a backend.

use crate::base::tasks::Tasks;
use crate::blob::local::{self, Local};
use crate::blob::memory::Memory;
use crate::blob::remote::{self, Remote};
use crate::blob::{Error, Store};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientOptions, RetryConfig};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;

/// Settings of every kind of backend; the one that is opened takes its own.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub local: local::Settings,
    pub remote: remote::Settings,
}

/// Why a backend could not be opened. All but `Store` are mistakes in the configuration. No message holds a value of
/// an option, which may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "blobs.url {0}; allowed are file:///path, memory://, s3://bucket/prefix, gs://bucket/prefix and az://container/prefix"
    )]
    Url(&'static str),
    #[error("blobs.{key} is no option of {backend}; allowed are {allowed}")]
    UnknownOption { key: String, backend: &'static str, allowed: &'static str },
    #[error("the options in blobs do not make up a {backend} backend: {source}")]
    Options { backend: &'static str, source: object_store::Error },
    #[error("blobs.{key} must be a number of bytes")]
    NotANumber { key: &'static str },
    #[error(transparent)]
    Store(#[from] Error),
}

/// Opens the backend that `url` names: `file:///path`, `memory://`, `s3://bucket/prefix`, `gs://bucket/prefix` or
/// `az://container/prefix`; `None` is `<data_dir>/blobs`. `options` are those of the `object_store` crate for that
/// backend (`aws_endpoint`, `google_service_account_path`, ...); the process's environment is not looked at.
///
/// Local directories are made; of a remote backend nothing is asked yet ([`Store::check`] does). `tasks` does what
/// remote writers leave to do when they are dropped.
pub fn open_url(
    url: Option<&str>,
    options: &BTreeMap<String, String>,
    data_dir: &Path,
    settings: &Settings,
    tasks: &Tasks,
) -> Result<Arc<dyn Store>, OpenError> {
    if let Some(path) = local_dir(url, data_dir) {
        refuse_options(options, "a local directory")?;
        return open_local(&path, data_dir, settings);
    }
    let url = Url::parse(url.unwrap_or_default()).map_err(|_| OpenError::Url("is not a URL"))?;
    match url.scheme() {
        "file" => Err(OpenError::Url("names no absolute path")),
        "memory" => open_memory(options),
        "s3" => open_s3(&url, options, &settings.remote, tasks),
        "gs" => open_gcs(&url, options, &settings.remote, tasks),
        "az" => open_azure(&url, options, &settings.remote, tasks),
        _ => Err(OpenError::Url("has an unknown scheme")),
    }
}

/// Where a local backend keeps its blobs; `None` for every other one.
pub fn local_dir(url: Option<&str>, data_dir: &Path) -> Option<PathBuf> {
    let Some(url) = url else { return Some(data_dir.join("blobs")) };
    let url = Url::parse(url).ok().filter(|url| url.scheme() == "file")?;
    url.to_file_path().ok()
}

fn open_local(path: &Path, data_dir: &Path, settings: &Settings) -> Result<Arc<dyn Store>, OpenError> {
    // A blob is renamed from tmp to its place, so both are on one disk. No fan-out directory is called tmp.
    let tmp = if path == data_dir.join("blobs") { data_dir.join("tmp") } else { path.join("tmp") };
    Ok(Arc::new(Local::open(path, &tmp, settings.local.clone())?))
}

fn open_memory(options: &BTreeMap<String, String>) -> Result<Arc<dyn Store>, OpenError> {
    let mut memory = Memory::new();
    for (key, value) in options {
        if key != "len_max" {
            return Err(unknown(key, "memory://", "len_max"));
        }
        let len_max = value.parse().map_err(|_| OpenError::NotANumber { key: "len_max" })?;
        memory = Memory::with_len_max(len_max);
    }
    Ok(Arc::new(memory))
}

fn open_s3(
    url: &Url,
    options: &BTreeMap<String, String>,
    settings: &remote::Settings,
    tasks: &Tasks,
) -> Result<Arc<dyn Store>, OpenError> {
    let mut builder =
        AmazonS3Builder::new().with_client_options(client(settings)).with_retry(retries(settings));
    for (key, value) in options {
        let known = key.parse::<AmazonS3ConfigKey>();
        let known = known.map_err(|_| unknown(key, "s3://", "those of object_store's AmazonS3ConfigKey"))?;
        builder = builder.with_config(known, value);
    }
    let objects = builder.with_bucket_name(bucket_of(url)?).build();
    let objects = objects.map_err(|source| OpenError::Options { backend: "s3://", source })?;
    Ok(Arc::new(Remote::new(Arc::new(objects), url.path(), settings.clone(), tasks.clone())))
}

fn open_gcs(
    url: &Url,
    options: &BTreeMap<String, String>,
    settings: &remote::Settings,
    tasks: &Tasks,
) -> Result<Arc<dyn Store>, OpenError> {
    let mut builder =
        GoogleCloudStorageBuilder::new().with_client_options(client(settings)).with_retry(retries(settings));
    for (key, value) in options {
        let known = key.parse::<GoogleConfigKey>();
        let known = known.map_err(|_| unknown(key, "gs://", "those of object_store's GoogleConfigKey"))?;
        builder = builder.with_config(known, value);
    }
    let objects = builder.with_bucket_name(bucket_of(url)?).build();
    let objects = objects.map_err(|source| OpenError::Options { backend: "gs://", source })?;
    Ok(Arc::new(Remote::new(Arc::new(objects), url.path(), settings.clone(), tasks.clone())))
}

fn open_azure(
    url: &Url,
    options: &BTreeMap<String, String>,
    settings: &remote::Settings,
    tasks: &Tasks,
) -> Result<Arc<dyn Store>, OpenError> {
    let mut builder =
        MicrosoftAzureBuilder::new().with_client_options(client(settings)).with_retry(retries(settings));
    for (key, value) in options {
        let known = key.parse::<AzureConfigKey>();
        let known = known.map_err(|_| unknown(key, "az://", "those of object_store's AzureConfigKey"))?;
        builder = builder.with_config(known, value);
    }
    let objects = builder.with_container_name(bucket_of(url)?).build();
    let objects = objects.map_err(|source| OpenError::Options { backend: "az://", source })?;
    Ok(Arc::new(Remote::new(Arc::new(objects), url.path(), settings.clone(), tasks.clone())))
}

fn bucket_of(url: &Url) -> Result<&str, OpenError> {
    let bucket = url.host_str().filter(|bucket| !bucket.is_empty());
    bucket.ok_or(OpenError::Url("names no bucket"))
}

/// The options may set these again, under object_store's names (`timeout`, `connect_timeout`, `read_timeout`);
/// `call_timeout` bounds them all.
fn client(settings: &remote::Settings) -> ClientOptions {
    ClientOptions::new()
        .with_connect_timeout(settings.connect_timeout)
        .with_read_timeout(settings.read_timeout)
        .with_timeout(settings.attempt_timeout)
}

fn retries(settings: &remote::Settings) -> RetryConfig {
    RetryConfig {
        max_retries: settings.retries_max,
        retry_timeout: settings.call_timeout,
        ..RetryConfig::default()
    }
}

fn refuse_options(options: &BTreeMap<String, String>, backend: &'static str) -> Result<(), OpenError> {
    match options.keys().next() {
        Some(key) => Err(unknown(key, backend, "none")),
        None => Ok(()),
    }
}

fn unknown(key: &str, backend: &'static str, allowed: &'static str) -> OpenError {
    OpenError::UnknownOption { key: key.to_string(), backend, allowed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::BlobId;

    fn open(
        url: Option<&str>,
        options: &[(&str, &str)],
        data_dir: &Path,
    ) -> Result<Arc<dyn Store>, OpenError> {
        let options = options.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        open_url(url, &options, data_dir, &Settings::default(), &Tasks::new())
    }

    fn refused(url: Option<&str>, options: &[(&str, &str)]) -> String {
        let data_dir = tempfile::tempdir().unwrap();
        let message = open(url, options, data_dir.path()).err().unwrap().to_string();
        assert_eq!(
            std::fs::read_dir(data_dir.path()).unwrap().count(),
            0,
            "nothing is made for a bad configuration"
        );
        message
    }

    #[tokio::test]
    async fn opens_every_kind() {
        let data_dir = tempfile::tempdir().unwrap();
        open(None, &[], data_dir.path()).unwrap();
        assert!(data_dir.path().join("blobs/ff").is_dir() && data_dir.path().join("tmp").is_dir());

        let elsewhere = tempfile::tempdir().unwrap();
        let url = Url::from_directory_path(elsewhere.path()).unwrap();
        let store = open(Some(url.as_str()), &[], data_dir.path()).unwrap();
        store.create(BlobId::random(), None).await.unwrap().finish().await.unwrap();
        assert!(elsewhere.path().join("tmp").is_dir(), "unfinished blobs are on the same disk");

        open(Some("memory://"), &[("len_max", "1000")], data_dir.path()).unwrap();
        let keys =
            [("aws_endpoint", "http://127.0.0.1:1"), ("aws_skip_signature", "true"), ("allow_http", "true")];
        open(Some("s3://bucket/some/prefix"), &keys, data_dir.path()).unwrap();
        open(Some("gs://bucket"), &[("google_skip_signature", "true")], data_dir.path()).unwrap();
        open(Some("az://container/x"), &[("azure_storage_account_name", "a")], data_dir.path()).unwrap();
    }

    #[test]
    fn an_unknown_option_is_named() {
        for url in ["s3://b", "gs://b", "az://b", "memory://", "file:///nowhere"] {
            let message = refused(Some(url), &[("aws_endpiont", "secret")]);
            assert!(message.contains("blobs.aws_endpiont") && message.contains("allowed"), "{message}");
            assert!(!message.contains("secret"));
        }
        assert!(refused(None, &[("x", "")]).contains("blobs.x"));
        assert!(refused(Some("memory://"), &[("len_max", "lots")]).contains("blobs.len_max"));
    }

    #[test]
    fn a_url_that_names_no_backend_says_what_does() {
        for url in ["", "bucket", "ftp://host/path", "s3://", "file://host/path", "gs:///x"] {
            let message = refused(Some(url), &[]);
            assert!(
                message.starts_with("blobs.url ") && message.contains("s3://bucket/prefix"),
                "{url}: {message}"
            );
        }
    }
}
