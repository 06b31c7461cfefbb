//! The files that AWS's own tools are configured with: `~/.aws/config` and `~/.aws/credentials`.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>. Texts come in; which files and which profile
//! is the caller's to know. What is read: keys, `region`, `endpoint_url` (of the profile, or of S3 in its `services`
//! section), `credential_process`, `ca_bundle`, `s3.addressing_style`. A profile that needs something else to get keys
//! says so in [`Profile::unsupported`].

use std::collections::BTreeMap;

/// Settings by name; nested ones as `s3.addressing_style`.
type Section = BTreeMap<String, String>;

/// What the files say about one profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    settings: Section,
    /// `endpoint_url` for S3 in the `services` section that the profile names.
    service_endpoint_url: Option<String>,
}

impl Profile {
    /// Finds a profile; the credentials file wins over the config file. `None` if neither knows it.
    pub fn find(config: &str, credentials: &str, name: &str) -> Option<Profile> {
        let config = sections(config);
        let heading = if name == "default" { name.to_owned() } else { format!("profile {name}") };
        let in_config = config.get(&heading).or_else(|| config.get(&format!("profile {name}")));
        let in_credentials = sections(credentials).remove(name);
        if in_config.is_none() && in_credentials.is_none() {
            return None;
        }
        let mut settings = in_config.cloned().unwrap_or_default();
        settings.extend(in_credentials.unwrap_or_default());
        let service_endpoint_url = settings
            .get("services")
            .and_then(|services| config.get(&format!("services {services}")))
            .and_then(|services| services.get("s3.endpoint_url").cloned());
        Some(Profile { settings, service_endpoint_url })
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Where S3 is, for this profile.
    pub fn endpoint_url(&self) -> Option<&str> {
        self.service_endpoint_url.as_deref().or_else(|| self.get("endpoint_url"))
    }

    /// A setting that says how to get keys, in a way that is not understood here.
    pub fn unsupported(&self) -> Option<&'static str> {
        ["sso_session", "sso_start_url", "role_arn", "web_identity_token_file", "login_session"]
            .into_iter()
            .find(|name| self.get(name).is_some())
    }
}

/// Sections by heading; blanks in a heading are one blank.
fn sections(text: &str) -> BTreeMap<String, Section> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut heading = None;
    let mut parent = String::new();
    for line in text.lines() {
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            sections.entry(name.clone()).or_default();
            heading = Some(name);
            parent.clear();
            continue;
        }
        let (Some(heading), Some((name, value))) = (&heading, line.split_once('=')) else { continue };
        let section = sections.entry(heading.clone()).or_default();
        let (name, value) = (name.trim().to_lowercase(), value.trim());
        let value = value.split(" #").next().unwrap_or(value).trim_end();
        if is_nested && !parent.is_empty() {
            section.insert(format!("{parent}.{name}"), value.to_owned());
        } else {
            parent = if value.is_empty() { name.clone() } else { String::new() };
            section.insert(name, value.to_owned());
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
# a comment
[default]
region = eu-west-1
s3 =
  addressing_style = path
output = json

[profile  work]
region=us-west-2   # near
endpoint_url = https://everything.example
services = local

[services local]
s3 =
    endpoint_url = http://127.0.0.1:9000
dynamodb =
    endpoint_url = http://127.0.0.1:8000

[profile sso]
sso_session = corp
";
    const CREDENTIALS: &str = "\
[default]
aws_access_key_id = AKID
aws_secret_access_key = abc/d=ef+
[work]
region = ap-south-1
";

    #[test]
    fn reads_what_the_tools_of_aws_write() {
        let default = Profile::find(CONFIG, CREDENTIALS, "default").unwrap();
        assert_eq!(default.get("aws_access_key_id"), Some("AKID"));
        assert_eq!(default.get("aws_secret_access_key"), Some("abc/d=ef+"));
        assert_eq!(default.get("region"), Some("eu-west-1"));
        assert_eq!(default.get("s3.addressing_style"), Some("path"));
        assert_eq!(default.get("output"), Some("json"));
        assert_eq!(default.endpoint_url(), None);
        let work = Profile::find(CONFIG, CREDENTIALS, "work").unwrap();
        assert_eq!(work.get("region"), Some("ap-south-1"), "the credentials file wins");
        assert_eq!(work.endpoint_url(), Some("http://127.0.0.1:9000"), "the service's endpoint wins");
        assert_eq!(Profile::find(CONFIG, CREDENTIALS, "other"), None);
        assert_eq!(Profile::find(CONFIG, "", "sso").unwrap().unsupported(), Some("sso_session"));
        assert_eq!(default.unsupported(), None);
    }
}
