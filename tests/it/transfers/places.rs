//! Where bytes end up: never two in one place, never an old one in a newer one's place, and never a local file where an address was
//! meant.

use std::path::PathBuf;

use super::command::Machine;
use super::proxy::{Fault, Proxy};
use super::{BUCKET, gateway, object};
use crate::seed::Seed;
use dovetail::base::tasks::Tasks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const LEN: usize = 11 << 20;
const TARGET: &str = "s3://transfers/key";

#[tokio::test(flavor = "multi_thread")]
async fn two_files_for_one_key_are_refused_before_anything_is_sent() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    for folder in ["a", "b"] {
        std::fs::create_dir(machine.path(folder)).unwrap();
        std::fs::write(machine.path(folder).join("same"), folder).unwrap();
    }
    let put = |sources: [&'static str; 3]| {
        let machine = &machine;
        async move { machine.run(&["put", sources[0], sources[1], sources[2], "s3://transfers/p/"]).await }
    };
    put(["a/same", "a/same", "b/same"])
        .await
        .expect(2)
        .expect_words("would both become s3://transfers/p/same");
    put(["-r", "a", "b"]).await.expect(2).expect_words("would both become");
    let listed = machine.run(&["ls", "-r", "s3://transfers"]).await.expect(0).stdout;
    assert!(listed.is_empty(), "nothing was sent: {}", String::from_utf8_lossy(&listed));
    put(["a/same", "./a/same", "--force"]).await.expect(0);
    assert_eq!(object(&gateway, "p/same").await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_never_taken_for_a_local_file() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    machine.file("file", 10, &mut Seed::new(1));
    machine.run(&["put", "file", TARGET]).await.expect(0);
    machine.run(&["get", TARGET, "s3://transfers/other"]).await.expect(2).expect_words("dovetail cp");
    machine.run(&["get", "-r", "s3://transfers", "s3://other/"]).await.expect(2).expect_words("dovetail cp");
    assert!(!machine.path("s3:").exists());
    machine.run(&["put", TARGET]).await.expect(2).expect_words("name a file");
}

