//! One part of an upload: what is known of it from before, and sending what is not.

use std::sync::Arc;

use dovetail_digest::{Algorithm, Digest};

use crate::client::address::Address;
use crate::client::answers::ListedPart;
use crate::client::endpoint::{Endpoint, Protection};
use crate::client::error::Error;
use crate::client::journal::Entry;
use crate::client::operations::multipart::{NewUpload, SentPart};
use crate::client::operations::requests::is_md5;
use crate::client::plan::{Part, Plan};
use crate::client::source::Source;
use crate::wire::checksum;

/// One part on its way.
pub struct PartSender {
    pub endpoint: Arc<Endpoint>,
    pub address: Address,
    pub upload: NewUpload,
    pub source: Source,
    pub part: Part,
    /// The server has it, but whether it is ours is to be seen.
    pub listed: Option<ListedPart>,
}

impl PartSender {
    /// Sends the part, unless the server's is the same.
    pub async fn send(self) -> Result<SentPart, Error> {
        if let Some(listed) = &self.listed
            && let Some(sent) = self.compared(listed).await?
        {
            self.endpoint.tally.keep(sent.len);
            return Ok(sent);
        }
        let (upload, source) = (&self.upload, &self.source);
        let sent = self
            .endpoint
            .upload_part(&self.address, &upload.id, self.part, source, upload.protection)
            .await?;
        self.endpoint.workers.succeeded(self.part.len);
        Ok(sent)
    }

    /// Reads the part from the file, and takes the server's if it has the same digest.
    async fn compared(&self, listed: &ListedPart) -> Result<Option<SentPart>, Error> {
        if listed.len != self.part.len {
            return Ok(None);
        }
        let doing = format!("compare part {} of {}", self.part.number, self.address);
        let digest = async |algorithm| self.endpoint.digest(&self.source, algorithm, &doing).await;
        let own = digest(self.upload.protection.algorithm()).await?;
        let is_same = match listed.checksum {
            Some((algorithm, has)) if algorithm == self.upload.protection.algorithm() => has == own,
            Some((algorithm, has)) => has == digest(algorithm).await?,
            None if is_md5(&listed.etag) => digest(Algorithm::Md5).await?.to_hex() == listed.etag,
            None => false,
        };
        let (number, len) = (self.part.number, self.part.len);
        Ok(is_same.then(|| SentPart { number, len, etag: listed.etag.clone(), digest: own }))
    }
}

/// What the journal remembers of a part, if the server's listing agrees.
pub fn sent_before(
    entry: &Entry,
    listed: &ListedPart,
    plan: Plan,
    protection: Protection,
) -> Option<SentPart> {
    if listed.number > plan.count() || listed.etag != entry.etag {
        return None;
    }
    let part = plan.part(listed.number);
    let sent = remembered(entry, part, protection).filter(|_| listed.len == part.len)?;
    match listed.checksum {
        Some((algorithm, has)) if algorithm == protection.algorithm() => (has == sent.digest).then_some(sent),
        _ => Some(sent),
    }
}

/// What the journal remembers of a part.
pub fn remembered(entry: &Entry, part: Part, protection: Protection) -> Option<SentPart> {
    let digest = digest_from_hex(&entry.digest)?;
    let has_length = digest.as_bytes().len() == protection.algorithm().digest_len();
    has_length.then(|| SentPart { number: part.number, len: part.len, etag: entry.etag.clone(), digest })
}

/// Reads back [`Digest::to_hex`].
pub fn digest_from_hex(text: &str) -> Option<Digest> {
    if !text.len().is_multiple_of(2) || text.len() > 128 || !text.is_ascii() {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
    bytes.map(|bytes| Digest::new(&bytes))
}

/// `CRC64NVME:<base64>`, for people and events.
pub fn checksum_text(algorithm: Algorithm, digest: &Digest) -> String {
    format!("{}:{}", algorithm.name(), checksum::encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(etag: &str, digest: Digest) -> Entry {
        Entry { part: 2, etag: etag.into(), digest: digest.to_hex(), at_ms: 0 }
    }

    fn listed(etag: &str, len: u64, checksum: Option<Digest>) -> ListedPart {
        let checksum = checksum.map(|digest| (Algorithm::Crc64Nvme, digest));
        ListedPart { number: 2, len, etag: etag.into(), checksum, modified_s: 0 }
    }

    #[test]
    fn a_part_counts_as_sent_only_when_the_journal_and_the_server_agree() {
        let plan = Plan { len: 25, part_len: 10 };
        let (ours, other) = (Digest::new(&[1; 8]), Digest::new(&[2; 8]));
        let agrees = |entry: &Entry, listed: &ListedPart| sent_before(entry, listed, plan, Protection::Crc64);
        assert!(agrees(&entry("e", ours), &listed("e", 10, Some(ours))).is_some());
        assert!(agrees(&entry("e", ours), &listed("e", 10, None)).is_some());
        assert!(agrees(&entry("e", ours), &listed("e", 10, Some(other))).is_none());
        assert!(agrees(&entry("e", ours), &listed("x", 10, Some(ours))).is_none());
        assert!(agrees(&entry("e", ours), &listed("e", 9, Some(ours))).is_none());
        let beyond = ListedPart { number: 4, ..listed("e", 5, Some(ours)) };
        assert!(agrees(&entry("e", ours), &beyond).is_none());
        let torn = Entry { digest: "01".into(), ..entry("e", ours) };
        assert!(agrees(&torn, &listed("e", 10, Some(ours))).is_none());
    }

    #[test]
    fn digests_read_back() {
        let digest = Digest::new(&[0, 1, 254, 255]);
        assert_eq!(digest_from_hex(&digest.to_hex()), Some(digest));
        for text in ["0", "zz", "é", &"00".repeat(65)] {
            assert_eq!(digest_from_hex(text), None, "{text}");
        }
    }
}
