//! Folders and prefixes, and the commands that take them.

use super::command::Machine;
use super::gateway;
use super::stopped::Stopped;
use crate::client;
use crate::seed::Seed;
use crate::socket::{Request, Socket};

const HEADS: &str = r#"dovetail_requests_total{operation="HeadObject",status="2xx"}"#;

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
    let back = |name: &str| machine.path(&name.replacen("tree", "back", 1));
    let heads = async || stopped.gateway.metric(HEADS).await;
    let before = heads().await;
    let (changed, bytes) = &files[0];
    std::fs::write(back(changed), vec![b'?'; bytes.len()]).unwrap();
    let (longer, bytes) = &files[1];
    std::fs::write(back(longer), vec![b'?'; bytes.len() + 1]).unwrap();
    machine.run(&["get", "-r", "s3://transfers/up/", "back"]).await.expect(0).expect_words("30 files");
    assert_eq!(heads().await - before, 1.0, "a listing says enough of the others");
    for (name, bytes) in files {
        assert!(std::fs::read(back(&name)).unwrap() == bytes, "{name}");
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

/// No URL names such a key, but headers and documents do: an object can be had under another key, and be deleted.
#[tokio::test(flavor = "multi_thread")]
async fn keys_with_dots_for_steps_lead_nowhere_and_have_a_way_out() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    let mut socket = Socket::connect(&gateway).await;
    for key in ["a/../up", "a/./b", "a/plain"] {
        let request = Request::new(&gateway, "PUT", &client::path("transfers", key)).body_len(key.len());
        socket.send([&request.sign().0[..], key.as_bytes()].concat()).await;
        socket.answer().await.expect(200);
    }
    let odd = "s3://transfers/a/../up";
    std::fs::write(machine.path("file"), "bytes").unwrap();
    for command in [&["get", odd, "copy"][..], &["put", "file", odd], &["stat", odd], &["presign", odd]] {
        machine.run(command).await.expect(2).expect_words("`dovetail cp` gives the object another key");
    }
    machine.run(&["get", "-r", "s3://transfers/a", "deep/down"]).await.expect(1).expect_words("1 file");
    assert!(!machine.path("up").exists() && !machine.path("deep/up").exists());
    machine.run(&["cp", odd, "s3://transfers/up"]).await.expect(0);
    let got = machine.run(&["get", "s3://transfers/up", "-"]).await.expect(0);
    assert_eq!(got.stdout, b"a/../up");
    machine.run(&["cp", "s3://transfers/a/../none", "s3://transfers/none"]).await.expect(1);
    machine.run(&["rm", odd]).await.expect(0);
    machine.run(&["rm", "-r", "s3://transfers/a"]).await.expect(0);
    assert_eq!(gateway.client().list("transfers").await.unwrap(), ["up"]);
}

/// What would be moved and what is there already, as a run that means it would find.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_would_not_be_moved() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    let mut seed = Seed::new(9);
    std::fs::create_dir(machine.path("tree")).unwrap();
    for name in 0..12 {
        machine.file(&format!("tree/{name:02}"), 1000, &mut seed);
    }
    machine.file("tree/large", 11 << 20, &mut seed);
    let said = async |arguments: &[&str], words: &str| {
        let said = machine.run(&[arguments, &["--dry-run"]].concat()).await.expect(0).expect_words(words);
        String::from_utf8(said.stdout).unwrap()
    };
    const ALL: &str = "s3://transfers/tree";
    let put = ["put", "-r", "tree", ALL, "--part-size", "5M"];
    assert_eq!(said(&put, "").await.lines().count(), 13);
    assert_eq!(gateway.client().list("transfers").await.unwrap(), [""; 0]);
    machine.run(&put).await.expect(0);
    assert_eq!(said(&put, "13 files are there already").await, "");
    assert_eq!(said(&[&put[..], &["--force"]].concat(), "").await.lines().count(), 13);
    let get = ["get", "-r", ALL, "back"];
    assert_eq!(said(&get, "").await.lines().count(), 13);
    assert!(!machine.path("back").exists());
    machine.run(&get).await.expect(0);
    assert_eq!(said(&get, "13 files are there already").await, "");
    // Of the same length, at both ends.
    machine.file("tree/03", 1000, &mut seed);
    machine.file("tree/large", 11 << 20, &mut seed);
    let expected = "would upload tree/03 to s3://transfers/tree/03\n\
                    would upload tree/large to s3://transfers/tree/large\n";
    assert_eq!(said(&put, "11 files are there already").await, expected);
    machine.file("back/05", 1000, &mut seed);
    let expected = "would download s3://transfers/tree/05 to back/05\n";
    assert_eq!(said(&get, "12 files are there already").await, expected);
    let one = "s3://transfers/tree/07";
    assert_eq!(said(&["put", "tree/07", one], "1 file is there already").await, "");
    assert_eq!(said(&["get", one, "back/07"], "1 file is there already").await, "");
    assert_eq!(said(&["get", one, "-"], "").await, format!("would download {one} to -\n"));
    machine.run(&["get", "s3://transfers/none", "copy", "--dry-run"]).await.expect(1);
    let described = said(&["put", "tree/07", one, "--metadata", "a=b", "-q"], "").await;
    assert_eq!(described, format!("would upload tree/07 to {one}\n"));
}
