//! The options that say which endpoint, with which keys: those of aws-cli, and the environment it reads.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use etcetera::BaseStrategy as _;

use crate::base::clock::Clock;
use crate::base::tasks::Tasks;
use crate::client::chunks::{CHUNK_LEN, CHUNKS_PER_PART};
use crate::client::credentials::{Credentials, Keys, Source};
use crate::client::endpoint::{Endpoint, Protection, Settings};
use crate::client::error::Error;
use crate::client::profiles::Profile;
use crate::client::tally::Tally;
use crate::wire::sigv4::Secret;

const REGION_DEFAULT: &str = "us-east-1";

/// Which endpoint, and who asks.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connection")]
pub struct Connect {
    /// Talk to this S3 endpoint [default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's, then AWS]
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// Use this profile of ~/.aws/config and ~/.aws/credentials [default: AWS_PROFILE]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The bucket's region [default: AWS_REGION, the profile's, then us-east-1]
    #[arg(long, value_name = "NAME")]
    pub region: Option<String>,
    /// Trust the certificates in this PEM file instead of the system's [default: AWS_CA_BUNDLE]
    #[arg(long, value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
    /// Send requests without a signature, for public buckets
    #[arg(long)]
    pub no_sign_request: bool,
    /// Put the bucket in the path or in the host name [default: the host for AWS, else the path]
    #[arg(long, value_name = "STYLE")]
    pub addressing_style: Option<AddressingStyle>,
    /// Give up when nothing has worked for this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub patience: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AddressingStyle {
    Path,
    Virtual,
}

/// How hard to work.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Speed")]
pub struct Effort {
    /// Requests in flight at most; fewer are used when more do not help
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub parallel: u16,
    /// Bytes a second, over everything together, such as 10M
    #[arg(long, value_name = "BYTES", value_parser = byte_count)]
    pub limit_rate: Option<u64>,
    /// Bytes of memory for what is on its way
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = byte_count)]
    pub memory: u64,
    /// Bytes in a part, such as 64M [default: 16M, more for objects over 156 GiB]
    #[arg(long, value_name = "BYTES", value_parser = byte_count)]
    pub part_size: Option<u64>,
    /// What protects parts on the way [default: crc64nvme where the endpoint knows it, else md5]
    #[arg(long, value_name = "NAME")]
    pub checksum: Option<Checksum>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Checksum {
    Crc64nvme,
    Md5,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { parallel: 16, limit_rate: None, memory: 64 << 20, part_size: None, checksum: None }
    }
}

/// The environment of this process; variables that are no text are as good as missing.
pub fn environment() -> HashMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

impl Connect {
    /// Puts flags, environment and profile together. Nothing is sent yet.
    pub fn endpoint(
        &self,
        effort: &Effort,
        environment: &HashMap<String, String>,
        tasks: &Tasks,
        tally: &Arc<Tally>,
    ) -> Result<Arc<Endpoint>, Error> {
        let value = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
        let profile = self.read_profile(environment)?;
        let of_profile =
            |name: &str| profile.as_ref().and_then(|profile| profile.get(name)).map(str::to_owned);
        let url = (self.endpoint_url.clone())
            .or_else(|| value("AWS_ENDPOINT_URL_S3"))
            .or_else(|| value("AWS_ENDPOINT_URL"))
            .or_else(|| profile.as_ref().and_then(Profile::endpoint_url).map(str::to_owned));
        let region = (self.region.clone())
            .or_else(|| value("AWS_REGION"))
            .or_else(|| value("AWS_DEFAULT_REGION"))
            .or_else(|| of_profile("region"));
        let ca_bundle = (self.ca_bundle.clone())
            .or_else(|| value("AWS_CA_BUNDLE").map(PathBuf::from))
            .or_else(|| of_profile("ca_bundle").map(PathBuf::from));
        let addressing =
            self.addressing_style.or_else(|| match of_profile("s3.addressing_style").as_deref() {
                Some("path") => Some(AddressingStyle::Path),
                Some("virtual") => Some(AddressingStyle::Virtual),
                _ => None,
            });
        let clock = Clock::system();
        let source = self.key_source(environment, profile.as_ref())?;
        let in_flight_max = (effort.memory / (CHUNK_LEN * CHUNKS_PER_PART) as u64).max(1);
        let settings = Settings {
            url,
            region: region.unwrap_or_else(|| REGION_DEFAULT.to_owned()),
            path_style: addressing.map(|style| style == AddressingStyle::Path),
            ca_bundle: ca_bundle.map(|path| read(&path)).transpose()?,
            credentials: Credentials::new(source, clock.clone(), tasks.clone()),
            patience: Duration::from_secs(self.patience),
            parallel_max: u64::from(effort.parallel).min(in_flight_max) as usize,
            bytes_per_s: effort.limit_rate,
            protection: effort.checksum.map(|checksum| match checksum {
                Checksum::Crc64nvme => Protection::Crc64,
                Checksum::Md5 => Protection::Md5,
            }),
            limits_folder: cache_folder().map(|folder| folder.join("limits")),
        };
        Ok(Arc::new(Endpoint::new(settings, clock, tasks.clone(), Arc::clone(tally))?))
    }

