//! A small pure model of S3, and random programs that run on it and on the real gateway: after each step both must
//! show the same. A program that fails is shrunk by proptest and belongs among the named tests at the end.

mod access;
mod keeping;
mod program;
mod s3;

use crate::client::{Answer, Client, path};
use crate::gateway::Gateway;
use crate::seed::Seed;
use bytes::Bytes;
use program::{KEYS, Op, PREFIXES, op};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use s3::{Model, Refusal, Versioning};
use std::sync::atomic::{AtomicU64, Ordering};

/// The model and the gateway side by side, in a bucket of their own.
struct Pair {
    client: Client,
    bucket: String,
    model: Model,
    /// Wire ids of the model's uploads, by number.
    ids: Vec<String>,
    seed: Seed,
}

impl Pair {
    async fn new(client: Client, object_lock: bool) -> Pair {
        static BUCKETS: AtomicU64 = AtomicU64::new(0);
        let bucket = format!("model-{}", BUCKETS.fetch_add(1, Ordering::Relaxed));
        let headers = [
            ("x-amz-bucket-object-lock-enabled", if object_lock { "true" } else { "false" }),
            ("x-amz-object-ownership", "ObjectWriter"),
        ];
        client.send("PUT", &format!("/{bucket}"), &headers, "").await.unwrap().expect(200);
        let model = if object_lock { Model::with_object_lock() } else { Model::default() };
        let pair = Pair { client, bucket, model, ids: Vec::new(), seed: Seed::new(7) };
        pair.allow_strangers().await;
        pair
    }

    async fn step(&mut self, op: &Op) {
        match op {
            Op::Put { key, len, if_none_match, encrypted } => {
                self.put(KEYS[*key as usize], *len, *if_none_match, *encrypted).await;
            }
            Op::Delete { key } => self.delete(KEYS[*key as usize]).await,
            Op::DeleteVersion { key, version, bypass } => {
                self.delete_version(KEYS[*key as usize], *version, *bypass).await;
            }
            Op::Lock { key, version, hold } => self.lock(KEYS[*key as usize], *version, *hold).await,
            Op::Expire { prefix } => self.expire(PREFIXES[*prefix as usize]).await,
            Op::Versioning { enabled } => self.set_versioning(*enabled).await,
            Op::Publish { key, is_public } => self.publish(KEYS[*key as usize], *is_public).await,
            Op::Policy { denied } => {
                self.set_policy(denied.map(|prefix| PREFIXES[prefix as usize])).await;
            }
            Op::DeleteMany { keys } => self.delete_many(keys).await,
            Op::Copy { from, version, to, encrypted } => {
                self.copy(KEYS[*from as usize], *version, KEYS[*to as usize], *encrypted).await;
            }
            Op::Rename { from, to, if_none_match } => {
                self.rename(KEYS[*from as usize], KEYS[*to as usize], *if_none_match).await;
            }
            Op::Create { key, encrypted } => self.create(KEYS[*key as usize], *encrypted).await,
            Op::Part { upload, number, large } => self.part(*upload, *number, *large).await,
            Op::PartCopy { upload, number, from, range } => {
                self.part_copy(*upload, *number, KEYS[*from as usize], *range).await;
            }
            Op::Complete { upload, skip, reverse } => self.complete(*upload, *skip, *reverse).await,
            Op::CompleteAgain { upload } => self.complete_again(*upload).await,
            Op::Abort { upload } => self.abort(*upload).await,
            Op::Range { key, first, len } => self.range(KEYS[*key as usize], *first, *len).await,
            Op::List { prefix, delimiter, max } => {
                self.list(PREFIXES[*prefix as usize], *delimiter, *max as usize).await;
            }
            Op::ListVersions { prefix, delimiter, max } => {
                self.list_versions(PREFIXES[*prefix as usize], *delimiter, *max as usize).await;
            }
        }
        self.compare().await;
    }

    async fn create(&mut self, key: &str, encrypted: bool) {
        let url = format!("{}?uploads", path(&self.bucket, key));
        let answer = self.client.send("POST", &url, method(encrypted), "").await.unwrap().expect(200);
        self.ids.push(answer.element("UploadId").expect("an upload has an id"));
        self.model.create(key, encrypted);
    }

