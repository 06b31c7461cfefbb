//! What a transaction has written, laid over what is stored: how both embedded stores give a job its own writes.
//!
//! Keys in here are stored keys: the table's number in one byte, then the key. A table is then one range of keys, and
//! a scan that stops at [`table_end`] cannot leave it.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ops::Bound;

use crate::meta::{Error, Read, Step, Table, Write};

/// The stored form of `key`.
pub fn stored_key(table: Table, key: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(1 + key.len());
    stored.push(table as u8);
    stored.extend_from_slice(key);
    stored
}

/// The first stored key after all keys of `table`.
pub fn table_end(table: Table) -> [u8; 1] {
    [table as u8 + 1]
}

/// A place among the stored entries of one table, in key order.
pub trait Cursor {
    /// Goes to the first entry at or after `key`, a stored key of the table.
    fn seek(&mut self, key: &[u8]);

    /// Goes to the next entry.
    fn advance(&mut self);

    /// Stored key and value of the entry, or `None` after the last one or after a failure.
    fn entry(&self) -> Option<(&[u8], &[u8])>;

    /// Whether the place after the last entry is really the end, or a failure.
    fn status(&self) -> Result<(), Error>;
}

/// A state of the store that a transaction can be laid over.
pub trait Base: Read {
    fn cursor(&self, table: Table) -> Box<dyn Cursor + '_>;
}

/// [`Read::scan`] over a cursor.
///
/// # Panics
/// If `visit` seeks to a key that is not greater than the current one: the scan would never end.
pub fn scan(
    cursor: &mut dyn Cursor,
    table: Table,
    from: &[u8],
    visit: &mut dyn FnMut(&[u8], &[u8]) -> Step,
) -> Result<(), Error> {
    cursor.seek(&stored_key(table, from));
    while let Some((key, value)) = cursor.entry() {
        let key = &key[1..];
        match visit(key, value) {
            Step::Next => cursor.advance(),
            Step::Seek(to) => {
                assert!(to.as_slice() > key, "a scan of {table:?} was told to go back");
                cursor.seek(&stored_key(table, &to));
            }
            Step::Stop => return Ok(()),
        }
    }
    cursor.status()
}

/// Writes that are not stored yet: a value, or `None` for a deleted key.
#[derive(Debug, Default)]
pub struct Overlay {
    entries: BTreeMap<Vec<u8>, Option<Bytes>>,
    len: usize,
}

impl Overlay {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of keys and values that were put in, about what a write of it costs.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The writes in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&Bytes>)> {
        self.entries.iter().map(|(key, value)| (key.as_slice(), value.as_ref()))
    }

    pub fn clear(&mut self) {
        self.entries.clear();
        self.len = 0;
    }
}

/// What a transaction changed, for deciding whether a nearly full disk takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub deletes: usize,
    /// Bytes of keys and values put.
    pub put_len: usize,
}

impl Changes {
    pub fn is_empty(self) -> bool {
        self == Changes::default()
    }
}

/// One job's transaction over `base` and the writes of the jobs before it. It writes into their overlay and remembers
/// how to take its writes out again, so that what later jobs read is one map, however many went before.
pub struct Transaction<'a, B> {
    base: &'a B,
    overlay: &'a mut Overlay,
    /// What the overlay held before each write, oldest first; the outer `None`: nothing.
    undo: Vec<(Vec<u8>, Option<Option<Bytes>>)>,
    len_before: usize,
    changes: Changes,
}

impl<'a, B: Base> Transaction<'a, B> {
    pub fn begin(base: &'a B, overlay: &'a mut Overlay) -> Transaction<'a, B> {
        let len_before = overlay.len;
        Transaction { base, overlay, undo: Vec::new(), len_before, changes: Changes::default() }
    }

    pub fn changes(&self) -> Changes {
        self.changes
    }

    /// Leaves the overlay as it was at [`Transaction::begin`].
    pub fn roll_back(self) {
        for (key, before) in self.undo.into_iter().rev() {
            match before {
                Some(entry) => self.overlay.entries.insert(key, entry),
                None => self.overlay.entries.remove(&key),
            };
        }
        self.overlay.len = self.len_before;
    }

    fn write(&mut self, key: Vec<u8>, value: Option<Bytes>) {
        self.overlay.len += key.len() + value.as_ref().map_or(0, Bytes::len);
        let before = self.overlay.entries.insert(key.clone(), value);
        self.undo.push((key, before));
    }
}

