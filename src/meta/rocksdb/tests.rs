use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

use super::*;
use crate::base::tasks::Tasks;
use crate::meta::{Meta, Read, Step, Table, Write, conformance};

conformance::checks!({
    let dir = TempDir::new().unwrap();
    (Meta::new(open(dir.path())), dir)
});

/// Small buffers, so that a test passes through flushes, compactions and recycled logs.
fn small() -> Settings {
    Settings { write_buffer_len: 256 << 10, max_wal_len: 256 << 10, ..Settings::default() }
}

fn open(dir: &Path) -> Arc<RocksDb> {
    RocksDb::open(dir, Settings::default()).unwrap()
}

async fn put(meta: &Meta, table: Table, key: Vec<u8>, value: Vec<u8>) -> Result<(), Error> {
    meta.transact(move |tx| {
        tx.put(table, &key, value.clone());
        Ok(())
    })
    .await
}

async fn delete(meta: &Meta, key: &'static [u8]) -> Result<(), Error> {
    meta.transact(move |tx| {
        tx.delete(Table::Objects, key);
        Ok(())
    })
    .await
}

fn count(read: &dyn Read, table: Table) -> Result<usize, Error> {
    let mut count = 0;
    read.scan(table, b"", &mut |_, _| {
        count += 1;
        Step::Next
    })?;
    Ok(count)
}

#[tokio::test]
async fn memory_tells_the_newest_value_and_leaves_the_disk_to_a_read() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let meta = Meta::new(store.clone());
    for value in [vec![1; 10], vec![2; 10]] {
        put(&meta, Table::Buckets, b"k".to_vec(), value.clone()).await.unwrap();
        assert_eq!(store.get_in_memory(Table::Buckets, b"k"), Some(Some(value.into())));
    }
    assert_eq!(store.get_in_memory(Table::Buckets, b"absent"), Some(None));

    // After a start, flushed values are on the disk only.
    put(&meta, Table::Inline, b"k".to_vec(), vec![3; 5000]).await.unwrap();
    store.database.with(Database::compact_inline).unwrap();
    drop((meta, store));
    let store = open(dir.path());
    let meta = Meta::new(store.clone());
    assert_eq!(store.get_in_memory(Table::Inline, b"k"), None);
    assert_eq!(meta.get(Table::Inline, b"k".to_vec()).await.unwrap().unwrap(), vec![3; 5000]);
}

#[tokio::test]
async fn keeps_everything_over_many_reopenings() {
    let dir = TempDir::new().unwrap();
    for turn in 0..5u32 {
        let meta = Meta::new(RocksDb::open(dir.path(), small()).unwrap());
        for number in 0..300u32 {
            let key = [turn.to_be_bytes(), number.to_be_bytes()].concat();
            put(&meta, Table::Objects, key.clone(), vec![turn as u8; 1000]).await.unwrap();
            put(&meta, Table::Inline, key, vec![turn as u8; 5000]).await.unwrap();
        }
        drop(meta);
        let meta = Meta::new(RocksDb::open(dir.path(), small()).unwrap());
        for table in [Table::Objects, Table::Inline] {
            let entries = meta.read(move |read| count(read, table)).await.unwrap();
            assert_eq!(entries, 300 * (turn as usize + 1));
        }
    }
    let recycled = std::fs::read_dir(dir.path()).unwrap().filter_map(|entry| {
        let log = entry.ok()?.file_name().into_string().ok()?;
        log.starts_with("LOG").then(|| std::fs::read_to_string(dir.path().join(log)).unwrap())
    });
    assert!(recycled.into_iter().any(|log| log.contains("from recycle list")), "no log was recycled");
}

#[tokio::test]
async fn large_inline_values_live_in_blob_files_and_are_collected() {
    let dir = TempDir::new().unwrap();
    let store = RocksDb::open(dir.path(), small()).unwrap();
    let meta = Meta::new(store.clone());
    for turn in 0..20u8 {
        for number in 0..20u32 {
            put(&meta, Table::Inline, number.to_be_bytes().to_vec(), vec![turn; 60_000]).await.unwrap();
        }
    }
    let blob_files = || {
        let files = std::fs::read_dir(dir.path()).unwrap();
        files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "blob")).count()
    };
    assert!(blob_files() > 0);
    store.database.with(Database::compact_inline).unwrap();
    let live = store.gauges().iter().find(|(name, _)| *name == "blob_file_bytes").unwrap().1;
    assert!(live < 20.0 * 20.0 * 60_000.0 / 2.0, "{live} bytes of blob files for 1.2 MB of values");
    let value = meta.read(|read| read.get(Table::Inline, &7u32.to_be_bytes())).await.unwrap().unwrap();
    assert_eq!(value, vec![19; 60_000]);
}

#[tokio::test]
async fn refuses_a_directory_that_is_open_already() {
    let dir = TempDir::new().unwrap();
    let _first = open(dir.path());
    let refused = RocksDb::open(dir.path(), Settings::default()).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unavailable);
    assert!(refused.to_string().contains("has it open"), "{refused}");
}