    async fn put(&mut self, key: &str, len: u32, if_none_match: bool, encrypted: bool) {
        let bytes: Bytes = self.seed.bytes(len as usize).into();
        let mut headers = method(encrypted).to_vec();
        headers.extend(if_none_match.then_some(("if-none-match", "*")));
        let answer =
            self.client.send("PUT", &path(&self.bucket, key), &headers, bytes.clone()).await.unwrap();
        let id = answer.header("x-amz-version-id").map(str::to_string);
        same(answer, self.model.put(key, bytes, if_none_match, encrypted));
        self.learn_id(key, id);
    }

    /// The newest version of a key has an id of its own while versions are kept, and otherwise none.
    fn learn_id(&mut self, key: &str, id: Option<String>) {
        if self.model.versioning() == Versioning::Enabled {
            self.model.learn_id(key, id.as_deref().unwrap_or("the gateway did not say"));
        } else {
            assert!(id.is_none_or(|id| id == "null"));
        }
    }

    /// The id of one of the key's versions, or one that it does not have.
    fn version_id(&self, key: &str, version: u8) -> String {
        let mut versions = self.model.versions().filter(|(found, ..)| *found == key);
        versions.nth(version.into()).map_or("null".to_string(), |(_, version, _)| version.id.clone())
    }

    async fn set_versioning(&mut self, enabled: bool) {
        let status = if enabled { "Enabled" } else { "Suspended" };
        let document =
            format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        let url = format!("/{}?versioning", self.bucket);
        let answer = self.client.send("PUT", &url, &[], document).await.unwrap();
        same(answer, self.model.set_versioning(enabled));
    }

    async fn delete(&mut self, key: &str) {
        let answer = self.client.delete(&self.bucket, key).await.unwrap().expect(204);
        self.model.delete(key);
        let is_marked = self.model.versioning() != Versioning::Never;
        assert_eq!(answer.header("x-amz-delete-marker"), is_marked.then_some("true"));
        self.learn_id(key, answer.header("x-amz-version-id").map(str::to_string));
    }

    async fn delete_version(&mut self, key: &str, version: u8, bypass: bool) {
        let id = self.version_id(key, version);
        let url = format!("{}?versionId={id}", path(&self.bucket, key));
        let bypass_header = [("x-amz-bypass-governance-retention", "true")];
        let headers = if bypass { &bypass_header[..] } else { &[] };
        let answer = self.client.send("DELETE", &url, headers, "").await.unwrap();
        match self.model.delete_version(key, &id, bypass) {
            Ok(removed) => {
                let answer = answer.expect(204);
                assert_eq!(answer.header("x-amz-version-id"), Some(id.as_str()));
                let was_marker = removed == Some(true);
                assert_eq!(answer.header("x-amz-delete-marker"), was_marker.then_some("true"));
            }
            Err(refusal) => same(answer, Err(refusal)),
        }
    }

    async fn delete_many(&mut self, keys: &[(u8, Option<u8>)]) {
        let objects: Vec<(&str, Option<String>)> = keys
            .iter()
            .map(|(key, version)| (KEYS[*key as usize], *version))
            .map(|(key, version)| (key, version.map(|version| self.version_id(key, version))))
            .collect();
        let elements: String = objects
            .iter()
            .map(|(key, id)| {
                let id = id.as_ref().map_or(String::new(), |id| format!("<VersionId>{id}</VersionId>"));
                format!("<Object><Key>{}</Key>{id}</Object>", key.replace('&', "&amp;"))
            })
            .collect();
        let document = format!("<Delete>{elements}</Delete>");
        let url = format!("/{}?delete", self.bucket);
        let answer = self.client.send("POST", &url, &[], document).await.unwrap().expect(200);
        // What is locked is told among the others, each in its place.
        let text = answer.text();
        let told = text.split("<Error>").flat_map(|piece| piece.split("<Deleted>")).skip(1);
        let told: Vec<&str> = told.collect();
        assert_eq!(told.len(), keys.len(), "{text}");
        for ((key, id), told) in objects.into_iter().zip(told) {
            let marker = told
                .split_once("<DeleteMarkerVersionId>")
                .and_then(|(_, rest)| Some(rest.split_once("</DeleteMarkerVersionId>")?.0.to_string()));
            match id {
                Some(id) => match self.model.delete_version(key, &id, false) {
                    Ok(removed) => assert_eq!(marker, (removed == Some(true)).then_some(id)),
                    Err(refusal) => {
                        assert!(refusal.codes().iter().any(|code| told.contains(&format!("<Code>{code}<"))));
                    }
                },
                None => {
                    self.model.delete(key);
                    self.learn_id(key, marker);
                }
            }
        }
    }