    fn profile_name(&self, environment: &HashMap<String, String>) -> Option<String> {
        self.profile
            .clone()
            .or_else(|| environment.get("AWS_PROFILE").filter(|name| !name.is_empty()).cloned())
    }

    fn read_profile(&self, environment: &HashMap<String, String>) -> Result<Option<Profile>, Error> {
        let named = self.profile_name(environment);
        let file = |variable: &str, name: &str| match environment.get(variable) {
            Some(path) => Some(PathBuf::from(path)),
            None => etcetera::home_dir().ok().map(|home| home.join(".aws").join(name)),
        };
        let text = |path: Option<PathBuf>| {
            path.and_then(|path| std::fs::read(path).ok())
                .map(|text| String::from_utf8_lossy(&text).into_owned())
        };
        let config = text(file("AWS_CONFIG_FILE", "config")).unwrap_or_default();
        let credentials = text(file("AWS_SHARED_CREDENTIALS_FILE", "credentials")).unwrap_or_default();
        let found = Profile::find(&config, &credentials, named.as_deref().unwrap_or("default"));
        match (found, named) {
            (None, Some(name)) => {
                Err(Error::Usage(format!("no profile {name:?} in ~/.aws/config or ~/.aws/credentials")))
            }
            (found, _) => Ok(found),
        }
    }

    /// A profile named by a flag goes before the environment, as in aws-cli; any other after it.
    fn key_source(
        &self,
        environment: &HashMap<String, String>,
        profile: Option<&Profile>,
    ) -> Result<Source, Error> {
        if self.no_sign_request {
            return Ok(Source::Anonymous);
        }
        let of_environment =
            keys_from(|name| environment.get(&format!("AWS_{}", name.to_uppercase())).cloned());
        if let (Some(keys), None) = (of_environment, &self.profile) {
            return Ok(Source::Fixed(keys));
        }
        let Some(profile) = profile else { return Err(Error::Credentials("there are none".into())) };
        if let Some(keys) = keys_from(|name| profile.get(&format!("aws_{name}")).map(str::to_owned)) {
            return Ok(Source::Fixed(keys));
        }
        if let Some(command) = profile.get("credential_process") {
            return Ok(Source::Process(command.to_owned()));
        }
        Err(Error::Credentials(match profile.unsupported() {
            Some(setting) => format!(
                "the profile gets its keys by {setting}, which dovetail does not; \
                 `aws configure export-credentials --format env` prints keys to set"
            ),
            None => "the profile has no keys".into(),
        }))
    }
}

/// Where what can be had again is kept: the platform's folder for caches.
fn cache_folder() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.cache_dir().join("dovetail"))
}

