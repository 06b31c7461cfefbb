//! The numbered invariants that are not about crashes, each broken from outside on the real binary.
//!
//! 1, 2 and 3 are `crash.rs`'s.
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
