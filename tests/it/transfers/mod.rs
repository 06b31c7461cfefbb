//! `dovetail put` and `get` through a network that does everything wrong, killed at any moment, and resumed.

mod command;
mod copies;
mod damage;
mod downloads;
mod encryption;
mod faults;
mod folders;
mod interrupts;
mod keys;
mod kills;
mod other_server;
mod places;
mod proxy;
mod regions;
mod resume;
mod stopped;
mod versions;

use crate::gateway::Gateway;
use bytes::Bytes;

const BUCKET: &str = "transfers";

/// A gateway with an empty bucket.
async fn gateway() -> Gateway {
    let gateway = Gateway::start().await;
    gateway.client().send("PUT", &format!("/{BUCKET}"), &[], "").await.expect("it answers").expect(200);
    gateway
}

/// What the gateway has under a key, asked without anything between.
async fn object(gateway: &Gateway, key: &str) -> Bytes {
    let answer = gateway.client().send("GET", &format!("/{BUCKET}/{key}"), &[], "").await;
    answer.expect("it answers").expect(200).body
}

/// How often a test repeats what a seed decides: few times by default, many at night.
fn runs(default: u64) -> u64 {
    std::env::var("DOVETAIL_TEST_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(default)
}
