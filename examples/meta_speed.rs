//! Prints what the embedded metadata store does per second on this machine and disk:
//! `cargo run --release --example meta_speed [directory]`.

use dovetail::base::tasks::Tasks;
use dovetail::meta::rocksdb::{RocksDb, Settings};
use dovetail::meta::{Error, Meta, Step, Store, Table};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const RECORD_LEN: usize = 300;
const RECORDS: u64 = 1_000_000;
const PREFIXES: u64 = 1_000;
const PAGE_LEN: usize = 1_000;
const RUN: Duration = Duration::from_secs(4);

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Error> {
    let root = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = root.join(format!("meta_speed.{}", std::process::id()));
    let outcome = measure(&dir).await;
    let _ = std::fs::remove_dir_all(&dir);
    outcome
}

async fn measure(dir: &Path) -> Result<(), Error> {
    let store = RocksDb::open(dir, Settings::default())?;
    let meta = Meta::new(store.clone());
    println!("commits of one {RECORD_LEN}-byte record");
    for round in ["fresh logs", "recycled logs"] {
        for callers in [1, 8, 64] {
            commits(&meta, callers, round).await;
        }
    }
    inline_puts(&meta, 8).await;
    print_memory();
    fill(&meta).await?;
    print_memory();
    settle(&store).await;
    pages(&meta).await?;
    points(&meta).await?;
    tombstones(&meta).await?;
    print_gauges(&store);
    Ok(())
}

async fn commits(meta: &Meta, callers: u64, round: &str) {
    let (done, cpu) = (Arc::new(AtomicU64::new(0)), cpu_seconds());
    let tasks = Tasks::new();
    let start = Instant::now();
    for caller in 0..callers {
        let (meta, done) = (meta.clone(), Arc::clone(&done));
        tasks.spawn(async move {
            while start.elapsed() < RUN {
                let key = [caller.to_be_bytes(), done.fetch_add(1, Ordering::Relaxed).to_be_bytes()].concat();
                put(&meta, Table::Objects, key, RECORD_LEN).await;
            }
        });
    }
    tasks.wait().await;
    let (count, cpu) = (done.load(Ordering::Relaxed) as f64, cpu_seconds() - cpu);
    let per_second = count / start.elapsed().as_secs_f64();
    println!(
        "  {round}, {callers:>2} callers: {per_second:>7.0}/s, {:>5.1} us of CPU each",
        cpu / count * 1e6
    );
}

async fn inline_puts(meta: &Meta, callers: u64) {
    const LEN: usize = 64 << 10;
    let done = Arc::new(AtomicU64::new(0));
    let tasks = Tasks::new();
    let start = Instant::now();
    for _ in 0..callers {
        let (meta, done) = (meta.clone(), Arc::clone(&done));
        tasks.spawn(async move {
            while start.elapsed() < RUN {
                let key = done.fetch_add(1, Ordering::Relaxed).to_be_bytes().to_vec();
                put(&meta, Table::Inline, key, LEN).await;
            }
        });
    }
    tasks.wait().await;
    let count = done.load(Ordering::Relaxed) as f64;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "inline values of 64 KiB, {callers} callers: {:.0}/s, {:.0} MB/s",
        count / seconds,
        count * LEN as f64 / 1e6 / seconds
    );
}

async fn put(meta: &Meta, table: Table, key: Vec<u8>, len: usize) {
    let put = meta.transact(move |tx| {
        tx.put(table, &key, vec![key[key.len() - 1]; len]);
        Ok::<_, Error>(())
    });
    put.await.expect("a commit failed");
}

