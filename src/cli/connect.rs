//! The options that say which endpoint, with which keys: those of aws-cli, and the environment it reads.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use etcetera::BaseStrategy as _;

use super::aws::AwsSettings;
use super::encryption::{KeyFile, KeyFiles, read_key};
use crate::base::clock::Clock;
use crate::base::tasks::Tasks;
use crate::client::chunks::{CHUNK_LEN, CHUNKS_PER_PART};
use crate::client::endpoint::credentials::{Anonymous, Credentials};
use crate::client::endpoint::customer_key::CustomerKeys;
use crate::client::endpoint::{Endpoint, Protection, Settings};
use crate::client::error::Error;
use crate::client::tally::Tally;

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
    /// The bucket's region, until a server names another one [default: AWS_REGION, the profile's, then us-east-1]
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
    /// Give up when, since something failed, nothing has worked for this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub patience: u64,
    /// Keys of the customer's, in commands that have such.
    #[arg(skip)]
    pub keys: KeyFiles,
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

impl Connect {
    /// The same for a command that brings a key for its objects.
    pub fn with_key(&self, key: &KeyFile) -> Connect {
        let keys = KeyFiles { own: key.sse_c_key_file.clone(), copy_source: None };
        Connect { keys, ..self.clone() }
    }

    /// Puts flags, environment and profile together. Nothing is sent yet, and no key is asked for.
    pub async fn endpoint(
        &self,
        effort: &Effort,
        tasks: &Tasks,
        tally: &Arc<Tally>,
    ) -> Result<Arc<Endpoint>, Error> {
        let aws = AwsSettings::load(self.profile.as_deref(), self.region.as_deref()).await;
        let url = self.endpoint_url.clone().or_else(|| aws.endpoint_url());
        let ca_bundle = self.ca_bundle.clone().or_else(|| aws.ca_bundle().map(PathBuf::from));
        let addressing = self.addressing_style.or_else(|| match aws.addressing_style().as_deref() {
            Some("path") => Some(AddressingStyle::Path),
            Some("virtual") => Some(AddressingStyle::Virtual),
            _ => None,
        });
        let clock = Clock::system();
        let credentials = match self.no_sign_request {
            true => Credentials::new(Anonymous, clock.clone()),
            false => Credentials::new(aws.keys(url.is_none()), clock.clone()),
        };
        let in_flight_max = (effort.memory / (CHUNK_LEN * CHUNKS_PER_PART) as u64).max(1);
        let settings = Settings {
            url,
            region: aws.region().to_owned(),
            path_style: addressing.map(|style| style == AddressingStyle::Path),
            ca_bundle: ca_bundle.map(|path| read(&path)).transpose()?,
            credentials,
            customer_keys: CustomerKeys {
                own: self.keys.own.as_deref().map(read_key).transpose()?,
                copy_source: self.keys.copy_source.as_deref().map(read_key).transpose()?,
            },
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
}

/// Where what can be had again is kept: the platform's folder for caches.
fn cache_folder() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.cache_dir().join("dovetail"))
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
