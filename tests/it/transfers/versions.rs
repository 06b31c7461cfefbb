//! Versions of objects, as the client sees and moves them.

use super::command::Machine;
use super::proxy::{Fault, Proxy};
use super::{BUCKET, gateway};
use crate::gateway::Gateway;
use crate::seed::Seed;

const LEN: usize = 12 << 20;
const KEY: &str = "s3://transfers/key";

/// A bucket with two versions of one key, the older one first.
struct Kept {
    _gateway: Gateway,
    proxy: Proxy,
    machine: Machine,
    bytes: [Vec<u8>; 2],
    ids: [String; 2],
}

impl Kept {
    async fn new() -> Kept {
        let gateway = gateway().await;
        let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        let set = gateway.client().send("PUT", &format!("/{BUCKET}?versioning"), &[], enabled).await;
        set.expect("it answers").expect(200);
        let proxy = Proxy::start(&gateway.endpoint(), 1).await;
        let machine = Machine::new(&proxy.endpoint());
        let mut seed = Seed::new(11);
        let mut put = async || {
            let bytes = machine.file("file", LEN, &mut seed);
            machine.run(&["put", "file", KEY, "--part-size", "5M"]).await.expect(0);
            bytes
        };
        let bytes = [put().await, put().await];
        let listed = versions(&machine).await;
        let [newer, older] = &listed[..] else { panic!("{listed:?}") };
        let ids = [older, newer].map(|version| version["version_id"].as_str().expect("an id").to_string());
        Kept { _gateway: gateway, proxy, machine, bytes, ids }
    }

    async fn run(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.machine.run(arguments).await.expect(0).stdout).expect("text")
    }

    fn copy(&self) -> Vec<u8> {
        std::fs::read(self.machine.path("copy")).expect("it is there")
    }
}

async fn versions(machine: &Machine) -> Vec<serde_json::Value> {
    let said = machine.run(&["ls", "--versions", "--json", KEY]).await.expect(0);
    let text = String::from_utf8(said.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_is_read_copied_and_shared() {
    let kept = Kept::new().await;
    let [older, newer] = &kept.ids;
    kept.run(&["get", KEY, "copy", "--version-id", older]).await;
    assert!(kept.copy() == kept.bytes[0]);
    kept.run(&["get", KEY, "copy"]).await;
    assert!(kept.copy() == kept.bytes[1]);
    let printed = kept.machine.run(&["get", KEY, "-", "--version-id", older]).await.expect(0);
    assert!(printed.stdout == kept.bytes[0]);
    for id in [older, newer] {
        let said = kept.run(&["stat", KEY, "--version-id", id]).await;
        assert!(said.contains(&format!("x-amz-version-id: {id}")), "{said}");
    }
    let url = kept.run(&["presign", KEY, "--version-id", older]).await;
    let answer = reqwest::get(url.trim()).await.expect("an answer");
    assert!(answer.bytes().await.expect("a body") == kept.bytes[0]);
    kept.run(&["cp", KEY, KEY, "--version-id", older]).await;
    kept.run(&["get", KEY, "copy"]).await;
    assert!(kept.copy() == kept.bytes[0], "it is the newest again");
    let text = kept.run(&["ls", "--versions", KEY]).await;
    assert_eq!((text.lines().count(), text.matches(" * key").count()), (3, 1), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_delete_markers_are_taken_away_one_by_one() {
    let kept = Kept::new().await;
    let [older, newer] = &kept.ids;
    kept.run(&["rm", KEY]).await;
    let listed = versions(&kept.machine).await;
    assert_eq!(listed.len(), 3);
    assert!(listed[0]["delete_marker"] == true && listed[0]["is_latest"] == true, "{listed:?}");
    assert!(listed[1]["delete_marker"] == false && listed[1]["bytes"] == LEN, "{listed:?}");
    let marker = listed[0]["version_id"].as_str().expect("an id");
    assert!(kept.run(&["ls", "--versions", KEY]).await.contains("deleted"));
    kept.machine.run(&["get", KEY, "copy"]).await.expect(1);
    let said = kept.machine.run(&["get", KEY, "copy", "--version-id", marker]).await.expect(1);
    said.expect_words("delete marker");
    kept.run(&["rm", KEY, "--version-id", marker]).await;
    kept.run(&["get", KEY, "copy"]).await;
    assert!(kept.copy() == kept.bytes[1]);
    let said = kept.run(&["rm", "--json", KEY, "--version-id", newer]).await;
    assert!(said.contains(&format!("versionId={newer}")), "{said}");
    assert_eq!(versions(&kept.machine).await.len(), 1);
    let said = kept.machine.run(&["stat", KEY, "--version-id", newer]).await.expect(1);
    said.expect_words("ls --versions");
    kept.run(&["rm", KEY, "--version-id", older]).await;
    kept.machine.run(&["ls", "--versions", KEY]).await.expect(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_of_a_version_goes_on_with_that_version() {
    let kept = Kept::new().await;
    let first = std::sync::atomic::AtomicUsize::new(0);
    kept.proxy.choose(move |method, target, _| {
        let is_range = method == "GET" && target.contains("versionId=") && !target.contains("attributes");
        match is_range && first.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= 1 {
            true => Fault::Refuse(500),
            false => Fault::None,
        }
    });
    let get = ["get", KEY, "copy", "--version-id", &kept.ids[0], "--part-size", "5M", "--patience", "1"];
    kept.machine.run(&get).await.expect(3);
    assert_eq!(kept.machine.journals(), 1);
    kept.proxy.choose(|_, _, _| Fault::None);
    let mine = kept.run(&["uploads", "--mine", "--json"]).await;
    assert!(mine.contains(&format!(r#""version_id":"{}""#, kept.ids[0])), "{mine}");
    kept.machine.run(&["resume"]).await.expect(0).expect_words("going on: 1 of 3 ranges");
    assert!(kept.copy() == kept.bytes[0]);
    assert_eq!(kept.machine.journals(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_wants_another_version_than_was_begun_begins_anew() {
    let kept = Kept::new().await;
    kept.proxy.choose(|method, target, _| match method == "GET" && !target.contains("attributes") {
        true => Fault::Refuse(500),
        false => Fault::None,
    });
    let get = ["get", KEY, "copy", "--part-size", "5M", "--patience", "1"];
    kept.machine.run(&[&get[..], &["--version-id", &kept.ids[0]]].concat()).await.expect(3);
    assert_eq!(kept.machine.journals(), 1);
    kept.proxy.choose(|_, _, _| Fault::None);
    kept.machine.run(&get).await.expect(0).expect_words("another version was begun before");
    assert!(kept.copy() == kept.bytes[1]);
    assert_eq!(kept.machine.journals(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_version_is_that_of_one_object() {
    let machine = Machine::new("http://127.0.0.1:9");
    for arguments in [
        &["get", "-r", "s3://bucket/a", "folder"][..],
        &["rm", "-r", "s3://bucket/a"],
        &["rm", "s3://bucket/a", "s3://bucket/b"],
        &["cp", "-r", "s3://bucket/a", "s3://bucket/b"],
        &["presign", "--method", "put", "s3://bucket/a"],
        &["stat", "s3://bucket/"],
    ] {
        machine.run(&[arguments, &["--version-id", "1"]].concat()).await.expect(2);
    }
}
