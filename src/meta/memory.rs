//! A store in memory, for tests: the same promises as the others while the process lives, and nothing after it.

use bytes::Bytes;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use crate::meta::overlay::{self, Base, Cursor, Overlay, Transaction, stored_key, table_end};
use crate::meta::{Error, Read, ReadJob, Step, Store, Table, WriteJob};

/// A store in memory. Jobs run on the caller's thread.
#[derive(Debug, Default)]
pub struct Memory {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Held for a whole transaction: one at a time is serialisable.
    writing: Mutex<()>,
    /// Held only to look or to store; a snapshot that is still in use makes the next commit copy the map.
    state: Mutex<Arc<Entries>>,
}

type Entries = BTreeMap<Vec<u8>, Bytes>;

impl Memory {
    /// An empty store.
    pub fn new() -> Arc<Memory> {
        Arc::default()
    }
}

impl Shared {
    fn snapshot(&self) -> Snapshot {
        Snapshot(Arc::clone(&self.state.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn transact(&self, mut job: WriteJob) -> Result<(), Error> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.snapshot();
        let mut written = Overlay::default();
        let mut tx = Transaction::begin(&snapshot, &mut written);
        let commit = catch_unwind(AssertUnwindSafe(|| job(&mut tx))).map_err(|_| Error::panicked_job())?;
        drop(snapshot);
        if commit {
            self.store(&written);
        }
        Ok(())
    }

    fn store(&self, written: &Overlay) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = Arc::make_mut(&mut state);
        for (key, value) in written.iter() {
            match value {
                Some(value) => entries.insert(key.to_vec(), value.clone()),
                None => entries.remove(key),
            };
        }
    }
}

impl Store for Memory {
    fn read(&self, job: ReadJob) -> BoxFuture<'static, Result<(), Error>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let snapshot = shared.snapshot();
            catch_unwind(AssertUnwindSafe(|| job(&snapshot))).map_err(|_| Error::panicked_job())
        })
    }

    fn transact(&self, job: WriteJob) -> BoxFuture<'static, Result<(), Error>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { shared.transact(job) })
    }

    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    fn gauges(&self) -> Vec<(&'static str, f64)> {
        vec![("keys", self.shared.snapshot().0.len() as f64)]
    }
}

struct Snapshot(Arc<Entries>);

impl Read for Snapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Ok(self.0.get(&stored_key(table, key)).cloned())
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Step,
    ) -> Result<(), Error> {
        overlay::scan(&mut *self.cursor(table), table, from, visit)
    }
}

impl Base for Snapshot {
    fn cursor(&self, table: Table) -> Box<dyn Cursor + '_> {
        Box::new(Place { entries: &self.0, end: table_end(table), ahead: None, current: None })
    }
}

/// A place in the map.
struct Place<'a> {
    entries: &'a Entries,
    end: [u8; 1],
    ahead: Option<std::collections::btree_map::Range<'a, Vec<u8>, Bytes>>,
    current: Option<(&'a [u8], &'a [u8])>,
}

impl Cursor for Place<'_> {
    fn seek(&mut self, key: &[u8]) {
        let range = (Bound::Included(key), Bound::Excluded(self.end.as_slice()));
        self.ahead = Some(self.entries.range::<[u8], _>(range));
        self.advance();
    }

    fn advance(&mut self) {
        let next = self.ahead.as_mut().and_then(Iterator::next);
        self.current = next.map(|(key, value)| (key.as_slice(), value.as_ref()));
    }

    fn entry(&self) -> Option<(&[u8], &[u8])> {
        self.current
    }

    fn status(&self) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::{Meta, conformance};

    conformance::checks!((Meta::new(Memory::new()), ()));
}
