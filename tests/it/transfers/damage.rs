//! Journals that cannot be read: an upload that is open on the server is only known by its journal.

use std::path::Path;

use super::proxy::Fault;
use super::stopped::{PUT, REST, Stopped, TARGET, about};

/// Cuts a journal behind the last of these words, in the middle of its first line.
fn cut_behind(path: &Path, words: &str) {
    let text = std::fs::read_to_string(path).expect("it is text");
    let end = text.find(words).expect("the words are there") + words.len();
    std::fs::write(path, &text[..end]).expect("it can be written");
}

async fn open_uploads(stopped: &Stopped) -> usize {
    let open = stopped.machine.run(&["uploads", "s3://transfers"]).await.expect(0);
    String::from_utf8(open.stdout).expect("text").lines().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_id_is_left_goes_on() {
    let stopped = Stopped::new().await;
    let journal = stopped.journal();
    cut_behind(&journal, r#""identity":"#);
    let sent = stopped.sent_by(&PUT, "its journal is damaged and was set aside").await;
    assert!(about(sent, REST), "{sent}");
    assert!(journal.with_extension("damaged").exists() && !journal.exists());
    assert_eq!(open_uploads(&stopped).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_upload_whose_id_is_lost_one_is_told_how_to_be_rid() {
    let stopped = Stopped::new().await;
    cut_behind(&stopped.journal(), r#""part_len":"#);
    for command in [&["uploads", "--mine"][..], &["resume"]] {
        stopped.machine.run(command).await.expect(0).expect_words("is damaged: run the `put`");
    }
    let said = stopped.machine.run(&PUT).await.expect(0).expect_words("its journal is damaged");
    let (_, rest) = said.stderr.split_once("`dovetail abort ").expect("a command is told");
    let (command, _) = rest.split_once('`').expect("it has an end");
    assert_eq!(open_uploads(&stopped).await, 1, "it may be another machine's");
    let words: Vec<&str> = ["abort"].into_iter().chain(command.split(' ')).collect();
    stopped.machine.run(&words).await.expect(0);
    assert_eq!(open_uploads(&stopped).await, 0);
    // Once is enough.
    let said = stopped.machine.run(&PUT).await.expect(0).expect_words("(0 B sent)");
    assert!(!said.stderr.contains("damaged"), "{}", said.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_resume_from_server_it_goes_on_without_an_id() {
    let stopped = Stopped::new().await;
    std::fs::write(stopped.journal(), [0; 4096]).expect("it can be written");
    let sent = stopped.sent_by(&[&PUT[..], &["--resume-from-server"]].concat(), "is damaged").await;
    assert!(about(sent, REST), "{sent}");
    assert_eq!(open_uploads(&stopped).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_begins_anew_and_says_so() {
    let stopped = Stopped::new().await;
    stopped.machine.run(&PUT).await.expect(0);
    stopped.proxy.choose(|method, target, _| match method == "GET" && target.ends_with("/key") {
        true => Fault::Refuse(500),
        false => Fault::None,
    });
    let get = ["get", TARGET, "copy", "--patience", "1"];
    stopped.machine.run(&get).await.expect(3);
    stopped.proxy.choose(|_, _, _| Fault::None);
    std::fs::write(stopped.journal(), "{").expect("it can be written");
    stopped.machine.run(&get).await.expect(0).expect_words("its journal is damaged and was set aside");
    assert!(std::fs::read(stopped.machine.path("copy")).expect("it is there") == stopped.bytes);
}
