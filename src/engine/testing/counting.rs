//! A metadata store that counts what is read from it: what an operation costs, whatever the machine (invariant 7).

use crate::meta::{Error, Read, ReadJob, Step, Store, Table, Write, WriteJob};
use bytes::Bytes;
use futures::future::BoxFuture;
use std::ops::Sub;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A store with counters around it.
pub struct Counting {
    inner: Arc<dyn Store>,
    counts: Arc<Counts>,
}

/// Reads and writes so far. Cloning the `Arc` shares them.
#[derive(Debug, Default)]
pub struct Counts {
    gets: AtomicU64,
    seeks: AtomicU64,
    entries: AtomicU64,
    writes: AtomicU64,
}

/// What something cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub gets: u64,
    /// Beginnings of scans, and the jumps in them.
    pub seeks: u64,
    /// Entries that scans have visited.
    pub entries: u64,
    /// Puts and deletes.
    pub writes: u64,
}

impl Counts {
    pub fn so_far(&self) -> Cost {
        let of = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Cost {
            gets: of(&self.gets),
            seeks: of(&self.seeks),
            entries: of(&self.entries),
            writes: of(&self.writes),
        }
    }

    /// `visit` with counting.
    fn visiting<'a>(
        &'a self,
        visit: &'a mut dyn FnMut(&[u8], &[u8]) -> Step,
    ) -> impl FnMut(&[u8], &[u8]) -> Step + 'a {
        one_more(&self.seeks);
        move |key, value| {
            one_more(&self.entries);
            let step = visit(key, value);
            if matches!(step, Step::Seek(_)) {
                one_more(&self.seeks);
            }
            step
        }
    }
}

fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::SeqCst);
}

impl Sub for Cost {
    type Output = Cost;

    fn sub(self, before: Cost) -> Cost {
        Cost {
            gets: self.gets - before.gets,
            seeks: self.seeks - before.seeks,
            entries: self.entries - before.entries,
            writes: self.writes - before.writes,
        }
    }
}

impl Counting {
    pub fn new(inner: Arc<dyn Store>) -> (Arc<Counting>, Arc<Counts>) {
        let counts = Arc::<Counts>::default();
        (Arc::new(Counting { inner, counts: Arc::clone(&counts) }), counts)
    }
}

impl Store for Counting {
    fn read(&self, job: ReadJob) -> BoxFuture<'static, Result<(), Error>> {
        let counts = Arc::clone(&self.counts);
        self.inner.read(Box::new(move |read| job(&CountedRead { read, counts: &counts })))
    }

    fn get_in_memory(&self, table: Table, key: &[u8]) -> Option<Option<Bytes>> {
        one_more(&self.counts.gets);
        self.inner.get_in_memory(table, key)
    }

    fn transact(&self, mut job: WriteJob) -> BoxFuture<'static, Result<(), Error>> {
        let counts = Arc::clone(&self.counts);
        self.inner.transact(Box::new(move |tx| job(&mut CountedWrite { tx, counts: &counts })))
    }

    fn check(&self) -> Result<(), Error> {
        self.inner.check()
    }

    fn gauges(&self) -> Vec<(&'static str, f64)> {
        self.inner.gauges()
    }
}

struct CountedRead<'a> {
    read: &'a dyn Read,
    counts: &'a Counts,
}

impl Read for CountedRead<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
        one_more(&self.counts.gets);
        self.read.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Step,
    ) -> Result<(), Error> {
        self.read.scan(table, from, &mut self.counts.visiting(visit))
    }
}

struct CountedWrite<'a> {
    tx: &'a mut dyn Write,
    counts: &'a Counts,
}

impl Read for CountedWrite<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
        one_more(&self.counts.gets);
        self.tx.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Step,
    ) -> Result<(), Error> {
        self.tx.scan(table, from, &mut self.counts.visiting(visit))
    }
}

impl Write for CountedWrite<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: Vec<u8>) {
        one_more(&self.counts.writes);
        self.tx.put(table, key, value);
    }

    fn delete(&mut self, table: Table, key: &[u8]) {
        one_more(&self.counts.writes);
        self.tx.delete(table, key);
    }
}