/// Makes every journal `seconds` older than it is.
fn age_journals(machine: &Machine, seconds: i64) {
    let folder = machine.path("state/dovetail/transfers");
    let journals: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for journal in journals {
        let text = std::fs::read_to_string(&journal).unwrap();
        let (first, rest) = text.split_once('\n').unwrap();
        let mut header: serde_json::Value = serde_json::from_str(first).unwrap();
        header["started_ms"] = (header["started_ms"].as_i64().unwrap() - seconds * 1000).into();
        std::fs::write(&journal, format!("{header}\n{rest}")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resume_leaves_an_object_that_is_newer_than_the_upload() {
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), 1).await;
    let machine = Machine::new(&proxy.endpoint());
    let mut seed = Seed::new(3);
    let old = machine.file("old", LEN, &mut seed);
    let new = machine.file("new", 1000, &mut seed);
    let put_old = ["put", "old", TARGET, "--part-size", "5M", "--patience", "1"];
    let stop = || {
        proxy.choose(|method, target, _| match method == "PUT" && target.contains("partNumber=3&") {
            true => Fault::Refuse(500),
            false => Fault::None,
        });
    };
    stop();
    machine.run(&put_old).await.expect(3);
    proxy.choose(|_, _, _| Fault::None);
    age_journals(&machine, 10);
    machine.run(&["put", "new", TARGET]).await.expect(0);
    let resumed = machine.run(&["resume"]).await.expect(1).expect_words("was written by something else");
    assert!(resumed.stderr.contains("dovetail abort s3://transfers/key"), "{}", resumed.stderr);
    assert!(object(&gateway, "key").await == new);
    assert_eq!(machine.journals(), 1, "nothing is given up");
    machine.run(&put_old).await.expect(0).expect_words("going on: 2 of 3 parts");
    assert!(object(&gateway, "key").await == old, "who types the command again means it");

    // Both were begun and stopped: the one that began last is meant.
    let other = machine.file("other", LEN, &mut seed);
    stop();
    machine.run(&["put", "--force", "old", TARGET, "--part-size", "5M", "--patience", "1"]).await.expect(3);
    age_journals(&machine, 10);
    machine.run(&["put", "other", TARGET, "--part-size", "5M", "--patience", "1"]).await.expect(3);
    proxy.choose(|_, _, _| Fault::None);
    let would = machine.run(&["resume", "--dry-run"]).await.expect(0).stdout;
    assert_eq!(String::from_utf8_lossy(&would).lines().count(), 1, "{would:?}");
    machine.run(&["resume"]).await.expect(1).expect_words("was written by something else");
    assert!(object(&gateway, "key").await == other);
}

#[tokio::test(flavor = "multi_thread")]
async fn resume_leaves_a_file_that_is_newer_than_the_download() {
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), 1).await;
    let machine = Machine::new(&proxy.endpoint());
    let bytes = machine.file("file", LEN, &mut Seed::new(4));
    machine.run(&["put", "file", TARGET, "--part-size", "5M"]).await.expect(0);
    // Neither a HEAD nor the question for its parts.
    proxy.choose(|method, target, _| match (method, target) {
        ("GET", "/transfers/key") => Fault::CutAnswer,
        _ => Fault::None,
    });
    machine.run(&["get", TARGET, "copy", "--part-size", "5M", "--patience", "1"]).await.expect(3);
    proxy.choose(|_, _, _| Fault::None);
    assert_eq!(machine.journals(), 1);
    age_journals(&machine, 10);
    std::fs::write(machine.path("copy"), "mine").unwrap();
    machine.run(&["resume"]).await.expect(1).expect_words("was written by something else");
    assert_eq!(std::fs::read(machine.path("copy")).unwrap(), b"mine");
    std::fs::copy(machine.path("file"), machine.path("copy")).unwrap();
    assert!(machine.path("copy.dovetail-part").exists());
    machine.run(&["resume"]).await.expect(0).expect_words("0 B moved");
    assert!(std::fs::read(machine.path("copy")).unwrap() == bytes);
    assert_eq!(machine.journals(), 0);
    assert!(!machine.path("copy.dovetail-part").exists(), "what is whole leaves nothing half");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_whose_key_ends_in_a_slash_can_be_had_alone() {
    let gateway = gateway().await;
    gateway.client().send("PUT", &format!("/{BUCKET}/odd/"), &[], "bytes").await.unwrap().expect(200);
    let machine = Machine::new(&gateway.endpoint());
    machine.run(&["get", "-r", "s3://transfers", "all"]).await.expect(1).expect_words("get it alone");
    machine.run(&["get", "s3://transfers/odd/", "odd"]).await.expect(0);
    assert_eq!(std::fs::read(machine.path("odd")).unwrap(), b"bytes");
    machine.run(&["cp", "s3://transfers/odd/", "s3://transfers/even"]).await.expect(0);
    assert_eq!(object(&gateway, "even").await, "bytes");
    for command in [["get", "s3://transfers/none/", "file"], ["cp", "s3://transfers/none/", TARGET]] {
        machine.run(&command).await.expect_words("with -r");
    }
    machine.run(&["get", "s3://transfers/odd/", "."]).await.expect(2).expect_words("with -r");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_for_people_is_no_success() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let machine = Machine::new(&format!("http://{}", listener.local_addr().unwrap()));
    let network = Tasks::new().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let page = "<!doctype html><title>Log in</title>";
            let head =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", page.len());
            let _ = stream.write_all((head + page).as_bytes()).await;
        }
    });
    for command in [["rm", "s3://transfers/key"], ["mb", "s3://transfers"], ["rb", "s3://transfers"]] {
        let said = machine.run(&[command[0], command[1], "--patience", "0"]).await;
        said.expect(3).expect_words("it is a web page");
    }
    network.abort();
}

