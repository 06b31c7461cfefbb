//! A bucket of a million objects, in seconds: copies of one object's record, written into the gateway's store while
//! it is stopped. Through HTTP it would take minutes, and the store would look the same afterwards.

use dovetail::base::random;
use dovetail::meta::records::{BucketRecord, Record, VersionRecord};
use dovetail::meta::rocksdb::{RocksDb, Settings};
use dovetail::meta::{Error, Meta, Read, Step, Table, keys};
use std::path::Path;

/// Objects in one transaction.
const TRANSACTION_LEN: usize = 1_000;
/// Shares no factor with a power of ten: its multiples visit every number below one, out of order.
const STEP: usize = 387_420_489;

/// A key that sorts by its number, a thousand to a common prefix.
pub fn key(number: usize) -> String {
    format!("{:06}/{:03}", number / 1000, number % 1000)
}

/// Writes `count` objects like the bucket's only one, which stays too, each with `old` versions behind it. They come in
/// no order, as users' do.
pub fn fill(metadata: &Path, bucket: &str, count: usize, old: u64) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(write(metadata, bucket, count, old)).expect("the store can be written");
}

async fn write(metadata: &Path, bucket: &str, count: usize, old: u64) -> Result<(), Error> {
    let meta = Meta::new(RocksDb::open(metadata, Settings::default())?);
    let (id, record) = meta.read(template(bucket.to_string())).await?;
    for first in (0..count).step_by(TRANSACTION_LEN) {
        let mut record = record.clone();
        meta.transact(move |tx| {
            for number in first..(first + TRANSACTION_LEN).min(count) {
                let key = key(number.wrapping_mul(STEP) % count);
                for sequence in 1..=old {
                    let record = another(&mut record, sequence);
                    tx.put(Table::Versions, &keys::version(id, &key, sequence), record);
                }
                let current = another(&mut record, if old > 0 { old + 1 } else { 0 });
                tx.put(Table::Objects, &keys::object(id, &key), current);
            }
            Ok::<(), Error>(())
        })
        .await?;
    }
    Ok(())
}

/// The record of another object of the same kind; of a version, if it has a place among others.
fn another(record: &mut VersionRecord, sequence: u64) -> Vec<u8> {
    // No two objects have the same bytes, so no two records have the same sums; nor do these compress.
    record.etag.md5 = random::bytes();
    record.checksum.as_mut().expect("new objects have a checksum").value = random::bytes::<8>().to_vec();
    record.sequence = sequence;
    // As long as a version's id is, and as little to compress.
    record.version_id =
        (sequence > 0).then(|| random::bytes::<16>().iter().map(|b| format!("{b:02x}")).collect());
    record.encode()
}

/// The bucket's id, and the record of an object in it.
fn template(bucket: String) -> impl FnOnce(&dyn Read) -> Result<(keys::BucketId, VersionRecord), Error> {
    move |read| {
        let stored = read.get(Table::Buckets, bucket.as_bytes())?.expect("the bucket was created");
        let id = BucketRecord::decode(&stored)?.id;
        let mut record = None;
        read.scan(Table::Objects, &keys::bucket_start(id), &mut |_, value| {
            record = Some(VersionRecord::decode(value));
            Step::Stop
        })?;
        Ok((id, record.expect("the bucket has an object")?))
    }
}
