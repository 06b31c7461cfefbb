//! What a second run makes of what the first one left, and of what has changed since.

use std::time::Duration;

use super::command::Machine;
use super::proxy::{Fault, Proxy};
use super::{gateway, object};
use crate::gateway::Gateway;
use crate::seed::Seed;

const LEN: usize = 22 << 20;

/// A machine whose upload of `file` has stopped after two parts of five.
struct Stopped {
    gateway: Gateway,
    proxy: Proxy,
    machine: Machine,
    bytes: Vec<u8>,
    seed: Seed,
}

const TARGET: &str = "s3://transfers/key";
const PUT: [&str; 7] = ["put", "file", TARGET, "--part-size", "5M", "--patience", "1"];

impl Stopped {
    async fn new() -> Stopped {
        let mut seed = Seed::new(7);
        let gateway = gateway().await;
        let proxy = Proxy::start(&gateway.endpoint(), 1).await;
        let machine = Machine::new(&proxy.endpoint());
        let bytes = machine.file("file", LEN, &mut seed);
        proxy.choose(|method, target, _| {
            let late = ["3", "4", "5"].iter().any(|number| target.contains(&format!("partNumber={number}&")));
            if method == "PUT" && late { Fault::Refuse(500) } else { Fault::None }
        });
        machine.run(&PUT).await.expect(3);
        assert_eq!(machine.journals(), 1);
        proxy.choose(|_, _, _| Fault::None);
        Stopped { gateway, proxy, machine, bytes, seed }
    }

    /// Bytes of parts that a command sends.
    async fn sent_by(&self, arguments: &[&str], words: &str) -> u64 {
        let before = self.proxy.part_bytes();
        self.machine.run(arguments).await.expect(0).expect_words(words);
        self.proxy.part_bytes() - before
    }

    async fn has(&self, bytes: &[u8]) {
        assert!(object(&self.gateway, "key").await == bytes, "the object has other bytes than the file");
        assert_eq!(self.machine.journals(), 0);
    }
}

/// What is sent for so many bytes, with framing.
fn about(sent: u64, len: usize) -> bool {
    (len as u64..len as u64 + 10_000).contains(&sent)
}

