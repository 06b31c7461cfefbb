//! Lifecycle rules, carried out by the real binary while it serves and after it was away. That a killed sweep goes on is
//! in `crash`.

use crate::client::{Client, path};
use crate::gateway::Gateway;
use std::time::{Duration, Instant};

const BUCKET: &str = "lifecycle";
/// Expiry takes two days of a second and a sweep.
const PATIENCE: Duration = Duration::from_secs(30);

async fn put(client: &Client, target: &str, body: &str) -> String {
    let answer = client.send("PUT", target, &[], body.to_string()).await.unwrap().expect(200);
    answer.header("x-amz-version-id").unwrap_or("null").to_string()
}

async fn set_rules(client: &Client, rules: &str) {
    let document = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
    put(client, &format!("/{BUCKET}?lifecycle"), &document).await;
}

async fn wait_until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "not {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn rules_are_carried_out_and_locks_respected() {
    let days = [("DOVETAIL_LIFECYCLE__DAY_LENGTH", "1s"), ("DOVETAIL_LIFECYCLE__SWEEP_INTERVAL", "500ms")];
    let mut gateway = Gateway::start_with(&days).await;
    let client = gateway.client();
    let locked = [("x-amz-bucket-object-lock-enabled", "true")];
    client.send("PUT", &format!("/{BUCKET}"), &locked, "").await.unwrap().expect(200);
    let held = put(&client, &path(BUCKET, "old/held"), "held").await;
    put(
        &client,
        &format!("{}?legal-hold", path(BUCKET, "old/held")),
        "<LegalHold><Status>ON</Status></LegalHold>",
    )
    .await;
    for key in ["old/held", "old/free", "old/free", "tmp/1", "tmp/2", "kept"] {
        put(&client, &path(BUCKET, key), "bytes").await;
    }
    client.create_upload(BUCKET, "upload").await.unwrap();
    set_rules(
        &client,
        "<Rule><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration>\
         <NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration></Rule>\
         <Rule><Filter><Prefix>old/</Prefix></Filter><Status>Enabled</Status>\
         <NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration></Rule>\
         <Rule><Filter/><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>\
         </AbortIncompleteMultipartUpload></Rule>",
    )
    .await;
    let versions = async || {
        let list = client.send("GET", &format!("/{BUCKET}?versions"), &[], "").await.unwrap().expect(200);
        let mut keys = list.elements("Key");
        keys.sort();
        keys
    };
    // The objects are covered, then what is covered goes, then the markers that cover nothing.
    wait_until("gone", async || versions().await == ["kept", "old/free", "old/held", "old/held"]).await;
    wait_until("aborted", async || {
        let list = client.send("GET", &format!("/{BUCKET}?uploads"), &[], "").await.unwrap().expect(200);
        list.elements("UploadId").is_empty()
    })
    .await;
    let url = format!("{}?versionId={held}", path(BUCKET, "old/held"));
    assert_eq!(client.send("GET", &url, &[], "").await.unwrap().expect(200).text(), "held");
    assert!(gateway.metric("dovetail_lifecycle_actions_total").await >= 8.0);
    assert_eq!(gateway.metric("dovetail_lifecycle_freed_bytes_total").await, 15.0);
    // What clients are told of is days as everybody knows them.
    put(&client, &path(BUCKET, "tmp/told"), "bytes").await;
    let head = client.send("HEAD", &path(BUCKET, "kept"), &[], "").await.unwrap().expect(200);
    assert_eq!(head.header("x-amz-expiration"), None);
    assert!(gateway.stop().success());
    assert!(gateway.log().contains("carried out lifecycle rules"), "{}", gateway.log());
    assert!(gateway.fsck(&["--deep", "--repair"]).status.success());
    gateway.spawn(&[]);
    gateway.wait_ready().await;
    let client = gateway.client();
    assert_eq!(client.send("GET", &url, &[], "").await.unwrap().expect(200).text(), "held");
}

/// With sweeps a day apart, one is made up for when the gateway comes back, and the next comes with the next midnight.
#[tokio::test]
async fn a_sweep_that_was_missed_is_made_up_for_at_the_start() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client();
    put(&client, &format!("/{BUCKET}"), "").await;
    put(&client, &path(BUCKET, "key"), "bytes").await;
    let past = "<Rule><Filter/><Status>Enabled</Status><Expiration><Date>2020-01-01T00:00:00Z</Date></Expiration></Rule>";
    set_rules(&client, past).await;
    gateway.restart().await;
    let client = gateway.client();
    wait_until("gone", async || client.get(BUCKET, "key").await.unwrap().status == 404).await;
    put(&client, &path(BUCKET, "later"), "bytes").await;
    gateway.restart().await;
    gateway.client().get(BUCKET, "later").await.unwrap().expect(200);
}
