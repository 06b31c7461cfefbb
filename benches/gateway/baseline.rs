//! What the gateway is measured against: hyper, the md-5 crate, files. PUT reads the body into 1 MiB buffers, hashes
//! it, writes it to a file and fdatasyncs; GET streams the file in 256 KiB pieces. Nothing else: no signatures, no
//! checksums, no metadata, nothing atomic.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

const WRITE_LEN: usize = 1 << 20;
/// A buffer is written once it holds `WRITE_LEN`; the frame that fills it may be this much too long.
const FRAME_LEN_MAX: usize = 512 << 10;
const READ_LEN: usize = 256 << 10;

pub fn serve(address: &str, folder: &str) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await.expect("the address is free");
        let folder: Arc<Path> = PathBuf::from(folder).into();
        loop {
            let (stream, _) = listener.accept().await.expect("connections come in");
            let _ = stream.set_nodelay(true);
            let folder = Arc::clone(&folder);
            let service = hyper::service::service_fn(move |req| answer(Arc::clone(&folder), req));
            #[allow(
                clippy::disallowed_methods,
                reason = "a benchmark's server owns nothing that outlives it"
            )]
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
}

/// Bytes on their way out. Their buffer is used again: fresh memory costs more than the reading.
struct Piece {
    buf: Vec<u8>,
    len: usize,
}

fn spares() -> MutexGuard<'static, Vec<Vec<u8>>> {
    static SPARES: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
    SPARES.lock().expect("nothing panics while it is locked")
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.buf[..self.len]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        spares().push(std::mem::take(&mut self.buf));
    }
}

async fn answer(
    folder: Arc<Path>,
    req: Request<Incoming>,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Infallible> {
    let path = folder.join(req.uri().path().trim_start_matches('/'));
    if req.method() == Method::PUT {
        let md5 = put(path, req.into_body()).await;
        let response = Response::builder().header("etag", md5).header("content-length", 0);
        return Ok(response.body(Empty::new().boxed_unsync()).expect("a valid answer"));
    }
    let file = Arc::new(File::open(path).expect("the file is there"));
    let len = file.metadata().expect("a file has a length").len();
    let pieces = futures::stream::unfold(0, move |offset| {
        let file = Arc::clone(&file);
        async move {
            let len = READ_LEN.min((len - offset) as usize);
            if len == 0 {
                return None;
            }
            let piece = tokio::task::spawn_blocking(move || {
                let mut piece = Piece { buf: spares().pop().unwrap_or_else(|| vec![0; READ_LEN]), len };
                file.read_exact_at(&mut piece.buf[..len], offset).expect("the file can be read");
                piece
            });
            let piece = Bytes::from_owner(piece.await.expect("reading ends"));
            Some((Ok(Frame::data(piece)), offset + len as u64))
        }
    });
    let response = Response::builder().header("content-length", len);
    Ok(response.body(StreamBody::new(pieces).boxed_unsync()).expect("a valid answer"))
}

async fn put(path: PathBuf, mut body: Incoming) -> String {
    use md5::Digest;
    let file = Arc::new(File::create(path).expect("the file can be made"));
    let (mut md5, mut buf, mut offset) =
        (md5::Md5::new(), Vec::with_capacity(WRITE_LEN + FRAME_LEN_MAX), 0u64);
    let mut ended = false;
    while !ended {
        match body.frame().await {
            Some(frame) => {
                let bytes = frame.expect("the client sends").into_data().unwrap_or_default();
                md5.update(&bytes);
                buf.extend_from_slice(&bytes);
            }
            None => ended = true,
        }
        if buf.len() >= WRITE_LEN || (ended && !buf.is_empty()) {
            let (file, full, at) = (Arc::clone(&file), std::mem::take(&mut buf), offset);
            offset += full.len() as u64;
            let written = tokio::task::spawn_blocking(move || {
                file.write_all_at(&full, at).expect("the file can be written");
                full
            });
            buf = written.await.expect("writing ends");
            buf.clear();
        }
    }
    tokio::task::spawn_blocking(move || file.sync_data().expect("the file can be synced"))
        .await
        .expect("syncing ends");
    md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
