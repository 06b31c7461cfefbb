//! Objects that are encrypted with a key which the server does not keep (SSE-C), or with the server's own.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::BUCKET;
use super::command::Machine;
use super::proxy::{Fault, Proxy};
use crate::gateway::Gateway;
use crate::seed::Seed;

const LEN: usize = 12 << 20;
const KEY: &str = "s3://transfers/key";
const ONE: [&str; 2] = ["--sse-c-key-file", "one"];
const OTHER: [&str; 2] = ["--sse-c-key-file", "other"];
const PUT: [&str; 7] = ["put", "file", KEY, "--part-size", "5M", "--patience", "1"];
const GET: [&str; 7] = ["get", KEY, "copy", "--part-size", "5M", "--patience", "1"];

/// A machine with two keys, and a gateway that takes them over plain HTTP.
struct Locked {
    _gateway: Gateway,
    proxy: Proxy,
    machine: Machine,
    bytes: Vec<u8>,
}

impl Locked {
    async fn new() -> Locked {
        let gateway = Gateway::start_with(&[("DOVETAIL_ENCRYPTION__REQUIRE_TLS", "false")]).await;
        gateway.client().send("PUT", &format!("/{BUCKET}"), &[], "").await.expect("it answers").expect(200);
        let proxy = Proxy::start(&gateway.endpoint(), 1).await;
        let machine = Machine::new(&proxy.endpoint());
        let mut seed = Seed::new(21);
        let bytes = machine.file("file", LEN, &mut seed);
        for name in ["one", "other"] {
            machine.file(name, 32, &mut seed);
            std::fs::set_permissions(machine.path(name), Permissions::from_mode(0o600)).expect("it is ours");
        }
        Locked { _gateway: gateway, proxy, machine, bytes }
    }

    async fn run(&self, command: &[&str], key: &[&str], code: i32) -> super::command::Said {
        self.machine.run(&[command, key].concat()).await.expect(code)
    }

    /// A transfer that stops after the first part or range.
    async fn stop(&self, command: &[&str], key: &[&str], method: &'static str, words: &'static str) {
        let first = std::sync::atomic::AtomicUsize::new(0);
        self.proxy.choose(move |asked, target, _| {
            let is_part = asked == method && target.contains(words) && !target.contains("attributes");
            match is_part && first.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= 1 {
                true => Fault::Refuse(500),
                false => Fault::None,
            }
        });
        self.run(command, key, 3).await;
        assert_eq!(self.machine.journals(), 1);
        self.proxy.choose(|_, _, _| Fault::None);
    }

    fn copy(&self) -> Vec<u8> {
        std::fs::read(self.machine.path("copy")).expect("it is there")
    }