#[tokio::test]
async fn a_nearly_full_disk_takes_deletions_only() {
    let dir = TempDir::new().unwrap();
    let meta = Meta::new(open(dir.path()));
    put(&meta, Table::Objects, b"a".to_vec(), vec![1; 300]).await.unwrap();
    drop(meta);

    let nearly_full = Settings { free_min_len: u64::MAX, free_floor_len: 0, ..Settings::default() };
    let meta = Meta::new(RocksDb::open(dir.path(), nearly_full).unwrap());
    assert_eq!(meta.store().check().unwrap_err().kind, ErrorKind::NoSpace);
    let refused = put(&meta, Table::Objects, b"b".to_vec(), Vec::new()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NoSpace);
    let disguised = meta.transact(|tx| {
        tx.delete(Table::Objects, b"c");
        tx.put(Table::Inline, b"c", vec![0; 4096]);
        Ok::<_, Error>(())
    });
    assert_eq!(disguised.await.unwrap_err().kind, ErrorKind::NoSpace);
    let read_only = meta.transact(|tx| tx.get(Table::Objects, b"b"));
    assert_eq!(read_only.await.unwrap(), None);
    let noted = meta.transact(|tx| {
        tx.delete(Table::Objects, b"a");
        tx.put(Table::Garbage, b"a", Vec::new());
        Ok::<_, Error>(())
    });
    noted.await.unwrap();
    assert_eq!(meta.read(|read| count(read, Table::Objects)).await.unwrap(), 0);
}

#[tokio::test]
async fn a_full_disk_takes_nothing() {
    let dir = TempDir::new().unwrap();
    let full = Settings { free_min_len: u64::MAX, free_floor_len: u64::MAX, ..Settings::default() };
    let meta = Meta::new(RocksDb::open(dir.path(), full).unwrap());
    assert_eq!(delete(&meta, b"a").await.unwrap_err().kind, ErrorKind::NoSpace);
    assert_eq!(meta.read(|read| count(read, Table::Objects)).await.unwrap(), 0);
}

/// A group holds jobs that commit, refuse and panic; each gets its own answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_each_job_of_a_group_for_itself() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let meta = Meta::new(store.clone());
    // The committer is held in this job until the others wait behind it: they make one group.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let (started, has_started) = std::sync::mpsc::channel();
    let tasks = Tasks::new();
    tasks.spawn(store.transact(Box::new(move |_| {
        started.send(()).unwrap();
        held.lock().unwrap().recv().is_ok()
    })));
    has_started.recv().unwrap();
    let mut jobs = Vec::new();
    for number in 0..30u8 {
        let meta = meta.clone();
        let job = move |tx: &mut dyn Write| {
            let before = count(tx, Table::Objects)?;
            tx.put(Table::Objects, &[number], Vec::new());
            match number % 3 {
                0 => Ok(before),
                1 => Err(Error::new(ErrorKind::Conflict, "refused")),
                _ => panic!("on purpose"),
            }
        };
        jobs.push(tasks.spawn(async move { meta.transact(job).await }));
    }
    while store.commits.len() < 30 {
        tokio::task::yield_now().await;
    }
    drop(release);
    let mut seen = Vec::new();
    for (number, job) in jobs.into_iter().enumerate() {
        match (number % 3, job.await.unwrap()) {
            (0, outcome) => seen.push(outcome.unwrap()),
            (1, outcome) => assert_eq!(outcome.unwrap_err().kind, ErrorKind::Conflict),
            (_, outcome) => assert!(outcome.unwrap_err().to_string().contains("panicked")),
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    assert_eq!(meta.read(|read| count(read, Table::Objects)).await.unwrap(), 10);
}

#[tokio::test]
async fn a_failed_commit_is_the_last_one() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let meta = Meta::new(store.clone());
    put(&meta, Table::Objects, b"a".to_vec(), Vec::new()).await.unwrap();
    store.failure.set(&Error::new(ErrorKind::Io, "the disk went away"));
    for _ in 0..2 {
        let refused = put(&meta, Table::Objects, b"b".to_vec(), Vec::new()).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unavailable);
        assert!(refused.to_string().contains("the disk went away"), "{refused}");
    }
    assert!(meta.transact(|tx| tx.get(Table::Objects, b"a")).await.is_err());
    assert_eq!(store.check().unwrap_err().kind, ErrorKind::Unavailable);
    assert_eq!(meta.read(|read| count(read, Table::Objects)).await.unwrap(), 1);
}

#[tokio::test]
async fn transactions_that_were_taken_are_done_before_the_store_closes() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let meta = Meta::new(store.clone());
    let mut waiting = Vec::new();
    for number in 0..50u8 {
        let job = move |tx: &mut dyn Write| {
            tx.put(Table::Objects, &[number], Vec::new());
            true
        };
        let mut transaction = store.transact(Box::new(job));
        // Polled once, it is in the queue.
        if futures::poll!(&mut transaction).is_pending() {
            waiting.push(transaction);
        }
    }
    drop((store, meta));
    for transaction in waiting {
        transaction.await.unwrap();
    }
    let meta = Meta::new(open(dir.path()));
    assert_eq!(meta.read(|read| count(read, Table::Objects)).await.unwrap(), 50);
}

