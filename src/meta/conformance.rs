//! What every store must do, as checks that every implementation runs.
//!
//! Each check gets a store of its own that is empty. [`checks`] makes a test of each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use crate::base::tasks::Tasks;
use crate::meta::{Error, ErrorKind, Meta, Read, Step, Table, Write};

/// A test of each check. The argument is an expression for a new, empty store and whatever must outlive it.
#[cfg(test)]
macro_rules! checks {
    ($open:expr) => {
        crate::meta::conformance::checks! { $open =>
            gives_back_what_was_put
            scans_in_key_order_from_a_key_on
            scans_stop_when_told
            scans_seek_past_prefixes
            tables_do_not_leak_into_each_other
            a_transaction_reads_its_own_writes
            a_transaction_scans_its_own_writes
            a_transaction_scans_like_the_store_will
            drops_what_a_failed_job_wrote
            drops_what_a_panicking_job_wrote
            a_panicking_read_fails_alone
            counters_lose_no_increment
            neighbours_in_a_group_see_each_other_whole
            takes_a_large_transaction
            a_snapshot_stays_while_others_write
            reads_what_was_acknowledged
            a_dropped_transaction_happens_whole_or_not_at_all
        }
    };
    ($open:expr => $($check:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let (meta, _keep) = $open;
                crate::meta::conformance::$check(meta).await;
            }
        )*
    };
}
#[cfg(test)]
pub(crate) use checks;

const TABLE: Table = Table::Objects;
const TASKS: usize = 8;

pub async fn gives_back_what_was_put(meta: Meta) {
    let long = vec![7; 64 << 10];
    for table in Table::ALL {
        assert_eq!(get(&meta, table, b"a").await, None);
        put(&meta, table, b"a", b"1").await;
        put(&meta, table, b"", &long).await;
        put(&meta, table, b"\xff\xff", b"").await;
        assert_eq!(get(&meta, table, b"a").await.as_deref(), Some(&b"1"[..]));
        assert_eq!(get(&meta, table, b"").await.as_deref(), Some(&long[..]));
        assert_eq!(get(&meta, table, b"\xff\xff").await.as_deref(), Some(&b""[..]));
        put(&meta, table, b"a", b"2").await;
        assert_eq!(get(&meta, table, b"a").await.as_deref(), Some(&b"2"[..]));
        delete(&meta, table, b"a").await;
        delete(&meta, table, b"never there").await;
        assert_eq!(get(&meta, table, b"a").await, None);
    }
}

pub async fn scans_in_key_order_from_a_key_on(meta: Meta) {
    put_all(&meta, &["b", "a/2", "a", "", "a/", "\u{fffd}", "c", "ab"]).await;
    let all = ["", "a", "a/", "a/2", "ab", "b", "c", "\u{fffd}"];
    assert_eq!(keys_from(&meta, "").await, all);
    assert_eq!(keys_from(&meta, "a/").await, all[2..]);
    assert_eq!(keys_from(&meta, "a/1").await, all[3..]);
    assert_eq!(keys_from(&meta, "d").await, all[7..]);
    assert!(keys_from(&meta, "\u{10ffff}").await.is_empty());
}

pub async fn scans_stop_when_told(meta: Meta) {
    put_all(&meta, &["a", "b", "c"]).await;
    let seen =
        read(&meta, |read| visit(read, "", |key| if key == "b" { Step::Stop } else { Step::Next })).await;
    assert_eq!(seen, ["a", "b"]);
}

