//! The open database, reads from it, and the one write.

use ::rocksdb::{ColumnFamily, DB, DBRawIterator, ReadOptions, ReadTier, Snapshot, WriteBatch, WriteOptions};
use bytes::Bytes;
use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use super::{Settings, options};
use crate::meta::overlay::{self, Base, Cursor, Overlay, stored_key, table_end};
use crate::meta::{Error, ErrorKind, Read, Step, Table};

/// The place of the open database, which can be closed and opened again while the store lives.
pub struct Slot {
    dir: PathBuf,
    settings: Settings,
    /// Read-locked by everyone for as long as they use the database. `None` only after it could not be opened again.
    database: RwLock<Option<Database>>,
}

impl Slot {
    pub fn open(dir: &Path, settings: Settings) -> Result<Slot, Error> {
        let database = RwLock::new(Some(Database::open(dir, &settings)?));
        Ok(Slot { dir: dir.to_path_buf(), settings, database })
    }

    /// Calls `job` with the open database.
    pub fn with<T>(&self, job: impl FnOnce(&Database) -> T) -> Result<T, Error> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        match &*database {
            Some(database) => Ok(job(database)),
            None => Err(Error::new(ErrorKind::Unavailable, "the metadata store is closed after a failure")),
        }
    }

    /// Like [`Slot::with`], but never waits: `None` while the database is being opened again.
    pub fn try_with<T>(&self, job: impl FnOnce(&Database) -> T) -> Option<T> {
        self.database.try_read().ok()?.as_ref().map(job)
    }

    /// Closes the database and opens it again, as a restart would: what the log holds is what is true from now on.
    /// Waits for those who are reading.
    pub fn reopen(&self) -> Result<(), Error> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        *database = None;
        *database = Some(Database::open(&self.dir, &self.settings)?);
        Ok(())
    }
}

/// RocksDB with its two column families.
pub struct Database {
    db: DB,
}

impl Database {
    pub fn open(dir: &Path, settings: &Settings) -> Result<Database, Error> {
        let families = options::families(settings);
        let db = DB::open_cf_descriptors(&options::database(settings), dir, families)
            .map_err(|source| cannot_open(dir, source))?;
        let database = Database { db };
        for name in [options::RECORDS, options::INLINE] {
            database
                .db
                .set_options_cf(database.family(name), options::SET_WHEN_OPEN)
                .map_err(|source| cannot_open(dir, source))?;
        }
        Ok(database)
    }

    /// A property of RocksDB, summed over both column families.
    pub fn sum(&self, property: &CStr) -> f64 {
        let families = [self.family(options::RECORDS), self.family(options::INLINE)];
        let values = families.map(|family| self.db.property_int_value_cf(family, property));
        values.into_iter().filter_map(|value| value.ok().flatten()).sum::<u64>() as f64
    }

    /// A property of RocksDB that every column family tells of the whole.
    pub fn whole(&self, property: &CStr) -> f64 {
        let value = self.db.property_int_value_cf(self.family(options::RECORDS), property);
        value.ok().flatten().unwrap_or(0) as f64
    }

    /// Moves all values of the inline table to where they end up in time, without the dead ones.
    #[cfg(test)]
    pub fn compact_inline(&self) {
        let inline = self.family(options::INLINE);
        self.db.flush_cf(inline).unwrap();
        self.db.compact_range_cf(inline, None::<&[u8]>, None::<&[u8]>);
    }

    fn family(&self, name: &str) -> &ColumnFamily {
        self.db.cf_handle(name).expect("the column family was opened with the database")
    }

    fn family_of(&self, table: Table) -> &ColumnFamily {
        self.family(if table == Table::Inline { options::INLINE } else { options::RECORDS })
    }

