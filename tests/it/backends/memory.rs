//! A blob of any length passes through memory that does not grow with it (invariant 6).
//!
//! Measured in a process of its own, because other tests' memory would be counted too: the test starts this binary
//! again with only [`streams_one_blob`], which prints the growth of its peak.

use super::server::Server;
use bytes::Bytes;
use dovetail::base::buffers::BufferPool;
use dovetail::base::tasks::Tasks;
use dovetail::blob::{self, BlobId, Store};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// Two chunks of the body's buffers, two windows being written, three being read, TLS, HTTP and the allocator.
const GROWTH_MAX: usize = 64 << 20;
const CONFIGURATION: &str = "DOVETAIL_TEST_BLOBS";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_blob_passes_through_bounded_memory() {
    stream_in_a_process_of_its_own(256 << 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes 5 GiB to disk, which takes minutes"]
async fn the_longest_blob_passes_through_bounded_memory() {
    stream_in_a_process_of_its_own(dovetail::base::limits::PART_LEN_MAX).await;
}

async fn stream_in_a_process_of_its_own(len: u64) {
    let server = Server::azure().await;
    let (url, options) = server.configuration("long");
    let configuration = serde_json::json!({ "url": url, "options": options, "len": len });
    let output = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().expect("this binary has a path"))
            .args(["--exact", "backends::memory::streams_one_blob", "--ignored", "--nocapture"])
            .env(CONFIGURATION, configuration.to_string())
            .output()
    });
    let output = output.await.expect("no panic").expect("this binary can be started again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let growth = text.lines().find_map(|line| line.split("peak grew by ").nth(1));
    let growth: usize = growth.and_then(|growth| growth.parse().ok()).unwrap_or_else(|| panic!("{text}"));
    assert!(growth <= GROWTH_MAX, "{len} bytes took {growth} bytes of memory, more than {GROWTH_MAX}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "one half of the tests above, which start it"]
async fn streams_one_blob() {
    let configuration = std::env::var(CONFIGURATION).expect("started by another test");
    let configuration: serde_json::Value = serde_json::from_str(&configuration).expect("JSON");
    let options: BTreeMap<String, String> =
        serde_json::from_value(configuration["options"].clone()).expect("options");
    let url = configuration["url"].as_str().expect("a URL");
    let len = configuration["len"].as_u64().expect("a length");
    let settings = blob::open::Settings::default();
    let store = blob::open_url(Some(url), &options, Path::new("/nonexistent"), &settings, &Tasks::new());
    let store = store.expect("a backend");
    store.check().await.expect("a working backend");

    let before = peak_len();
    let id = write(&store, len).await;
    read(&store, id, len).await;
    println!("peak grew by {}", peak_len() - before);
}

async fn write(store: &Arc<dyn Store>, len: u64) -> BlobId {
    let lease = BufferPool::new(0).lease(Duration::ZERO).await.expect("the only lease");
    let id = BlobId::random();
    let mut writer = store.create(id, Some(len)).await.expect("a writer");
    for number in 0..len >> 20 {
        let mut chunk = lease.chunk().await;
        while !chunk.is_full() {
            chunk.fill(&block(number));
        }
        writer.write(chunk.freeze()).await.expect("a write");
    }
    writer.finish().await.expect("a blob");
    id
}

async fn read(store: &Arc<dyn Store>, id: BlobId, len: u64) {
    let reader = store.open(id).await.expect("a reader");
    for number in 0..len >> 20 {
        let bytes: Bytes = reader.read(number << 20, 1 << 20).await.expect("a range");
        assert!(bytes.chunks(4096).all(|read| read == block(number)), "MiB {number} came back changed");
    }
}

fn block(number: u64) -> [u8; 4096] {
    let mut block = [0; 4096];
    block.chunks_mut(8).for_each(|word| word.copy_from_slice(&number.to_le_bytes()));
    block
}

/// The most memory this process has had at once, as the kernel counts it (man 5 proc).
fn peak_len() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}