#[tokio::test]
async fn a_job_may_be_the_last_owner_of_the_store() {
    let dir = TempDir::new().unwrap();
    let meta = Meta::new(open(dir.path()));
    let owner = meta.clone();
    let read = meta.read(move |_| {
        drop(owner);
        Ok::<_, Error>(())
    });
    let read = Box::pin(read);
    read.await.unwrap();
    let owner = meta.clone();
    let store = meta.store().transact(Box::new(move |_| {
        let _owner = &owner;
        false
    }));
    drop(meta);
    store.await.unwrap();
}

#[tokio::test]
async fn gauges_have_values() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    put(&Meta::new(store.clone()), Table::Objects, b"a".to_vec(), vec![0; 300]).await.unwrap();
    let gauges = store.gauges();
    let gauge = |wanted| gauges.iter().find(|(name, _)| *name == wanted).unwrap().1;
    assert_eq!(gauge("keys"), 1.0);
    assert!(gauge("memtable_bytes") > 300.0);
    assert!(gauge("disk_free_bytes") > 0.0);
    assert_eq!((gauge("compactions_pending"), gauge("compactions_running")), (0.0, 0.0));
}

/// Puts values of 60 KB until one is refused; returns how many were acknowledged, and the refusal.
async fn fill(meta: &Meta) -> (u32, Error) {
    for number in 0u32.. {
        let value = (0..60_000 / 8).flat_map(|_| crate::base::random::bytes::<8>()).collect();
        if let Err(refused) = put(meta, Table::Inline, number.to_be_bytes().to_vec(), value).await {
            return (number, refused);
        }
    }
    unreachable!("the file system has no end")
}

fn small_file_system() -> TempDir {
    let root = std::env::var_os("DOVETAIL_TEST_SMALL_FS").expect("DOVETAIL_TEST_SMALL_FS names a directory");
    TempDir::new_in(root).unwrap()
}

#[tokio::test]
#[ignore = "needs DOVETAIL_TEST_SMALL_FS=/mnt after mount -t tmpfs -o size=96m tmpfs /mnt"]
async fn a_disk_filled_to_the_reserve_can_be_emptied_again() {
    let dir = small_file_system();
    let settings = Settings { free_min_len: 48 << 20, free_floor_len: 8 << 20, ..small() };
    let store = RocksDb::open(dir.path(), settings).unwrap();
    let meta = Meta::new(store.clone());
    let (count, refused) = fill(&meta).await;
    assert_eq!(refused.kind, ErrorKind::NoSpace);
    for number in 0..count {
        let deleted = meta.transact(move |tx| {
            tx.delete(Table::Inline, &number.to_be_bytes());
            Ok::<_, Error>(())
        });
        deleted.await.unwrap();
    }
    store.failure.check().unwrap();
    // Files that nothing needs any more are deleted in the background.
    while store.check().is_err() {
        store.database.with(Database::compact_inline).unwrap();
        tokio::task::yield_now().await;
    }
    assert!(fill(&meta).await.0 > 0);
}

#[tokio::test]
#[ignore = "needs DOVETAIL_TEST_SMALL_FS=/mnt after mount -t tmpfs -o size=96m tmpfs /mnt"]
async fn after_a_failed_write_on_a_full_disk_goes_on_once_there_is_room() {
    let dir = small_file_system();
    let ballast = dir.path().join("ballast");
    std::fs::write(&ballast, vec![1; 32 << 20]).unwrap();
    let settings = Settings { free_min_len: 0, free_floor_len: 0, ..small() };
    let store = RocksDb::open(&dir.path().join("meta"), settings.clone()).unwrap();
    let meta = Meta::new(store.clone());
    let (count, refused) = fill(&meta).await;
    assert_eq!(refused.kind, ErrorKind::NoSpace);
    assert_eq!(store.check().unwrap_err().kind, ErrorKind::NoSpace);
    assert_eq!(delete(&meta, b"a").await.unwrap_err().kind, ErrorKind::NoSpace);

    std::fs::remove_file(ballast).unwrap();
    while store.check().is_err() {
        tokio::task::yield_now().await;
    }
    let all = async |meta: &Meta| meta.read(|read| count_inline(read)).await.unwrap();
    let found = all(&meta).await;
    assert!(found == count || found == count + 1, "{found} found of {count} acknowledged");
    put(&meta, Table::Inline, b"last".to_vec(), Vec::new()).await.unwrap();
    drop((meta, store));
    let meta = Meta::new(RocksDb::open(&dir.path().join("meta"), settings).unwrap());
    assert_eq!(all(&meta).await, found + 1);
}

fn count_inline(read: &dyn Read) -> Result<u32, Error> {
    count(read, Table::Inline).map(|count| count as u32)
}
