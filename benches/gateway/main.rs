//! `make bench`: what the gateway costs, next to a bare hyper server that does the same work in the same run.
//!
//! Ratios are what counts: the machine is the same for both sides, and CPU seconds are the server's own (user and
//! system time of its process, from /proc). The rows and their goals are those of docs/benchmarks.md.
//!
//! `GATEWAY` is the gateway (default `target/release/dovetail`); `BENCH_KEYS` the number of keys to list
//! (default 1,000,000); `BENCH_ONLY` a comma-separated list of sections: upload, sse, complete, small, beside, download,
//! memory, list, versions, delete, lifecycle, client, policy; `BENCH_DIR` where the data goes (default `target`).

mod baseline;
mod client;
mod fill;
mod http;
mod listing;
mod load;
mod policy;
mod process;
mod small;
mod table;

use load::Load;
use process::Server;
use std::time::{Duration, Instant};
use table::Table;

const MIB: u64 = 1 << 20;
const PART_LEN: u64 = 64 * MIB;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).map(String::as_str) == Some("baseline") {
        return baseline::serve(&arguments[2], &arguments[3]);
    }
    let only = std::env::var("BENCH_ONLY").unwrap_or_default();
    let wanted = |section: &str| only.is_empty() || only.split(',').any(|name| name == section);
    let mut table = Table::default();
    if wanted("upload") {
        upload(&mut table);
    }
    if wanted("sse") {
        sse(&mut table);
    }
    if wanted("download") {
        download(&mut table);
    }
    if wanted("small") {
        small(&mut table);
    }
    if wanted("beside") {
        beside(&mut table);
    }
    if wanted("complete") {
        complete(&mut table);
    }
    if wanted("memory") {
        memory(&mut table);
    }
    if wanted("list") {
        listing::list(&mut table);
    }
    if wanted("versions") {
        listing::versions(&mut table);
    }
    if wanted("delete") {
        delete(&mut table);
    }
    if wanted("lifecycle") {
        lifecycle(&mut table);
    }
    if wanted("client") {
        client::client(&mut table);
    }
    if wanted("policy") {
        policy::evaluation(&mut table);
    }
    table.print();
}

/// 64 MiB parts over 8 connections: the gateway and the baseline in turn, so that both meet the same neighbours.
fn upload(table: &mut Table) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let server = Server::gateway();
        let load = Load::new(&server);
        load.create_bucket();
        let upload = load.create_upload("large");
        ours.push(server.measure(|| load.parts(&upload, "large", 8, 4, PART_LEN)));
        drop(server);
        let server = Server::baseline();
        theirs.push(server.measure(|| Load::new(&server).plain_puts(8, 4, PART_LEN)));
    }
    let by_cost = |run: &process::Measured| run.cpu_per_gb;
    let (ours, theirs) = (table::middle(ours, by_cost), table::middle(theirs, by_cost));
    table.row(
        "upload, 64 MiB parts over 8 connections, server CPU s/GB",
        format!(
            "{:.2} (baseline {:.2}), {:.2} GB/s against {:.2}",
            ours.cpu_per_gb, theirs.cpu_per_gb, ours.gb_per_s, theirs.gb_per_s
        ),
        ours.cpu_per_gb / theirs.cpu_per_gb,
        "at most 1.1 x",
    );
}

/// The same parts encrypted with SSE-S3 and not, in turn on one gateway.
fn sse(table: &mut Table) {
    let server = Server::gateway();
    let load = Load::new(&server);
    load.create_bucket();
    let pairs: Vec<(process::Measured, process::Measured)> = (0..5)
        .map(|round| {
            let key = format!("plain-{round}");
            let upload = load.create_upload(&key);
            let plain = server.measure(|| load.parts(&upload, &key, 8, 2, PART_LEN));
            let key = format!("sealed-{round}");
            let upload = load.create_encrypted_upload(&key);
            (server.measure(|| load.parts(&upload, &key, 8, 2, PART_LEN)), plain)
        })
        .collect();
    let (sealed, plain) = table::middle(pairs, |(sealed, plain)| sealed.cpu_per_gb - plain.cpu_per_gb);
    table.row(
        "SSE-S3 upload, server CPU s/GB over the unencrypted one",
        format!(
            "{:.2} against {:.2}, {:.2} GB/s against {:.2}",
            sealed.cpu_per_gb, plain.cpu_per_gb, sealed.gb_per_s, plain.gb_per_s
        ),
        sealed.cpu_per_gb - plain.cpu_per_gb,
        "at most +0.35 s",
    );
}

