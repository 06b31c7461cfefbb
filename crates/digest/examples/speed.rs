//! How fast this machine hashes: the CRCs beside what `crc-fast` needs for them, every algorithm on one stream, then
//! MD5 in the lanes.
//!
//! `cargo run --release -p dovetail-digest --example speed`. GB is 10^9 bytes, s/GB is CPU time of the whole process,
//! and the fastest of several rounds counts, so that other work on the machine matters less.

use std::hint::black_box;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use dovetail_digest::{Algorithm, Md5Lanes, Md5Stream, digest};
use rustix::time::{ClockId, clock_gettime};

/// Length of a chunk, that of the gateway's buffers.
const CHUNK: usize = 1 << 20;
const CHUNKS_A_STREAM: usize = 48;
/// Buffers a stream may have under way, as in the gateway.
const BUFFERS_A_STREAM: usize = 2;
/// Threads that receive bodies, as the gateway has on two cores.
const WORKERS: usize = 2;
/// So many copies take the time that receiving and writing a chunk takes.
const COPIES_LIKE_A_SOCKET: usize = 8;
const ROUNDS: usize = 7;

/// Lengths a CRC is taken of, each over and over: all but the last stay in the processor's caches.
const CRC_LENS: [usize; 5] = [4 << 10, 64 << 10, 256 << 10, 1 << 20, 64 << 20];

fn main() {
    crcs();
    println!("one stream, in the caller's thread");
    let bytes = vec![0x5A; 64 * CHUNK];
    for algorithm in Algorithm::ALL {
        report(algorithm.name(), bytes.len(), || {
            black_box(digest(algorithm, &bytes));
        });
    }
    println!("MD5 in the lanes, everything queued at once");
    for streams in [1, 2, 4, 8, 16, 32] {
        report(&format!("{streams} streams"), streams * CHUNKS_A_STREAM * CHUNK, || queue_all(streams));
    }
    for copies in [1, COPIES_LIKE_A_SOCKET] {
        println!("MD5 in the lanes, two workers filling two buffers a stream, {copies} copies a chunk");
        for streams in [1, 2, 4, 8, 16, 32] {
            let len = streams * CHUNKS_A_STREAM * CHUNK;
            report(&format!("{streams} streams"), len, || receive_all(streams, copies));
        }
    }
}

fn crcs() {
    println!("CRCs by crc-fast and by us, CPU s/GB");
    let bytes = vec![0x5A; *CRC_LENS.last().expect("a length")];
    for (algorithm, library) in [
        (Algorithm::Crc32, CrcAlgorithm::Crc32IsoHdlc),
        (Algorithm::Crc32c, CrcAlgorithm::Crc32Iscsi),
        (Algorithm::Crc64Nvme, CrcAlgorithm::Crc64Nvme),
    ] {
        for len in CRC_LENS {
            let bytes = &bytes[..len];
            let old = cost(len, || {
                black_box(crc_fast::checksum(library, black_box(bytes)));
            });
            let new = cost(len, || {
                black_box(digest(algorithm, black_box(bytes)));
            });
            let what = format!("{} of {} KiB", algorithm.name(), len >> 10);
            println!("  {what:22} {old:7.4} {new:7.4}   {:.2} x as fast", old / new);
        }
    }
}

/// CPU seconds a GB of work on `len` bytes, done as often as it takes 64 MiB.
fn cost(len: usize, mut work: impl FnMut()) -> f64 {
    let times = (64 * CHUNK) / len;
    let fastest = (0..ROUNDS).map(|_| {
        let start = cpu_time();
        (0..times).for_each(|_| work());
        cpu_time() - start
    });
    fastest.min().unwrap_or_default().as_secs_f64() / ((times * len) as f64 / 1e9)
}

/// What the lanes can do: each stream has a few chunks of its own, queued over and over.
fn queue_all(streams: usize) {
    let lanes = Md5Lanes::start();
    let mut open: Vec<Md5Stream> = (0..streams).map(|_| lanes.stream()).collect();
    for (n, stream) in open.iter_mut().enumerate() {
        let chunk = Bytes::from(vec![n as u8; CHUNK]);
        (0..CHUNKS_A_STREAM).for_each(|_| stream.update(chunk.clone()));
    }
    finish(open);
}

/// What an upload sees: a worker fills a buffer, hands it over, and goes on with whichever stream has one back.
fn receive_all(streams: usize, copies: usize) {
    let lanes = Md5Lanes::start();
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let open: Vec<Md5Stream> = (worker..streams).step_by(WORKERS).map(|_| lanes.stream()).collect();
            scope.spawn(move || receive(open, copies));
        }
    });
}

fn receive(mut open: Vec<Md5Stream>, copies: usize) {
    let socket = vec![0x5A; CHUNK];
    let (home, returned) = mpsc::channel();
    for owner in 0..open.len() {
        for _ in 0..BUFFERS_A_STREAM {
            home.send((owner, vec![0; CHUNK])).expect("the receiver is here");
        }
    }
    let mut left = vec![CHUNKS_A_STREAM; open.len()];
    while left.iter().any(|left| *left > 0) {
        let (owner, mut bytes) = returned.recv().expect("a sender is here");
        if left[owner] > 0 {
            left[owner] -= 1;
            (0..copies).for_each(|_| black_box(&mut bytes).copy_from_slice(&socket));
            open[owner].update(Bytes::from_owner(Buffer { owner, bytes, home: home.clone() }));
        }
    }
    finish(open);
}

/// A buffer that goes back to its owner when it is dropped.
struct Buffer {
    owner: usize,
    bytes: Vec<u8>,
    home: Sender<(usize, Vec<u8>)>,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // Nobody wants it any more when the worker has ended.
        let _ = self.home.send((self.owner, std::mem::take(&mut self.bytes)));
    }
}

fn finish(streams: Vec<Md5Stream>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    for stream in streams {
        black_box(runtime.block_on(stream.finish()));
    }
}

fn report(what: &str, len: usize, mut work: impl FnMut()) {
    let mut fastest = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let (wall, cpu) = (Instant::now(), cpu_time());
        work();
        fastest = fastest.min((wall.elapsed(), cpu_time() - cpu));
    }
    let gigabytes = len as f64 / 1e9;
    let (speed, cost) = (gigabytes / fastest.0.as_secs_f64(), fastest.1.as_secs_f64() / gigabytes);
    println!("  {what:12} {speed:7.2} GB/s {cost:7.3} s/GB");
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
