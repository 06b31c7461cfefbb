//! Server-side encryption by the real binary: keys over TLS and in the clear, what lies on the disk, a key file that is
//! lost, found and changed.

use super::connections::trusting;
use super::with_bucket;
use crate::client::{Answer, Client};
use crate::gateway::{ACCESS_KEY_ID, Gateway, SECRET_ACCESS_KEY};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::time::{Duration, Instant};

const METHOD: (&str, &str) = ("x-amz-server-side-encryption", "AES256");
const LEN: usize = 700_000;

/// Text that is found wherever it is not encrypted.
fn text(len: usize) -> Vec<u8> {
    b"in plain sight, ".iter().copied().cycle().take(len).collect()
}

/// A request with a client's key.
async fn with_key(client: &Client, method: &str, byte: u8, body: Vec<u8>) -> Answer {
    let key = [byte; 32];
    let (base64, md5) = (BASE64.encode(key), BASE64.encode(dovetail_digest::md5(&key)));
    let headers = [
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-customer-key", &base64),
        ("x-amz-server-side-encryption-customer-key-md5", &md5),
    ];
    client.send(method, "/bucket/key", &headers, body).await.unwrap()
}

#[tokio::test]
async fn keys_of_clients_come_over_tls_only() {
    let gateway = with_bucket(&[]).await;
    with_key(&gateway.client(), "PUT", 1, text(10)).await.expect_code(400, "InvalidRequest");
    drop(gateway);

    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_string()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut gateway = Gateway::prepare(&[
        ("DOVETAIL_TLS__CERTIFICATE", certificate.to_str().unwrap()),
        ("DOVETAIL_TLS__PRIVATE_KEY", key.to_str().unwrap()),
    ]);
    let endpoint = format!("https://127.0.0.1:{}", gateway.port());
    let client = Client::over(trusting(&made.cert, b"h2"), &endpoint, ACCESS_KEY_ID, SECRET_ACCESS_KEY);
    for round in 0..2 {
        gateway.spawn(&[]);
        let begun = Instant::now();
        while client.send("PUT", "/bucket", &[], "").await.is_err() {
            assert!(gateway.is_running() && begun.elapsed() < Duration::from_secs(60), "{}", gateway.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if round == 0 {
            with_key(&client, "PUT", 1, text(LEN)).await.expect(200);
        }
        assert!(with_key(&client, "GET", 1, vec![]).await.expect(200).body == text(LEN));
        with_key(&client, "GET", 2, vec![]).await.expect_code(403, "AccessDenied");
        client.get("bucket", "key").await.unwrap().expect_code(400, "InvalidRequest");
        gateway.kill();
    }
    let log = gateway.log();
    assert!(!log.contains(&BASE64.encode([1; 32])), "the key is in the log");
}

#[tokio::test]
async fn the_master_key_is_needed_and_can_be_changed() {
    let mut gateway = with_bucket(&[]).await;
    let client = gateway.client();
    client.send("PUT", "/bucket/small", &[METHOD], text(100)).await.unwrap().expect(200);
    client.send("PUT", "/bucket/large", &[METHOD], text(LEN)).await.unwrap().expect(200);
    for file in gateway.blob_files() {
        let stored = std::fs::read(file).unwrap();
        assert!(!stored.windows(14).any(|window| window == b"in plain sight"), "it is on the disk");
    }
    let read = async |gateway: &Gateway| {
        for (key, len) in [("small", 100), ("large", LEN)] {
            let answer = gateway.client().get("bucket", key).await.unwrap().expect(200);
            assert!(answer.body == text(len), "{key}");
            assert_eq!(answer.header(METHOD.0), Some(METHOD.1));
        }
    };
    gateway.restart().await;
    read(&gateway).await;

    // Without its key, what is stored can be checked, and nothing is served.
    gateway.kill();
    let file = gateway.data_dir().join("master.key");
    let old = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(gateway.fsck(&["--deep"]).status.code(), Some(0));
    assert_eq!(gateway.refused_start(), Some(2));
    assert!(gateway.log().contains("objects are encrypted with the master key"), "{}", gateway.log());
    assert!(!file.exists(), "a new key was made beside data that needs the old one");

    // A new key after the old one takes over, and then stands alone.
    let new = BASE64.encode([9; 32]);
    std::fs::write(&file, format!("{old}{new}\n")).unwrap();
    gateway.spawn(&[]);
    gateway.wait_ready().await;
    gateway.client().send("PUT", "/bucket/newer", &[METHOD], text(100)).await.unwrap().expect(200);
    let begun = Instant::now();
    while !gateway.log().contains("nothing is wrapped by these master keys any more") {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    gateway.kill();
    std::fs::write(&file, &new).unwrap();
    gateway.spawn(&[]);
    gateway.wait_ready().await;
    read(&gateway).await;
    assert!(gateway.stop().success());
    assert_eq!(gateway.fsck(&["--deep"]).status.code(), Some(0));
}
