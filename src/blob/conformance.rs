//! What every backend must do, as tests that each of them runs.
//!
//! [`run_all`] opens a fresh store for every test. What only one backend promises (that a reader outlives a deletion,
//! say) is tested beside that backend.

use crate::base::buffers::{BufferPool, CHUNK_LEN};
use crate::base::limits::MIB;
use crate::blob::{BlobEntry, BlobId, Error, ErrorKind, Store};
use bytes::{Bytes, BytesMut};
use futures::future::{LocalBoxFuture, join_all};
use futures::{FutureExt, TryStreamExt};
use std::sync::Arc;
use std::time::Duration;

type Test = fn(Arc<dyn Store>) -> LocalBoxFuture<'static, ()>;

macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), |store| $name(store).boxed_local())),*]
    };
}

const ALL: &[(&str, Test)] = tests![
    gives_back_what_was_written_at_every_size,
    gives_back_what_came_in_odd_pieces,
    gives_back_chunks_of_the_buffer_pool,
    takes_a_blob_of_unknown_length,
    reads_any_range,
    refuses_ranges_beyond_the_end,
    refuses_a_length_other_than_the_declared_one,
    shows_nothing_before_it_is_finished,
    leaves_nothing_of_a_dropped_writer,
    leaves_nothing_of_a_dropped_finish,
    deletes_twice,
    misses_what_was_never_written,
    lists_every_finished_blob,
    keeps_many_writers_apart,
    sweeps_without_touching_the_living,
    passes_its_check,
];

/// Runs every test, each on a store of its own, and says which one it is at.
pub async fn run_all(open: impl AsyncFn() -> Arc<dyn Store>) {
    for (name, test) in ALL {
        eprintln!("conformance: {name}");
        test(open().await).await;
    }
}

/// `len` bytes that differ from place to place and with `seed`.
pub fn pattern(len: usize, seed: u64) -> Bytes {
    let mut bytes = BytesMut::with_capacity(len + 8);
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while bytes.len() < len {
        // Xorshift, as in Marsaglia, "Xorshift RNGs" (2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes.freeze()
}

/// Writes `bytes` as one blob in pieces of `piece_len`.
pub async fn put(store: &dyn Store, bytes: &Bytes, piece_len: usize) -> Result<BlobId, Error> {
    put_pieces(store, Some(bytes.len() as u64), bytes, |_| piece_len).await
}

/// Reads a whole blob in pieces of 1 MiB.
pub async fn get(store: &dyn Store, id: BlobId, len: usize) -> Result<Bytes, Error> {
    let reader = store.open(id).await?;
    let mut bytes = BytesMut::with_capacity(len);
    while bytes.len() < len {
        let piece_len = (len - bytes.len()).min(CHUNK_LEN);
        bytes.extend_from_slice(&reader.read(bytes.len() as u64, piece_len).await?);
    }
    Ok(bytes.freeze())
}

async fn put_pieces(
    store: &dyn Store,
    len_declared: Option<u64>,
    bytes: &Bytes,
    piece_len: impl Fn(usize) -> usize,
) -> Result<BlobId, Error> {
    let id = BlobId::random();
    let mut writer = store.create(id, len_declared).await?;
    let mut rest = bytes.clone();
    for number in 0.. {
        if rest.is_empty() {
            break;
        }
        let piece_len = piece_len(number).min(rest.len());
        writer.write(rest.split_to(piece_len)).await?;
    }
    writer.finish().await?;
    Ok(id)
}

async fn listed(store: &dyn Store) -> Vec<BlobEntry> {
    let mut entries: Vec<BlobEntry> = store.list().try_collect().await.expect("a list");
    entries.sort_by_key(|entry| entry.id);
    entries
}

async fn is_missing(store: &dyn Store, id: BlobId) -> bool {
    store.open(id).await.is_err_and(|err| err.kind == ErrorKind::Missing)
}

/// Waits for what a dropped writer leaves to its backend, which is soon but not at once.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("after 5 seconds it still does not hold that {what}");
}

async fn gives_back_what_was_written_at_every_size(store: Arc<dyn Store>) {
    let mib = MIB as usize;
    for len in [0, 1, 4095, 4096, 4097, mib, 8 * mib - 1, 8 * mib, 8 * mib + 1, 20 * mib] {
        let bytes = pattern(len, len as u64);
        let id = put(&*store, &bytes, CHUNK_LEN).await.expect("a blob");
        assert!(get(&*store, id, len).await.expect("its bytes") == bytes, "{len} bytes came back changed");
    }
}