    async fn copy(&mut self, from: &str, version: Option<u8>, to: &str, encrypted: bool) {
        let id = version.map(|version| self.version_id(from, version));
        let mut source = path(&self.bucket, from);
        source.extend(id.iter().flat_map(|id| ["?versionId=", id]));
        let mut headers = method(encrypted).to_vec();
        headers.push(("x-amz-copy-source", source.as_str()));
        let answer = self.client.send("PUT", &path(&self.bucket, to), &headers, "").await.unwrap();
        let new_id = answer.header("x-amz-version-id").map(str::to_string);
        same(answer, self.model.copy(from, id.as_deref(), to, encrypted));
        self.learn_id(to, new_id);
    }

    async fn rename(&mut self, from: &str, to: &str, if_none_match: bool) {
        let source = dovetail::wire::percent::encode_path(from.as_bytes()).into_owned();
        let mut headers = vec![("x-amz-rename-source", source.as_str())];
        headers.extend(if_none_match.then_some(("if-none-match", "*")));
        let url = format!("{}?renameObject", path(&self.bucket, to));
        let answer = self.client.send("PUT", &url, &headers, "").await.unwrap();
        same(answer, self.model.rename(from, to, if_none_match));
    }

    /// The number of an upload that was created, when there is one.
    fn upload(&self, upload: u8) -> Option<(usize, String, String)> {
        let number = (upload as usize) % self.ids.len().max(1);
        let key = self.model.upload_key(number)?;
        Some((number, self.ids[number].clone(), key))
    }

    async fn part(&mut self, upload: u8, number: u8, large: bool) {
        let Some((index, id, key)) = self.upload(upload) else { return };
        let bytes: Bytes = self.seed.bytes(if large { s3::PART_LEN_MIN } else { 1000 }).into();
        let answer =
            self.client.upload_part(&self.bucket, &key, &id, number.into(), bytes.clone()).await.unwrap();
        same(answer, self.model.part(index, number, bytes));
    }

    async fn part_copy(&mut self, upload: u8, number: u8, from: &str, range: Option<(u16, u16)>) {
        let Some((index, id, key)) = self.upload(upload) else { return };
        let range = range.map(|(one, other)| (one.min(other) as usize, one.max(other) as usize));
        let source = path(&self.bucket, from);
        let header = range.map(|(first, last)| format!("bytes={first}-{last}"));
        let mut headers = vec![("x-amz-copy-source", source.as_str())];
        headers.extend(header.iter().map(|range| ("x-amz-copy-source-range", range.as_str())));
        let target = format!("{}?partNumber={number}&uploadId={id}", path(&self.bucket, &key));
        let answer = self.client.send("PUT", &target, &headers, "").await.unwrap();
        same(answer, self.model.part_copy(index, number, from, range));
    }

    async fn complete(&mut self, upload: u8, skip: Option<u8>, reverse: bool) {
        let Some((index, id, key)) = self.upload(upload) else { return };
        let mut list = self.model.part_list(index);
        list.retain(|(number, _)| Some(*number as u8) != skip);
        if reverse {
            list.reverse();
        }
        let answer = self.client.complete(&self.bucket, &key, &id, &list).await.unwrap();
        let version_id = answer.header("x-amz-version-id").map(str::to_string);
        let is_new = self.model.is_open(index);
        let outcome = self.model.complete(index, &list);
        if is_new
            && outcome.is_ok()
            && let Some(id) = &version_id
        {
            self.model.learn_completed_id(index, id);
        }
        if outcome.is_ok() {
            let known = self.model.completed_id(index);
            assert!(known.is_none_or(|known| known == version_id.as_deref().unwrap_or("null")));
        }
        same(answer, outcome);
    }

    async fn complete_again(&mut self, upload: u8) {
        let Some((index, id, key)) = self.upload(upload) else { return };
        let Some(list) = self.model.completed_list(index) else { return };
        let answer = self.client.complete(&self.bucket, &key, &id, &list).await.unwrap();
        same(answer, self.model.complete_again(index));
    }