/// 64 MiB objects over 8 connections, from the page cache.
fn download(table: &mut Table) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let server = Server::gateway();
        let load = Load::new(&server);
        load.create_bucket();
        load.objects("object", 8, PART_LEN);
        load.downloads("object", 8, 1);
        ours.push(server.measure(|| load.downloads("object", 8, 6)));
        drop(server);
        let server = Server::baseline();
        let load = Load::new(&server);
        load.plain_puts(8, 1, PART_LEN);
        load.plain_gets(8, 1);
        theirs.push(server.measure(|| load.plain_gets(8, 6)));
    }
    let by_cost = |run: &process::Measured| run.cpu_per_gb;
    let (ours, theirs) = (table::middle(ours, by_cost), table::middle(theirs, by_cost));
    table.row(
        "download, 64 MiB objects over 8 connections, server CPU s/GB",
        format!(
            "{:.2} (baseline {:.2}), {:.2} GB/s against {:.2}",
            ours.cpu_per_gb, theirs.cpu_per_gb, ours.gb_per_s, theirs.gb_per_s
        ),
        ours.cpu_per_gb / theirs.cpu_per_gb,
        "at most 1.3 x",
    );
}

/// 4 KiB objects over one connection and over 64.
fn small(table: &mut Table) {
    let server = Server::gateway();
    let load = Load::new(&server);
    load.create_bucket();
    let runs: Vec<(small::Small, small::Small, f64)> = (0..3)
        .map(|round| {
            let alone = load.small_puts(&format!("alone-{round}"), 1, Duration::from_secs(3));
            let cpu_s = server.cpu_s();
            let many = load.small_puts(&format!("many-{round}"), 64, Duration::from_secs(3));
            let cpu_us = (server.cpu_s() - cpu_s) * 1e6 / many.count as f64;
            (alone, many, cpu_us)
        })
        .collect();
    let (alone, many, cpu_us) = table::middle(runs, |(alone, many, _)| many.per_s / alone.per_s);
    table.row(
        "4 KiB durable PutObject, 64 connections against one",
        format!(
            "{:.0}/s against {:.0}/s, {cpu_us:.0} microseconds of server CPU for each of the many",
            many.per_s, alone.per_s
        ),
        many.per_s / alone.per_s,
        "at least 15 x",
    );
}

/// 4 KiB objects over one connection, alone and beside large uploads.
fn beside(table: &mut Table) {
    let server = Server::gateway();
    let load = Load::new(&server);
    load.create_bucket();
    let alone = load.small_puts("alone", 1, Duration::from_secs(3));
    let upload = load.create_upload("large");
    let started = Instant::now();
    let stop = started + Duration::from_secs(10);
    let (beside, uploaded_gb_per_s) = std::thread::scope(|scope| {
        let uploads = scope.spawn(|| load.parts_until(&upload, 8, 4, stop));
        std::thread::sleep(Duration::from_secs(1));
        let beside = load.small_puts("beside", 1, Duration::from_secs(8));
        let uploaded = uploads.join().expect("the uploads end") as f64;
        (beside, uploaded / 1e9 / started.elapsed().as_secs_f64())
    });
    table.row(
        "median 4 KiB durable PutObject beside 8 uploads of 64 MiB parts, against alone",
        format!(
            "{:.2} ms against {:.2} ms, uploads at {uploaded_gb_per_s:.2} GB/s",
            beside.median_ms, alone.median_ms
        ),
        beside.median_ms / alone.median_ms,
        "at most 10 x",
    );
}

/// 10,000 parts: Complete, and a range in the middle. The parts are copied by reference, or this would take 640 GB.
fn complete(table: &mut Table) {
    for (name, len) in [("5 MiB", 5 * MIB), ("64 MiB", PART_LEN)] {
        let mut server = Server::gateway();
        let load = Load::new(&server);
        load.create_bucket();
        load.objects("source", 1, len);
        let warm = load.upload_of_copies("warm", "source-0", 10_000);
        let warm_ms = load.complete_all(&server, "warm", &warm, 10_000);
        let cold = load.upload_of_copies("cold", "source-0", 10_000);
        server.restart();
        let load = Load::new(&server);
        let cold_ms = load.complete_all(&server, "cold", &cold, 10_000);
        table.row(
            &format!("Complete of 10,000 parts of {name}, server CPU, cold and warm"),
            format!("{cold_ms:.0} ms cold, {warm_ms:.0} ms warm"),
            cold_ms.max(warm_ms),
            "under 50 ms",
        );
        let first_byte = load.range_first_byte("cold", len * 5_000 + 12_345, 21);
        table.row(
            &format!("first byte of a range in the middle of 10,000 parts of {name}"),
            format!("{:.2} ms (median of 21)", first_byte),
            first_byte,
            "under 5 ms",
        );
    }
}

