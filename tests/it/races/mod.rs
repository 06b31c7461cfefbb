//! Conditional writes under real races: whatever the order in which requests arrive, the outcome is that of one order.

mod judged;
mod renames;

use crate::client::{Answer, Client, path};
use crate::gateway::Gateway;
use futures::future::join_all;

const BUCKET: &str = "races";
/// Requests at once. More than the connections that any one layer works on at a time.
const RACERS: usize = 16;

async fn gateway(versioning: Option<&str>) -> (Gateway, Client) {
    let gateway = Gateway::start().await;
    let client = gateway.client();
    client.send("PUT", &format!("/{BUCKET}"), &[], "").await.unwrap().expect(200);
    if let Some(status) = versioning {
        let document =
            format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        client.send("PUT", &format!("/{BUCKET}?versioning"), &[], document).await.unwrap().expect(200);
    }
    (gateway, client)
}

async fn put(client: &Client, key: &str, condition: (&str, &str), body: String) -> Answer {
    client.send("PUT", &path(BUCKET, key), &[condition], body).await.unwrap()
}

fn winners(answers: &[Answer]) -> Vec<usize> {
    answers.iter().enumerate().filter(|(_, answer)| answer.status == 200).map(|(racer, _)| racer).collect()
}

/// The bytes of a racer, on both sides of the inline limit.
fn body(round: usize, racer: usize) -> String {
    format!("{round}/{racer} ").repeat(if round.is_multiple_of(2) { 1 } else { 20_000 })
}

