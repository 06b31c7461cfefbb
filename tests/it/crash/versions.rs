//! What a worker knows of its keys in a bucket that keeps versions: each version by its id.

use crate::client::{Client, path};
use crate::seed::Seed;
use bytes::Bytes;
use std::collections::BTreeMap;

pub const BUCKET: &str = "crash-versions";

/// A version: its key, and its bytes. One without is a delete marker.
type Version = (String, Option<Bytes>);

pub struct Versions {
    client: Client,
    name: String,
    /// Acknowledged, by id.
    known: BTreeMap<String, Version>,
    /// The request that was not answered.
    doubt: Option<Doubt>,
}

enum Doubt {
    /// There may be one more version, of which nobody knows the id.
    Added(Version),
    /// This one is there or not.
    Removed(String),
}

impl Versions {
    pub fn new(client: Client, name: String) -> Versions {
        Versions { client, name, known: BTreeMap::new(), doubt: None }
    }

    /// Writes once; nothing when the answer was lost.
    pub async fn work(&mut self, seed: &mut Seed) -> Option<()> {
        let key = format!("{}/{}", self.name, seed.below(3));
        match seed.below(5) {
            0..=2 => {
                let len = if seed.below(2) == 0 { 100 } else { 100_000 };
                let bytes = Bytes::from(seed.bytes(len));
                let answer = self.client.put(BUCKET, &key, bytes.clone()).await;
                let id = answer.ok().map(|answer| answer.expect(200));
                self.added(
                    (key, Some(bytes)),
                    id.as_ref().and_then(|answer| answer.header("x-amz-version-id")),
                )
            }
            3 => {
                let answer = self.client.delete(BUCKET, &key).await;
                let id = answer.ok().map(|answer| answer.expect(204));
                self.added((key, None), id.as_ref().and_then(|answer| answer.header("x-amz-version-id")))
            }
            _ => {
                let at = seed.below(self.known.len().max(1) as u64) as usize;
                let Some((id, (key, _))) = self.known.iter().nth(at) else { return Some(()) };
                let (id, url) = (id.clone(), format!("{}?versionId={id}", path(BUCKET, key)));
                match self.client.send("DELETE", &url, &[], "").await {
                    Ok(answer) => {
                        answer.expect(204);
                        self.known.remove(&id);
                        Some(())
                    }
                    Err(_) => {
                        self.doubt = Some(Doubt::Removed(id));
                        None
                    }
                }
            }
        }
    }

    fn added(&mut self, version: Version, id: Option<&str>) -> Option<()> {
        match id {
            Some(id) => drop(self.known.insert(id.to_string(), version)),
            None => self.doubt = Some(Doubt::Added(version)),
        }
        id.map(|_| ())
    }

    /// After the restart: every version that was acknowledged is there, with its bytes, and at most the one in doubt
    /// beside them.
    pub async fn verify(&mut self) {
        let url = format!("/{BUCKET}?versions&prefix={}%2F", self.name);
        let answer = self.client.send("GET", &url, &[], "").await.expect("the gateway is back").expect(200);
        assert_eq!(answer.element("IsTruncated").as_deref(), Some("false"));
        let mut listed = BTreeMap::new();
        for (element, is_marker) in [("Version", false), ("DeleteMarker", true)] {
            for text in answer.elements(element) {
                let text_of = |name: &str| {
                    let (_, rest) = text.split_once(&format!("<{name}>")).expect("the element is there");
                    rest.split_once('<').expect("it ends").0.to_string()
                };
                listed.insert(text_of("VersionId"), (text_of("Key"), is_marker));
            }
        }
        match self.doubt.take() {
            Some(Doubt::Removed(id)) if !listed.contains_key(&id) => drop(self.known.remove(&id)),
            Some(Doubt::Added(version)) => {
                let is_new = |(id, _): &(&String, _)| !self.known.contains_key(*id);
                let new = listed.iter().find(is_new).map(|(id, _)| id.clone());
                self.known.extend(new.map(|id| (id, version)));
            }
            _ => {}
        }
        let known: BTreeMap<String, (String, bool)> = self
            .known
            .iter()
            .map(|(id, (key, bytes))| (id.clone(), (key.clone(), bytes.is_none())))
            .collect();
        assert_eq!(listed, known, "other versions than were acknowledged");
        for (id, (key, bytes)) in &self.known {
            let url = format!("{}?versionId={id}", path(BUCKET, key));
            let answer = self.client.send("GET", &url, &[], "").await.expect("the gateway is back");
            match bytes {
                Some(bytes) => {
                    assert!(answer.expect(200).body == *bytes, "version {id} of {key} has other bytes")
                }
                None => drop(answer.expect_code(405, "MethodNotAllowed")),
            }
        }
    }
}