async fn gives_back_what_came_in_odd_pieces(store: Arc<dyn Store>) {
    let bytes = pattern(20 * MIB as usize + 4097, 7);
    for piece_lens in [&[4097][..], &[CHUNK_LEN, 1, CHUNK_LEN], &[1, 4095, 3 * CHUNK_LEN, 9 * CHUNK_LEN + 5]]
    {
        let len = if piece_lens[0] == 4097 { 4 << 20 } else { bytes.len() };
        let bytes = bytes.slice(..len);
        let id =
            put_pieces(&*store, Some(len as u64), &bytes, |number| piece_lens[number % piece_lens.len()])
                .await
                .expect("a blob");
        assert!(get(&*store, id, len).await.expect("its bytes") == bytes, "pieces of {piece_lens:?} changed");
    }
    // Memory that begins at an odd address.
    let odd = bytes.slice(3..9 << 20);
    let id = put(&*store, &odd, CHUNK_LEN).await.expect("a blob");
    assert!(get(&*store, id, odd.len()).await.expect("its bytes") == odd);
}

/// Two chunks a body: a backend that kept one of them beyond its write would never get the third.
async fn gives_back_chunks_of_the_buffer_pool(store: Arc<dyn Store>) {
    let lease = BufferPool::new(0).lease(Duration::ZERO).await.expect("the only lease");
    for len_known in [true, false] {
        let bytes = pattern(17 * CHUNK_LEN + 12_345, 3);
        let id = BlobId::random();
        let mut writer = store.create(id, len_known.then_some(bytes.len() as u64)).await.expect("a writer");
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let mut chunk = tokio::time::timeout(Duration::from_secs(60), lease.chunk())
                .await
                .expect("a chunk comes back");
            rest = &rest[chunk.fill(rest)..];
            writer.write(chunk.freeze()).await.expect("a write");
        }
        writer.finish().await.expect("a blob");
        assert!(get(&*store, id, bytes.len()).await.expect("its bytes") == bytes);
    }
}

async fn takes_a_blob_of_unknown_length(store: Arc<dyn Store>) {
    for len in [0, 1, CHUNK_LEN + 5, 17 * CHUNK_LEN + 5] {
        let bytes = pattern(len, 11);
        let id = put_pieces(&*store, None, &bytes, |_| CHUNK_LEN).await.expect("a blob");
        assert!(get(&*store, id, len).await.expect("its bytes") == bytes, "{len} bytes came back changed");
    }
}

async fn reads_any_range(store: Arc<dyn Store>) {
    let len = 9 * CHUNK_LEN + 17;
    let bytes = pattern(len, 5);
    let id = put(&*store, &bytes, CHUNK_LEN).await.expect("a blob");
    let reader = store.open(id).await.expect("a reader");
    let ranges = [
        (0, 0),
        (0, 1),
        (0, len),
        (1, 4096),
        (4095, 2),
        (4096, 256 << 10),
        (CHUNK_LEN - 1, 2),
        (CHUNK_LEN + 3, 2 * CHUNK_LEN),
        (len - 1, 1),
        (len - 4097, 4097),
        (len, 0),
        (5, 100_000),
        (100_005, 100_000),
        (200_005, 3 << 20),
        (77, 3),
    ];
    for (offset, range_len) in ranges {
        let read = reader.read(offset as u64, range_len).await.expect("a range");
        assert!(read == bytes[offset..offset + range_len], "{range_len} bytes at {offset} came back changed");
    }
    let together = join_all((0..8).map(|number| reader.read(number * 1000, 1000))).await;
    for (number, read) in together.into_iter().enumerate() {
        assert!(read.expect("a range") == bytes[number * 1000..(number + 1) * 1000]);
    }
}

async fn refuses_ranges_beyond_the_end(store: Arc<dyn Store>) {
    let id = put(&*store, &pattern(4097, 1), CHUNK_LEN).await.expect("a blob");
    let reader = store.open(id).await.expect("a reader");
    let ranges =
        [(0, 4098), (4097, 1), (4096, 2), (9000, 10), (u64::MAX, 1), (u64::MAX - 1, 2), (1, usize::MAX)];
    for (offset, len) in ranges {
        let err = reader.read(offset, len).await.expect_err("a range that is not there");
        assert_eq!(err.kind, ErrorKind::Corrupt, "{len} bytes at {offset}: {err}");
    }
    assert_eq!(reader.read(4096, 1).await.expect("the last byte").len(), 1);
}

async fn refuses_a_length_other_than_the_declared_one(store: Arc<dyn Store>) {
    for (declared, sent) in
        [(100, 99), (100, 101), (0, 1), (1, 0), (9 << 20, (9 << 20) - 1), (9 << 20, (9 << 20) + 1)]
    {
        let result = put_pieces(&*store, Some(declared), &pattern(sent, 2), |_| CHUNK_LEN).await;
        let err = result.expect_err("a blob of another length than declared");
        assert_eq!(err.kind, ErrorKind::Corrupt, "{sent} bytes for {declared}: {err}");
    }
    eventually("no blob is listed", async || listed(&*store).await.is_empty()).await;
}