fn keys_from(get: impl Fn(&str) -> Option<String>) -> Option<Keys> {
    let get = |name| get(name).filter(|value| !value.is_empty());
    Some(Keys {
        access_key_id: get("access_key_id")?,
        secret: Secret::new(get("secret_access_key")?),
        session_token: get("session_token"),
        expires_at_s: None,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path)
        .map_err(|error| Error::Usage(format!("cannot read the CA bundle {}: {error}", path.display())))
}

/// `512`, `64K`, `16M`, `5GiB`: powers of 1,024 in any spelling.
pub fn byte_count(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift =
        match text[digits.len()..].trim().to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
            "" => 0,
            "k" => 10,
            "m" => 20,
            "g" => 30,
            "t" => 40,
            _ => return Err("expected a number of bytes such as 512, 64K, 16M or 5G".into()),
        };
    let count: u64 = digits.parse().map_err(|_| "expected a number of bytes such as 512, 64K, 16M or 5G")?;
    count.checked_mul(1 << shift).ok_or_else(|| "that is too large".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(flags: &[&str]) -> Connect {
        #[derive(clap::Parser)]
        struct Only {
            #[command(flatten)]
            connect: Connect,
        }
        use clap::Parser as _;
        Only::parse_from([&["dovetail"], flags].concat()).connect
    }

    fn files(folder: &Path) -> HashMap<String, String> {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        HashMap::from([
            (
                "AWS_CONFIG_FILE".into(),
                write(
                    "config",
                    "[profile p]\nregion = r\ncredential_process = echo\n[profile sso]\nsso_session = s\n",
                ),
            ),
            (
                "AWS_SHARED_CREDENTIALS_FILE".into(),
                write("credentials", "[default]\naws_access_key_id = file\naws_secret_access_key = s\n"),
            ),
        ])
    }

    fn source(flags: &[&str], environment: &HashMap<String, String>) -> Result<Source, Error> {
        let connect = connect(flags);
        let profile = connect.read_profile(environment)?;
        connect.key_source(environment, profile.as_ref())
    }

    fn key_id(source: Result<Source, Error>) -> String {
        match source {
            Ok(Source::Fixed(keys)) => keys.access_key_id,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn keys_come_from_where_aws_cli_takes_them() {
        let folder = tempfile::tempdir().unwrap();
        let mut environment = files(folder.path());
        assert_eq!(key_id(source(&[], &environment)), "file");
        environment.insert("AWS_ACCESS_KEY_ID".into(), "env".into());
        assert_eq!(key_id(source(&[], &environment)), "file", "half a pair is none");
        environment.insert("AWS_SECRET_ACCESS_KEY".into(), "s".into());
        assert_eq!(key_id(source(&[], &environment)), "env");
        assert_eq!(key_id(source(&["--profile", "default"], &environment)), "file", "a flag wins");
        assert!(matches!(source(&["--profile", "p"], &environment), Ok(Source::Process(_))));
        assert!(matches!(source(&["--no-sign-request"], &environment), Ok(Source::Anonymous)));
        assert!(source(&["--profile", "sso"], &environment).unwrap_err().to_string().contains("sso_session"));
        assert!(matches!(source(&["--profile", "none"], &environment), Err(Error::Usage(_))));
    }

    #[tokio::test]
    async fn flags_win_over_the_environment_and_that_over_profiles() {
        let folder = tempfile::tempdir().unwrap();
        let mut environment = files(folder.path());
        let name = |flags: &[&str], environment: &HashMap<String, String>| {
            let tally = Arc::new(Tally::silent());
            connect(flags).endpoint(&Effort::default(), environment, &Tasks::new(), &tally).unwrap().name()
        };
        assert_eq!(name(&["--region", "x"], &environment), "https://s3.x.amazonaws.com");
        environment.insert("AWS_ENDPOINT_URL".into(), "http://all:1".into());
        assert_eq!(name(&[], &environment), "http://all:1");
        environment.insert("AWS_ENDPOINT_URL_S3".into(), "http://s3:1".into());
        assert_eq!(name(&[], &environment), "http://s3:1");
        assert_eq!(name(&["--endpoint-url", "http://flag:1"], &environment), "http://flag:1");
    }

    #[test]
    fn reads_numbers_of_bytes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("64K", Some(65_536)),
            ("16MiB", Some(16 << 20)),
            ("5 gb", Some(5 << 30)),
            ("1T", Some(1 << 40)),
            ("", None),
            ("M", None),
            ("1x", None),
            ("-1", None),
            ("99999999T", None),
        ] {
            assert_eq!(byte_count(text).ok(), expected, "{text}");
        }
    }
}