/// What a program reads when nothing came of a command: why, and the sums.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_begin_is_told_to_programs() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    machine.file("file", 10, &mut Seed::new(1));
    std::fs::create_dir(machine.path("many")).unwrap();
    (0..9).for_each(|name| std::fs::write(machine.path("many").join(name.to_string()), "").unwrap());
    for (command, code, error) in [
        (&["put", "none", TARGET][..], 1, "cannot read none: No such file"),
        (&["put", "none", "nowhere"], 2, "nowhere"),
        (&["put", "-r", "many", "s3://no-such-bucket"], 1, "NoSuchBucket"),
        (&["get", "-r", "s3://no-such-bucket", "copies"], 1, "NoSuchBucket"),
        (&["get", "-r", "s3://transfers/none", "copies"], 1, "there is nothing in"),
        (&["get", TARGET, "copy", "--endpoint-url", "no url"], 2, "is no URL"),
        (&["resume", "none"], 2, "no transfer of these files"),
    ] {
        let said = machine.run(&[command, &["--json"]].concat()).await.expect(code);
        let lines = String::from_utf8(said.stdout.clone()).unwrap();
        let events: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [failed, summary] = events.as_slice() else { panic!("{command:?}: {lines}") };
        assert_eq!(failed["event"], "failed", "{command:?}: {lines}");
        assert!(failed["what"].is_null() && failed["error"].as_str().unwrap().contains(error), "{lines}");
        assert_eq!((&summary["event"], &summary["failed"]), (&"summary".into(), &1.into()), "{lines}");
        said.expect_words(error);
    }
    let said = machine.run(&["resume", "--json"]).await.expect(0);
    let summary: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((&summary["event"], &summary["files"]), (&"summary".into(), &0.into()));
}

/// A link that is named stands for its file; what is no file stays, whatever is forced.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_a_file_is_replaced() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    let bytes = machine.file("file", 1000, &mut Seed::new(1));
    machine.run(&["put", "file", TARGET]).await.expect(0);
    std::fs::write(machine.path("copy"), "old").unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(machine.path("pipe")).status().unwrap();
    assert!(pipe.success());
    for (link, to) in [("to-file", "copy"), ("to-pipe", "pipe"), ("to-nothing", "nothing")] {
        std::os::unix::fs::symlink(to, machine.path(link)).unwrap();
    }
    machine.run(&["get", TARGET, "to-file"]).await.expect(0);
    assert!(machine.path("to-file").is_symlink());
    assert!(std::fs::read(machine.path("copy")).unwrap() == bytes);
    machine.run(&["get", TARGET, "to-nothing"]).await.expect(0);
    for name in ["pipe", "to-pipe"] {
        for force in [&[][..], &["--force"], &["--dry-run"]] {
            let said = machine.run(&[&["get", TARGET, name], force].concat()).await.expect(1);
            said.expect_words("it is there and no regular file");
        }
    }
    use std::os::unix::fs::FileTypeExt as _;
    assert!(std::fs::symlink_metadata(machine.path("pipe")).unwrap().file_type().is_fifo());
    assert!(machine.path("to-pipe").is_symlink());
}

/// On a file system that knows no case `README` and `readme` would be one; here a link makes two names one.
#[tokio::test(flavor = "multi_thread")]
async fn two_objects_never_become_one_file() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    for name in ["a", "b"] {
        gateway.client().send("PUT", &format!("/{BUCKET}/{name}/file"), &[], name).await.unwrap().expect(200);
    }
    std::fs::create_dir_all(machine.path("out/a")).unwrap();
    std::os::unix::fs::symlink("a", machine.path("out/b")).unwrap();
    for _ in 0..2 {
        let said = machine.run(&["get", "-r", "s3://transfers", "out", "--parallel", "1"]).await.expect(1);
        said.expect_words("1 failed");
    }
    machine.run(&["get", "s3://transfers/b/file", "other"]).await.expect(0);
    assert_eq!(std::fs::read(machine.path("other")).unwrap(), b"b");
    assert!(!machine.path("out/a/file.dovetail-part").exists());
}
