//! Local blobs: what only files promise, and what happens around their edges.

use super::*;
use crate::base::buffers::BufferPool;
use crate::blob::conformance::{get, pattern, put};
use bytes::Bytes;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

const MIB_LEN: usize = MIB as usize;

fn settings() -> Settings {
    Settings { write_threads: 3, read_threads: 2, free_len_min: MIB, ..Settings::default() }
}

struct Fixture {
    folder: TempDir,
    store: Local,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture::with(settings())
    }

    fn with(settings: Settings) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let store = Local::open(&folder.path().join("blobs"), &folder.path().join("tmp"), settings).unwrap();
        Fixture { folder, store }
    }

    fn tmp(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("tmp")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn path(&self, id: BlobId) -> PathBuf {
        self.folder.path().join("blobs").join(place(id))
    }

    async fn tmp_becomes_empty(&self) {
        for _ in 0..500 {
            if self.tmp().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("still in tmp: {:?}", self.tmp());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    let open = async || {
        number.set(number.get() + 1);
        let base = folder.path().join(number.get().to_string());
        let store = Local::open(&base.join("blobs"), &base.join("tmp"), settings()).unwrap();
        Arc::new(store) as Arc<dyn Store>
    };
    crate::blob::conformance::run_all(open).await;
}

#[tokio::test]
async fn a_reader_keeps_its_bytes_when_the_blob_is_deleted() {
    let fixture = Fixture::new();
    let bytes = pattern(9 * MIB_LEN, 1);
    let id = put(&fixture.store, &bytes, MIB_LEN).await.unwrap();
    let reader = fixture.store.open(id).await.unwrap();
    fixture.store.delete(id).await.unwrap();
    assert!(!fixture.path(id).exists());
    assert!(reader.read(0, bytes.len()).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_file_cut_short_behind_our_back_is_corrupt() {
    let fixture = Fixture::new();
    let id = put(&fixture.store, &pattern(MIB_LEN, 1), MIB_LEN).await.unwrap();
    let reader = fixture.store.open(id).await.unwrap();
    std::fs::OpenOptions::new().write(true).open(fixture.path(id)).unwrap().set_len(1000).unwrap();
    assert_eq!(reader.read(0, 1001).await.unwrap_err().kind, ErrorKind::Corrupt);
    assert_eq!(reader.read(0, 1000).await.unwrap().len(), 1000);
}

#[tokio::test]
async fn a_dropped_writer_leaves_no_file() {
    let fixture = Fixture::new();
    for len in [0, 1, MIB_LEN, 3 * MIB_LEN] {
        let mut writer = fixture.store.create(BlobId::random(), Some(20 * MIB)).await.unwrap();
        assert_eq!(fixture.tmp().len(), 1);
        if len > 0 {
            writer.write(pattern(len, 1)).await.unwrap();
        }
        drop(writer);
        fixture.tmp_becomes_empty().await;
    }
}

#[tokio::test]
async fn a_writer_dropped_outside_the_runtime_leaves_no_file() {
    let fixture = Fixture::new();
    let writer = fixture.store.create(BlobId::random(), None).await.unwrap();
    std::thread::spawn(move || drop(writer)).join().unwrap();
    fixture.tmp_becomes_empty().await;
}

#[tokio::test]
async fn sweeping_removes_what_an_earlier_process_left() {
    let fixture = Fixture::new();
    let left = fixture.folder.path().join("tmp").join(BlobId::random().to_string());
    std::fs::write(&left, b"half a blob").unwrap();
    std::fs::write(fixture.folder.path().join("tmp/check-1"), b"").unwrap();
    let writer = fixture.store.create(BlobId::random(), None).await.unwrap();
    fixture.store.sweep_unfinished().await.unwrap();
    assert!(!left.exists());
    assert_eq!(fixture.tmp().len(), 1, "the living writer's file stays");
    writer.finish().await.unwrap();
}

#[tokio::test]
async fn no_space_is_said_before_the_first_byte() {
    let fixture = Fixture::new();
    let err = fixture.store.create(BlobId::random(), Some(1 << 60)).await.err().unwrap();
    assert_eq!(err.kind, ErrorKind::NoSpace, "{err}");
    fixture.tmp_becomes_empty().await;

    let full = Fixture::with(Settings { free_len_min: u64::MAX, ..settings() });
    assert_eq!(full.store.create(BlobId::random(), None).await.err().unwrap().kind, ErrorKind::NoSpace);
    assert_eq!(full.store.check().await.unwrap_err().kind, ErrorKind::NoSpace);
}

#[tokio::test]
async fn opening_again_finds_the_blobs() {
    let fixture = Fixture::new();
    let bytes = pattern(9 * MIB_LEN + 5, 1);
    let id = put(&fixture.store, &bytes, MIB_LEN).await.unwrap();
    let Fixture { folder, store } = fixture;
    drop(store);
    let store = Local::open(&folder.path().join("blobs"), &folder.path().join("tmp"), settings()).unwrap();
    assert!(get(&store, id, bytes.len()).await.unwrap() == bytes);
}

#[tokio::test]
async fn foreign_files_are_not_listed() {
    let fixture = Fixture::new();
    let id = put(&fixture.store, &Bytes::from_static(b"ours"), MIB_LEN).await.unwrap();
    let folder = fixture.path(id).parent().unwrap().to_path_buf();
    std::fs::write(folder.join("notes.txt"), b"").unwrap();
    let elsewhere = BlobId([id.0[0] ^ 1; 16]);
    std::fs::write(folder.join(elsewhere.to_string()), b"").unwrap();
    let listed: Vec<_> = fixture.store.list().collect().await;
    assert_eq!(listed.len(), 1);
    assert_eq!(*listed[0].as_ref().unwrap(), BlobEntry { id, len: 4 });
}

#[tokio::test]
async fn a_write_that_was_interrupted_fails_the_blob() {
    let fixture = Fixture::with(Settings { write_threads: 1, queue_len_max: 1, ..settings() });
    let mut writer = fixture.store.create(BlobId::random(), None).await.unwrap();
    let blocked = fixture.store.write_threads.slot().await;
    {
        let mut write = writer.write(Bytes::from_static(b"lost"));
        assert!(futures::FutureExt::now_or_never(&mut write).is_none());
    }
    drop(blocked);
    assert!(writer.write(Bytes::from_static(b"more")).await.is_err());
    assert!(writer.finish().await.is_err());
    fixture.tmp_becomes_empty().await;
}

#[tokio::test]
async fn large_aligned_blobs_bypass_the_page_cache() {
    let fixture = Fixture::new();
    let folders = Arc::clone(&fixture.store.folders);
    let mut unfinished =
        Unfinished::create(folders, BlobId::random(), Some(8 * MIB + 5), &settings()).unwrap();
    if !unfinished.is_direct() {
        // A file system without direct I/O, such as an older tmpfs: the other tests have covered the fallback.
        eprintln!("no direct I/O in {}", fixture.folder.path().display());
        return;
    }
    let lease = BufferPool::new(0).lease(Duration::ZERO).await.unwrap();
    let mut chunk = lease.chunk().await;
    chunk.fill(&pattern(MIB_LEN, 1));
    let chunk = chunk.freeze();
    for _ in 0..8 {
        unfinished.append(&chunk).unwrap();
        assert!(unfinished.is_direct());
    }
    unfinished.append(&chunk[..5]).unwrap();
    assert!(!unfinished.is_direct(), "the tail is buffered");
}
