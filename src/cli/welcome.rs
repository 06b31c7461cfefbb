//! What `serve` prints once it listens: where it is, who may use it, and lines to paste.

use std::fmt::{self, Display};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Where a person finds the secret of the access key that is shown.
#[derive(Clone, Debug)]
pub enum SecretPlace {
    /// A file of ours: `credentials`.
    Kept(PathBuf),
    Environment,
    Configuration,
}

/// The text, by `Display`.
#[derive(Clone, Debug)]
pub struct Welcome {
    pub address: SocketAddr,
    pub tls: bool,
    pub region: String,
    pub data_dir: PathBuf,
    pub access_key_id: String,
    pub secret: SecretPlace,
}

impl Welcome {
    /// A URL that works on this machine: a listener on every address is reached by the loopback one.
    fn endpoint(&self) -> String {
        let host = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_string(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) if ip.is_unspecified() => "[::1]".to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{host}:{}", self.address.port())
    }

    /// A shell expression whose value is the secret.
    fn secret_expression(&self) -> String {
        match &self.secret {
            SecretPlace::Kept(path) => {
                format!("\"$(sed -n 's/^secret_access_key = \"\\(.*\\)\"$/\\1/p' {})\"", quoted(path))
            }
            SecretPlace::Environment => "\"$DOVETAIL_SECRET_ACCESS_KEY\"".to_string(),
            SecretPlace::Configuration => "...".to_string(),
        }
    }
}

impl Display for Welcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.endpoint();
        let place = match &self.secret {
            SecretPlace::Kept(path) => format!("in {}", path.display()),
            SecretPlace::Environment => "in DOVETAIL_SECRET_ACCESS_KEY".to_string(),
            SecretPlace::Configuration => "in the configuration file".to_string(),
        };
        writeln!(f, "dovetail {} is ready", env!("CARGO_PKG_VERSION"))?;
        writeln!(f, "  endpoint    {endpoint}")?;
        writeln!(f, "  access key  {}", self.access_key_id)?;
        writeln!(f, "  secret key  {place}")?;
        writeln!(f, "  data        {}", self.data_dir.display())?;
        writeln!(f)?;
        writeln!(f, "In another shell, with the keys in its environment:")?;
        writeln!(
            f,
            "  export AWS_DEFAULT_REGION={} AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}",
            self.region,
            self.access_key_id,
            self.secret_expression()
        )?;
        writeln!(f)?;
        writeln!(f, "Then, for example:")?;
        writeln!(f, "  aws --endpoint-url {endpoint} s3 mb s3://demo")?;
        writeln!(
            f,
            "  rclone copy ./file ':s3,provider=Other,env_auth,endpoint=\"{endpoint}\":demo' --progress"
        )?;
        writeln!(f, "  dovetail put --endpoint-url {endpoint} ./file s3://demo/")
    }
}

/// A path as a shell takes it.
fn quoted(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_');
    if text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_endpoint_the_key_and_the_place_of_the_secret_but_not_the_secret() {
        let welcome = Welcome {
            address: "0.0.0.0:9000".parse().unwrap(),
            tls: false,
            region: "us-east-1".to_string(),
            data_dir: "./data".into(),
            access_key_id: "DTABC".to_string(),
            secret: SecretPlace::Kept("/srv/my data/credentials".into()),
        };
        let text = welcome.to_string();
        assert!(text.contains("http://127.0.0.1:9000\n") && text.contains("access key  DTABC\n"), "{text}");
        assert!(text.contains("in /srv/my data/credentials\n"), "{text}");
        assert!(text.contains("/p' '/srv/my data/credentials')\""), "{text}");
    }
}
