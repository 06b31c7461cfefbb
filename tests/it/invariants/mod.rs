//! The numbered invariants that are not about crashes, each broken from outside on the real binary.
//!
//! 1, 2 and 3 are `crash.rs`'s. That it notices was tried by hand, one line broken at a time:
//!
//! - 1: `finish` in `blob::local::writer` answered at once and did its work 50 ms later. After the first kill an
//!   acknowledged object was cut short when it was read.
//! - 2: `commit` in `meta::rocksdb::committer` answered 5 ms before it wrote the batch. After the first kill a part
//!   that had been acknowledged was not in ListParts.
//! - 3: `drop_one` in `engine::references` took every reference for the last one. Once the collector had run, an
//!   object whose copy had been deleted could not be read.
//!
//! 7, that cost follows the answer, is not here: from outside, cost is only time, and a test by the clock fails on a
//! busy machine. `engine::ops::list_objects` counts in its tests, and `make bench` measures.

mod damage;
mod memory;
mod no_trace;
mod readers;

use crate::client::Client;
use crate::seed::Seed;
use bytes::Bytes;

const BUCKET: &str = "bucket";
/// The least length of a part that is not the last.
const PART_LEN: usize = 5 << 20;

/// Bytes in which any two pieces differ.
fn bytes(seed: u64, len: usize) -> Bytes {
    Seed::new(seed).bytes(len).into()
}

/// A multipart object of these parts.
async fn put_parts(client: &Client, key: &str, parts: &[Bytes]) {
    let upload = client.create_upload(BUCKET, key).await.unwrap();
    let mut list = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let sent =
            client.upload_part(BUCKET, key, &upload, index + 1, part.clone()).await.unwrap().expect(200);
        list.push((index + 1, sent.header("etag").expect("a part has an ETag").to_string()));
    }
    client.complete(BUCKET, key, &upload, &list).await.unwrap().expect(200);
}