pub async fn scans_seek_past_prefixes(meta: Meta) {
    put_all(&meta, &["a/1", "a/2", "b", "c/1", "c/1/x", "c/9", "d"]).await;
    let past_prefix = |key: &str| match key.split_once('/') {
        Some((prefix, _)) => Step::Seek(format!("{prefix}0").into_bytes()),
        None => Step::Next,
    };
    assert_eq!(read(&meta, move |read| visit(read, "", past_prefix)).await, ["a/1", "b", "c/1", "d"]);
    let to_the_end = |_: &str| Step::Seek(b"\xff\xff\xff".to_vec());
    assert_eq!(read(&meta, move |read| visit(read, "", to_the_end)).await, ["a/1"]);
    let to_an_entry = |key: &str| if key == "a/1" { Step::Seek(b"c/9".to_vec()) } else { Step::Next };
    assert_eq!(read(&meta, move |read| visit(read, "", to_an_entry)).await, ["a/1", "c/9", "d"]);
}

pub async fn tables_do_not_leak_into_each_other(meta: Meta) {
    for table in Table::ALL {
        put(&meta, table, format!("{table:?}").as_bytes(), b"").await;
        put(&meta, table, b"\xff\xff\xff", b"").await;
    }
    for table in Table::ALL {
        let expected = vec![format!("{table:?}").into_bytes(), b"\xff\xff\xff".to_vec()];
        assert_eq!(read(&meta, move |read| keys_of(read, table)).await, expected);
        let in_transaction = meta.transact(move |tx| {
            tx.put(table, b"\xff\xff\xff\xff", Vec::new());
            let keys = keys_of(tx, table)?;
            tx.delete(table, b"\xff\xff\xff\xff");
            Ok::<_, Error>(keys.len())
        });
        assert_eq!(in_transaction.await.unwrap(), 3);
    }
}

pub async fn a_transaction_reads_its_own_writes(meta: Meta) {
    put_all(&meta, &["kept", "changed", "deleted", "revived"]).await;
    let seen = meta.transact(|tx| {
        tx.put(TABLE, b"changed", b"new".to_vec());
        tx.put(TABLE, b"added", b"new".to_vec());
        tx.delete(TABLE, b"deleted");
        tx.delete(TABLE, b"revived");
        tx.put(TABLE, b"revived", b"new".to_vec());
        tx.put(TABLE, b"passing", b"new".to_vec());
        tx.delete(TABLE, b"passing");
        let keys: [&[u8]; 6] = [b"kept", b"changed", b"added", b"deleted", b"revived", b"passing"];
        keys.iter().map(|key| tx.get(TABLE, key)).collect::<Result<Vec<_>, Error>>()
    });
    let seen: Vec<_> = seen.await.unwrap().into_iter().map(|value| value.map(|v| v.to_vec())).collect();
    let (old, new) = (Some(b"old".to_vec()), Some(b"new".to_vec()));
    assert_eq!(seen, [old, new.clone(), new.clone(), None, new, None]);
    assert_eq!(keys_from(&meta, "").await, ["added", "changed", "kept", "revived"]);
}

pub async fn a_transaction_scans_its_own_writes(meta: Meta) {
    put_all(&meta, &["b", "d/1", "d/2", "f", "h"]).await;
    let (all, seeking) = meta
        .transact(|tx| {
            for key in ["a", "d/0", "d/3", "z"] {
                tx.put(TABLE, key.as_bytes(), b"new".to_vec());
            }
            tx.put(TABLE, b"b", b"new".to_vec());
            for key in ["d/1", "h", "not there"] {
                tx.delete(TABLE, key.as_bytes());
            }
            let past_d = |key: &str| if key == "d/0" { Step::Seek(b"d0".to_vec()) } else { Step::Next };
            let mut all = Vec::new();
            tx.scan(TABLE, b"", &mut |key, value| {
                all.push((text(key), text(value)));
                Step::Next
            })?;
            Ok::<_, Error>((all, visit(tx, "b", past_d)?))
        })
        .await
        .unwrap();
    let expected = [
        ("a", "new"),
        ("b", "new"),
        ("d/0", "new"),
        ("d/2", "old"),
        ("d/3", "new"),
        ("f", "old"),
        ("z", "new"),
    ];
    assert_eq!(all, expected.map(|(key, value)| (key.to_string(), value.to_string())));
    assert_eq!(seeking, ["b", "d/0", "f", "z"]);
}

