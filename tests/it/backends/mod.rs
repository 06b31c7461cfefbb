//! Remote backends, against servers that speak the real protocols.
//!
//! `tools/test-servers` installs the servers. A test whose server is missing fails and says so.

mod memory;
pub mod server;
mod trouble;

use dovetail::base::tasks::Tasks;
use dovetail::blob::conformance::{get, pattern, put, run_all};
use dovetail::blob::{self, BlobId, Store};
use server::Server;
use std::path::Path;
use std::sync::Arc;

/// Opens a prefix of a server's bucket as `serve` would.
fn open(server: &Server, prefix: &str) -> Arc<dyn Store> {
    open_with(server, prefix, &blob::open::Settings::default(), &Tasks::new())
}

fn open_with(
    server: &Server,
    prefix: &str,
    settings: &blob::open::Settings,
    tasks: &Tasks,
) -> Arc<dyn Store> {
    let (url, options) = server.configuration(prefix);
    blob::open_url(Some(&url), &options, Path::new("/nonexistent"), settings, tasks).expect("a backend")
}

/// The whole suite, each test under a prefix of its own.
async fn conforms(server: Server) {
    let number = std::cell::Cell::new(0);
    run_all(async || {
        number.set(number.get() + 1);
        open(&server, &format!("test-{}", number.get()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_conforms() {
    conforms(Server::s3().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azure_conforms() {
    conforms(Server::azure().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn google_cloud_storage_conforms() {
    conforms(Server::gcs().await).await;
}

/// The ids of the multipart uploads that S3 holds.
async fn open_uploads(server: &Server) -> usize {
    let answer = reqwest::get(server.http("/blobs?uploads")).await.expect("an answer");
    answer.text().await.expect("a body").matches("<UploadId>").count()
}

async fn begin_long_blob(store: &dyn Store) -> Box<dyn blob::Writer> {
    let mut writer = store.create(BlobId::random(), None).await.expect("a writer");
    for _ in 0..20 {
        writer.write(pattern(1 << 20, 1)).await.expect("a write");
    }
    writer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_writer_aborts_its_upload() {
    let server = Server::s3().await;
    let tasks = Tasks::new();
    let store = open_with(&server, "dropped", &blob::open::Settings::default(), &tasks);
    let writer = begin_long_blob(&*store).await;
    assert_eq!(open_uploads(&server).await, 1);
    drop(writer);
    tasks.wait().await;
    assert_eq!(open_uploads(&server).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_aborts_the_upload_of_a_process_that_died() {
    let server = Server::s3().await;
    let store = open(&server, "died");
    let kept = put(&*store, &pattern(1000, 1), 1000).await.expect("a blob");
    // A process that dies runs no destructor.
    std::mem::forget(begin_long_blob(&*store).await);
    assert_eq!(open_uploads(&server).await, 1);

    let next_process = open(&server, "died");
    next_process.sweep_unfinished().await.expect("a sweep");
    assert_eq!(open_uploads(&server).await, 0);
    assert_eq!(get(&*next_process, kept, 1000).await.expect("its bytes"), pattern(1000, 1));
    next_process.sweep_unfinished().await.expect("a second sweep, with nothing to do");
}
