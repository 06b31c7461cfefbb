//! Invariant 4: a reader that has started keeps its bytes.

use super::{BUCKET, bytes, put_parts};
use crate::client;
use crate::gateway::Gateway;
use crate::socket::{Request, Socket};
use bytes::Bytes;

#[tokio::test]
async fn a_slow_reader_gets_what_was_overwritten_deleted_and_collected_meanwhile() {
    let gateway = Gateway::start().await;
    let client = gateway.client();
    client.send("PUT", "/bucket", &[], "").await.unwrap().expect(200);
    let parts: Vec<Bytes> = (0..3).map(|number| bytes(number, 8 << 20)).collect();
    put_parts(&client, "read", &parts).await;
    client.put(BUCKET, "control", bytes(9, 1 << 20)).await.unwrap().expect(200);
    assert_eq!(gateway.blob_files().len(), 4);

    let mut reader = Socket::connect(&gateway).await;
    reader.send(Request::new(&gateway, "GET", &client::path(BUCKET, "read")).sign().0).await;
    let (status, headers) = reader.head().await;
    assert_eq!((status, headers["content-length"].as_bytes()), (200, &b"25165824"[..]));
    let mut read = reader.take(1 << 20).await.to_vec();

    client.put(BUCKET, "read", "something else").await.unwrap().expect(200);
    client.delete(BUCKET, "read").await.unwrap().expect(204);
    client.delete(BUCKET, "control").await.unwrap().expect(204);
    // The collector has been here: it took the control and left what is being read.
    gateway.wait_for_blob_files(3).await;
    client.get(BUCKET, "read").await.unwrap().expect_code(404, "NoSuchKey");

    read.extend_from_slice(&reader.take((24 << 20) - read.len()).await);
    assert!(read == parts.concat(), "the reader got other bytes");
    // The connection is as good as before; and with the reader gone its blobs go too.
    reader.ask(&gateway, "GET", &client::path(BUCKET, "read")).await.expect_code(404, "NoSuchKey");
    gateway.wait_for_blob_files(0).await;
}

#[tokio::test]
async fn a_reader_that_goes_away_frees_what_it_kept() {
    let gateway = Gateway::start().await;
    let client = gateway.client();
    client.send("PUT", "/bucket", &[], "").await.unwrap().expect(200);
    client.put(BUCKET, "read", bytes(1, 24 << 20)).await.unwrap().expect(200);
    let mut reader = Socket::connect(&gateway).await;
    reader.send(Request::new(&gateway, "GET", &client::path(BUCKET, "read")).sign().0).await;
    assert_eq!(reader.head().await.0, 200);
    client.delete(BUCKET, "read").await.unwrap().expect(204);
    drop(reader);
    gateway.wait_for_blob_files(0).await;
}