/// Many small writes in an order that looks random, against a map that is known to be right.
pub async fn a_transaction_scans_like_the_store_will(meta: Meta) {
    let mut model = BTreeMap::new();
    let mut number = 1u32;
    for _ in 0..20 {
        let mut writes = Vec::new();
        for _ in 0..30 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = format!("{:02}", (number >> 16) % 60);
            let value = (!(number >> 8).is_multiple_of(3)).then(|| number.to_string());
            match &value {
                Some(value) => model.insert(key.clone(), value.clone()),
                None => model.remove(&key),
            };
            writes.push((key, value));
        }
        let inside = meta
            .transact(move |tx| {
                for (key, value) in &writes {
                    match value {
                        Some(value) => tx.put(TABLE, key.as_bytes(), value.clone().into_bytes()),
                        None => tx.delete(TABLE, key.as_bytes()),
                    }
                }
                entries(tx)
            })
            .await
            .unwrap();
        let expected: Vec<_> = model.clone().into_iter().collect();
        assert_eq!(inside, expected);
        assert_eq!(read(&meta, entries).await, expected);
    }
}

pub async fn drops_what_a_failed_job_wrote(meta: Meta) {
    put(&meta, TABLE, b"a", b"old").await;
    let refused = meta.transact(|tx| {
        tx.put(TABLE, b"a", b"new".to_vec());
        tx.put(TABLE, b"b", b"new".to_vec());
        tx.delete(TABLE, b"a");
        Err::<(), _>(Error::new(ErrorKind::Conflict, "refused by the job"))
    });
    assert_eq!(refused.await.unwrap_err().step, "refused by the job");
    assert_eq!(read(&meta, entries).await, [("a".to_string(), "old".to_string())]);
}

pub async fn drops_what_a_panicking_job_wrote(meta: Meta) {
    let panicked = meta.transact(|tx| -> Result<(), Error> {
        tx.put(TABLE, b"a", b"new".to_vec());
        panic!("on purpose");
    });
    assert!(panicked.await.is_err());
    let back = meta.transact(|tx| tx.scan(TABLE, b"", &mut |_, _| Step::Seek(Vec::new())));
    back.await.unwrap();
    put(&meta, TABLE, b"b", b"").await;
    let back = meta.transact(|tx| tx.scan(TABLE, b"", &mut |_, _| Step::Seek(Vec::new())));
    assert!(back.await.is_err(), "a scan that goes back must not go on for ever");
    assert_eq!(keys_from(&meta, "").await, ["b"]);
}

pub async fn a_panicking_read_fails_alone(meta: Meta) {
    put(&meta, TABLE, b"a", b"").await;
    for _ in 0..20 {
        let panicked = meta.read(|_| -> Result<(), Error> { panic!("on purpose") });
        assert!(panicked.await.is_err());
    }
    assert_eq!(keys_from(&meta, "").await, ["a"]);
}

/// Serialisable: of transactions that read and write the same key, none acts on what another is changing.
pub async fn counters_lose_no_increment(meta: Meta) {
    const INCREMENTS: u64 = 50;
    let tasks = Tasks::new();
    for task in 0..TASKS {
        let meta = meta.clone();
        tasks.spawn(async move {
            for turn in 0..INCREMENTS {
                let refuse = (turn + task as u64).is_multiple_of(5);
                let outcome = meta.transact(move |tx| {
                    let count = number(tx, b"count")?;
                    tx.put(TABLE, b"count", (count + 1).to_be_bytes().to_vec());
                    if refuse { Err(Error::new(ErrorKind::Conflict, "refused")) } else { Ok(()) }
                });
                assert_eq!(outcome.await.is_err(), refuse);
            }
        });
    }
    tasks.wait().await;
    let expected = TASKS as u64 * INCREMENTS / 5 * 4;
    assert_eq!(read(&meta, |read| number(read, b"count")).await, expected);
}

