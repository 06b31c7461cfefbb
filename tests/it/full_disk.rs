//! A disk that is full: uploads are refused, reads and deletes go on, nothing that was acknowledged is lost.
//!
//! Needs a file system of its own with some 500 MiB, for example
//! `mount -t tmpfs -o size=500m tmpfs /mnt/small; DOVETAIL_TEST_SMALL_FS=/mnt/small cargo test --test it full_disk -- --ignored`.

use crate::client::Client;
use crate::gateway::Gateway;
use crate::seed::Seed;
use bytes::Bytes;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const BODY_LEN: usize = 8 << 20;
/// Longer than the gateway may take an answer about free space for granted.
const SPACE_SEEN_FOR: Duration = Duration::from_millis(400);

fn small_file_system() -> PathBuf {
    std::env::var_os("DOVETAIL_TEST_SMALL_FS")
        .expect("DOVETAIL_TEST_SMALL_FS names a small file system")
        .into()
}

fn body(number: u64) -> Bytes {
    Seed::new(number).bytes(BODY_LEN).into()
}

async fn check(client: &Client, stored: &[u64]) {
    for number in stored {
        let answer = client.get("bucket", &format!("key-{number}")).await.unwrap().expect(200);
        assert!(answer.body == body(*number), "key-{number} has other bytes than were acknowledged");
    }
}

/// Uploads until one is refused, which is before the disk is really full.
async fn upload_until_refused(client: &Client, stored: &mut Vec<u64>) {
    loop {
        let number = stored.len() as u64;
        assert!(number < 200, "the file system is not small");
        let answer = client.put("bucket", &format!("key-{number}"), body(number)).await.unwrap();
        if answer.status != 200 {
            assert!(answer.header("retry-after").is_some());
            answer.expect_code(503, "ServiceUnavailable");
            return;
        }
        stored.push(number);
    }
}

/// Writes into a file of somebody else's until nothing fits any more.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("ballast");
    let mut file = std::fs::File::create(&path).unwrap();
    for piece_len in [1 << 20, 4096] {
        let piece = vec![1; piece_len];
        while file.write_all(&piece).is_ok() {}
    }
    path
}

#[tokio::test]
#[ignore = "needs a small file system: mount one and set DOVETAIL_TEST_SMALL_FS"]
async fn a_full_disk_refuses_uploads_and_loses_nothing() {
    let folder = small_file_system();
    let mut gateway = Gateway::prepare_in(&folder, &[]);
    gateway.spawn(&[]);
    gateway.wait_ready().await;
    let client = gateway.client();
    client.send("PUT", "/bucket", &[], "").await.unwrap().expect(200);

    let mut stored = Vec::new();
    upload_until_refused(&client, &mut stored).await;
    assert!(stored.len() > 2, "the file system is too small");
    let upload = client.create_upload("bucket", "parts").await.unwrap();
    client.upload_part("bucket", "parts", &upload, 1, body(0)).await.unwrap().expect(503);
    check(&client, &stored).await;
    assert_eq!(client.list("bucket").await.unwrap().len(), stored.len());

    // Somebody else takes all that was left: reads go on; what must be written is refused and not half done.
    let ballast = fill(&folder);
    tokio::time::sleep(SPACE_SEEN_FOR).await;
    check(&client, &stored).await;
    client.put("bucket", "small", "small").await.unwrap().expect(503);
    client.put("bucket", "large", body(0)).await.unwrap().expect(503);
    client.delete("bucket", "key-0").await.unwrap().expect(503);
    check(&client, &stored).await;
    // A gateway that is killed now starts again once there is room.
    gateway.kill();
    std::fs::remove_file(&ballast).unwrap();
    gateway.spawn(&[]);
    let started = Instant::now();
    while client.get("bucket", "key-0").await.is_err() {
        assert!(gateway.is_running() && started.elapsed() < Duration::from_secs(30), "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    check(&client, &stored).await;

    // Room to delete is kept, and deleting makes room.
    upload_until_refused(&client, &mut stored).await;
    let deleted: Vec<u64> = stored.drain(..stored.len() / 2).collect();
    for number in deleted {
        client.delete("bucket", &format!("key-{number}")).await.unwrap().expect(204);
    }
    let begun = Instant::now();
    while client.put("bucket", "large", body(1000)).await.unwrap().status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(30), "deleting has made no room");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let sent = client.upload_part("bucket", "parts", &upload, 1, body(2000)).await.unwrap().expect(200);
    let etag = sent.header("etag").unwrap().to_string();
    client.complete("bucket", "parts", &upload, &[(1, etag)]).await.unwrap().expect(200);
    check(&client, &stored).await;
    assert!(client.get("bucket", "parts").await.unwrap().expect(200).body == body(2000));
    assert_eq!(client.list("bucket").await.unwrap().len(), stored.len() + 2);
    assert!(gateway.stop().success());
    gateway.check_that_fsck_finds_nothing();
}