impl<B: Base> Read for Transaction<'_, B> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
        // Most groups hold one job that reads before it writes: nothing to look up, nothing to build a key for.
        if !self.overlay.is_empty()
            && let Some(written) = self.overlay.entries.get(&stored_key(table, key))
        {
            return Ok(written.clone());
        }
        self.base.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Step,
    ) -> Result<(), Error> {
        let base = self.base.cursor(table);
        scan(&mut Merged::new(base, self.overlay, table), table, from, visit)
    }
}

impl<B: Base> Write for Transaction<'_, B> {
    fn put(&mut self, table: Table, key: &[u8], value: Vec<u8>) {
        let key = stored_key(table, key);
        self.changes.put_len += key.len() + value.len();
        self.write(key, Some(Bytes::from(value)));
    }

    fn delete(&mut self, table: Table, key: &[u8]) {
        self.changes.deletes += 1;
        self.write(stored_key(table, key), None);
    }
}

/// The entries of a base with an overlay's writes in place of what they replace.
struct Merged<'a> {
    base: Box<dyn Cursor + 'a>,
    overlay: &'a Overlay,
    end: [u8; 1],
    ahead: btree_map::Range<'a, Vec<u8>, Option<Bytes>>,
    /// The written entry that comes next or is the current one.
    written: Option<(&'a [u8], Option<&'a Bytes>)>,
    current: Source,
}

#[derive(Clone, Copy)]
enum Source {
    Base,
    Overlay,
}

impl<'a> Merged<'a> {
    fn new(base: Box<dyn Cursor + 'a>, overlay: &'a Overlay, table: Table) -> Merged<'a> {
        let end = table_end(table);
        let ahead = range(overlay, &end, &end);
        Merged { base, overlay, end, ahead, written: None, current: Source::Base }
    }

    fn next_written(&mut self) {
        self.written = self.ahead.next().map(|(key, value)| (key.as_slice(), value.as_ref()));
    }

    /// Picks the smaller of the two next entries. A written one hides the stored one of the same key, and one that
    /// deletes hides itself too.
    fn settle(&mut self) {
        while let Some((key, value)) = self.written {
            match self.base.entry() {
                Some((stored, _)) if stored < key => break,
                Some((stored, _)) if stored == key => self.base.advance(),
                _ => {}
            }
            if value.is_some() {
                self.current = Source::Overlay;
                return;
            }
            self.next_written();
        }
        self.current = Source::Base;
    }
}

impl Cursor for Merged<'_> {
    fn seek(&mut self, key: &[u8]) {
        self.base.seek(key);
        self.ahead = range(self.overlay, key, &self.end);
        self.next_written();
        self.settle();
    }

    fn advance(&mut self) {
        match self.current {
            Source::Base => self.base.advance(),
            Source::Overlay => self.next_written(),
        }
        self.settle();
    }

    fn entry(&self) -> Option<(&[u8], &[u8])> {
        let stored = self.base.entry();
        if stored.is_none() {
            // After a failure nothing more is shown: what is missing might lie before the next written entry.
            self.base.status().ok()?;
        }
        match self.current {
            Source::Base => stored,
            Source::Overlay => self.written.and_then(|(key, value)| Some((key, value?.as_ref()))),
        }
    }

    fn status(&self) -> Result<(), Error> {
        self.base.status()
    }
}

fn range<'a>(overlay: &'a Overlay, from: &[u8], end: &[u8]) -> btree_map::Range<'a, Vec<u8>, Option<Bytes>> {
    overlay.entries.range::<[u8], _>((Bound::Included(from), Bound::Excluded(end)))
}
