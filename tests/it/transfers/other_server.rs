//! Against a server that is not ours (moto, `tools/test-servers`): what resumes here resumes there.

use super::command::Machine;
use super::proxy::{Fault, Proxy};
use crate::backends::server::Server;
use crate::seed::Seed;

const LEN: usize = 22 << 20;
const TARGET: &str = "s3://blobs/key";
const PUT: [&str; 7] = ["put", "file", TARGET, "--part-size", "5M", "--patience", "1"];
const GET: [&str; 7] = ["get", TARGET, "copy", "--part-size", "5M", "--patience", "1"];

/// An upload of five parts that stopped after two.
struct Stopped {
    server: Server,
    proxy: Proxy,
    machine: Machine,
    bytes: Vec<u8>,
}

impl Stopped {
    async fn new() -> Stopped {
        let server = Server::s3().await;
        let proxy = Proxy::start(&server.http(""), 1).await;
        let machine = Machine::new(&proxy.endpoint());
        let bytes = machine.file("file", LEN, &mut Seed::new(11));
        proxy.choose(|method, target, _| {
            let late = ["3", "4", "5"].iter().any(|number| target.contains(&format!("partNumber={number}&")));
            if method == "PUT" && late { Fault::Refuse(500) } else { Fault::None }
        });
        machine.run(&PUT).await.expect(3);
        proxy.choose(|_, _, _| Fault::None);
        Stopped { server, proxy, machine, bytes }
    }

    /// Goes on, and sends little more than the rest.
    async fn finish(&self, arguments: &[&str]) {
        let before = self.proxy.part_bytes().await;
        self.machine.run(arguments).await.expect(0);
        let (sent, rest) = (self.proxy.part_bytes().await - before, LEN as u64 - (10 << 20));
        assert!((rest..rest + 10_000).contains(&sent), "{sent} bytes were sent, {rest} were missing");
        assert_eq!(self.machine.journals(), 0);
        let answer = reqwest::get(self.server.http("/blobs/key")).await.expect("an answer");
        assert!(answer.bytes().await.expect("a body") == self.bytes, "the object has other bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_by_the_journal() {
    let stopped = Stopped::new().await;
    stopped.finish(&PUT).await;
    let before = stopped.proxy.part_bytes().await;
    stopped.machine.run(&PUT).await.expect(0).expect_words("0 B sent");
    assert_eq!(stopped.proxy.part_bytes().await, before, "what is there whole is not sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_by_what_the_server_has() {
    let stopped = Stopped::new().await;
    stopped.machine.forget_journals();
    stopped.finish(&[&PUT[..], &["--resume-from-server"]].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_goes_on_by_ranges() {
    let stopped = Stopped::new().await;
    stopped.finish(&PUT).await;
    let first = std::sync::atomic::AtomicUsize::new(0);
    stopped.proxy.choose(move |method, target, _| {
        let is_range = method == "GET" && !target.contains('?');
        match is_range && first.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= 2 {
            true => Fault::Refuse(500),
            false => Fault::None,
        }
    });
    stopped.machine.run(&GET).await.expect(3);
    assert!(!stopped.machine.path("copy").exists());
    stopped.proxy.choose(|_, _, _| Fault::None);
    let ranges = || {
        let exchanges = stopped.proxy.exchanges();
        exchanges.iter().filter(|exchange| exchange.method == "GET" && !exchange.target.contains('?')).count()
    };
    let before = ranges();
    let said = stopped.machine.run(&GET).await.expect(0).expect_words("going on: 2 of 5 ranges");
    said.expect_words("the server told no checksum to compare with");
    assert_eq!(ranges() - before, 3, "only what was missing is fetched");
    assert!(std::fs::read(stopped.machine.path("copy")).unwrap() == stopped.bytes);
    // Nothing but the ETag of joined parts tells that it is there.
    stopped.machine.run(&GET).await.expect(0).expect_words("(0 B received)");
    let mut other = stopped.bytes.clone();
    other[LEN - 1] ^= 1;
    std::fs::write(stopped.machine.path("copy"), other).unwrap();
    stopped.machine.run(&GET).await.expect(0).expect_words("22 MiB in");
    assert!(std::fs::read(stopped.machine.path("copy")).unwrap() == stopped.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_say_its_limits_is_taken_to_be_s3_and_asked_once() {
    let stopped = Stopped::new().await;
    stopped.finish(&PUT).await;
    let exchanges = stopped.proxy.exchanges();
    let asked = exchanges.iter().filter(|exchange| exchange.target == "/_/limits").count();
    assert_eq!(asked, 1, "two runs ask once");
}

/// moto keeps objects as they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_passes_over_a_key_is_told_from_one_that_encrypts() {
    let server = Server::s3().await;
    let machine = Machine::new(&server.http(""));
    let mut seed = Seed::new(13);
    machine.file("file", LEN, &mut seed);
    machine.file("small", 1000, &mut seed);
    machine.file("key", 32, &mut seed);
    std::fs::set_permissions(machine.path("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let key = ["--sse-c-key-file", "key"];
    let said = machine.run(&[&PUT[..], &key].concat()).await.expect(1).expect_words("no notice of the key");
    assert!(!said.stderr.contains("in the clear"), "no part was sent: {}", said.stderr);
    let open = machine.run(&["uploads", "s3://blobs"]).await.expect(0);
    assert_eq!((open.stdout, machine.journals()), (Vec::new(), 0));
    let put = [&["put", "small", TARGET][..], &key].concat();
    machine.run(&put).await.expect(1).expect_words("the object lies there in the clear");
}