    async fn abort(&mut self, upload: u8) {
        let Some((index, id, key)) = self.upload(upload) else { return };
        let answer = self.client.abort(&self.bucket, &key, &id).await.unwrap();
        same(answer, self.model.abort(index));
    }

    async fn range(&mut self, key: &str, first: u32, len: u16) {
        let range = format!("bytes={first}-{}", first as u64 + len as u64);
        let answer =
            self.client.send("GET", &path(&self.bucket, key), &[("range", &range)], "").await.unwrap();
        match self.model.get(key) {
            None => assert_eq!(answer.status, 404),
            Some(bytes) if first as usize >= bytes.len() => {
                assert_eq!(answer.status, 416, "{}", answer.text())
            }
            Some(bytes) => {
                let end = (first as usize + len as usize + 1).min(bytes.len());
                assert!(answer.clone().expect(206).body == bytes[first as usize..end], "{key} {range}");
            }
        }
    }

    async fn list(&mut self, prefix: &str, delimiter: bool, max: usize) {
        let (mut keys, mut prefixes, mut token) = (Vec::new(), Vec::new(), None::<String>);
        loop {
            let mut url =
                format!("/{}?list-type=2&encoding-type=url&max-keys={max}&prefix={prefix}", self.bucket);
            if delimiter {
                url.push_str("&delimiter=%2F");
            }
            if let Some(token) = token {
                url.push_str(&format!(
                    "&continuation-token={}",
                    dovetail::wire::percent::encode(token.as_bytes())
                ));
            }
            let answer = self.client.send("GET", &url, &[], "").await.unwrap().expect(200);
            keys.extend(answer.elements("Key").iter().map(|key| decoded(key)));
            let text = answer.text();
            let groups = text.split("<CommonPrefixes>").skip(1);
            prefixes.extend(groups.filter_map(|group| {
                Some(decoded(group.split_once("<Prefix>")?.1.split_once("</Prefix>")?.0))
            }));
            assert!(answer.elements("Key").len() + text.matches("<CommonPrefixes>").count() <= max);
            token = answer.element("NextContinuationToken");
            if token.is_none() {
                break;
            }
        }
        let (wanted_keys, wanted_prefixes) = self.model.list(prefix, delimiter);
        assert_eq!(
            (keys, prefixes),
            (wanted_keys, wanted_prefixes),
            "prefix {prefix:?}, delimiter {delimiter}"
        );
    }

    /// Versions as `key id`, with `latest` and `marker` where that is so, and common prefixes, page by page.
    async fn list_versions(&self, prefix: &str, delimiter: bool, max: usize) {
        let (mut found, mut found_prefixes, mut markers) = (Vec::new(), Vec::new(), String::new());
        loop {
            let mut url =
                format!("/{}?versions&encoding-type=url&max-keys={max}&prefix={prefix}", self.bucket);
            url.push_str(if delimiter { "&delimiter=%2F" } else { "" });
            url.push_str(&markers);
            let answer = self.client.send("GET", &url, &[], "").await.unwrap().expect(200);
            let (versions, prefixes) = version_entries(&answer.text());
            assert!(versions.len() + prefixes.len() <= max, "{}", answer.text());
            found.extend(versions);
            found_prefixes.extend(prefixes);
            let Some(key) = answer.element("NextKeyMarker") else { break };
            // It is percent-encoded, because `encoding-type` says so.
            markers = format!("&key-marker={key}");
            if let Some(id) = answer.element("NextVersionIdMarker") {
                markers.push_str(&format!("&version-id-marker={id}"));
            }
        }
        let (mut wanted, mut wanted_prefixes) = (Vec::new(), Vec::new());
        for (key, version, is_latest) in self.model.versions() {
            let Some(rest) = key.strip_prefix(prefix) else { continue };
            match rest.find('/').filter(|_| delimiter) {
                Some(at) => wanted_prefixes.push(key[..prefix.len() + at + 1].to_string()),
                None => {
                    let latest = if is_latest { " latest" } else { "" };
                    let marker = if version.object.is_none() { " marker" } else { "" };
                    wanted.push(format!("{key} {}{latest}{marker}", version.id));
                }
            }
        }
        wanted_prefixes.dedup();
        let (found, wanted) = ((found, found_prefixes), (wanted, wanted_prefixes));
        assert_eq!(found, wanted, "prefix {prefix:?}, delimiter {delimiter}, pages of {max}");
    }

