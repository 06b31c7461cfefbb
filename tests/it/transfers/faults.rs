//! Seeded faults between the client and the gateway: a transfer ends with the right bytes, or says that it did not.

use std::collections::HashSet;
use std::time::Duration;

use super::command::Machine;
use super::proxy::{Fault, Proxy};
use super::{BUCKET, gateway, object, runs};
use crate::gateway::Gateway;
use crate::seed::Seed;
use dovetail::wire::checksum;
use dovetail_digest::Algorithm;

/// Requests that something happens to, of a thousand.
const FAULTY_PER_MILLE: u64 = 250;
/// A command that has to be repeated more often than this is not getting anywhere.
const ATTEMPTS_MAX: usize = 12;
/// A command that takes longer than this hangs: with its patience of 20 s it gives up long before, whatever happens.
const COMMAND_MAX: Duration = Duration::from_secs(150);

#[tokio::test(flavor = "multi_thread")]
async fn every_transfer_ends_with_the_right_bytes_or_says_that_it_did_not() {
    let mut seeds =
        Seed::from_environment("every_transfer_ends_with_the_right_bytes_or_says_that_it_did_not");
    let gateway = gateway().await;
    for run in 0..runs(10) {
        let seed = seeds.next();
        println!("run {run}: seed {seed}");
        one_run(&gateway, run, seed).await;
    }
}

async fn one_run(gateway: &Gateway, run: u64, seed: u64) {
    let mut seed = Seed::new(seed);
    let proxy = Proxy::start(&gateway.endpoint(), seed.next()).await;
    proxy.choose_at_random(FAULTY_PER_MILLE);
    let machine = Machine::new(&proxy.endpoint());
    let len = match seed.below(4) {
        0 => seed.below(100_000),
        1 => (5 << 20) * (1 + seed.below(3)),
        _ => (5 << 20) + seed.below(18 << 20),
    };
    let bytes = machine.file("file", len as usize, &mut seed);
    let key = format!("run-{run}");
    let target = format!("s3://{BUCKET}/{key}");
    let protection = if seed.below(3) == 0 { "md5" } else { "crc64nvme" };
    let options = ["--part-size", "5M", "--patience", "20", "--checksum", protection];
    repeat(&machine, &proxy, &[&["put", "file", &target], &options[..]].concat()).await;
    assert!(object(gateway, &key).await == bytes, "the object has other bytes than the file");
    assert_eq!(machine.journals(), 0, "a finished transfer leaves no journal");
    no_acknowledged_part_was_sent_again(&proxy);
    repeat(&machine, &proxy, &[&["get", &target, "copy"], &options[..4]].concat()).await;
    assert!(
        std::fs::read(machine.path("copy")).unwrap() == bytes,
        "the copy has other bytes than the object"
    );
}

/// Repeats a command until it has worked. In between it says why it did not.
async fn repeat(machine: &Machine, proxy: &Proxy, arguments: &[&str]) {
    for _ in 0..ATTEMPTS_MAX {
        let run = tokio::time::timeout(COMMAND_MAX, machine.run(arguments)).await;
        let said = run.unwrap_or_else(|_| panic!("{arguments:?} hangs: {:#?}", proxy.exchanges()));
        match said.code {
            0 => return,
            1 | 3 => assert!(said.stderr.contains("cannot"), "{}", said.stderr),
            code => panic!("{arguments:?} ended with {code}: {}", said.stderr),
        }
    }
    panic!("{arguments:?} gets nowhere: {}", machine.run(arguments).await.stderr);
}

