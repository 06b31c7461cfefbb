//! Invariant 5: no byte leaves that does not match the checksum it arrived with.

use super::{BUCKET, bytes};
use crate::client;
use crate::gateway::{self, Gateway};
use crate::socket::{Request, Socket};
use std::path::{Path, PathBuf};

const LEN: usize = 1 << 20;
/// What is verified, and so what is lost, at a time.
const BLOCK_LEN: usize = 256 << 10;

/// A gateway with one object of four blocks, and the file that holds it.
async fn with_an_object() -> (Gateway, PathBuf) {
    let gateway = Gateway::start().await;
    gateway.client().send("PUT", "/bucket", &[], "").await.unwrap().expect(200);
    gateway.client().put(BUCKET, "key", bytes(5, LEN)).await.unwrap().expect(200);
    let [file] = &gateway.blob_files()[..] else { panic!("one object is one file") };
    let file = file.clone();
    (gateway, file)
}

fn flip_a_bit(file: &Path, at: usize) {
    let mut stored = std::fs::read(file).unwrap();
    stored[at] ^= 0x10;
    std::fs::write(file, stored).unwrap();
}

/// What a GET brings before the connection ends.
async fn get_until_cut(gateway: &Gateway) -> Vec<u8> {
    let mut socket = Socket::connect(gateway).await;
    socket.send(Request::new(gateway, "GET", &client::path(BUCKET, "key")).sign().0).await;
    let (status, headers) = socket.head().await;
    assert_eq!((status, headers["content-length"].as_bytes()), (200, LEN.to_string().as_bytes()));
    socket.rest().await
}

#[tokio::test]
async fn a_flipped_bit_cuts_the_answer_is_counted_and_named_by_fsck() {
    let (mut gateway, file) = with_an_object().await;
    assert_eq!(get_until_cut_of_whole(&gateway).await, LEN);
    flip_a_bit(&file, 2 * BLOCK_LEN + 70_000);

    let came = get_until_cut(&gateway).await;
    assert!(came == bytes(5, LEN)[..2 * BLOCK_LEN], "exactly the blocks before the damaged one come");
    assert!(gateway.client().get(BUCKET, "key").await.is_err(), "a client takes this for a failure");
    assert_eq!(gateway.metric("dovetail_checksum_mismatches_total").await, 2.0);

    let ranges = [(0, 2 * BLOCK_LEN - 1), (10, 20), (3 * BLOCK_LEN, LEN - 1), (LEN - 1, LEN - 1)];
    for (first, last) in ranges {
        let range = format!("bytes={first}-{last}");
        let answer = gateway.client().send("GET", "/bucket/key", &[("range", &range)], "").await.unwrap();
        assert!(answer.expect(206).body == bytes(5, LEN)[first..=last], "{range}");
    }
    // One byte that is whole itself, in the block that is not.
    let range = format!("bytes={}-{}", 2 * BLOCK_LEN, 2 * BLOCK_LEN);
    let answer = gateway.client().send("GET", "/bucket/key", &[("range", &range)], "").await.unwrap();
    answer.expect_code(500, "InternalError");
    assert_eq!(gateway.metric("dovetail_checksum_mismatches_total").await, 3.0);
    gateway.client().send("HEAD", "/bucket/key", &[], "").await.unwrap().expect(200);

    assert!(gateway.stop().success());
    let found = gateway.fsck(&["--deep"]);
    let text = String::from_utf8_lossy(&found.stdout);
    let blob = file.file_name().unwrap().to_str().unwrap();
    assert_eq!(found.status.code(), Some(1), "{text}");
    assert!(text.contains("a blob does not match its checksums") && text.contains(blob), "{text}");
    assert!(text.contains("in it are bytes of bucket/key"), "{text}");
    // Damage is reported, never repaired away.
    assert_eq!(gateway.fsck(&["--deep", "--repair"]).status.code(), Some(1));
    flip_a_bit(&file, 2 * BLOCK_LEN + 70_000);
    assert_eq!(gateway.fsck(&["--deep"]).status.code(), Some(0));
}

/// The control: before the damage everything comes.
async fn get_until_cut_of_whole(gateway: &Gateway) -> usize {
    gateway.client().get(BUCKET, "key").await.unwrap().expect(200).body.len()
}

#[tokio::test]
async fn a_file_that_is_too_short_or_gone_never_becomes_a_short_answer() {
    let (mut gateway, file) = with_an_object().await;
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..LEN - 1]).unwrap();
    let came = get_until_cut(&gateway).await;
    assert!(came == whole[..3 * BLOCK_LEN]);
    std::fs::remove_file(&file).unwrap();
    let answer = gateway.client().get(BUCKET, "key").await.unwrap();
    answer.expect_code(500, "InternalError");
    assert!(gateway.stop().success());
    let found = gateway.fsck(&[]);
    let text = String::from_utf8_lossy(&found.stdout);
    assert_eq!(found.status.code(), Some(1), "{text}");
    assert!(text.contains("a blob is missing"), "{text}");
}