/// Two keys that every transaction keeps equal are equal for everybody, at every time.
pub async fn neighbours_in_a_group_see_each_other_whole(meta: Meta) {
    let tasks = Tasks::new();
    for task in 0..TASKS {
        let meta = meta.clone();
        tasks.spawn(async move {
            for turn in 0..30 {
                let outcome = meta.transact(move |tx| {
                    let (left, right) = (number(tx, b"left")?, number(tx, b"right")?);
                    assert_eq!(left, right, "a transaction saw half of another");
                    tx.put(TABLE, b"left", (left + 1).to_be_bytes().to_vec());
                    assert!((task + turn) % 7 != 0, "on purpose, between the two writes");
                    tx.put(TABLE, b"right", (right + 1).to_be_bytes().to_vec());
                    Ok::<_, Error>(())
                });
                assert_eq!(outcome.await.is_err(), (task + turn) % 7 == 0);
                let pair = read(&meta, |read| Ok((number(read, b"left")?, number(read, b"right")?))).await;
                assert_eq!(pair.0, pair.1, "a read saw half of a transaction");
            }
        });
    }
    tasks.wait().await;
    let whole = (0..TASKS).flat_map(|task| (0..30).map(move |turn| task + turn)).filter(|n| n % 7 != 0);
    assert_eq!(read(&meta, |read| number(read, b"left")).await, whole.count() as u64);
}

pub async fn takes_a_large_transaction(meta: Meta) {
    const ENTRIES: u32 = 20_000;
    let wrote = meta.transact(|tx| {
        for number in 0..ENTRIES {
            tx.put(TABLE, &number.to_be_bytes(), vec![1; 300]);
        }
        keys_of(tx, TABLE).map(|keys| keys.len())
    });
    assert_eq!(wrote.await.unwrap(), ENTRIES as usize);
    assert_eq!(read(&meta, |read| keys_of(read, TABLE)).await.len(), ENTRIES as usize);
    let emptied = meta.transact(|tx| {
        for number in 0..ENTRIES {
            tx.delete(TABLE, &number.to_be_bytes());
        }
        keys_of(tx, TABLE)
    });
    assert!(emptied.await.unwrap().is_empty());
    assert!(read(&meta, |read| keys_of(read, TABLE)).await.is_empty());
}

pub async fn a_snapshot_stays_while_others_write(meta: Meta) {
    put_all(&meta, &["a", "b"]).await;
    let (started, has_started) = tokio::sync::oneshot::channel();
    let (go_on, told_to_go_on) = mpsc::channel();
    let reading = {
        let meta = meta.clone();
        Tasks::new().spawn(async move {
            read(&meta, move |read| {
                let mut started = Some(started);
                let mut seen = Vec::new();
                read.scan(TABLE, b"", &mut |key, _| {
                    if let Some(started) = started.take() {
                        started.send(()).unwrap();
                        told_to_go_on.recv().unwrap();
                    }
                    seen.push(text(key));
                    Step::Next
                })?;
                Ok((seen, entries(read)?, read.get(TABLE, b"a")?))
            })
            .await
        })
    };
    has_started.await.unwrap();
    put_all(&meta, &["aa", "c"]).await;
    put(&meta, TABLE, b"a", b"new").await;
    delete(&meta, TABLE, b"b").await;
    go_on.send(()).unwrap();
    let (during, again, a) = reading.await.unwrap();
    assert_eq!(during, ["a", "b"]);
    assert_eq!(again, [("a", "old"), ("b", "old")].map(|(key, value)| (key.to_string(), value.to_string())));
    assert_eq!(a.as_deref(), Some(&b"old"[..]));
    assert_eq!(keys_from(&meta, "").await, ["a", "aa", "c"]);
}

pub async fn reads_what_was_acknowledged(meta: Meta) {
    for turn in 0..100u64 {
        put(&meta, TABLE, b"turn", &turn.to_be_bytes()).await;
        assert_eq!(read(&meta, |read| number(read, b"turn")).await, turn);
        assert_eq!(meta.transact(|tx| number(tx, b"turn")).await.unwrap(), turn);
    }
}