/// A part whose arrival the client has heard of is not sent again, in this run or a later one.
fn no_acknowledged_part_was_sent_again(proxy: &Proxy) {
    let exchanges = proxy.exchanges();
    // A listing that lies makes the client send again what it cannot believe to be there.
    if exchanges.iter().any(|exchange| exchange.is_list_parts() && exchange.fault == Fault::CorruptAnswer) {
        return;
    }
    let mut acknowledged = HashSet::new();
    for exchange in &exchanges {
        let Some(part) = exchange.part() else { continue };
        assert!(!acknowledged.contains(&part), "part {} was acknowledged and sent again", part.1);
        if exchange.delivered == Some(200) {
            acknowledged.insert(part);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_complete_is_found_out_about() {
    let mut seed = Seed::from_environment("a_lost_answer_to_complete_is_found_out_about");
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), seed.next()).await;
    let machine = Machine::new(&proxy.endpoint());
    let bytes = machine.file("file", 12 << 20, &mut seed);
    let target = format!("s3://{BUCKET}/lost");
    // Every answer to Complete is lost, in a way that shows at once, and nothing is told about the upload; the client gives up.
    proxy.choose(|method, target, _| match method != "PUT" && target.contains("uploadId=") {
        true => Fault::DropAnswer,
        false => Fault::None,
    });
    let put = ["put", "file", &target, "--part-size", "5M", "--patience", "2"];
    machine.run(&put).await.expect(3);
    assert_eq!(machine.journals(), 1);
    proxy.choose(|_, _, _| Fault::None);
    let before = proxy.part_bytes().await;
    machine.run(&put).await.expect(0);
    assert_eq!(proxy.part_bytes().await, before, "nothing is sent again");
    assert!(object(&gateway, "lost").await == bytes);
    assert_eq!(machine.journals(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_complete_that_never_comes_is_not_waited_for() {
    let mut seed = Seed::from_environment("an_answer_to_complete_that_never_comes_is_not_waited_for");
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), seed.next()).await;
    let machine = Machine::new(&proxy.endpoint());
    let bytes = machine.file("file", 12 << 20, &mut seed);
    proxy.choose(|method, target, _| match method == "POST" && target.contains("uploadId=") {
        true => Fault::KeepAnswer,
        false => Fault::None,
    });
    let target = format!("s3://{BUCKET}/silent");
    let put = ["put", "file", &target, "--part-size", "5M", "--patience", "4"];
    tokio::time::timeout(COMMAND_MAX, machine.run(&put)).await.expect("it does not hang").expect(0);
    assert!(object(&gateway, "silent").await == bytes);
    assert_eq!(machine.journals(), 0);
    no_acknowledged_part_was_sent_again(&proxy);
    let pipe = ["put", "-", &target, "--part-size", "5M", "--patience", "4"];
    let input = machine.path("file");
    let put = machine.run_with(&pipe, &input);
    tokio::time::timeout(COMMAND_MAX, put).await.expect("it does not hang").expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_part_is_sent_again_alone() {
    let mut seed = Seed::from_environment("a_damaged_part_is_sent_again_alone");
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), seed.next()).await;
    let machine = Machine::new(&proxy.endpoint());
    let bytes = machine.file("file", 12 << 20, &mut seed);
    let first = std::sync::atomic::AtomicBool::new(true);
    proxy.choose(move |method, target, _| {
        let is_part = method == "PUT" && target.contains("partNumber=2&");
        match is_part && first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            true => Fault::CorruptRequest,
            false => Fault::None,
        }
    });
    machine.run(&["put", "file", &format!("s3://{BUCKET}/damaged"), "--part-size", "5M"]).await.expect(0);
    assert!(object(&gateway, "damaged").await == bytes);
    let mut sent: Vec<String> =
        proxy.exchanges().iter().filter_map(|exchange| Some(exchange.part()?.1)).collect();
    sent.sort();
    assert_eq!(sent, ["1", "2", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_range_is_fetched_again_alone() {
    let mut seed = Seed::from_environment("a_damaged_range_is_fetched_again_alone");
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), seed.next()).await;
    let machine = Machine::new(&proxy.endpoint());
    let bytes = seed.bytes(22 << 20);
    upload_with_part_checksums(&gateway, "parts", &bytes).await;
    let target = format!("s3://{BUCKET}/parts");
    let gets = std::sync::atomic::AtomicUsize::new(0);
    proxy.choose(move |method, target, _| {
        let is_range = method == "GET" && !target.contains('?');
        match is_range && gets.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 {
            true => Fault::CorruptAnswer,
            false => Fault::None,
        }
    });
    machine.run(&["get", &target, "copy"]).await.expect(0);
    assert!(std::fs::read(machine.path("copy")).unwrap() == bytes);
    let ranges = proxy.exchanges().iter().filter(|exchange| exchange.is_get()).count();
    assert_eq!(ranges, 1 + 5 + 1, "the parts' checksums, five ranges, and one of them again");
    // Both sides are the same by the checksums of the parts, though there is none of the whole.
    machine.run(&["get", &target, "copy"]).await.expect(0).expect_words("(0 B received)");
    machine.run(&["put", "copy", &target]).await.expect(0).expect_words("(0 B sent)");
}

/// As the SDKs of AWS upload: a CRC-32 for each part, and no checksum of the whole.
async fn upload_with_part_checksums(gateway: &Gateway, key: &str, bytes: &[u8]) {
    let (client, path) = (gateway.client(), format!("/{BUCKET}/{key}"));
    let create = [("x-amz-checksum-algorithm", "CRC32")];
    let created = client.send("POST", &format!("{path}?uploads"), &create, "").await.unwrap().expect(200);
    let id = created.element("UploadId").unwrap();
    let mut list = String::new();
    for (index, part) in bytes.chunks(5 << 20).enumerate() {
        let number = index + 1;
        let crc = checksum::encode(&dovetail_digest::digest(Algorithm::Crc32, part));
        let target = format!("{path}?partNumber={number}&uploadId={id}");
        let sent =
            client.send("PUT", &target, &[("x-amz-checksum-crc32", crc.as_str())], part.to_vec()).await;
        let sent = sent.unwrap().expect(200);
        let etag = sent.header("etag").unwrap();
        list += &format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><ChecksumCRC32>{crc}</ChecksumCRC32></Part>"
        );
    }
    let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    client.send("POST", &format!("{path}?uploadId={id}"), &[], list).await.unwrap().expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_endpoint_fails_in_bounded_time_and_says_what_to_look_at() {
    let machine = Machine::new("http://127.0.0.1:9");
    machine.file("file", 1000, &mut Seed::new(1));
    let started = std::time::Instant::now();
    let said = machine.run(&["put", "file", "s3://bucket/key", "--patience", "2"]).await.expect(3);
    said.expect_words("--endpoint-url");
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