/// What somebody who is woken by it needs, and no secret.
#[tokio::test]
async fn the_line_of_a_failure_says_who_asked_for_what_and_why_it_failed() {
    const KEY: &str = "photos/a \"day\"\n.jpg";
    const LOGGED: &str = "key=\"photos/a%20%22day%22%0A.jpg\"";
    let gateway = Gateway::start().await;
    let client = gateway.client();
    client.send("PUT", "/bucket", &[], "").await.unwrap().expect(200);
    client.put(BUCKET, KEY, bytes(5, LEN)).await.unwrap().expect(200);
    let [file] = &gateway.blob_files()[..] else { panic!("one object is one file") };
    let line_with = |text: &str| {
        let log = gateway.log();
        let mut lines = log.lines().filter(|line| line.contains(text));
        let line = lines.next().unwrap_or_else(|| panic!("no line has {text}: {log}")).to_owned();
        assert_eq!(lines.next(), None, "a failure is logged once");
        assert!(!log.contains(gateway::SECRET_ACCESS_KEY) && !log.contains("Signature"), "{log}");
        line
    };
    let asked = format!(
        "operation=\"GetObject\" bucket=\"bucket\" {LOGGED} access_key_id=\"{}\"",
        gateway::ACCESS_KEY_ID
    );

    flip_a_bit(file, LEN - 1);
    assert!(client.get(BUCKET, KEY).await.is_err(), "the answer is cut");
    let line = line_with("cut an answer short");
    assert!(line.contains(&asked) && line.contains("block 3 does not match its checksum"), "{line}");

    std::fs::remove_file(file).unwrap();
    let answer = client.get(BUCKET, KEY).await.unwrap();
    let request_id = answer.header("x-amz-request-id").unwrap().to_owned();
    answer.expect_code(500, "InternalError");
    let line = line_with(&request_id);
    assert!(
        line.contains(" ERROR ") && line.contains(&asked) && line.contains("code=\"InternalError\""),
        "{line}"
    );
    let blob = file.file_name().unwrap().to_str().unwrap();
    let causes = line.split_once("causes=").map(|(_, causes)| causes).unwrap_or_default();
    assert!(causes.contains(blob) && causes.contains("No such file"), "{line}");
}

#[tokio::test]
async fn a_part_that_is_damaged_on_disk_is_not_copied_into_another_object() {
    let (gateway, file) = with_an_object().await;
    flip_a_bit(&file, 100);
    let client = gateway.client();
    // A copy shares the bytes, so it shares the damage and is cut like the original.
    if client.copy(BUCKET, "key", "copy").await.unwrap().status == 200 {
        let answer = client.get(BUCKET, "copy").await;
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 500));
    }
    let upload = client.create_upload(BUCKET, "joined").await.unwrap();
    let path = format!("/bucket/joined?partNumber=1&uploadId={upload}");
    let copied = client.send("PUT", &path, &[("x-amz-copy-source", "/bucket/key")], "").await.unwrap();
    if copied.status == 200 && copied.code().is_empty() {
        let etag = copied.element("ETag").expect("a part has an ETag");
        client.complete(BUCKET, "joined", &upload, &[(1, etag)]).await.unwrap().expect(200);
        let answer = client.get(BUCKET, "joined").await;
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 500));
    }
}

/// Takes a part of the data away, as a disk that is not mounted does, and puts it back. Until then nothing starts, and `fsck --repair` changes nothing.
async fn check_that_nothing_goes_on_without(lost: &str, said: &str) {
    let (mut gateway, file) = with_an_object().await;
    assert!(gateway.stop().success());
    let lost = gateway.data_dir().join(lost);
    let aside = gateway.data_dir().join("aside");
    std::fs::rename(&lost, &aside).unwrap();

    assert_eq!(gateway.refused_start(), Some(1));
    assert!(gateway.log().contains(said), "{}", gateway.log());
    let checked = gateway.fsck(&["--repair"]);
    let text = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(1), "{text}");
    assert!(text.contains(said) && text.lines().count() == 1, "{text}");
    assert!(!lost.exists(), "nothing is made in its place");

    std::fs::rename(&aside, &lost).unwrap();
    assert!(file.exists());
    gateway.spawn(&[]);
    gateway.wait_ready().await;
    let answer = gateway.client().get(BUCKET, "key").await.unwrap().expect(200);
    assert!(answer.body == bytes(5, LEN));
}

#[tokio::test]
async fn a_gateway_whose_metadata_is_gone_does_not_begin_with_empty_metadata() {
    check_that_nothing_goes_on_without("meta", "has been in use, but its metadata is not there").await;
    check_that_nothing_goes_on_without("meta/CURRENT", "has been in use, but its metadata is not there")
        .await;
}

#[tokio::test]
async fn a_gateway_whose_blobs_are_gone_does_not_begin_without_them() {
    check_that_nothing_goes_on_without("blobs", "holds no blobs, but the metadata names some").await;
}
