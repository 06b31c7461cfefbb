//! The keys that requests are signed with, and getting new ones when they expire.

use serde::Deserialize;
use tokio::sync::Mutex;

use crate::base::clock::Clock;
use crate::base::tasks::Tasks;
use crate::client::Error;
use crate::wire::http_date;
use crate::wire::sigv4::Secret;

/// Keys are renewed this long before they expire, so that no request is under way when they do.
const RENEW_BEFORE_S: i64 = 120;

/// One pair of keys.
#[derive(Clone, Debug)]
pub struct Keys {
    pub access_key_id: String,
    pub secret: Secret,
    pub session_token: Option<String>,
    /// In Unix seconds.
    pub expires_at_s: Option<i64>,
}

/// Where keys come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Requests are not signed.
    Anonymous,
    Fixed(Keys),
    /// A command that prints them as JSON, as `credential_process` in `~/.aws/config` says:
    /// <https://docs.aws.amazon.com/cli/latest/topic/config-vars.html#sourcing-credentials-from-external-processes>
    Process(String),
}

/// The current keys of one source.
#[derive(Debug)]
pub struct Credentials {
    source: Source,
    clock: Clock,
    tasks: Tasks,
    cached: Mutex<Option<Keys>>,
}

/// What a `credential_process` prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessKeys {
    version: u32,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<String>,
}

impl Credentials {
    pub fn new(source: Source, clock: Clock, tasks: Tasks) -> Credentials {
        Credentials { source, clock, tasks, cached: Mutex::new(None) }
    }

    /// Keys that hold for a while yet; `None` when requests are not to be signed.
    pub async fn current(&self) -> Result<Option<Keys>, Error> {
        let command = match &self.source {
            Source::Anonymous => return Ok(None),
            Source::Fixed(keys) => return Ok(Some(keys.clone())),
            Source::Process(command) => command.clone(),
        };
        // Held while the command runs, so that it runs once for all who wait.
        let mut cached = self.cached.lock().await;
        let now_s = self.clock.now_ms() / 1000;
        if let Some(keys) = &*cached
            && keys.expires_at_s.is_none_or(|expires| expires - RENEW_BEFORE_S > now_s)
        {
            return Ok(Some(keys.clone()));
        }
        let ran = self.tasks.spawn_blocking(move || run(&command)).await;
        let keys = ran.map_err(|error| Error::Credentials(error.to_string()))??;
        *cached = Some(keys.clone());
        Ok(Some(keys))
    }

    /// The server says that these keys have expired. Whoever was in flight together was signed with the same ones, so
    /// only the first to say so has the source asked again.
    pub async fn expired(&self, access_key_id: &str) {
        let mut cached = self.cached.lock().await;
        if cached.as_ref().is_some_and(|keys| keys.access_key_id == access_key_id) {
            *cached = None;
        }
    }
}

fn run(command: &str) -> Result<Keys, Error> {
    let fail = |reason: String| Error::Credentials(format!("credential_process {reason}"));
    let output = std::process::Command::new("sh")
        .args(["-c", command])
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| fail(format!("cannot be started: {error}")))?;
    if !output.status.success() {
        return Err(fail(format!("ended with {}", output.status)));
    }
    // The output holds a secret, so no error may quote it.
    let keys: ProcessKeys = serde_json::from_slice(&output.stdout)
        .map_err(|error| fail(format!("printed something else than keys (line {})", error.line())))?;
    if keys.version != 1 {
        return Err(fail(format!("printed version {} instead of 1", keys.version)));
    }
    let expires_at_s = match &keys.expiration {
        None => None,
        Some(text) => {
            Some(http_date::parse(text).ok_or_else(|| fail(format!("printed a strange time {text:?}")))?)
        }
    };
    Ok(Keys {
        access_key_id: keys.access_key_id,
        secret: Secret::new(keys.secret_access_key),
        session_token: keys.session_token,
        expires_at_s,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(command: &str, clock: &Clock) -> Credentials {
        Credentials::new(Source::Process(command.into()), clock.clone(), Tasks::new())
    }

    #[tokio::test]
    async fn a_process_is_asked_again_when_its_keys_expire() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count").display().to_string();
        let command = format!(
            "echo x >> {count}; n=$(wc -l < {count}); echo '{{\"Version\":1,\"AccessKeyId\":\"key-'$n'\",\
             \"SecretAccessKey\":\"s\",\"Expiration\":\"2026-01-01T00:10:00Z\"}}'"
        );
        let clock = Clock::manual(http_date::parse("2026-01-01T00:00:00Z").unwrap() * 1000);
        let credentials = credentials(&command, &clock);
        for expected in ["key-1", "key-1"] {
            assert_eq!(credentials.current().await.unwrap().unwrap().access_key_id, expected);
        }
        clock.advance(9 * 60 * 1000);
        assert_eq!(credentials.current().await.unwrap().unwrap().access_key_id, "key-2");
        credentials.expired("key-2").await;
        assert_eq!(credentials.current().await.unwrap().unwrap().access_key_id, "key-3");
    }

    #[tokio::test]
    async fn what_a_process_prints_is_never_quoted() {
        let clock = Clock::manual(0);
        for command in ["echo '{\"SecretAccessKey\":\"hush\"}'", "echo hush; exit 3", "echo hush"] {
            let error = credentials(command, &clock).current().await.unwrap_err();
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }
}
