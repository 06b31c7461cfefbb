//! The lanes against the md-5 crate, with every kernel of the machine.

use std::future::Future;
use std::sync::Weak;
use std::time::Duration;

use ::md5::Digest as _;

use super::*;

/// Numbers that look random, the same ones from the same seed (splitmix64).
struct Random(u64);

impl Random {
    /// From DOVETAIL_TEST_SEED, or a seed of its own, which a failing test shows.
    fn seeded() -> Random {
        let given = std::env::var("DOVETAIL_TEST_SEED").ok();
        let seed = given.map_or_else(
            || std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0),
            |seed| seed.parse().expect("DOVETAIL_TEST_SEED is a number"),
        );
        println!("DOVETAIL_TEST_SEED={seed}");
        Random(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ mixed >> 31) % limit as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Bytes {
        (0..len).map(|_| self.below(256) as u8).collect()
    }

    /// A length such that single bytes, blocks, cuts beside blocks and long chunks all come up often.
    fn chunk_len(&mut self) -> usize {
        match self.below(6) {
            0 => 1 + self.below(3),
            1 => 62 + self.below(5),
            2 => 64 * (1 + self.below(40)),
            3 => 1 + self.below(200),
            _ => 1 + self.below(20_000),
        }
    }
}

fn reference(bytes: &[u8]) -> [u8; 16] {
    ::md5::Md5::digest(bytes).into()
}

fn wait_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// A chunk, and a reference that is gone when the chunk's memory is.
fn watched_chunk(len: usize) -> (Bytes, Weak<Vec<u8>>) {
    struct Owner(Arc<Vec<u8>>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    let memory = Arc::new(vec![7; len]);
    let watch = Arc::downgrade(&memory);
    (Bytes::from_owner(Owner(memory)), watch)
}

fn assert_freed_soon(watches: &[Weak<Vec<u8>>]) {
    for _ in 0..2000 {
        if watches.iter().all(|watch| watch.strong_count() == 0) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("chunks are still held after two seconds");
}

/// One thread's share: streams it feeds in turns, finishing each when its bytes are used up, dropping some.
fn feed_streams(lanes: &Md5Lanes, mut random: Random, streams: usize) {
    let mut open: Vec<(Md5Stream, Bytes, usize)> = (0..streams)
        .map(|_| {
            let len = if random.below(8) == 0 { random.below(130) } else { random.below(150_000) };
            (lanes.stream(), random.bytes(len), 0)
        })
        .collect();
    let mut answers = Vec::new();
    while !open.is_empty() {
        let turn = random.below(open.len());
        let (stream, bytes, fed) = &mut open[turn];
        let len = random.chunk_len().min(bytes.len() - *fed);
        stream.update(bytes.slice(*fed..*fed + len));
        *fed += len;
        if random.below(500) == 0 {
            open.swap_remove(turn);
        } else if *fed == bytes.len() {
            let (stream, bytes, _) = open.swap_remove(turn);
            // Half are waited for at once, half when the other streams are done.
            if random.below(2) == 0 {
                assert_eq!(wait_for(stream.finish()), reference(&bytes));
            } else {
                answers.push((stream, bytes));
            }
        }
    }
    for (stream, bytes) in answers {
        assert_eq!(wait_for(stream.finish()), reference(&bytes), "{} bytes", bytes.len());
    }
}

#[test]
fn agrees_with_the_reference_however_streams_are_cut_and_interleaved() {
    let mut random = Random::seeded();
    for kernel in Kernel::available() {
        for streams_each in [1, 2, 4, 12] {
            println!("{kernel:?}, 3 threads with {streams_each} streams each");
            let (lanes, thread) = start(kernel);
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    let (lanes, random) = (&lanes, Random(random.below(usize::MAX) as u64));
                    scope.spawn(move || feed_streams(lanes, random, streams_each));
                }
            });
            drop(lanes);
            thread.join().expect("the thread ends well");
        }
    }
}

