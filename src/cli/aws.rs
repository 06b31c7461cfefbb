//! What people have configured for AWS's own tools, read by AWS's own crate: the environment, `~/.aws/config` and
//! `~/.aws/credentials`, SSO, roles, web identities, `credential_process`, and a machine's own role.
//!
//! The order is that of aws-cli: flags, the environment, the profile; but a profile that a flag names goes before keys
//! in the environment.

use std::error::Error as StdError;
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials as AwsCredentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_types::service_config::ServiceConfigKey;

use crate::client::endpoint::credentials::{KeySource, Keys};
use crate::client::error::Error;
use crate::wire::sigv4::Secret;

/// Where whoever names no region is.
const REGION_DEFAULT: &str = "us-east-1";

/// The settings of one profile, with the environment's over them.
pub struct AwsSettings {
    config: SdkConfig,
    profile: Option<String>,
}

/// Where keys come from, asked anew each time.
#[derive(Debug)]
pub struct AwsKeys {
    /// Named by a flag.
    profile: Option<String>,
    region: Option<Region>,
    /// How a person logs in, if the profile is one of SSO.
    login: Option<String>,
    /// Whether the keys are for AWS itself, where a machine may have a role.
    is_aws: bool,
}

impl AwsSettings {
    /// Reads files and the environment; no key is asked for yet.
    pub async fn load(profile: Option<&str>, region: Option<&str>) -> AwsSettings {
        let mut of_profile = ProfileFileRegionProvider::builder();
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(name) = profile {
            of_profile = of_profile.profile_name(name);
            loader = loader.profile_name(name);
        }
        // Without one given here the crate would look for a machine's metadata service, and wait for it.
        let region = match region {
            Some(name) => Some(Region::new(name.to_owned())),
            None => {
                let first = EnvironmentVariableRegionProvider::new();
                RegionProviderChain::first_try(first).or_else(of_profile.build()).region().await
            }
        };
        let region = region.unwrap_or(Region::from_static(REGION_DEFAULT));
        let config = loader.no_credentials().region(region).load().await;
        AwsSettings { config, profile: profile.map(str::to_owned) }
    }

    pub fn region(&self) -> &str {
        self.config.region().map_or(REGION_DEFAULT, Region::as_ref)
    }

    /// `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, the profile's `services` section, its `endpoint_url`.
    pub fn endpoint_url(&self) -> Option<String> {
        self.get("AWS_ENDPOINT_URL", "endpoint_url")
    }

    pub fn ca_bundle(&self) -> Option<String> {
        self.get("AWS_CA_BUNDLE", "ca_bundle")
    }

    /// `addressing_style` below the profile's `s3`, which only aws-cli reads.
    pub fn addressing_style(&self) -> Option<String> {
        let nested = self.get("", "s3")?;
        let lines = nested.lines().filter_map(|line| line.split_once('='));
        let mut found = lines.filter(|(name, _)| name.trim() == "addressing_style");
        found.next().map(|(_, style)| style.trim().to_owned())
    }

    pub fn keys(&self, is_aws: bool) -> AwsKeys {
        AwsKeys {
            profile: self.profile.clone(),
            region: self.config.region().cloned(),
            login: self.login(),
            is_aws,
        }
    }

    fn login(&self) -> Option<String> {
        let is_sso = ["sso_session", "sso_start_url"].iter().any(|name| self.get("", name).is_some());
        let name = self.profile.clone().or_else(|| std::env::var("AWS_PROFILE").ok());
        is_sso.then(|| match name {
            Some(name) => format!("aws sso login --profile {name}"),
            None => "aws sso login".to_owned(),
        })
    }

    fn get(&self, variable: &str, name: &str) -> Option<String> {
        let key = ServiceConfigKey::builder().service_id("s3").env(variable).profile(name).build();
        let value = self.config.service_config()?.load_config(key.ok()?)?;
        Some(value).filter(|value| !value.is_empty())
    }
}

impl AwsKeys {
    /// One place after the other, each made only when those before it had nothing: with some comes a client for HTTPS, and it
    /// reads every root certificate.
    async fn find(&self) -> Result<AwsCredentials, CredentialsError> {
        if self.profile.is_none() {
            let found = EnvironmentVariableCredentialsProvider::new().provide_credentials().await;
            if !is_absent(&found) {
                return found;
            }
        }
        if self.profile.is_none() && self.is_aws {
            let chain = DefaultCredentialsChain::builder().region(self.region.clone()).build().await;
            return chain.provide_credentials().await;
        }
        let config = ProviderConfig::without_region().with_region(self.region.clone());
        let mut profile = ProfileFileCredentialsProvider::builder().configure(&config);
        if let Some(name) = &self.profile {
            profile = profile.profile_name(name);
        }
        let found = profile.build().provide_credentials().await;
        if self.profile.is_some() || !is_absent(&found) {
            return found;
        }
        let web_identity = WebIdentityTokenCredentialsProvider::builder().configure(&config).build();
        web_identity.provide_credentials().await
    }
}

impl AwsKeys {
    /// What a person can make something of: that none of the places has keys is said rather than what the last one lacks.
    fn reason(&self, error: &CredentialsError) -> String {
        match (&self.profile, error) {
            (Some(name), CredentialsError::CredentialsNotLoaded(_)) => {
                format!("there is no profile {name}, or it has none")
            }
            (None, CredentialsError::CredentialsNotLoaded(_))
                if std::env::var_os("AWS_ACCESS_KEY_ID").is_some_and(|id| !id.is_empty()) =>
            {
                "there is an AWS_ACCESS_KEY_ID without its AWS_SECRET_ACCESS_KEY".to_owned()
            }
            (None, CredentialsError::CredentialsNotLoaded(_)) => "there are none".to_owned(),
            _ => causes(error),
        }
    }
}

fn is_absent(found: &Result<AwsCredentials, CredentialsError>) -> bool {
    matches!(found, Err(CredentialsError::CredentialsNotLoaded(_)))
}

#[async_trait]
impl KeySource for AwsKeys {
    async fn keys(&self) -> Result<Option<Keys>, Error> {
        let found = self
            .find()
            .await
            .map_err(|error| Error::Credentials { reason: self.reason(&error), login: self.login.clone() })?;
        let expires = found.expiry().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(Some(Keys {
            access_key_id: found.access_key_id().to_owned(),
            secret: Secret::new(found.secret_access_key().to_owned()),
            session_token: found.session_token().map(str::to_owned),
            expires_at_s: expires.map(|since| since.as_secs().cast_signed()),
        }))
    }
}

/// Every cause, outermost first. The crate puts no secret into them.
fn causes(error: &CredentialsError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
