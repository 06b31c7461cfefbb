//! What an endpoint accepts: asked once, kept as long as the endpoint allows, S3's own limits elsewhere.
//!
//! [`wire::limits`](crate::wire::limits) is the document. Asking never fails: an endpoint that does not say is taken to
//! be S3, and that is remembered too, for a day, so that it is not asked before every transfer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dovetail_digest::Algorithm;
use reqwest::StatusCode;
use reqwest::header::{CACHE_CONTROL, ETAG, HeaderMap, IF_NONE_MATCH};
use serde::{Deserialize, Serialize};

use crate::client::endpoint::{Endpoint, Protection};
use crate::client::upload::sent_part::digest_from_hex;
use crate::wire::limits::{Limits, PATH};
use crate::wire::sigv4::sha256_hex;

/// Limits are a help; nobody waits long for them.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
/// A document of limits has some hundred bytes.
const DOCUMENT_LEN_MAX: usize = 64 << 10;
/// How long an endpoint that does not say what it accepts is not asked again.
const SILENCE_MS: i64 = 24 * 60 * 60 * 1000;
/// The longest that an answer is kept, whatever it says.
const MAX_AGE_S_MAX: i64 = 7 * 24 * 60 * 60;

/// What was learnt, as it is kept on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    endpoint: String,
    /// In Unix milliseconds.
    expires_ms: i64,
    etag: Option<String>,
    /// `None`: the endpoint does not say.
    limits: Option<Limits>,
}

/// An answer that says something.
enum Answer {
    Fresh(Kept),
    /// What is kept still holds, until then.
    Unchanged(i64),
}

impl Endpoint {
    /// What this endpoint accepts. Asks on first use; from then on it is known.
    pub async fn limits(&self) -> &Limits {
        self.known_limits
            .get_or_init(|| async {
                let limits = self.find_limits().await;
                if let Some(count) = limits.requests_in_flight {
                    self.workers.bound(count as usize);
                }
                let has_crc64 = limits.has_checksum(Algorithm::Crc64Nvme.name());
                if let (Some(has), None) = (has_crc64, self.protection()) {
                    self.set_protection(if has { Protection::Crc64 } else { Protection::Md5 });
                }
                limits
            })
            .await
    }

    async fn find_limits(&self) -> Limits {
        // AWS has no such document, and its limits are S3's.
        if self.is_aws() {
            return Limits::default();
        }
        let path = self.limits_folder.as_ref().map(|folder| file_of(folder, &self.name()));
        let kept = match &path {
            None => None,
            Some(path) => self
                .blocking({
                    let path = path.clone();
                    move || read(&path)
                })
                .await
                .flatten(),
        };
        let kept = kept.filter(|kept| kept.endpoint == self.name());
        if let Some(kept) = &kept
            && self.now_ms() < kept.expires_ms
        {
            return kept.limits.clone().unwrap_or_default();
        }
        let known = match (self.ask_for_limits(kept.as_ref()).await, kept) {
            (Some(Answer::Fresh(fresh)), _) => fresh,
            (Some(Answer::Unchanged(expires_ms)), Some(kept)) => Kept { expires_ms, ..kept },
            // No answer says nothing about what is accepted: what was known may still hold, and is not kept longer.
            (_, kept) => return kept.and_then(|kept| kept.limits).unwrap_or_default(),
        };
        let limits = known.limits.clone().unwrap_or_default();
        if let Some(path) = path {
            // Without it the endpoint is asked again, which is no harm.
            let _ = self.blocking(move || write(&path, &known)).await;
        }
        limits
    }

    /// One attempt, without keys: anybody may ask, and nobody else's server should see a signature for this.
    async fn ask_for_limits(&self, kept: Option<&Kept>) -> Option<Answer> {
        let mut request = self.http.get(self.below(PATH)).timeout(ASK_TIMEOUT);
        if let Some(etag) = kept.filter(|kept| kept.limits.is_some()).and_then(|kept| kept.etag.as_ref()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let mut response = request.send().await.ok()?;
        let (status, headers) = (response.status(), response.headers().clone());
        let now_ms = self.now_ms();
        let silent =
            Kept { endpoint: self.name(), expires_ms: now_ms + SILENCE_MS, etag: None, limits: None };
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED => return Some(Answer::Unchanged(now_ms + max_age_ms(&headers))),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => return None,
            _ if status.is_client_error() => return Some(Answer::Fresh(silent)),
            _ => return None,
        }
        let mut body = Vec::new();
        while let Some(bytes) = response.chunk().await.ok()? {
            body.extend_from_slice(&bytes);
            if body.len() > DOCUMENT_LEN_MAX {
                return Some(Answer::Fresh(silent));
            }
        }
        let etag = headers.get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        if !is_whole(&body, etag.as_deref().unwrap_or_default()) {
            return None;
        }
        Some(Answer::Fresh(match Limits::parse(&body) {
            None => silent,
            Some(limits) => Kept {
                endpoint: self.name(),
                expires_ms: now_ms + max_age_ms(&headers),
                etag,
                limits: Some(limits),
            },
        }))
    }