    /// What the journals and the client's cache hold.
    fn remembered(&self) -> Vec<u8> {
        let folder = self.machine.path("state/dovetail/transfers");
        let entries = std::fs::read_dir(folder).expect("there are journals");
        entries.flat_map(|entry| std::fs::read(entry.expect("an entry").path()).expect("a journal")).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_with_its_key_and_with_no_other() {
    let locked = Locked::new().await;
    locked.stop(&PUT, &ONE, "PUT", "partNumber=").await;
    let (remembered, key) = (locked.remembered(), std::fs::read(locked.machine.path("one")).unwrap());
    let has = |part: &[u8]| remembered.windows(part.len()).any(|window| window == part);
    assert!(!has(&key) && !has(BASE64.encode(&key).as_bytes()), "the key is in the journal");
    locked.run(&PUT, &OTHER, 1).await.expect_words("begun with another key");
    locked.run(&PUT, &[], 1).await.expect_words("begun with a key");
    locked.run(&["resume"], &[], 1).await.expect_words("begun with a key");
    locked.run(&["resume"], &ONE, 0).await.expect_words("going on: 1 of 3 parts");
    assert_eq!(locked.machine.journals(), 0);
    locked.run(&PUT, &ONE, 0).await.expect_words("(0 B sent)");
    let said = locked.run(&["stat", KEY], &ONE, 0).await;
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("x-amz-server-side-encryption-customer-algorithm: AES256"), "{said}");
    locked.run(&["stat", KEY], &[], 1).await.expect_words("--sse-c-key-file");
    locked.run(&["stat", KEY], &OTHER, 1).await.expect_words("another key than this one");
    locked.run(&GET, &ONE, 0).await;
    assert!(locked.copy() == locked.bytes);
    // What is there in another way is not what was asked for.
    locked.run(&PUT, &[], 0).await.expect_words("another encryption");
    locked.run(&["stat", KEY], &ONE, 1).await.expect_words("leave --sse-c-key-file out");
    locked.run(&PUT, &ONE, 0).await.expect_words("another encryption");
    locked.run(&GET, &ONE, 0).await;
    assert!(locked.copy() == locked.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_goes_on_with_its_key() {
    let locked = Locked::new().await;
    locked.run(&PUT, &ONE, 0).await;
    locked.stop(&GET, &ONE, "GET", "/transfers/key").await;
    locked.run(&GET, &OTHER, 1).await.expect_words("another key than this one");
    locked.run(&["resume"], &OTHER, 1).await.expect_words("begun with another key");
    locked.run(&["resume"], &ONE, 0).await.expect_words("going on: 1 of 3 ranges");
    assert!(locked.copy() == locked.bytes);
    let printed = locked.run(&["get", KEY, "-"], &ONE, 0).await;
    assert!(printed.stdout == locked.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_objects_pipes_and_copies_have_keys_too() {
    let locked = Locked::new().await;
    let key = std::fs::read(locked.machine.path("one")).unwrap();
    std::fs::write(locked.machine.path("text"), BASE64.encode(key) + "\n").unwrap();
    std::fs::set_permissions(locked.machine.path("text"), Permissions::from_mode(0o640)).unwrap();
    let small = locked.machine.file("small", 1000, &mut Seed::new(1));
    locked.run(&["put", "small", "s3://transfers/small"], &["--sse-c-key-file", "text"], 0).await;
    locked.run(&["put", "small", "s3://transfers/small"], &ONE, 0).await.expect_words("(0 B sent)");
    let got = locked.run(&["get", "s3://transfers/small", "-"], &ONE, 0).await;
    assert!(got.stdout == small);
    let pipe = [&["put", "-", KEY, "--part-size", "5M"][..], &ONE].concat();
    locked.machine.run_with(&pipe, &locked.machine.path("file")).await.expect(0);
    locked.run(&["cp", KEY, "s3://transfers/copied"], &[], 1).await.expect_words("key");
    let from = ["--source-sse-c-key-file", "one"];
    locked.run(&["cp", KEY, "s3://transfers/copied"], &[&from[..], &OTHER].concat(), 0).await;
    let got = locked.run(&["get", "s3://transfers/copied", "-"], &OTHER, 0).await;
    assert!(got.stdout == locked.bytes);
    locked.run(&["cp", KEY, "s3://transfers/open", "--sse", "AES256"], &from, 0).await;
    let said = locked.run(&["stat", "s3://transfers/open"], &[], 0).await;
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("x-amz-server-side-encryption: AES256"), "{said}");
    locked.run(&["rm", KEY], &[], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_s_own_keys_are_asked_for_and_compared() {
    let locked = Locked::new().await;
    let sse = ["--sse", "AES256"];
    locked.run(&PUT, &[], 0).await;
    locked.run(&PUT, &sse, 0).await.expect_words("another description");
    locked.run(&PUT, &sse, 0).await.expect_words("(0 B sent)");
    locked.run(&PUT, &[&sse[..], &ONE].concat(), 2).await;
    locked.run(&PUT, &["--sse", "rot13"], 2).await;
    locked.run(&PUT, &["--sse-kms-key-id", "some"], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_others_could_have_is_not_used() {
    let locked = Locked::new().await;
    let before = locked.proxy.exchanges().len();
    let plain = ["--endpoint-url", "http://192.0.2.1:9"];
    locked.run(&PUT, &[&ONE[..], &plain].concat(), 2).await.expect_words("plain HTTP");
    std::fs::set_permissions(locked.machine.path("one"), Permissions::from_mode(0o644)).unwrap();
    locked.run(&PUT, &ONE, 2).await.expect_words("chmod o-r");
    assert_eq!(locked.proxy.exchanges().len(), before, "nothing was asked");
}
