//! What a second run makes of what the first one left, and of what has changed since.

use std::time::Duration;

use super::command::Machine;
use super::proxy::Fault;
use super::stopped::{LEN, PUT, REST, Stopped, TARGET, about};
use super::{gateway, object};
use crate::seed::Seed;

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

/// Nothing came out of it is not the same as nothing could.
#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_that_is_closed_is_no_empty_object() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    let put = machine.command(&["put", "-", "s3://transfers/piped"]);
    let mut closed = std::process::Command::new("sh");
    closed.args(["-c", "exec \"$0\" \"$@\" <&-"]).arg(put.get_program()).args(put.get_args());
    closed.envs(put.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = tokio::task::spawn_blocking(move || closed.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot read stdin: it is closed"), "{said}");
    assert_eq!(gateway.client().list("transfers").await.unwrap(), [""; 0]);
    machine.run(&["put", "-", "s3://transfers/piped"]).await.expect(0);
    assert_eq!(object(&gateway, "piped").await, "", "/dev/null is an empty object");
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