    /// Stores all of `written` in one write. When this returns `Ok` it is durable.
    pub fn write(&self, written: &Overlay) -> Result<(), ::rocksdb::Error> {
        let (records, inline) = (self.family(options::RECORDS), self.family(options::INLINE));
        let mut batch = WriteBatch::with_capacity_bytes(written.len() + written.len() / 8);
        for (key, value) in written.iter() {
            let family = if key[0] == Table::Inline as u8 { inline } else { records };
            match value {
                Some(value) => batch.put_cf(family, key, value),
                None => batch.delete_cf(family, key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db.write_opt(batch, &options)
    }

    /// The newest value of a key, `None` if that would take a read from disk. What is not durable yet is not seen: a
    /// write shows up in the memtables only after its sync.
    pub fn get_in_memory(&self, table: Table, key: &[u8]) -> Option<Option<Bytes>> {
        let mut options = ReadOptions::default();
        options.set_read_tier(ReadTier::BlockCache);
        let found = self.db.get_pinned_cf_opt(self.family_of(table), stored_key(table, key), &options);
        // Any failure is met again, and told, by the read that follows.
        found.ok().map(|value| value.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// The state as it is at each read. Consistent only for the thread that writes.
    pub fn latest(&self) -> View<'_> {
        View { database: self, snapshot: None, options: ReadOptions::default() }
    }

    /// The state as it is now.
    pub fn snapshot(&self) -> View<'_> {
        let snapshot = self.db.snapshot();
        let mut options = ReadOptions::default();
        options.set_snapshot(&snapshot);
        View { database: self, snapshot: Some(snapshot), options }
    }
}

/// A state of the database to read from.
pub struct View<'a> {
    database: &'a Database,
    snapshot: Option<Snapshot<'a>>,
    /// For point reads; holds the snapshot too.
    options: ReadOptions,
}

impl Read for View<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let found = self.database.db.get_pinned_cf_opt(
            self.database.family_of(table),
            stored_key(table, key),
            &self.options,
        );
        match found {
            Ok(value) => Ok(value.map(|value| Bytes::copy_from_slice(&value))),
            Err(source) => Err(failed(format!("cannot read from table {table:?}"), source)),
        }
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

impl Base for View<'_> {
    fn cursor(&self, table: Table) -> Box<dyn Cursor + '_> {
        let mut options = ReadOptions::default();
        if let Some(snapshot) = &self.snapshot {
            options.set_snapshot(snapshot);
        }
        options.set_iterate_upper_bound(table_end(table));
        let iterator = self.database.db.raw_iterator_cf_opt(self.database.family_of(table), options);
        Box::new(Place { table, iterator })
    }
}

struct Place<'a> {
    table: Table,
    iterator: DBRawIterator<'a>,
}

impl Cursor for Place<'_> {
    fn seek(&mut self, key: &[u8]) {
        self.iterator.seek(key);
    }

    fn advance(&mut self) {
        self.iterator.next();
    }

    fn entry(&self) -> Option<(&[u8], &[u8])> {
        self.iterator.item()
    }

    fn status(&self) -> Result<(), Error> {
        self.iterator.status().map_err(|source| failed(format!("cannot scan table {:?}", self.table), source))
    }
}

/// RocksDB's error in our kinds. It has a kind of its own for few of them; the rest is in its words.
pub fn failed(step: impl Into<String>, source: ::rocksdb::Error) -> Error {
    use ::rocksdb::ErrorKind as Kind;
    let kind = match source.kind() {
        Kind::Corruption => ErrorKind::Corrupt,
        Kind::ShutdownInProgress | Kind::Busy | Kind::TryAgain | Kind::TimedOut => ErrorKind::Unavailable,
        _ if source.as_ref().contains("No space left on device") => ErrorKind::NoSpace,
        _ => ErrorKind::Io,
    };
    Error::with_source(kind, step, source)
}

fn cannot_open(dir: &Path, source: ::rocksdb::Error) -> Error {
    let dir = dir.display();
    let words: &str = source.as_ref();
    if words.contains("While lock file") || words.contains("lock hold by current process") {
        let step = format!("cannot open the metadata store in {dir}: another process has it open");
        return Error::with_source(ErrorKind::Unavailable, step, source);
    }
    failed(format!("cannot open the metadata store in {dir}"), source)
}