    /// Every version by its id.
    async fn compare_versions(&self) {
        for (key, version, _) in self.model.versions() {
            let url = format!("{}?versionId={}", path(&self.bucket, key), version.id);
            let answer = self.client.send("GET", &url, &[], "").await.unwrap();
            match &version.object {
                None => {
                    answer.expect_code(405, "MethodNotAllowed");
                }
                Some(object) => {
                    let answer = answer.expect(200);
                    assert!(answer.body == object.bytes, "version {} of {key} has other bytes", version.id);
                    let etag = answer.header("etag").map(|etag| etag.trim_matches('"'));
                    assert_eq!(etag, Some(object.etag.as_str()));
                    assert_eq!(is_encrypted(&answer), object.encrypted, "version {} of {key}", version.id);
                }
            }
        }
    }

    /// Everything that can be read back is the same on both sides.
    async fn compare(&self) {
        self.list_versions("", false, 1000).await;
        self.compare_strangers().await;
        for key in KEYS {
            let answer = self.client.get(&self.bucket, key).await.unwrap();
            match self.model.get(key) {
                None => {
                    answer.expect_code(404, "NoSuchKey");
                }
                Some(bytes) => {
                    let answer = answer.expect(200);
                    assert!(answer.body == bytes, "{key} has other bytes");
                    let etag = answer.header("etag").map(|etag| etag.trim_matches('"').to_string());
                    assert_eq!(etag, self.model.etag(key), "{key} has another ETag");
                    assert_eq!(is_encrypted(&answer), self.model.is_encrypted(key), "{key}");
                }
            }
        }
        for (number, id) in self.ids.iter().enumerate() {
            let key = self.model.upload_key(number).expect("it was created");
            let listed = self.client.list_parts(&self.bucket, &key, id).await.unwrap();
            assert_eq!(listed, self.model.is_open(number).then(|| self.model.part_list(number)));
        }
    }
}

/// What asks for encryption, or for nothing.
fn method(encrypted: bool) -> &'static [(&'static str, &'static str)] {
    if encrypted { &[("x-amz-server-side-encryption", "AES256")] } else { &[] }
}

fn is_encrypted(answer: &Answer) -> bool {
    answer.header("x-amz-server-side-encryption") == Some("AES256")
}

/// Versions and common prefixes of a page of ListObjectVersions, each in the page's order.
fn version_entries(text: &str) -> (Vec<String>, Vec<String>) {
    let within = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(decoded(rest.split_once("</")?.0))
    };
    let mut versions = Vec::new();
    for piece in text.split("<Version>") {
        for (at, piece) in piece.split("<DeleteMarker>").enumerate() {
            let Some(id) = within(piece, "VersionId") else { continue };
            let marker = if at > 0 { " marker" } else { "" };
            let latest = if within(piece, "IsLatest").as_deref() == Some("true") { " latest" } else { "" };
            versions.push(format!("{} {id}{latest}{marker}", within(piece, "Key").unwrap_or_default()));
        }
    }
    let prefixes = text.split("<CommonPrefixes>").skip(1).filter_map(|piece| within(piece, "Prefix"));
    (versions, prefixes.collect())
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().expect("keys are UTF-8").into_owned()
}

#[track_caller]
fn same(answer: Answer, outcome: Result<(), Refusal>) {
    match outcome {
        Ok(()) => assert!((200..300).contains(&answer.status), "{}", answer.text()),
        Err(refusal) => {
            assert!(refusal.codes().contains(&answer.code().as_str()), "{refusal:?}: {}", answer.text())
        }
    }
}

#[test]
fn the_gateway_does_what_the_model_does() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let sweeps = [("DOVETAIL_LIFECYCLE__SWEEP_INTERVAL", "20ms")];
    let gateway = runtime.block_on(Gateway::start_with(&sweeps));
    let mut runner = TestRunner::new(ProptestConfig {
        cases: std::env::var("DOVETAIL_TEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24),
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let programs = (any::<bool>(), prop::collection::vec(op(), 1..30));
    let ran = runner.run(&programs, |(object_lock, program)| {
        runtime.block_on(async {
            let mut pair = Pair::new(gateway.client(), object_lock).await;
            for op in &program {
                pair.step(op).await;
            }
            pair.compare_versions().await;
        });
        Ok(())
    });
    if let Err(failure) = ran {
        panic!("{failure}");
    }
}