async fn one_of_many_creates(versioning: Option<&str>) {
    let (_gateway, client) = gateway(versioning).await;
    for round in 0..10 {
        let key = format!("key-{round}");
        let racers = (0..RACERS).map(|racer| put(&client, &key, ("if-none-match", "*"), body(round, racer)));
        let answers = join_all(racers).await;
        let winners = winners(&answers);
        assert_eq!(winners.len(), 1, "round {round}");
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 412)), "round {round}");
        assert_eq!(client.get(BUCKET, &key).await.unwrap().expect(200).text(), body(round, winners[0]));
    }
    let versions = client.send("GET", &format!("/{BUCKET}?versions"), &[], "").await.unwrap().expect(200);
    assert_eq!(versions.elements("VersionId").len(), 10, "a refused write leaves no version");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_create_a_key_one_wins() {
    one_of_many_creates(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_create_a_key_one_wins_with_versions() {
    one_of_many_creates(Some("Enabled")).await;
}

/// A counter that everybody increments by compare-and-swap: with one lost or doubled update it would be wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_kept_by_if_match_loses_no_update() {
    const INCREMENTS: usize = 8;
    let (_gateway, client) = gateway(Some("Enabled")).await;
    put(&client, "counter", ("if-none-match", "*"), "0".into()).await.expect(200);
    let increment = async |_| {
        for _ in 0..INCREMENTS {
            loop {
                let seen = client.get(BUCKET, "counter").await.unwrap().expect(200);
                let next = seen.text().parse::<usize>().unwrap() + 1;
                let condition = ("if-match", seen.header("etag").unwrap());
                let answer = put(&client, "counter", condition, next.to_string()).await;
                match answer.status {
                    200 => break,
                    _ => drop(answer.expect_code(412, "PreconditionFailed")),
                }
            }
        }
    };
    join_all((0..RACERS / 2).map(increment)).await;
    let total = RACERS / 2 * INCREMENTS;
    assert_eq!(client.get(BUCKET, "counter").await.unwrap().text(), total.to_string());
    // One version for each value, and in the order in which they were written.
    let versions = client.send("GET", &format!("/{BUCKET}?versions"), &[], "").await.unwrap().expect(200);
    let ids = versions.elements("VersionId");
    assert_eq!(ids.len(), total + 1);
    for (age, id) in ids.iter().enumerate() {
        let url = format!("{}?versionId={id}", path(BUCKET, "counter"));
        let version = client.send("GET", &url, &[], "").await.unwrap().expect(200);
        assert_eq!(version.text(), (total - age).to_string());
    }
}

/// The ways to write a key if it is what was seen. Each answers with a status and a code.
#[derive(Clone, Copy, Debug)]
enum Way {
    Put,
    Complete,
    Copy,
    Rename,
    DeleteAndPut,
}

/// One attempt to replace what has `etag` by `next`; whether it was done.
async fn swap(client: &Client, way: Way, racer: usize, etag: &str, next: String) -> bool {
    let condition = ("if-match", etag);
    let scratch = format!("scratch-{racer}");
    let answer = match way {
        Way::Put => put(client, "counter", condition, next).await,
        Way::Complete => {
            let upload = client.create_upload(BUCKET, "counter").await.unwrap();
            let part = client.upload_part(BUCKET, "counter", &upload, 1, next).await.unwrap().expect(200);
            let tag = part.header("etag").unwrap();
            let document = format!(
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>\
                 </CompleteMultipartUpload>"
            );
            let url = format!("{}?uploadId={upload}", path(BUCKET, "counter"));
            client.send("POST", &url, &[condition], document).await.unwrap()
        }
        Way::Copy => {
            client.put(BUCKET, &scratch, next).await.unwrap().expect(200);
            let headers = [("x-amz-copy-source", path(BUCKET, &scratch)), ("if-match", etag.to_string())];
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            client.send("PUT", &path(BUCKET, "counter"), &headers, "").await.unwrap()
        }
        Way::Rename => {
            client.put(BUCKET, &scratch, next).await.unwrap().expect(200);
            let url = format!("{}?renameObject", path(BUCKET, "counter"));
            let headers = [("x-amz-rename-source", scratch.as_str()), condition];
            client.send("PUT", &url, &headers, "").await.unwrap()
        }
        Way::DeleteAndPut => {
            let deleted = client.send("DELETE", &path(BUCKET, "counter"), &[condition], "").await.unwrap();
            match deleted.status {
                // Nobody else may write what they have not seen.
                204 => put(client, "counter", ("if-none-match", "*"), next).await.expect(200),
                _ => deleted,
            }
        }
    };
    match (answer.status, answer.code().as_str()) {
        (200, _) => true,
        (412, "PreconditionFailed") | (404, "NoSuchKey") | (409, "ConditionalRequestConflict") => false,
        (status, code) => panic!("{way:?}: {status} {code}"),
    }
}

/// A counter that is incremented in every way that takes a condition: the sum tells whether one was lost or doubled.
async fn a_counter_in_every_way(versioning: Option<&str>, ways: &[Way]) {
    const INCREMENTS: usize = 5;
    let (mut gateway, client) = gateway(versioning).await;
    put(&client, "counter", ("if-none-match", "*"), "0".into()).await.expect(200);
    let racers = ways.len() * 2;
    let increment = async |racer: usize| {
        for round in 0..INCREMENTS {
            // Everybody takes every way, at different times.
            let way = ways[(racer + round) % ways.len()];
            loop {
                let seen = client.get(BUCKET, "counter").await.unwrap();
                if seen.status == 404 {
                    continue;
                }
                let seen = seen.expect(200);
                let next = seen.text().parse::<usize>().unwrap() + 1;
                if swap(&client, way, racer, seen.header("etag").unwrap(), next.to_string()).await {
                    break;
                }
            }
        }
    };
    join_all((0..racers).map(increment)).await;
    let counter = client.get(BUCKET, "counter").await.unwrap().expect(200);
    assert_eq!(counter.text(), (racers * INCREMENTS).to_string());
    gateway.stop();
    gateway.check_that_fsck_finds_nothing();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_way_of_writing_loses_an_update() {
    a_counter_in_every_way(None, &[Way::Put, Way::Complete, Way::Copy, Way::Rename, Way::DeleteAndPut]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_way_of_writing_loses_an_update_with_versions() {
    a_counter_in_every_way(Some("Enabled"), &[Way::Put, Way::Complete, Way::Copy, Way::DeleteAndPut]).await;
}

/// Puts, Completes and Copies that all want to be the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_create_a_key_in_different_ways_one_wins() {
    let (_gateway, client) = gateway(None).await;
    client.put(BUCKET, "source", "copied").await.unwrap().expect(200);
    for round in 0..5 {
        let key = format!("key-{round}");
        let uploads = join_all((0..RACERS / 2).map(async |racer| {
            let upload = client.create_upload(BUCKET, &key).await.unwrap();
            let part =
                client.upload_part(BUCKET, &key, &upload, 1, body(0, racer)).await.unwrap().expect(200);
            (upload, part.header("etag").unwrap().to_string())
        }))
        .await;
        let (client, key) = (&client, key.as_str());
        let create = async |racer: usize| {
            let condition = ("if-none-match", "*");
            match racer % 4 {
                0 => put(client, key, condition, body(round, racer)).await,
                1 => {
                    let headers = [("x-amz-copy-source", "/races/source"), condition];
                    client.send("PUT", &path(BUCKET, key), &headers, "").await.unwrap()
                }
                _ => {
                    let (upload, tag) = &uploads[racer / 4 * 2 + racer % 2];
                    let document = format!(
                        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>\
                         </CompleteMultipartUpload>"
                    );
                    let url = format!("{}?uploadId={upload}", path(BUCKET, key));
                    client.send("POST", &url, &[condition], document).await.unwrap()
                }
            }
        };
        let answers = join_all((0..RACERS).map(create)).await;
        assert_eq!(winners(&answers).len(), 1, "round {round}");
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 412)), "round {round}");
    }
}

