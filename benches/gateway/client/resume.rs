//! How soon a resumed upload of 10,000 parts sends what is missing.
//!
//! The parts are UploadPartCopy's of one object, so that nobody sends 50 GB, the file is a hole of the same length, and
//! the journal is what a killed client would have left. A proxy looks for the first part on its way.

use super::run::Run;
use super::tools::Tool;
use crate::load::Load;
use crate::process::Server;
use crate::table::Table;
use dovetail::client::address::Address;
use dovetail::client::identity::FileIdentity;
use dovetail::client::journal::{Direction, Entry, Header, Journals};
use dovetail_digest::{Algorithm, Digest};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PARTS: u16 = 10_000;
const PART_LEN: u64 = 5 << 20;
/// Of the parts, so many have not been sent.
const MISSING: u16 = 4;
const KEY: &str = "resumed";

pub fn resume(table: &mut Table) {
    let server = Server::gateway();
    let load = Load::new(&server);
    load.create_bucket();
    load.zeros("source", PART_LEN);
    let upload = load.upload_of_checked_copies(KEY, "source", usize::from(PARTS - MISSING));
    let proxy = Proxy::start(&server.address);
    let place = std::env::var("BENCH_DIR").unwrap_or_else(|_| "target".to_string());
    let folder = tempfile::tempdir_in(place).expect("a folder for files can be made");
    let file = folder.path().join("file");
    File::create(&file)
        .and_then(|file| file.set_len(u64::from(PARTS) * PART_LEN))
        .expect("a hole takes no room");
    write_journal(folder.path(), &file, &proxy.address, &upload);
    let arguments = Tool::Dovetail.put(&file, KEY);
    let started = Instant::now();
    Run { tool: &Tool::Dovetail, arguments, endpoint: &proxy.address, home: folder.path() }.cost();
    let first = proxy.first_part().expect("something was missing") - started;
    assert_eq!(proxy.parts(), usize::from(MISSING), "only what was missing is sent");
    table.row(
        "resuming an upload of 10,000 parts, from start to the first new part",
        format!("{:.0} ms", first.as_secs_f64() * 1e3),
        first.as_secs_f64(),
        "under 1 s",
    );
}

/// As a client that was killed would have left it.
fn write_journal(home: &Path, file: &Path, endpoint: &str, upload: &str) {
    let path = std::fs::canonicalize(file).expect("the file is there");
    let address = Address::new("bench", KEY);
    let zeros = vec![0; PART_LEN as usize];
    let header = Header {
        len: u64::from(PARTS) * PART_LEN,
        part_len: PART_LEN,
        upload_id: Some(upload.to_string()),
        identity: Some(FileIdentity::of(&File::open(file).expect("it is there")).expect("it can be read")),
        algorithm: Algorithm::Crc64Nvme.name().to_string(),
        started_ms: 1,
        ..Header::new(Direction::Upload, &format!("http://{endpoint}"), &address, &path)
    };
    let journals = Journals::new(home.join("state/dovetail/transfers"));
    let mut journal = journals.create(header).expect("a journal can be written");
    let etag = Digest::new(&dovetail_digest::md5(&zeros)).to_hex();
    let digest = dovetail_digest::digest(Algorithm::Crc64Nvme, &zeros).to_hex();
    for part in 1..=PARTS - MISSING {
        let entry = Entry { part, etag: etag.clone(), digest: digest.clone(), at_ms: 1 };
        journal.record(entry).expect("a line can be written");
    }
}

/// Passes bytes on, and notes when parts begin.
struct Proxy {
    address: String,
    seen: Arc<Mutex<Vec<Instant>>>,
}

impl Proxy {
    fn start(upstream: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound").to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (upstream, noted) = (upstream.to_string(), Arc::clone(&seen));
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let Ok(server) = TcpStream::connect(&upstream) else { return };
                let (from, to) =
                    (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
                let noted = Arc::clone(&noted);
                std::thread::spawn(move || {
                    pass_on(from, to, |bytes| {
                        let begins = |line: &[u8]| line.windows(11).any(|word| word == b"partNumber=");
                        if bytes.starts_with(b"PUT ") && begins(&bytes[..bytes.len().min(1024)]) {
                            noted.lock().expect("no thread panicked").push(Instant::now());
                        }
                    })
                });
                std::thread::spawn(move || pass_on(server, client, |_| {}));
            }
        });
        Proxy { address, seen }
    }

    fn first_part(&self) -> Option<Instant> {
        self.seen.lock().expect("no thread panicked").first().copied()
    }

    fn parts(&self) -> usize {
        self.seen.lock().expect("no thread panicked").len()
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, look: impl Fn(&[u8])) {
    let mut buf = vec![0; 1 << 18];
    from.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out can be set");
    while let Ok(len @ 1..) = from.read(&mut buf) {
        look(&buf[..len]);
        if to.write_all(&buf[..len]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}