async fn shows_nothing_before_it_is_finished(store: Arc<dyn Store>) {
    for len in [3 << 20, 20 << 20] {
        let bytes = pattern(len, 4);
        let id = BlobId::random();
        let mut writer = store.create(id, Some(len as u64)).await.expect("a writer");
        for at in (0..len).step_by(CHUNK_LEN) {
            assert!(is_missing(&*store, id).await);
            writer.write(bytes.slice(at..at + CHUNK_LEN)).await.expect("a write");
        }
        assert!(is_missing(&*store, id).await);
        assert!(!listed(&*store).await.iter().any(|entry| entry.id == id));
        writer.finish().await.expect("a blob");
        assert!(listed(&*store).await.contains(&BlobEntry { id, len: len as u64 }));
        store.open(id).await.expect("a reader");
    }
}

async fn leaves_nothing_of_a_dropped_writer(store: Arc<dyn Store>) {
    for len in [0, 1, 3 << 20, 20 << 20] {
        let id = BlobId::random();
        let mut writer = store.create(id, Some(20 << 20)).await.expect("a writer");
        for at in (0..len).step_by(CHUNK_LEN) {
            writer.write(pattern(CHUNK_LEN.min(len - at), 4)).await.expect("a write");
        }
        drop(writer);
        assert!(is_missing(&*store, id).await);
        assert!(listed(&*store).await.is_empty());
    }
}

/// A client that goes away during the last step must not leave a blob that no record will ever name.
async fn leaves_nothing_of_a_dropped_finish(store: Arc<dyn Store>) {
    for polls in 1..4 {
        let id = BlobId::random();
        let bytes = pattern(10 << 20, 4);
        let mut writer = store.create(id, Some(bytes.len() as u64)).await.expect("a writer");
        writer.write(bytes).await.expect("a write");
        let mut finish = writer.finish();
        let mut finished = false;
        for _ in 0..polls {
            finished = finished || (&mut finish).now_or_never().is_some();
            tokio::task::yield_now().await;
        }
        drop(finish);
        if finished {
            store.delete(id).await.expect("a deletion");
        }
        eventually("the blob is gone", async || {
            is_missing(&*store, id).await && listed(&*store).await.is_empty()
        })
        .await;
    }
}

async fn deletes_twice(store: Arc<dyn Store>) {
    let id = put(&*store, &pattern(1000, 1), CHUNK_LEN).await.expect("a blob");
    let other = put(&*store, &pattern(1000, 2), CHUNK_LEN).await.expect("a blob");
    store.delete(id).await.expect("a deletion");
    store.delete(id).await.expect("a second deletion");
    assert!(is_missing(&*store, id).await);
    assert_eq!(listed(&*store).await, [BlobEntry { id: other, len: 1000 }]);
}

async fn misses_what_was_never_written(store: Arc<dyn Store>) {
    assert!(is_missing(&*store, BlobId::random()).await);
    store.delete(BlobId::random()).await.expect("a deletion of nothing");
    assert!(listed(&*store).await.is_empty());
}

async fn lists_every_finished_blob(store: Arc<dyn Store>) {
    let mut expected = Vec::new();
    for len in 0..40 {
        let id = put(&*store, &pattern(len, 1), CHUNK_LEN).await.expect("a blob");
        expected.push(BlobEntry { id, len: len as u64 });
    }
    expected.sort_by_key(|entry| entry.id);
    assert_eq!(listed(&*store).await, expected);
}

async fn keeps_many_writers_apart(store: Arc<dyn Store>) {
    let writers = (0..24).map(|number| {
        let store = Arc::clone(&store);
        async move {
            let len = [1000, 100_000, CHUNK_LEN, 9 * CHUNK_LEN + 1][number % 4];
            let bytes = pattern(len, number as u64);
            let id = put(&*store, &bytes, 300_000).await.expect("a blob");
            assert!(
                get(&*store, id, len).await.expect("its bytes") == bytes,
                "blob {number} came back changed"
            );
            id
        }
    });
    let mut ids = join_all(writers).await;
    ids.sort();
    assert_eq!(listed(&*store).await.iter().map(|entry| entry.id).collect::<Vec<_>>(), ids);
}

async fn sweeps_without_touching_the_living(store: Arc<dyn Store>) {
    let finished = put(&*store, &pattern(1000, 1), CHUNK_LEN).await.expect("a blob");
    let bytes = pattern(18 << 20, 9);
    let id = BlobId::random();
    let mut writer = store.create(id, Some(bytes.len() as u64)).await.expect("a writer");
    for at in (0..bytes.len()).step_by(CHUNK_LEN) {
        writer.write(bytes.slice(at..at + CHUNK_LEN)).await.expect("a write");
        if at == 10 << 20 {
            store.sweep_unfinished().await.expect("a sweep");
        }
    }
    writer.finish().await.expect("a blob");
    store.sweep_unfinished().await.expect("a sweep");
    assert!(get(&*store, id, bytes.len()).await.expect("its bytes") == bytes);
    assert_eq!(get(&*store, finished, 1000).await.expect("its bytes"), pattern(1000, 1));
}

async fn passes_its_check(store: Arc<dyn Store>) {
    store.check().await.expect("a working store");
    assert!(listed(&*store).await.is_empty());
}