#[test]
fn every_kernel_agrees_with_the_reference_for_every_number_of_lanes() {
    let mut random = Random::seeded();
    for kernel in Kernel::available() {
        for lanes in 1..=crate::kernel::LANES_MAX {
            for blocks in [0, 1, 2, 3, 17] {
                // Unaligned on purpose: each input begins at another offset.
                let bytes: Vec<Bytes> =
                    (0..lanes).map(|lane| random.bytes(lane + 64 * blocks).slice(lane..)).collect();
                let inputs: Vec<&[u8]> = bytes.iter().map(|bytes| &bytes[..]).collect();
                let mut states: Vec<_> =
                    (0..lanes).map(|_| [(); 4].map(|()| random.below(1 << 32) as u32)).collect();
                let mut expected = states.clone();
                for (state, input) in expected.iter_mut().zip(&inputs) {
                    ::md5::block_api::compress(state, input.as_chunks().0);
                }
                kernel.compress(&mut states, &inputs);
                assert_eq!(states, expected, "{kernel:?}, {lanes} lanes, {blocks} blocks");
            }
        }
    }
}

#[test]
#[should_panic(expected = "equal whole blocks")]
fn refuses_lanes_of_different_lengths() {
    Kernel::detect().compress(&mut [crate::md5::START; 2], &[&[0; 64], &[0; 128]]);
}

#[test]
fn gives_the_digest_of_an_empty_stream() {
    let lanes = Md5Lanes::start();
    assert_eq!(wait_for(lanes.stream().finish()), reference(b""));
    let mut stream = lanes.stream();
    stream.update(Bytes::new());
    assert_eq!(wait_for(stream.finish()), reference(b""));
}

#[test]
fn drops_each_chunk_once_it_is_hashed() {
    let lanes = Md5Lanes::start();
    let mut stream = lanes.stream();
    let (chunks, watches): (Vec<_>, Vec<_>) = (0..4).map(|_| watched_chunk(100_001)).unzip();
    chunks.into_iter().for_each(|chunk| stream.update(chunk));
    assert_freed_soon(&watches);
    assert_eq!(wait_for(stream.finish()), reference(&[7; 400_004]));
}

#[test]
fn frees_the_chunks_of_a_dropped_stream() {
    let lanes = Md5Lanes::start();
    // Others that go on, and must not be disturbed.
    let mut others: Vec<_> = (0..20).map(|_| lanes.stream()).collect();
    let mut watches = Vec::new();
    for _ in 0..20 {
        let mut dropped = lanes.stream();
        for _ in 0..3 {
            let (chunk, watch) = watched_chunk(1 << 20);
            dropped.update(chunk);
            watches.push(watch);
        }
    }
    others.iter_mut().for_each(|other| other.update(Bytes::from_static(b"still here")));
    assert_freed_soon(&watches);
    for other in others {
        assert_eq!(wait_for(other.finish()), reference(b"still here"));
    }
}

#[test]
fn frees_a_stream_whose_finish_is_given_up() {
    let (lanes, thread) = start(Kernel::detect());
    let (chunk, watch) = watched_chunk(1 << 20);
    let mut stream = lanes.stream();
    stream.update(chunk);
    wait_for(async {
        let mut finish = std::pin::pin!(stream.finish());
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(finish.as_mut().poll(cx))).await;
        println!("ready at the first poll: {}", polled.is_ready());
    });
    assert_freed_soon(&[watch]);
    drop(lanes);
    thread.join().expect("nothing of the stream keeps the thread alive");
}

#[test]
fn the_thread_ends_with_the_last_handle_and_stream() {
    let (lanes, thread) = start(Kernel::detect());
    let copy = lanes.clone();
    let mut stream = copy.stream();
    drop((lanes, copy));
    stream.update(Bytes::from_static(b"abc"));
    std::thread::sleep(Duration::from_millis(20));
    assert!(!thread.is_finished(), "a stream is still open");
    assert_eq!(wait_for(stream.finish()), reference(b"abc"));
    thread.join().expect("the thread ends well");
}
