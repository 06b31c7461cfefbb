//! RenameObject beside itself and beside writes of the keys that it takes and gives.

use super::{BUCKET, RACERS, body, gateway, put, winners};
use crate::client::{Answer, Client, path};
use futures::future::join_all;
use std::sync::atomic::{AtomicBool, Ordering};

/// To a key that must not be there yet.
async fn rename(client: &Client, from: &str, to: String) -> Answer {
    let headers = [("x-amz-rename-source", from), ("if-none-match", "*")];
    client.send("PUT", &format!("{}?renameObject", path(BUCKET, &to)), &headers, "").await.unwrap()
}

/// An object that goes from key to key is always at exactly one of them, and of many that take it one gets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_object_is_always_in_one_place() {
    let (_gateway, client) = gateway(None).await;
    client.put(BUCKET, "r/0", "the one").await.unwrap().expect(200);
    let is_over = AtomicBool::new(false);
    let mover = async {
        let mut place = "r/0".to_string();
        for round in 1..20 {
            let racers =
                (0..RACERS / 2).map(|racer| rename(&client, &place, format!("r/{}", round * 100 + racer)));
            let answers = join_all(racers).await;
            assert_eq!(winners(&answers).len(), 1, "round {round}");
            assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 404)), "round {round}");
            place = format!("r/{}", round * 100 + winners(&answers)[0]);
        }
        is_over.store(true, Ordering::SeqCst);
        place
    };
    let watcher = async {
        while !is_over.load(Ordering::SeqCst) {
            let url = format!("/{BUCKET}?list-type=2&prefix=r/");
            let page = client.send("GET", &url, &[], "").await.unwrap().expect(200);
            assert_eq!(page.elements("Key").len(), 1, "{}", page.text());
        }
    };
    let (place, ()) = futures::join!(mover, watcher);
    assert_eq!(client.get(BUCKET, &place).await.unwrap().expect(200).text(), "the one");
}

/// Of many that want to be the first at a key, by name or by bytes, one is; what the others wanted to rename stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_renames_and_writes_to_a_key_one_wins() {
    let (_gateway, client) = gateway(None).await;
    let client = &client;
    let source = |racer: usize| format!("source-{racer}");
    for round in 0..10 {
        let key = format!("key-{round}");
        for racer in (0..RACERS).step_by(2) {
            client.put(BUCKET, &source(racer), body(round, racer)).await.unwrap().expect(200);
        }
        let racers = (0..RACERS).map(async |racer| match racer % 2 {
            0 => rename(client, &source(racer), key.clone()).await,
            _ => put(client, &key, ("if-none-match", "*"), body(round, racer)).await,
        });
        let answers = join_all(racers).await;
        let winners = winners(&answers);
        assert_eq!(winners.len(), 1, "round {round}");
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 412)), "round {round}");
        assert_eq!(client.get(BUCKET, &key).await.unwrap().expect(200).text(), body(round, winners[0]));
        for racer in (0..RACERS).step_by(2) {
            let left = client.get(BUCKET, &source(racer)).await.unwrap();
            match racer == winners[0] {
                true => drop(left.expect_code(404, "NoSuchKey")),
                false => assert_eq!(left.expect(200).text(), body(round, racer)),
            }
        }
    }
}

/// Whatever is written to a key while others take it away is taken once, in the order in which it was written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_while_it_is_renamed_is_neither_lost_nor_doubled() {
    const WRITES: usize = 60;
    let (mut gateway, client) = gateway(None).await;
    let is_over = AtomicBool::new(false);
    let writer = async {
        let mut written = 0;
        while written < WRITES {
            let answer = put(&client, "from", ("if-none-match", "*"), body(written, 0)).await;
            match answer.status {
                200 => written += 1,
                _ => drop(answer.expect_code(412, "PreconditionFailed")),
            }
        }
        is_over.store(true, Ordering::SeqCst);
    };
    let mover = async |racer: usize| {
        let mut taken = Vec::new();
        while !is_over.load(Ordering::SeqCst) {
            let to = format!("to/{racer}/{}", taken.len());
            let answer = rename(&client, "from", to.clone()).await;
            match answer.status {
                200 => taken.push(client.get(BUCKET, &to).await.unwrap().expect(200).text()),
                _ => drop(answer.expect_code(404, "NoSuchKey")),
            }
        }
        taken
    };
    let ((), taken) = futures::join!(writer, join_all((0..RACERS / 4).map(mover)));
    let written: Vec<String> = (0..WRITES).map(|number| body(number, 0)).collect();
    let number = |text: &String| written.iter().position(|body| body == text).expect("it was written");
    let mut all: Vec<usize> = Vec::new();
    for taken in taken {
        let numbers: Vec<usize> = taken.iter().map(number).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        all.extend(numbers);
    }
    let left = client.get(BUCKET, "from").await.unwrap();
    if left.status == 200 {
        all.push(number(&left.text()));
    }
    all.sort_unstable();
    assert_eq!(all, (0..WRITES).collect::<Vec<_>>());
    gateway.stop();
    let report = gateway.fsck(&["--deep"]);
    assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stdout));
}

/// Writes that do not ask cover each other; what is taken in between is whole, and nobody takes it twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_overwritten_while_it_is_renamed_is_taken_once_or_never() {
    const WRITES: usize = 60;
    let (_gateway, client) = gateway(None).await;
    let is_over = AtomicBool::new(false);
    let writer = async {
        for number in 0..WRITES {
            client.put(BUCKET, "from", body(number, 0)).await.unwrap().expect(200);
        }
        is_over.store(true, Ordering::SeqCst);
    };
    let mover = async |racer: usize| {
        let mut taken = 0;
        while !is_over.load(Ordering::SeqCst) {
            match rename(&client, "from", format!("to/{racer}/{taken}")).await {
                answer if answer.status == 200 => taken += 1,
                answer => drop(answer.expect_code(404, "NoSuchKey")),
            }
        }
    };
    let ((), _) = futures::join!(writer, join_all((0..RACERS / 4).map(mover)));
    let mut seen = Vec::new();
    for key in client.list(BUCKET).await.unwrap() {
        seen.push(client.get(BUCKET, &key).await.unwrap().expect(200).text());
    }
    assert!(seen.contains(&body(WRITES - 1, 0)), "nothing covered the last one");
    assert!(seen.iter().all(|text| (0..WRITES).any(|number| *text == body(number, 0))));
    let found = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), found, "taken twice");
}
