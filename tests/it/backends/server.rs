//! Other people's servers on loopback, each in a folder of its own, killed when dropped.

use base64::Engine as _;
use dovetail::base::clock::Clock;
use hmac::{Hmac, KeyInit, Mac};
use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Python takes a while to start on a loaded machine; never reached when all is well.
const PATIENCE: Duration = Duration::from_secs(60);
/// The account and key that every Azurite has.
const AZURE_ACCOUNT: &str = "devstoreaccount1";
const AZURE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A running server with an empty bucket called `blobs`.
pub struct Server {
    child: Child,
    port: u16,
    folder: TempDir,
    url: &'static str,
    options: BTreeMap<String, String>,
}

impl Server {
    /// moto, as S3.
    pub async fn s3() -> Server {
        let server = Server::start(moto, "s3://blobs", |port| {
            vec![
                ("aws_endpoint", format!("http://127.0.0.1:{port}")),
                ("aws_access_key_id", "test".to_string()),
                ("aws_secret_access_key", "test".to_string()),
                ("aws_region", "us-east-1".to_string()),
                ("aws_allow_http", "true".to_string()),
            ]
        })
        .await;
        server.made(reqwest::Client::new().put(server.http("/blobs"))).await;
        server
    }

    /// Azurite, as Azure Blob Storage.
    pub async fn azure() -> Server {
        let start = |port: u16, folder: &Path| {
            let folder = folder.to_str().expect("a temporary folder's name is text");
            let port = port.to_string();
            let mut args = vec!["--blobHost", "127.0.0.1", "--blobPort", &port, "--location", folder];
            args.extend(["--silent", "--skipApiVersionCheck", "--disableTelemetry"]);
            command("azurite-blob", &args)
        };
        let server = Server::start(start, "az://blobs", |port| {
            vec![
                ("azure_storage_account_name", AZURE_ACCOUNT.to_string()),
                ("azure_storage_account_key", AZURE_KEY.to_string()),
                ("azure_storage_endpoint", format!("http://127.0.0.1:{port}/{AZURE_ACCOUNT}")),
                ("azure_allow_http", "true".to_string()),
            ]
        })
        .await;
        server.make_azure_container().await;
        server
    }

    /// moto again, as Google Cloud Storage: Google's XML API, which `object_store` speaks, is S3's with other headers
    /// (<https://cloud.google.com/storage/docs/xml-api/overview>). Of the emulators of Google's service none that can
    /// be installed from a package registry answers multipart uploads of that API.
    pub async fn gcs() -> Server {
        let server = Server::start(moto, "gs://blobs", |port| {
            vec![
                ("google_base_url", format!("http://127.0.0.1:{port}")),
                // moto looks for the service's name where S3's signatures have it.
                ("google_bearer_token", "Credential=test/20260101/us-east-1/s3/aws4_request".to_string()),
                ("google_allow_http", "true".to_string()),
            ]
        })
        .await;
        server.made(reqwest::Client::new().put(server.http("/blobs"))).await;
        server
    }

    async fn start(
        start: impl Fn(u16, &Path) -> Command,
        url: &'static str,
        options: impl Fn(u16) -> Vec<(&'static str, String)>,
    ) -> Server {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let port = free_port();
        let log = std::fs::File::create(folder.path().join("server.log")).expect("a log can be made");
        let mut command = start(port, folder.path());
        command.current_dir(folder.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a file handle can be copied")).stderr(log);
        let child = command.spawn().expect("the server can be started");
        let options = options(port).into_iter().map(|(key, value)| (key.to_string(), value)).collect();
        let mut server = Server { child, port, folder, url, options };
        server.wait_ready().await;
        server
    }

    /// `blobs.url` for a prefix of the bucket, and the options beside it.
    pub fn configuration(&self, prefix: &str) -> (String, BTreeMap<String, String>) {
        (format!("{}/{prefix}", self.url), self.options.clone())
    }

    pub fn http(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    async fn wait_ready(&mut self) {
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the server ended with {status} before it was ready:\n{}", self.log());
            }
            assert!(started.elapsed() < PATIENCE, "the server is not ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    async fn made(&self, request: reqwest::RequestBuilder) {
        let answer = request.send().await.expect("the server answers");
        let status = answer.status();
        let body = answer.text().await.unwrap_or_default();
        assert!(status.is_success(), "the bucket cannot be made: {status} {body}\n{}", self.log());
    }

    /// Signs by <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>.
    async fn make_azure_container(&self) {
        let now = time::OffsetDateTime::from_unix_timestamp(Clock::system().now_ms() / 1000).expect("a time");
        let format = time::macros::format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        let date = now.format(&format).expect("a date");
        let headers = format!("x-ms-date:{date}\nx-ms-version:2021-12-02\n");
        let resource = format!("/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/blobs\nrestype:container");
        let signed = format!("PUT\n\n\n\n\n\n\n\n\n\n\n\n{headers}{resource}");
        let base64 = base64::engine::general_purpose::STANDARD;
        let key = base64.decode(AZURE_KEY).expect("the key is base64");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("any length will do");
        mac.update(signed.as_bytes());
        let signature = base64.encode(mac.finalize().into_bytes());
        let request = reqwest::Client::new()
            .put(self.http(&format!("/{AZURE_ACCOUNT}/blobs?restype=container")))
            .header("x-ms-date", date)
            .header("x-ms-version", "2021-12-02")
            .header("content-length", "0")
            .header("authorization", format!("SharedKey {AZURE_ACCOUNT}:{signature}"));
        self.made(request).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn moto(port: u16, _: &Path) -> Command {
    command("moto_server", &["-H", "127.0.0.1", "-p", &port.to_string()])
}

fn command(program: &str, args: &[&str]) -> Command {
    let path = servers().join(program);
    assert!(path.exists(), "{} is not there: run tools/test-servers", path.display());
    let mut command = Command::new(path);
    command.args(args);
    command
}

/// Where `tools/test-servers` puts them.
fn servers() -> PathBuf {
    let cache = std::env::var_os("DOVETAIL_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/dovetail")));
    cache.expect("DOVETAIL_CACHE or HOME is set").join("servers")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