/// 64 connections, each sending 64 MiB parts for a minute.
fn memory(table: &mut Table) {
    let server = Server::gateway();
    let load = Load::new(&server);
    load.create_bucket();
    let upload = load.create_upload("large");
    let stop = Instant::now() + Duration::from_secs(60);
    std::thread::scope(|scope| {
        let uploads = scope.spawn(|| load.parts_until(&upload, 64, 1, stop));
        std::thread::sleep(Duration::from_secs(30));
        let half = server.resident_mib();
        uploads.join().expect("the uploads end");
        let peak = server.peak_resident_mib();
        table.row(
            "peak resident memory, 64 connections each sending 64 MiB parts for a minute",
            format!("{peak:.0} MiB (after half a minute: {half:.0} MiB)"),
            peak,
            "under 256 MiB",
        );
    });
}

/// 1,000 objects of 4 KiB in one DeleteObjects, which is one durable commit.
fn delete(table: &mut Table) {
    const OBJECTS: usize = 1_000;
    let server = Server::gateway();
    let load = Load::new(&server);
    load.create_bucket();
    let runs: Vec<f64> = (0..7)
        .map(|round| {
            let name = format!("doomed-{round}");
            load.objects(&name, OBJECTS, 4096);
            server.settle();
            load.delete_ms(&name, OBJECTS)
        })
        .collect();
    let longest = runs.iter().copied().fold(0.0, f64::max);
    let ms = table::middle(runs, |ms| *ms);
    table.row(
        "DeleteObjects of 1,000 keys",
        format!("{ms:.1} ms (median of 7; the longest {longest:.1} ms)"),
        ms,
        "under 30 ms",
    );
}

/// Sweeps of the lifecycle rules over many objects of which none is due, one after the other, and what they do to reads
/// beside them.
fn lifecycle(table: &mut Table) {
    const SEEN: &str = "dovetail_lifecycle_seen_total";
    let keys = listing::number_of_keys();
    let mut server = Server::gateway_with(&[("DOVETAIL_LIFECYCLE__SWEEP_INTERVAL", "1s")]);
    let load = Load::new(&server);
    load.create_bucket();
    load.objects("zzz", 1, 4096);
    server.kill();
    fill::fill(&server.metadata(), "bench", keys, 0);
    server.start_again();
    server.settle();
    let load = Load::new(&server);
    load.small_gets("zzz-0", 4, Duration::from_secs(2));
    let alone = load.small_gets("zzz-0", 4, Duration::from_secs(8));
    load.expire_after_ten_years();
    // The first sweep reads from disk.
    while load.metric(SEEN) < keys as f64 {
        std::thread::sleep(Duration::from_millis(100));
    }
    let (seen, cpu_s, started) = (load.metric(SEEN), server.cpu_s(), Instant::now());
    std::thread::sleep(Duration::from_secs(20));
    let (seen, cpu_s) = (load.metric(SEEN) - seen, server.cpu_s() - cpu_s);
    let (sweeps, elapsed_s) = (seen / keys as f64, started.elapsed().as_secs_f64());
    table.row(
        &format!("lifecycle sweep over {keys} objects, nothing to expire, server CPU"),
        format!("{:.2} s (of {sweeps:.1} sweeps, {:.1} s each)", cpu_s / sweeps, elapsed_s / sweeps),
        cpu_s / sweeps,
        "under 5 s",
    );
    let beside = load.small_gets("zzz-0", 4, Duration::from_secs(8));
    table.row(
        "99th percentile of a 4 KiB GetObject over 4 connections beside lifecycle sweeps, against alone",
        format!("{:.2} ms against {:.2} ms", beside.p99_ms, alone.p99_ms),
        beside.p99_ms / alone.p99_ms,
        "at most 2 x",
    );
}
