//! The rows of one table in order, read ahead in small batches, so that two tables can be merged.

use crate::engine::Error;
use crate::meta::keys::{self, BucketId};
use crate::meta::{Read, Step, Table};
use std::collections::VecDeque;

/// Rows that are read at a time at the beginning and after a seek; twice as many each further time. What is read in
/// vain is so never more than in proportion to what is shown.
const BATCH_MIN: usize = 4;
/// Rows that are held at a time at most.
const BATCH_MAX: usize = 256;

/// A row of `Objects` or `Versions`.
pub struct Row {
    stored: Vec<u8>,
    /// The object's key.
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

/// The rows of a bucket whose object keys start with a prefix.
pub struct Rows<'r> {
    read: &'r dyn Read,
    table: Table,
    bucket: BucketId,
    prefix: &'r [u8],
    ahead: VecDeque<Row>,
    /// Where the next batch begins; `None` when there is none.
    from: Option<Vec<u8>>,
    batch: usize,
}

impl<'r> Rows<'r> {
    /// From the first row at or after `from`, which is not before the prefix.
    pub fn new(
        read: &'r dyn Read,
        table: Table,
        bucket: BucketId,
        prefix: &'r [u8],
        from: Vec<u8>,
    ) -> Rows<'r> {
        Rows { read, table, bucket, prefix, ahead: VecDeque::new(), from: Some(from), batch: BATCH_MIN }
    }

    pub fn peek(&mut self) -> Result<Option<&Row>, Error> {
        if self.ahead.is_empty() {
            self.read_ahead()?;
        }
        Ok(self.ahead.front())
    }

    pub fn take(&mut self) -> Result<Option<Row>, Error> {
        self.peek()?;
        Ok(self.ahead.pop_front())
    }

    /// Leaves out everything before this stored key; `None` leaves out everything.
    pub fn seek(&mut self, to: Option<&[u8]>) {
        let Some(to) = to else {
            self.ahead.clear();
            self.from = None;
            return;
        };
        while self.ahead.front().is_some_and(|row| row.stored.as_slice() < to) {
            self.ahead.pop_front();
        }
        if self.ahead.is_empty()
            && let Some(from) = &mut self.from
            && from.as_slice() < to
        {
            *from = to.to_vec();
            self.batch = BATCH_MIN;
        }
    }

    fn read_ahead(&mut self) -> Result<(), Error> {
        let Some(from) = self.from.take() else { return Ok(()) };
        let mut next = None;
        self.read.scan(self.table, &from, &mut |stored, value| {
            let key = match self.table {
                Table::Versions => keys::parse_version(self.bucket, stored).map(|(key, _)| key),
                _ => keys::object_key(self.bucket, stored),
            };
            let Some(key) = key.filter(|key| key.starts_with(self.prefix)) else { return Step::Stop };
            self.ahead.push_back(Row { stored: stored.to_vec(), key: key.to_vec(), value: value.to_vec() });
            if self.ahead.len() < self.batch {
                return Step::Next;
            }
            next = Some([stored, &[0]].concat());
            Step::Stop
        })?;
        self.from = next;
        self.batch = (self.batch * 2).min(BATCH_MAX);
        Ok(())
    }
}
