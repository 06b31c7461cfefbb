//! Remote blobs over a store in memory: records of uploads, memory, and how errors are read.

use super::*;
use crate::blob::conformance::{get, pattern, put};
use bytes::Bytes;
use object_store::memory::InMemory;

fn settings() -> Settings {
    Settings { memory_wait: Duration::from_millis(50), ..Settings::default() }
}

fn remote(objects: &Arc<InMemory>, settings: Settings) -> Remote {
    Remote::new(Arc::clone(objects), "some/prefix/", settings, Tasks::new())
}

/// What is in the bucket, by name.
async fn names(objects: &InMemory) -> Vec<String> {
    let mut names: Vec<_> =
        objects.list(None).map_ok(|object| object.location.to_string()).try_collect().await.unwrap();
    names.sort();
    names
}

async fn write(writer: &mut Box<dyn Writer>, bytes: &Bytes) {
    for at in (0..bytes.len()).step_by(1 << 20) {
        writer.write(bytes.slice(at..(at + (1 << 20)).min(bytes.len()))).await.unwrap();
    }
}

#[tokio::test]
async fn conforms() {
    let settings = Settings { memory_wait: Duration::from_secs(60), ..settings() };
    crate::blob::conformance::run_all(async || {
        Arc::new(remote(&Arc::new(InMemory::new()), settings.clone())) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn blobs_are_under_their_prefix_and_fan_out() {
    let objects = Arc::new(InMemory::new());
    let store = remote(&objects, settings());
    let id = put(&store, &pattern(10, 1), 10).await.unwrap();
    assert_eq!(names(&objects).await, [format!("some/prefix/{:02x}/{id}", id.0[0])]);
}

#[tokio::test]
async fn a_long_blob_records_its_upload_until_it_is_finished() {
    let objects = Arc::new(InMemory::new());
    let store = remote(&objects, settings());
    let id = BlobId::random();
    let bytes = pattern(20 << 20, 1);
    let mut writer = store.create(id, Some(bytes.len() as u64)).await.unwrap();
    write(&mut writer, &bytes).await;
    let record = format!("some/prefix/unfinished/{id}");
    assert_eq!(names(&objects).await, std::slice::from_ref(&record));
    writer.finish().await.unwrap();
    store.bucket.tasks.wait().await;
    assert!(!names(&objects).await.contains(&record));
    assert!(get(&store, id, bytes.len()).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_dropped_long_blob_leaves_no_record() {
    let objects = Arc::new(InMemory::new());
    let store = remote(&objects, settings());
    let mut writer = store.create(BlobId::random(), None).await.unwrap();
    write(&mut writer, &pattern(20 << 20, 1)).await;
    drop(writer);
    store.bucket.tasks.wait().await;
    assert!(names(&objects).await.is_empty());
    assert!(store.bucket.being_written().is_empty());
    assert_eq!(store.bucket.write_memory.available_permits(), store.bucket.write_units_max as usize);
}

#[tokio::test]
async fn a_sweep_aborts_what_an_earlier_process_left() {
    let objects = Arc::new(InMemory::new());
    let store = remote(&objects, settings());
    let id = BlobId::random();
    let path = store.bucket.place(id);
    let upload_id = objects.create_multipart(&path).await.unwrap();
    let record = store.bucket.path(&format!("unfinished/{id}"));
    objects.put(&record, PutPayload::from(upload_id.clone())).await.unwrap();

    store.sweep_unfinished().await.unwrap();
    assert!(names(&objects).await.is_empty());
    assert!(objects.put_part(&path, &upload_id, 0, PutPayload::new()).await.is_err(), "the upload is gone");
}

#[tokio::test]
async fn a_writer_waits_for_its_memory_and_then_is_told() {
    let objects = Arc::new(InMemory::new());
    let store = remote(&objects, Settings { write_memory_len_max: 20 << 20, ..settings() });
    let long = store.create(BlobId::random(), None).await.unwrap();
    let short = store.create(BlobId::random(), Some(4 << 20)).await.unwrap();
    let err = store.create(BlobId::random(), Some(1)).await.err().unwrap();
    assert_eq!(err.kind, ErrorKind::Unavailable);
    drop(short);
    store.create(BlobId::random(), Some(1)).await.unwrap();
    drop(long);
}

#[tokio::test]
async fn reads_ahead_within_its_memory_and_gives_it_back() {
    let objects = Arc::new(InMemory::new());
    let store = remote(&objects, Settings { read_memory_len_max: 5 << 20, ..settings() });
    let all = store.bucket.read_memory.available_permits();
    let bytes = pattern(12 << 20, 1);
    let id = put(&store, &bytes, 1 << 20).await.unwrap();
    let reader = store.open(id).await.unwrap();
    let mut held = Vec::new();
    for at in (0..bytes.len()).step_by(256 << 10) {
        let piece = reader.read(at as u64, 256 << 10).await.unwrap();
        assert!(piece == bytes[at..at + (256 << 10)]);
        held.push(piece);
    }
    assert!(store.bucket.read_memory.available_permits() < all);
    drop((reader, held));
    assert_eq!(store.bucket.read_memory.available_permits(), all);
}

#[tokio::test]
async fn a_blob_deleted_under_its_reader_is_missing() {
    let store = remote(&Arc::new(InMemory::new()), settings());
    let id = put(&store, &pattern(5 << 20, 1), 1 << 20).await.unwrap();
    let reader = store.open(id).await.unwrap();
    store.delete(id).await.unwrap();
    assert_eq!(reader.read(0, 10).await.unwrap_err().kind, ErrorKind::Missing);
}

#[test]
fn statuses_become_kinds() {
    for (status, kind) in [
        ("400", ErrorKind::Io),
        ("408", ErrorKind::Unavailable),
        ("416", ErrorKind::Corrupt),
        ("429", ErrorKind::Unavailable),
        ("500", ErrorKind::Unavailable),
        ("503", ErrorKind::Unavailable),
        ("507", ErrorKind::NoSpace),
    ] {
        let text =
            format!("Error performing PUT: Server returned non-2xx status code: {status} Reason: body");
        assert_eq!(kind_of(&text), kind, "{status}");
    }
    assert_eq!(kind_of("HTTP error: error sending request"), ErrorKind::Unavailable);
}