const REST: usize = LEN - (10 << 20);

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_sends_only_the_rest() {
    let stopped = Stopped::new().await;
    let sent = stopped.sent_by(&PUT, "going on: 2 of 5 parts").await;
    assert!(about(sent, REST), "{sent}");
    stopped.has(&stopped.bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resume_goes_on_without_being_told_what() {
    let stopped = Stopped::new().await;
    let mine = stopped.machine.run(&["uploads", "--mine"]).await.expect(0);
    assert!(String::from_utf8_lossy(&mine.stdout).contains("2 of 5 parts"), "{mine:?}");
    let sent = stopped.sent_by(&["resume"], "going on: 2 of 5 parts").await;
    assert!(about(sent, REST), "{sent}");
    stopped.has(&stopped.bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_machine_goes_on_by_what_the_server_has() {
    let stopped = Stopped::new().await;
    stopped.machine.forget_journals();
    let sent = stopped.sent_by(&[&PUT[..], &["--resume-from-server"]].concat(), "").await;
    assert!(about(sent, REST), "{sent}");
    stopped.has(&stopped.bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_other_bytes_on_the_server_are_not_believed() {
    let mut stopped = Stopped::new().await;
    stopped.machine.forget_journals();
    let bytes = stopped.machine.file("file", LEN, &mut stopped.seed);
    let sent = stopped.sent_by(&[&PUT[..], &["--resume-from-server"]].concat(), "").await;
    assert!(about(sent, LEN), "{sent}");
    stopped.has(&bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_starts_over_and_says_so() {
    let mut stopped = Stopped::new().await;
    let bytes = stopped.machine.file("file", LEN, &mut stopped.seed);
    let sent = stopped.sent_by(&PUT, "the file has changed since; starting over").await;
    assert!(about(sent, LEN), "{sent}");
    stopped.has(&bytes).await;
    let open = stopped.machine.run(&["uploads", "s3://transfers"]).await.expect(0);
    assert_eq!(open.stdout, b"", "the old upload is aborted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touched_file_is_compared_rather_than_sent() {
    let stopped = Stopped::new().await;
    let file = std::fs::File::open(stopped.machine.path("file")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    let sent = stopped.sent_by(&PUT, "touched").await;
    assert!(about(sent, REST), "{sent}");
    stopped.has(&stopped.bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_time_was_set_back_is_found() {
    use std::os::unix::fs::FileExt as _;
    let stopped = Stopped::new().await;
    let mut bytes = stopped.bytes.clone();
    // In the first part, where no sample is taken.
    bytes[1 << 20] ^= 1;
    let file = std::fs::File::options().write(true).open(stopped.machine.path("file")).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.write_all_at(&bytes[1 << 20..][..1], 1 << 20).unwrap();
    file.set_modified(modified).unwrap();
    let sent = stopped.sent_by(&PUT, "touched").await;
    assert!(about(sent, REST + (5 << 20)), "{sent}");
    stopped.has(&bytes).await;
}

/// What describes an object is said when its upload begins, and cannot be said later.
#[tokio::test(flavor = "multi_thread")]
async fn another_description_starts_over_and_says_so() {
    let stopped = Stopped::new().await;
    let put = [&PUT[..], &["--metadata", "owner=me"]].concat();
    let sent = stopped.sent_by(&put, "with another description; starting over").await;
    assert!(about(sent, LEN), "{sent}");
    stopped.has(&stopped.bytes).await;
    let said = stopped.machine.run(&["stat", TARGET]).await.expect(0);
    assert!(String::from_utf8_lossy(&said.stdout).contains("x-amz-meta-owner: me"), "{said:?}");
    let open = stopped.machine.run(&["uploads", "s3://transfers"]).await.expect(0);
    assert_eq!(open.stdout, b"", "the old upload is aborted");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_aborted_is_forgotten_here_too() {
    let stopped = Stopped::new().await;
    let said = stopped.machine.run(&["abort", "--dry-run", TARGET]).await.expect(0);
    assert_eq!(String::from_utf8_lossy(&said.stdout).lines().count(), 2, "{said:?}");
    assert_eq!(stopped.machine.journals(), 1);
    std::fs::remove_file(stopped.machine.path("file")).unwrap();
    stopped.machine.run(&["resume"]).await.expect(1);
    let said = stopped.machine.run(&["abort", "-q", TARGET]).await.expect(0);
    assert_eq!((said.stdout, stopped.machine.journals()), (Vec::new(), 0));
    stopped.machine.run(&["resume"]).await.expect(0);
    let said = stopped.machine.run(&["abort", TARGET]).await.expect(1);
    said.expect_words("has no open upload, and nothing of it was begun here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_given_up_leaves_nothing() {
    let stopped = Stopped::new().await;
    stopped.machine.run(&PUT).await.expect(0);
    stopped.proxy.choose(|method, target, _| match method == "GET" && target.ends_with("/key") {
        true => Fault::Refuse(500),
        false => Fault::None,
    });
    stopped.machine.run(&["get", TARGET, "copy", "--patience", "1"]).await.expect(3);
    assert_eq!(stopped.machine.journals(), 1);
    let said = stopped.machine.run(&["abort", TARGET]).await.expect(0);
    assert!(String::from_utf8_lossy(&said.stdout).contains("forgot"), "{said:?}");
    assert!(stopped.machine.journals() == 0 && !stopped.machine.path("copy.dovetail-part").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_upload_starts_over_and_says_so() {
    let stopped = Stopped::new().await;
    Machine::new(&stopped.gateway.endpoint()).run(&["abort", TARGET]).await.expect(0);
    let sent = stopped.sent_by(&PUT, "forgotten").await;
    assert!(about(sent, LEN), "{sent}");
    stopped.has(&stopped.bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_with_another_description_is_sent_again() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    machine.file("file", 1000, &mut Seed::new(1));
    let put = ["put", "file", "s3://transfers/described", "--metadata", "owner=me"];
    machine.run(&put[..3]).await.expect(0);
    machine.run(&put).await.expect(0).expect_words("another description");
    let said = machine.run(&["stat", put[2]]).await.expect(0);
    assert!(String::from_utf8_lossy(&said.stdout).contains("x-amz-meta-owner: me"), "{said:?}");
    machine.run(&put).await.expect(0).expect_words("(0 B sent)");
    machine.run(&put[..3]).await.expect(0).expect_words("(0 B sent)");
    let header = ["--header", "Cache-Control: no-cache", "--header", "x-amz-tagging: a=b"];
    machine.run(&[&put[..], &header].concat()).await.expect(0).expect_words("another description");
    machine.run(&[&put[..], &header].concat()).await.expect(0).expect_words("(0 B sent)");
    let answer = gateway.client().send("GET", "/transfers/described?tagging", &[], "").await.unwrap();
    assert_eq!((answer.element("Key"), answer.element("Value")), (Some("a".into()), Some("b".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_whole_is_not_sent() {
    let stopped = Stopped::new().await;
    stopped.machine.run(&PUT).await.expect(0);
    assert_eq!(stopped.sent_by(&PUT, "0 B sent").await, 0);
    stopped.machine.run(&["get", TARGET, "copy"]).await.expect(0);
    let gets = || stopped.proxy.exchanges().iter().filter(|exchange| exchange.method == "GET").count();
    let before = gets();
    stopped.machine.run(&["get", TARGET, "copy"]).await.expect(0).expect_words("0 B received");
    assert_eq!(gets(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_is_waited_for() {
    let Stopped { mut gateway, machine, bytes, .. } = Stopped::new().await;
    let endpoint = gateway.endpoint();
    gateway.kill();
    let put =
        machine.command(&["put", "file", TARGET, "--endpoint-url", &endpoint, "--part-size", "5M"]).spawn();
    let mut put = put.expect("the client can be started");
    tokio::time::sleep(Duration::from_millis(500)).await;
    gateway.restart().await;
    let status = tokio::task::spawn_blocking(move || put.wait()).await.unwrap().unwrap();
    assert!(status.success());
    assert!(object(&gateway, "key").await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_that_fails_is_aborted_or_kept() {
    let stopped = Stopped::new().await;
    stopped.machine.run(&["abort", TARGET]).await.expect(0);
    let input = stopped.machine.path("file");
    let open = async || {
        let open = stopped.machine.run(&["uploads", "s3://transfers"]).await.expect(0);
        String::from_utf8(open.stdout).unwrap().lines().count()
    };
    let put = ["put", "-", "s3://transfers/piped", "--part-size", "5M"];
    let short = [&put[..], &["--expected-size", "100M"]].concat();
    stopped.machine.run_with(&short, &input).await.expect(3).expect_words("instead of");
    assert_eq!(open().await, 0);
    stopped
        .machine
        .run_with(&[&short[..], &["--keep"]].concat(), &input)
        .await
        .expect(3)
        .expect_words("kept");
    assert_eq!(open().await, 1);
    stopped.machine.run_with(&put, &input).await.expect(0);
    assert!(object(&stopped.gateway, "piped").await == stopped.bytes);
    let printed = stopped.machine.run(&["get", "s3://transfers/piped", "-"]).await.expect(0);
    assert!(printed.stdout == stopped.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_changes_during_a_download_is_fetched_anew() {
    let mut stopped = Stopped::new().await;
    stopped.machine.run(&PUT).await.expect(0);
    let get = ["get", TARGET, "copy", "--part-size", "5M", "--patience", "1"];
    stopped.proxy.choose(|method, _, seed| {
        if method == "GET" && seed.below(2) == 0 { Fault::Refuse(500) } else { Fault::None }
    });
    let mut is_stopped = false;
    for _ in 0..20 {
        is_stopped = stopped.machine.run(&get).await.code == 3 && stopped.machine.journals() == 1;
        if is_stopped {
            break;
        }
        let _ = std::fs::remove_file(stopped.machine.path("copy"));
    }
    stopped.proxy.choose(|_, _, _| Fault::None);
    let bytes = stopped.machine.file("file", LEN, &mut stopped.seed);
    stopped.machine.run(&PUT).await.expect(0);
    let said = stopped.machine.run(&get).await.expect(0);
    assert!(!is_stopped || said.stderr.contains("changed on the server"), "{}", said.stderr);
    assert!(std::fs::read(stopped.machine.path("copy")).unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_go_up_and_come_down() {
    let stopped = Stopped::new().await;
    let machine = &stopped.machine;
    let mut seed = Seed::new(3);
    std::fs::create_dir_all(machine.path("tree/sub/deep")).unwrap();
    let mut files = Vec::new();
    for index in 0..30u64 {
        let name = match index % 3 {
            0 => format!("tree/file {index} +&%"),
            1 => format!("tree/sub/{index}"),
            _ => format!("tree/sub/deep/ü{index}"),
        };
        let len = seed.below(50_000) as usize;
        let bytes = machine.file(&name, len, &mut seed);
        files.push((name, bytes));
    }
    machine.run(&["put", "-r", "tree", "s3://transfers/up/"]).await.expect(0).expect_words("30 files");
    machine.run(&["put", "-r", "tree", "s3://transfers/up/"]).await.expect(0).expect_words("(0 B sent)");
    machine.run(&["get", "-r", "s3://transfers/up/", "back"]).await.expect(0).expect_words("30 files");
    for (name, bytes) in files {
        let back = machine.path(&name.replacen("tree", "back", 1));
        assert!(std::fs::read(back).unwrap() == bytes, "{name}");
    }
    let listed = machine.run(&["ls", "-r", "s3://transfers/up/"]).await.expect(0);
    assert_eq!(String::from_utf8(listed.stdout).unwrap().lines().count(), 30);
    machine.run(&["cp", "s3://transfers/up/sub/1", "s3://transfers/copied"]).await.expect(0);
    machine.run(&["cp", "s3://transfers/up/sub/1", "s3://transfers/up/subaltern"]).await.expect(0);
    machine.run(&["get", "-r", "s3://transfers/up/sub", "sub"]).await.expect(0).expect_words("20 files");
    assert!(!machine.path("sub/subaltern").exists());
    let some = ["get", "-r", "s3://transfers/up", "some", "--include", "sub/*", "--exclude", "*/deep/*"];
    machine.run(&some).await.expect(0).expect_words("10 files");
    machine.run(&["get", "s3://transfers/up/sub/1", "some", "--exclude", "*"]).await.expect(2);
    let put = ["put", "-r", "some", "s3://transfers/some", "--exclude", "*1"];
    machine.run(&put).await.expect(0).expect_words("9 files");
    machine
        .run(&["cp", "-r", "s3://transfers/some", "s3://transfers/other", "--include", "*5"])
        .await
        .expect(0);
    machine.run(&["rm", "-r", "s3://transfers/some", "--exclude", "*8"]).await.expect(0);
    let left = machine.run(&["ls", "-r", "s3://transfers"]).await.expect(0);
    let left = String::from_utf8(left.stdout).unwrap();
    let ends = |text: &str| left.lines().filter(|line| line.contains(text)).count();
    assert_eq!((ends(" other/sub/"), ends(" some/sub/")), (1, 1), "{left}");
    machine.run(&["rm", "-r", "s3://transfers/some"]).await.expect(0);
    machine.run(&["rm", "-rq", "s3://transfers/other"]).await.expect(0);
    machine.run(&["rm", "-q", "--json", "s3://transfers/other"]).await.expect(2);
    machine.run(&["rm", "-r", "s3://transfers/up/sub"]).await.expect(0);
    let listed = machine.run(&["ls", "-r", "s3://transfers/up/"]).await.expect(0);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed.lines().count(), 11, "a folder ends at its slash: {listed}");
    assert!(listed.contains("subaltern"));
    machine.run(&["cp", "-r", "s3://transfers/up", "s3://transfers/up/below"]).await.expect(2);
    machine.run(&["mb", "s3://transfers-copied"]).await.expect(0);
    machine.run(&["cp", "-r", "s3://transfers/up", "s3://transfers-copied/to"]).await.expect(0);
    let copied = machine.run(&["ls", "-r", "s3://transfers-copied/to/"]).await.expect(0);
    assert_eq!(String::from_utf8(copied.stdout).unwrap().lines().count(), 11);
    let said = machine.run(&["rb", "s3://transfers-copied"]).await.expect(1);
    said.expect_words("dovetail rm -r");
    machine.run(&["rm", "-r", "s3://transfers-copied"]).await.expect(0);
    machine.run(&["ls", "s3://transfers-copied"]).await.expect(0);
    machine.run(&["rb", "s3://transfers-copied"]).await.expect(0);
    machine.run(&["ls", "s3://transfers-copied"]).await.expect(1);
    machine.run(&["rm", "-r", "s3://transfers/up/"]).await.expect(0);
    let said = machine.run(&["get", "-r", "s3://transfers/up/", "none"]).await.expect(1);
    said.expect_words("there is nothing in s3://transfers/up/");
    machine.run(&["ls", "s3://transfers/up"]).await.expect(1).expect_words("there is nothing under");
    let listed = machine.run(&["ls", "s3://transfers"]).await.expect(0);
    assert!(String::from_utf8(listed.stdout).unwrap().trim().ends_with("copied"));
    let url = machine.run(&["presign", "s3://transfers/copied"]).await.expect(0);
    let url = String::from_utf8(url.stdout).unwrap();
    let answer = reqwest::get(url.trim()).await.unwrap();
    assert_eq!(answer.status(), 200);
}
