//! Invariant 6: memory is bounded by configuration, not by clients.

use super::{BUCKET, bytes};
use crate::client::Answer;
use crate::gateway::Gateway;
use crate::socket::{Request, Socket};

const CONNECTIONS: usize = 48;
/// Together 192 MiB.
const BODY_LEN: usize = 4 << 20;
/// Four bodies at a time.
const UPLOAD_MEMORY: &str = "8MiB";
/// What the peak may be above what the process had before: the 8 MiB of bodies; for each of 48 connections what hyper
/// reads ahead (at most 256 KiB, 12 MiB together) and its tasks; what the metadata store remembers of 48 objects; slack
/// for the allocator. Without the budget the bodies alone would take 96 MiB, gathered whole 192 MiB.
const GROWTH_MAX: u64 = 80 << 20;

/// A line of `/proc/PID/status`, in bytes.
fn memory(gateway: &Gateway, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells");
    let kib: u64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap();
    kib << 10
}

fn assert_slow_down(answer: Answer) {
    let retry_after = answer.header("retry-after").map(str::to_string);
    answer.expect_code(503, "SlowDown");
    let seconds: Option<u64> = retry_after.as_ref().and_then(|value| value.parse().ok());
    assert!(seconds.is_some_and(|seconds| (1..=60).contains(&seconds)), "{retry_after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_come_all_at_once_share_the_memory_there_is() {
    let gateway = Gateway::start_with(&[
        ("DOVETAIL_LIMITS__UPLOAD_MEMORY", UPLOAD_MEMORY),
        ("DOVETAIL_LIMITS__UPLOAD_WAIT", "1s"),
    ])
    .await;
    let client = gateway.client();
    client.send("PUT", "/bucket", &[], "").await.unwrap().expect(200);
    let body = bytes(6, BODY_LEN);
    // What is set up once, at the first upload, is not growth.
    client.put(BUCKET, "first", body.clone()).await.unwrap().expect(200);
    let before = memory(&gateway, "VmRSS");

    let uploads = (0..CONNECTIONS).map(|number| {
        let (client, body) = (gateway.client(), body.clone());
        async move { client.put(BUCKET, &format!("key-{number}"), body).await.unwrap() }
    });
    let answers = futures::future::join_all(uploads).await;
    let growth = memory(&gateway, "VmHWM").saturating_sub(before);
    assert!(growth < GROWTH_MAX, "{} MiB more than the {} MiB before", growth >> 20, before >> 20);

    let mut stored = vec!["first".to_string()];
    for (number, answer) in answers.into_iter().enumerate() {
        if answer.status == 200 {
            stored.push(format!("key-{number}"));
        } else {
            assert_slow_down(answer);
        }
    }
    assert!(stored.len() > 4, "only {} got through", stored.len());
    let mut listed = client.list(BUCKET).await.unwrap();
    listed.sort();
    stored.sort();
    assert_eq!(listed, stored);
    gateway.wait_for_metric("dovetail_body_memory_bytes", 0.0).await;
}

#[tokio::test]
async fn bodies_that_stall_are_cut_and_what_they_held_goes_to_others() {
    let gateway = Gateway::start_with(&[
        ("DOVETAIL_LIMITS__UPLOAD_MEMORY", UPLOAD_MEMORY),
        ("DOVETAIL_LIMITS__UPLOAD_WAIT", "200ms"),
        ("DOVETAIL_LIMITS__BODY_IDLE_TIMEOUT", "3s"),
    ])
    .await;
    let client = gateway.client();
    client.send("PUT", "/bucket", &[], "").await.unwrap().expect(200);
    let mut stalled = Vec::new();
    for number in 0..4 {
        let mut socket = Socket::connect(&gateway).await;
        let request = Request::new(&gateway, "PUT", &format!("/bucket/stalled-{number}")).body_len(BODY_LEN);
        socket.send(request.sign().0).await;
        socket.send(bytes(6, BODY_LEN / 2)).await;
        stalled.push(socket);
    }
    // They have begun to write, so they hold what there is.
    gateway.wait_for_blob_files(4).await;
    let body = bytes(7, BODY_LEN);
    assert_slow_down(client.put(BUCKET, "other", body.clone()).await.unwrap());
    // What needs no memory of bodies goes on meanwhile.
    client.put(BUCKET, "small", "small").await.unwrap().expect(200);
    assert_eq!(client.get(BUCKET, "small").await.unwrap().expect(200).text(), "small");

    for mut socket in stalled {
        socket.answer().await.expect_code(400, "RequestTimeout");
        assert!(socket.rest().await.is_empty(), "the connection ends");
    }
    client.put(BUCKET, "other", body).await.unwrap().expect(200);
    assert_eq!(gateway.metric("dovetail_body_timeouts_total").await, 4.0);
    assert_eq!(client.list(BUCKET).await.unwrap(), ["other", "small"]);
}