/// A key that is taken and given back: whoever creates it holds it alone until it deletes exactly what it wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_made_of_conditional_writes_and_deletes_has_one_holder() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (_gateway, client) = gateway(Some("Enabled")).await;
    let (holders, turns) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let contend = async |racer: usize| {
        while turns.load(Ordering::SeqCst) < 40 {
            let taken = put(&client, "lock", ("if-none-match", "*"), format!("held by {racer}")).await;
            if taken.status != 200 {
                taken.expect_code(412, "PreconditionFailed");
                continue;
            }
            assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two hold the lock");
            turns.fetch_add(1, Ordering::SeqCst);
            holders.fetch_sub(1, Ordering::SeqCst);
            let condition = [("if-match", taken.header("etag").unwrap())];
            client.send("DELETE", &path(BUCKET, "lock"), &condition, "").await.unwrap().expect(204);
        }
    };
    join_all((0..RACERS / 2).map(contend)).await;
    client.get(BUCKET, "lock").await.unwrap().expect_code(404, "NoSuchKey");
}

/// Deletes, overwrites and removals of versions, all at once: afterwards everything fits together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_survive_a_crowd() {
    let (mut gateway, client) = gateway(Some("Enabled")).await;
    let work = async |racer: usize| {
        for round in 0..6 {
            let answer = client.put(BUCKET, "key", body(round, racer)).await.unwrap().expect(200);
            let id = answer.header("x-amz-version-id").unwrap().to_string();
            let marker = client.delete(BUCKET, "key").await.unwrap().expect(204);
            let marker = marker.header("x-amz-version-id").unwrap().to_string();
            let url = |id: &str| format!("{}?versionId={id}", path(BUCKET, "key"));
            let read = client.send("GET", &url(&id), &[], "").await.unwrap().expect(200);
            assert_eq!(read.text(), body(round, racer), "nobody else removes this version");
            client.send("DELETE", &url(&marker), &[], "").await.unwrap().expect(204);
            if racer != 0 || round != 5 {
                client.send("DELETE", &url(&id), &[], "").await.unwrap().expect(204);
            }
        }
    };
    join_all((0..RACERS / 2).map(work)).await;
    let versions = client.send("GET", &format!("/{BUCKET}?versions"), &[], "").await.unwrap().expect(200);
    assert_eq!(versions.elements("IsLatest"), ["true"]);
    assert_eq!(client.get(BUCKET, "key").await.unwrap().expect(200).text(), body(5, 0));
    gateway.stop();
    gateway.check_that_fsck_finds_nothing();
}