    async fn blocking<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.around.tasks.spawn_blocking(job).await.ok()
    }
}

/// A gateway's ETag is the CRC-64 of its document, so a digit that was damaged on the way is not believed for an hour. Any other
/// ETag says nothing.
fn is_whole(body: &[u8], etag: &str) -> bool {
    let strong = etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let expected = strong.and_then(digest_from_hex).filter(|digest| digest.as_bytes().len() == 8);
    expected.is_none_or(|expected| expected == dovetail_digest::digest(Algorithm::Crc64Nvme, body))
}

/// What `Cache-Control: max-age` says; 0 when it says nothing or forbids keeping.
fn max_age_ms(headers: &HeaderMap) -> i64 {
    let text = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut directives = text.split(',').map(str::trim);
    if directives.clone().any(|directive| matches!(directive, "no-store" | "no-cache")) {
        return 0;
    }
    let max_age = directives.find_map(|directive| directive.strip_prefix("max-age=")?.parse::<i64>().ok());
    max_age.unwrap_or(0).clamp(0, MAX_AGE_S_MAX) * 1000
}

fn file_of(folder: &Path, endpoint: &str) -> PathBuf {
    folder.join(format!("{}.json", &sha256_hex(endpoint.as_bytes())[..32]))
}

fn read(path: &Path) -> Option<Kept> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// In place: what is left of a write that was cut off is no JSON, and as good as missing.
fn write(path: &Path, kept: &Kept) -> std::io::Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(path, serde_json::to_vec(kept)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_an_answer_as_long_as_it_says() {
        let age = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, text.parse().unwrap());
            max_age_ms(&headers)
        };
        assert_eq!(age("public, max-age=3600"), 3_600_000);
        assert_eq!(age("max-age=99999999999"), MAX_AGE_S_MAX * 1000);
        for text in ["no-store", "max-age=60, no-cache", "max-age=-1", "max-age=x", "private"] {
            assert_eq!(age(text), 0, "{text}");
        }
        assert_eq!(max_age_ms(&HeaderMap::new()), 0);
    }

    #[test]
    fn a_document_that_was_damaged_on_the_way_is_not_believed() {
        let document = br#"{"version":1,"part_bytes_min":5242880}"#;
        let etag = format!("\"{}\"", dovetail_digest::digest(Algorithm::Crc64Nvme, document).to_hex());
        assert!(is_whole(document, &etag));
        assert!(!is_whole(br#"{"version":1,"part_bytes_min":7242880}"#, &etag));
        for other in ["", "\"v2\"", "W/\"0123456789abcdef\"", "\"0123\""] {
            assert!(is_whole(document, other), "{other} says nothing");
        }
    }

    #[test]
    fn what_is_kept_reads_back_and_what_is_broken_is_as_good_as_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = file_of(&folder.path().join("deep"), "http://127.0.0.1:9000");
        assert_eq!(read(&path), None);
        let kept = Kept {
            endpoint: "http://127.0.0.1:9000".into(),
            expires_ms: 7,
            etag: Some("\"e\"".into()),
            limits: Some(Limits { parts_max: 5, ..Limits::default() }),
        };
        write(&path, &kept).unwrap();
        assert_eq!(read(&path), Some(kept));
        let whole = std::fs::read(&path).unwrap();
        for len in 0..whole.len() {
            std::fs::write(&path, &whole[..len]).unwrap();
            assert_eq!(read(&path), None, "{len} bytes of it");
        }
        assert_ne!(path, file_of(&folder.path().join("deep"), "http://127.0.0.1:9001"));
    }
}