/// A million records in the Versions table, a thousand under each prefix.
async fn fill(meta: &Meta) -> Result<(), Error> {
    let start = Instant::now();
    for batch in 0..RECORDS / PAGE_LEN as u64 {
        meta.transact(move |tx| {
            for number in 0..PAGE_LEN as u64 {
                let value = record(batch * PAGE_LEN as u64 + number);
                tx.put(Table::Versions, record_key(number % PREFIXES, batch).as_bytes(), value);
            }
            Ok::<_, Error>(())
        })
        .await?;
    }
    println!("{RECORDS} records in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Bytes of which about half are new, as in a record of ids, hashes and names.
fn record(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut value = vec![b'-'; RECORD_LEN];
    for chunk in value[..RECORD_LEN / 2].chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        chunk.copy_from_slice(&(mixed ^ (mixed >> 27)).to_be_bytes()[..chunk.len()]);
    }
    value
}

/// Waits until no compaction is due.
async fn settle(store: &RocksDb) {
    let start = Instant::now();
    let pending =
        || store.gauges().iter().any(|(name, value)| *name == "compaction_pending_bytes" && *value > 0.0);
    while pending() && start.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("compactions took another {:.1} s", start.elapsed().as_secs_f64());
}

fn record_key(prefix: u64, number: u64) -> String {
    format!("bucket/prefix-{prefix:04}/key-{number:08}")
}

async fn pages(meta: &Meta) -> Result<(), Error> {
    let mut times = Vec::new();
    for prefix in (0..PREFIXES).step_by(10) {
        times.push(page(meta, prefix).await?);
    }
    report("page of 1,000 entries, cold", &mut times);
    let mut times = Vec::new();
    for _ in 0..200 {
        times.push(page(meta, 500).await?);
    }
    report("page of 1,000 entries, warm", &mut times);
    let mut times = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        let found = meta.read(|read| {
            let mut found = 0;
            read.scan(Table::Versions, b"", &mut |key, _| {
                found += 1;
                let slash = key.iter().rposition(|byte| *byte == b'/').expect("every key has a prefix");
                Step::Seek([&key[..slash], b"0"].concat())
            })?;
            Ok::<_, Error>(found)
        });
        assert_eq!(found.await?, PREFIXES);
        times.push(start.elapsed());
    }
    report("1,000 common prefixes by seeking", &mut times);
    Ok(())
}

async fn page(meta: &Meta, prefix: u64) -> Result<Duration, Error> {
    let start = Instant::now();
    let page = meta.read(move |read| {
        let mut bytes = Vec::with_capacity(PAGE_LEN);
        read.scan(Table::Versions, record_key(prefix, 0).as_bytes(), &mut |key, value| {
            bytes.push((key.to_vec(), value[0]));
            if bytes.len() == PAGE_LEN { Step::Stop } else { Step::Next }
        })?;
        Ok::<_, Error>(bytes)
    });
    page.await?;
    Ok(start.elapsed())
}

async fn points(meta: &Meta) -> Result<(), Error> {
    for (what, table) in [("present", Table::Versions), ("absent", Table::Users)] {
        let mut times = Vec::new();
        for number in 0..5_000u64 {
            let start = Instant::now();
            let key = record_key(number * 7 % PREFIXES, number % 1_000);
            meta.read(move |read| read.get(table, key.as_bytes())).await?;
            times.push(start.elapsed());
        }
        report(&format!("read of one key, {what}, with the way to the thread and back"), &mut times);
    }
    Ok(())
}

/// The collector's way: the oldest thousand entries are read and deleted, over and over.
async fn tombstones(meta: &Meta) -> Result<(), Error> {
    let mut times = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        let (oldest, took) = meta
            .read(move |read| {
                let mut oldest = Vec::new();
                read.scan(Table::Versions, b"", &mut |key, _| {
                    oldest.push(key.to_vec());
                    if oldest.len() == PAGE_LEN { Step::Stop } else { Step::Next }
                })?;
                Ok::<_, Error>((oldest, start.elapsed()))
            })
            .await?;
        times.push(took);
        meta.transact(move |tx| {
            oldest.iter().for_each(|key| tx.delete(Table::Versions, key));
            Ok::<_, Error>(())
        })
        .await?;
    }
    report("oldest 1,000 of a queue, behind up to 200,000 deleted ones", &mut times);
    Ok(())
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("{what}: median {:.3} ms, p99 {:.3} ms, worst {:.3} ms", at(50), at(99), at(100));
}

fn print_gauges(store: &RocksDb) {
    for (name, value) in store.gauges() {
        println!("  {name}: {value}");
    }
    print_memory();
}

/// The most memory this process has held so far.
fn print_memory() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("  {line}"));
}

/// CPU time of this process so far, user and system.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
    ticks / 100.0
}
