//! `kill -9` of the client at random moments: what was sent is not sent again, but for what was in flight.

use std::time::Duration;

use super::command::Machine;
use super::proxy::Proxy;
use super::{BUCKET, gateway, object, runs};
use crate::seed::Seed;

const LEN: u64 = 60 << 20;
const PART_LEN: u64 = 5 << 20;
const IN_FLIGHT: u64 = 4;
/// Framing and the trailer of a part in chunks of 256 KiB.
const FRAMING_LEN_MAX: u64 = 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_client_sends_again_only_what_was_in_flight() {
    let mut seed = Seed::from_environment("a_killed_client_sends_again_only_what_was_in_flight");
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), seed.next()).await;
    let machine = Machine::new(&proxy.endpoint());
    let (mut kills_left, mut file) = (runs(8), 0);
    while kills_left > 0 {
        let bytes = machine.file("file", LEN as usize, &mut seed);
        let key = format!("killed-{file}");
        let target = format!("s3://{BUCKET}/{key}");
        // Slow enough that there is something to kill.
        let put = [
            "put",
            "file",
            &target,
            "--part-size",
            "5M",
            "--parallel",
            "4",
            "--limit-rate",
            "60M",
            "--patience",
            "30",
        ];
        let before = proxy.part_bytes().await;
        let mut kills = 0;
        while kills_left > 0 && kills < 5 {
            let mut child = machine.spawn(&put);
            tokio::time::sleep(Duration::from_millis(50 + seed.below(700))).await;
            if child.try_wait().expect("the child can be asked").is_some() {
                break;
            }
            child.kill().expect("the child can be killed");
            child.wait().expect("the child can be waited for");
            kills += 1;
            kills_left -= 1;
        }
        machine.run(&put).await.expect(0);
        let sent = proxy.part_bytes().await - before;
        let parts = LEN / PART_LEN + kills * IN_FLIGHT;
        let bound = LEN + kills * IN_FLIGHT * PART_LEN + parts * FRAMING_LEN_MAX;
        assert!(sent <= bound, "{sent} bytes after {kills} kills, at most {bound}");
        println!("{kills} kills: {sent} bytes sent for {LEN}, bound {bound}");
        assert!(object(&gateway, &key).await == bytes);
        assert_eq!(machine.journals(), 0);
        file += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_download_goes_on_where_it_stopped() {
    let mut seed = Seed::from_environment("a_killed_download_goes_on_where_it_stopped");
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), seed.next()).await;
    let machine = Machine::new(&proxy.endpoint());
    let bytes = machine.file("file", 40 << 20, &mut seed);
    let target = format!("s3://{BUCKET}/down");
    machine.run(&["put", "file", &target]).await.expect(0);
    let get = ["get", &target, "copy", "--part-size", "5M", "--parallel", "2", "--limit-rate", "20M"];
    let mut child = machine.spawn(&get);
    while proxy
        .exchanges()
        .iter()
        .filter(|exchange| exchange.is_get() && exchange.delivered.is_some())
        .count()
        < 5
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    child.kill().expect("the child can be killed");
    child.wait().expect("the child can be waited for");
    assert!(!machine.path("copy").exists(), "what is not whole has not the name");
    let said = machine.run(&get[..5]).await.expect(0).expect_words("going on");
    assert!(std::fs::read(machine.path("copy")).unwrap() == bytes, "{}", said.stderr);
    assert!(!machine.path("copy.dovetail-part").exists());
    let ranges = proxy.exchanges().iter().filter(|exchange| exchange.is_get()).count();
    assert!(ranges <= 8 + 4, "{ranges} ranges were asked for");
}
