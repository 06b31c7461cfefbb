//! Listings over many keys.

use crate::fill;
use crate::load::Load;
use crate::process::Server;
use crate::table::{self, Table};
use std::time::Instant;

/// Pages of listings over many keys, and a start with all of them there.
pub fn list(table: &mut Table) {
    let keys = number_of_keys();
    let mut server = Server::gateway();
    let load = Load::new(&server);
    load.create_bucket();
    load.objects("zzz", 1, 0);
    server.kill();
    fill::fill(&server.metadata(), "bench", keys, 0);
    let started = Instant::now();
    server.start_again();
    let start = started.elapsed().as_secs_f64();
    table.row(&format!("start with {keys} objects"), format!("{start:.2} s"), start, "under 2 s");
    let restless = load.list_ms(&server, "list-type=2&delimiter=%2F", (keys / 1_000).min(1_000), 21);
    println!(
        "common prefixes while the store still sorts: {:.2} ms, {:.2} ms of CPU",
        restless.0, restless.1
    );
    server.settle();
    let after = fill::key(keys / 2).replace('/', "%2F");
    let rows = [
        (
            "ListObjectsV2 page of 1,000 out of",
            format!("list-type=2&start-after={after}"),
            1_000,
            "under 3 ms",
        ),
        (
            "ListObjectsV2 page of 1,000 common prefixes over",
            "list-type=2&delimiter=%2F".to_string(),
            (keys / 1_000).min(1_000),
            "under 8 ms",
        ),
    ];
    for (what, query, entries, goal) in rows {
        let (ms, cpu_ms) = load.list_ms(&server, &query, entries, 101);
        table.row(
            &format!("{what} {keys} keys"),
            format!("{ms:.2} ms (median of 101; {cpu_ms:.2} ms of CPU)"),
            ms,
            goal,
        );
    }
}

/// The same page of two gateways: one whose keys have three old versions each, and one whose bucket never had any.
pub fn versions(table: &mut Table) {
    const OLD: u64 = 3;
    let keys = number_of_keys();
    let filled = |old| {
        let mut server = Server::gateway();
        let load = Load::new(&server);
        load.create_bucket();
        load.objects("zzz", 1, 0);
        server.kill();
        fill::fill(&server.metadata(), "bench", keys, old);
        server.start_again();
        server.settle();
        (Load::new(&server), server)
    };
    let (plain, versioned) = (filled(0), filled(OLD));
    let after = fill::key(keys / 2).replace('/', "%2F");
    let page = |(load, server): &(Load, Server)| {
        load.list_ms(server, &format!("list-type=2&start-after={after}"), 1_000, 101).0
    };
    // In turn, so that both meet the same neighbours.
    let runs: Vec<(f64, f64)> = (0..5).map(|_| (page(&versioned), page(&plain))).collect();
    let (versioned, plain) = table::middle(runs, |(versioned, plain)| versioned / plain);
    table.row(
        &format!("ListObjectsV2 page of 1,000 out of {keys} keys with {OLD} old versions each, against none"),
        format!("{versioned:.2} ms against {plain:.2} ms (medians of 101)"),
        versioned / plain,
        "within 1.2 x",
    );
}

/// How many keys there are to list, sweep and start with.
pub fn number_of_keys() -> usize {
    let keys = std::env::var("BENCH_KEYS").ok().and_then(|keys| keys.parse().ok()).unwrap_or(1_000_000);
    assert!(keys >= 10_000 && (1..=9).any(|n| keys == 10_usize.pow(n)), "BENCH_KEYS is a power of ten");
    keys
}
