//! The keys that requests are signed with, and getting new ones when they expire.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::base::clock::Clock;
use crate::client::Error;
use crate::wire::sigv4::Secret;

/// Keys are renewed this long before they expire, so that no request is under way when they do.
const RENEW_BEFORE_MS: i64 = 120_000;
/// Long enough for a person who is asked for a code; a source that hangs, such as a `credential_process`, is given up after it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

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
#[async_trait]
pub trait KeySource: std::fmt::Debug + Send + Sync {
    /// Finds out anew. `None` when requests are not to be signed.
    async fn keys(&self) -> Result<Option<Keys>, Error>;
}

/// Requests are not signed.
#[derive(Debug)]
pub struct Anonymous;

#[async_trait]
impl KeySource for Anonymous {
    async fn keys(&self) -> Result<Option<Keys>, Error> {
        Ok(None)
    }
}

/// The current keys of one source.
#[derive(Debug)]
pub struct Credentials {
    source: Box<dyn KeySource>,
    clock: Clock,
    cached: Mutex<Cached>,
}

#[derive(Debug)]
enum Cached {
    Nothing,
    Keys(Keys),
    /// The source hangs: it is not waited for again in this run, in which many may want keys one after the other.
    GivenUp,
}

impl Credentials {
    pub fn new(source: impl KeySource + 'static, clock: Clock) -> Credentials {
        Credentials { source: Box::new(source), clock, cached: Mutex::new(Cached::Nothing) }
    }

    /// Keys that hold for a while yet; `None` when requests are not to be signed.
    pub async fn current(&self) -> Result<Option<Keys>, Error> {
        // Held while the source is asked, so that it is asked once for all who wait.
        let mut cached = self.cached.lock().await;
        let now_ms = self.clock.now_ms();
        match &*cached {
            Cached::Keys(keys)
                if keys.expires_at_s.is_none_or(|expires| expires * 1000 - RENEW_BEFORE_MS > now_ms) =>
            {
                return Ok(Some(keys.clone()));
            }
            Cached::GivenUp => return Err(no_answer()),
            Cached::Keys(_) | Cached::Nothing => {}
        }
        let Ok(keys) = timeout(ANSWER_TIMEOUT, self.source.keys()).await else {
            *cached = Cached::GivenUp;
            return Err(no_answer());
        };
        let keys = keys?;
        *cached = keys.clone().map_or(Cached::Nothing, Cached::Keys);
        Ok(keys)
    }

    /// The server says that these keys have expired. Whoever was in flight together was signed with the same ones, so
    /// only the first to say so has the source asked again.
    pub async fn expired(&self, access_key_id: &str) {
        let mut cached = self.cached.lock().await;
        if matches!(&*cached, Cached::Keys(keys) if keys.access_key_id == access_key_id) {
            *cached = Cached::Nothing;
        }
    }
}

fn no_answer() -> Error {
    let waited = ANSWER_TIMEOUT.as_secs();
    let reason = format!("where they come from has not answered for {waited} s");
    Error::Credentials { reason, login: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Counts how often it was asked; its keys hold for ten minutes.
    #[derive(Debug)]
    struct Numbered(Arc<AtomicU32>, Clock);

    #[async_trait]
    impl KeySource for Numbered {
        async fn keys(&self) -> Result<Option<Keys>, Error> {
            let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
            Ok(Some(Keys {
                access_key_id: format!("key-{number}"),
                secret: Secret::new("s"),
                session_token: None,
                expires_at_s: Some(self.1.now_ms() / 1000 + 600),
            }))
        }
    }

    #[tokio::test]
    async fn the_source_is_asked_again_when_keys_are_about_to_expire_or_are_refused() {
        let (clock, asked) = (Clock::manual(1_000_000), Arc::new(AtomicU32::new(0)));
        let credentials = Credentials::new(Numbered(Arc::clone(&asked), clock.clone()), clock.clone());
        let id = async || credentials.current().await.unwrap().unwrap().access_key_id;
        assert_eq!((id().await, id().await), ("key-1".into(), "key-1".into()));
        clock.advance(9 * 60 * 1000);
        assert_eq!(id().await, "key-2");
        for _ in 0..3 {
            credentials.expired("key-2").await;
            assert_eq!(id().await, "key-3", "what was refused together is renewed once");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    /// Says nothing, ever.
    #[derive(Debug)]
    struct Hanging;

    #[async_trait]
    impl KeySource for Hanging {
        async fn keys(&self) -> Result<Option<Keys>, Error> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_hangs_is_given_up_once_and_for_all() {
        let credentials = Credentials::new(Hanging, Clock::manual(1_000_000));
        let started = tokio::time::Instant::now();
        for _ in 0..3 {
            let error = credentials.current().await.unwrap_err().to_string();
            assert_eq!(error, "cannot find credentials: where they come from has not answered for 120 s");
        }
        assert_eq!(started.elapsed(), ANSWER_TIMEOUT);
    }
}
