//! How fast this machine hashes: the lanes beside the md-5 crate, and every algorithm on one stream.
//!
//! `cargo run --release -p dovetail-digest --example speed`. GB is 10^9 bytes; s/GB is CPU time of the process, and
//! the best of several rounds counts, so that other work on the machine matters less.

use std::time::{Duration, Instant};

use bytes::Bytes;
use dovetail_digest::{Algorithm, Md5Lanes, digest, md5};

/// Chunk and buffer size of the gateway.
const CHUNK: usize = 1 << 20;
const CHUNKS_EACH: usize = 64;
const ROUNDS: usize = 5;

fn main() {
    println!("one stream");
    let bytes = vec![0x5A; 64 * CHUNK];
    for algorithm in Algorithm::ALL {
        report(algorithm.name(), bytes.len(), || {
            std::hint::black_box(digest(algorithm, &bytes));
        });
    }
    for paced in [false, true] {
        println!(
            "{}",
            if paced { "lanes, each stream copying its chunks in first" } else { "lanes, all queued" }
        );
        for streams in [1, 2, 4, 8, 16, 32] {
            let len = streams * CHUNKS_EACH * CHUNK;
            report(&format!("{streams} streams"), len, || hash_in_lanes(streams, paced));
        }
    }
    println!("one after the other with the md-5 crate");
    report("any number", bytes.len(), || {
        std::hint::black_box(md5(&bytes));
    });
}

/// Hashes 64 MiB of each stream, fed by two threads as a gateway's two workers would.
fn hash_in_lanes(streams: usize, paced: bool) {
    let lanes = Md5Lanes::start();
    let source = vec![0x5A; CHUNK];
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut workers = [Vec::new(), Vec::new()];
    for stream in 0..streams {
        workers[stream % 2].push(lanes.stream());
    }
    // Chunks of their own for each stream, so that caches and memory see what they would see.
    let chunks: Vec<Vec<Bytes>> = (0..2 * streams).map(|n| vec![Bytes::from(vec![n as u8; CHUNK])]).collect();
    std::thread::scope(|scope| {
        for (worker, mut open) in workers.into_iter().enumerate() {
            let (chunks, source, runtime) = (&chunks, &source, &runtime);
            let _ = runtime;
            scope.spawn(move || {
                for turn in 0..CHUNKS_EACH {
                    for (n, stream) in open.iter_mut().enumerate() {
                        let chunk = &chunks[(2 * (2 * n + worker) + turn % 2) % chunks.len()][0];
                        if paced {
                            std::hint::black_box(source.clone());
                        }
                        stream.update(chunk.clone());
                    }
                }
                let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                for stream in open {
                    std::hint::black_box(runtime.block_on(stream.finish()));
                }
            });
        }
    });
}

fn report(what: &str, len: usize, mut work: impl FnMut()) {
    let mut best = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let (wall, cpu) = (Instant::now(), cpu_time());
        work();
        best = best.min((wall.elapsed(), cpu_time() - cpu));
    }
    let gigabytes = len as f64 / 1e9;
    let (speed, cost) = (gigabytes / best.0.as_secs_f64(), best.1.as_secs_f64() / gigabytes);
    println!("  {what:12} {speed:7.2} GB/s {cost:6.3} s/GB");
}

fn cpu_time() -> Duration {
    Duration::ZERO
}
