//! A small pure model of S3, and random programs that run on it and on the real gateway: after each step both must
//! show the same. A program that fails is shrunk by proptest and belongs among the named tests at the end.

mod s3;

use crate::client::{Answer, Client, path};
use crate::gateway::Gateway;
use crate::seed::Seed;
use bytes::Bytes;
use proptest::prelude::*;
use s3::{Model, Refusal};
use std::sync::atomic::{AtomicU64, Ordering};

/// One step of a program. Small numbers stand for keys, uploads and parts, so that steps often meet.
#[derive(Clone, Debug)]
enum Op {
    Put { key: u8, len: u32, if_none_match: bool },
    Delete { key: u8 },
    DeleteMany { keys: Vec<u8> },
    Copy { from: u8, to: u8 },
    Create { key: u8 },
    Part { upload: u8, number: u8, large: bool },
    PartCopy { upload: u8, number: u8, from: u8, range: Option<(u16, u16)> },
    Complete { upload: u8, skip: Option<u8>, reverse: bool },
    CompleteAgain { upload: u8 },
    Abort { upload: u8 },
    Range { key: u8, first: u32, len: u16 },
    List { prefix: u8, delimiter: bool, max: u8 },
}

/// Keys with shared prefixes, and with bytes on both sides of the delimiter.
const KEYS: [&str; 8] = ["a", "a/", "a/b", "a/b/c", "a0", "b//x", "dir/ü €", "dir/+&=?"];
const PREFIXES: [&str; 5] = ["", "a", "a/", "dir/", "none"];

fn op() -> impl Strategy<Value = Op> {
    let key = || 0u8..KEYS.len() as u8;
    let lens = prop_oneof![Just(0u32), 1..2000u32, 60_000..70_000u32, 300_000..700_000u32];
    prop_oneof![
        4 => (key(), lens, any::<bool>()).prop_map(|(key, len, if_none_match)| Op::Put { key, len, if_none_match }),
        2 => key().prop_map(|key| Op::Delete { key }),
        1 => prop::collection::vec(key(), 1..4).prop_map(|keys| Op::DeleteMany { keys }),
        2 => (key(), key()).prop_map(|(from, to)| Op::Copy { from, to }),
        3 => key().prop_map(|key| Op::Create { key }),
        6 => (0u8..3, 1u8..5, prop::bool::weighted(0.6))
            .prop_map(|(upload, number, large)| Op::Part { upload, number, large }),
        2 => (0u8..3, 1u8..5, key(), prop::option::of((0u16..3000, 0u16..3000)))
            .prop_map(|(upload, number, from, range)| Op::PartCopy { upload, number, from, range }),
        3 => (0u8..3, prop::option::weighted(0.2, 1u8..5), prop::bool::weighted(0.1))
            .prop_map(|(upload, skip, reverse)| Op::Complete { upload, skip, reverse }),
        1 => (0u8..3).prop_map(|upload| Op::CompleteAgain { upload }),
        1 => (0u8..3).prop_map(|upload| Op::Abort { upload }),
        2 => (key(), 0..800_000u32, any::<u16>()).prop_map(|(key, first, len)| Op::Range { key, first, len }),
        2 => (0u8..PREFIXES.len() as u8, any::<bool>(), 1u8..6)
            .prop_map(|(prefix, delimiter, max)| Op::List { prefix, delimiter, max }),
    ]
}

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
    async fn new(client: Client) -> Pair {
        static BUCKETS: AtomicU64 = AtomicU64::new(0);
        let bucket = format!("model-{}", BUCKETS.fetch_add(1, Ordering::Relaxed));
        client.send("PUT", &format!("/{bucket}"), &[], "").await.unwrap().expect(200);
        Pair { client, bucket, model: Model::default(), ids: Vec::new(), seed: Seed::new(7) }
    }

    async fn step(&mut self, op: &Op) {
        match op {
            Op::Put { key, len, if_none_match } => self.put(KEYS[*key as usize], *len, *if_none_match).await,
            Op::Delete { key } => {
                let answer = self.client.delete(&self.bucket, KEYS[*key as usize]).await.unwrap();
                answer.expect(204);
                self.model.delete(KEYS[*key as usize]);
            }
            Op::DeleteMany { keys } => self.delete_many(keys).await,
            Op::Copy { from, to } => self.copy(KEYS[*from as usize], KEYS[*to as usize]).await,
            Op::Create { key } => {
                self.ids.push(self.client.create_upload(&self.bucket, KEYS[*key as usize]).await.unwrap());
                self.model.create(KEYS[*key as usize]);
            }
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
        }
        self.compare().await;
    }

    async fn put(&mut self, key: &str, len: u32, if_none_match: bool) {
        let bytes: Bytes = self.seed.bytes(len as usize).into();
        let headers: &[(&str, &str)] = if if_none_match { &[("if-none-match", "*")] } else { &[] };
        let answer = self.client.send("PUT", &path(&self.bucket, key), headers, bytes.clone()).await.unwrap();
        same(answer, self.model.put(key, bytes, if_none_match));
    }

    async fn delete_many(&mut self, keys: &[u8]) {
        let objects: String = keys
            .iter()
            .map(|key| KEYS[*key as usize].replace('&', "&amp;"))
            .map(|key| format!("<Object><Key>{key}</Key></Object>"))
            .collect();
        let document = format!("<Delete>{objects}</Delete>");
        let answer =
            self.client.send("POST", &format!("/{}?delete", self.bucket), &[], document).await.unwrap();
        assert_eq!(answer.expect(200).elements("Deleted").len(), keys.len());
        keys.iter().for_each(|key| self.model.delete(KEYS[*key as usize]));
    }

    async fn copy(&mut self, from: &str, to: &str) {
        let answer = self.client.copy(&self.bucket, from, to).await.unwrap();
        same(answer, self.model.copy(from, to));
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
        same(answer, self.model.complete(index, &list));
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

    /// Everything that can be read back is the same on both sides.
    async fn compare(&self) {
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

fn run(program: Vec<Op>) {
    use std::sync::OnceLock;
    static SHARED: OnceLock<(tokio::runtime::Runtime, Gateway)> = OnceLock::new();
    let (runtime, gateway) = SHARED.get_or_init(|| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
        let gateway = runtime.block_on(Gateway::start());
        (runtime, gateway)
    });
    runtime.block_on(async {
        let mut pair = Pair::new(gateway.client()).await;
        for op in &program {
            pair.step(op).await;
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("DOVETAIL_TEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24),
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_gateway_does_what_the_model_does(program in prop::collection::vec(op(), 1..30)) {
        run(program);
    }
}