pub async fn a_dropped_transaction_happens_whole_or_not_at_all(meta: Meta) {
    let ran = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ran);
    drop(meta.transact(move |_| {
        flag.store(true, Ordering::SeqCst);
        Ok::<_, Error>(())
    }));
    for turn in 0..50u32 {
        let transaction = meta.transact(move |tx| {
            tx.put(TABLE, format!("{turn:02}/1").as_bytes(), Vec::new());
            tx.put(TABLE, format!("{turn:02}/2").as_bytes(), Vec::new());
            Ok::<_, Error>(())
        });
        // Polled once, it is on its way; then its caller goes away.
        let _ = futures::FutureExt::now_or_never(transaction);
    }
    put(&meta, TABLE, b"last", b"").await;
    assert!(!ran.load(Ordering::SeqCst), "a transaction nobody waited for has begun");
    let keys = keys_from(&meta, "").await;
    for turn in 0..50 {
        let has = |part| keys.contains(&format!("{turn:02}/{part}"));
        assert_eq!(has(1), has(2));
    }
}

async fn read<T, F>(meta: &Meta, job: F) -> T
where
    T: Send + 'static,
    F: FnOnce(&dyn Read) -> Result<T, Error> + Send + 'static,
{
    meta.read(job).await.unwrap()
}

async fn get(meta: &Meta, table: Table, key: &'static [u8]) -> Option<Vec<u8>> {
    read(meta, move |read| read.get(table, key)).await.map(|value| value.to_vec())
}

async fn put(meta: &Meta, table: Table, key: &[u8], value: &[u8]) {
    let (key, value) = (key.to_vec(), value.to_vec());
    let put = meta.transact(move |tx| {
        tx.put(table, &key, value.clone());
        Ok::<_, Error>(())
    });
    put.await.unwrap();
}

async fn delete(meta: &Meta, table: Table, key: &'static [u8]) {
    let delete = meta.transact(move |tx| {
        tx.delete(table, key);
        Ok::<_, Error>(())
    });
    delete.await.unwrap();
}

/// Puts `keys` in one transaction, with the value "old".
async fn put_all(meta: &Meta, keys: &'static [&'static str]) {
    let put = meta.transact(move |tx: &mut dyn Write| {
        for key in keys {
            tx.put(TABLE, key.as_bytes(), b"old".to_vec());
        }
        Ok::<_, Error>(())
    });
    put.await.unwrap();
}

async fn keys_from(meta: &Meta, from: &'static str) -> Vec<String> {
    read(meta, move |read| visit(read, from, |_| Step::Next)).await
}

fn visit(read: &dyn Read, from: &str, step: impl Fn(&str) -> Step) -> Result<Vec<String>, Error> {
    let mut seen = Vec::new();
    read.scan(TABLE, from.as_bytes(), &mut |key, _| {
        seen.push(text(key));
        step(&text(key))
    })?;
    Ok(seen)
}

fn keys_of(read: &dyn Read, table: Table) -> Result<Vec<Vec<u8>>, Error> {
    let mut keys = Vec::new();
    read.scan(table, b"", &mut |key, _| {
        keys.push(key.to_vec());
        Step::Next
    })?;
    Ok(keys)
}

fn entries(read: &dyn Read) -> Result<Vec<(String, String)>, Error> {
    let mut entries = Vec::new();
    read.scan(TABLE, b"", &mut |key, value| {
        entries.push((text(key), text(value)));
        Step::Next
    })?;
    Ok(entries)
}

/// The number under `key`; 0 when there is none.
fn number(read: &dyn Read, key: &[u8]) -> Result<u64, Error> {
    let value = read.get(TABLE, key)?;
    Ok(value.map_or(0, |value| u64::from_be_bytes(value.as_ref().try_into().unwrap())))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
