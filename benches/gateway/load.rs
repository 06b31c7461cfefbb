//! The work that is measured.

use crate::PART_LEN;
use crate::http::{Answer, Body, Connection};
use crate::process::Server;
use crate::small::{self, Small};
use std::time::{Duration, Instant};

/// Connections that copy parts: the more, the more of them share a commit.
const COPIERS: usize = 64;

/// Work for one server.
pub struct Load {
    address: String,
}

impl Load {
    pub fn new(server: &Server) -> Load {
        Load { address: server.address.clone() }
    }

    fn connection(&self) -> Connection {
        Connection::open(&self.address)
    }

    /// Runs `work` on `connections` threads with a connection each; the sum of what they return.
    fn side_by_side(&self, connections: usize, work: impl Fn(usize, &mut Connection) -> u64 + Sync) -> u64 {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..connections)
                .map(|number| {
                    let work = &work;
                    scope.spawn(move || work(number, &mut self.connection()))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("the work ends well")).sum()
        })
    }

    pub fn create_bucket(&self) {
        ok(self.connection().send("PUT", "/bench", &[], Body::Noise(0)));
    }

    pub fn create_upload(&self, key: &str) -> String {
        let answer =
            ok(self.connection().send("POST", &format!("/bench/{key}?uploads"), &[], Body::Noise(0)));
        answer.element("UploadId")
    }

    /// An upload whose parts are encrypted by the gateway's own key.
    pub fn create_encrypted_upload(&self, key: &str) -> String {
        let target = format!("/bench/{key}?uploads");
        let method = [("x-amz-server-side-encryption", "AES256".to_string())];
        ok(self.connection().send("POST", &target, &method, Body::Noise(0))).element("UploadId")
    }

    /// `rounds` parts on each of `connections`; bytes sent.
    pub fn parts(&self, upload: &str, key: &str, connections: usize, rounds: usize, len: u64) -> u64 {
        self.side_by_side(connections, |number, connection| {
            for round in 0..rounds {
                let part = number * rounds + round + 1;
                let target = format!("/bench/{key}?partNumber={part}&uploadId={upload}");
                ok(connection.send("PUT", &target, &[], Body::Noise(len)));
            }
            rounds as u64 * len
        })
    }

    /// Parts on each connection until `stop`; bytes sent. Each connection has `numbers` part numbers, which it uses
    /// again when they are spent.
    pub fn parts_until(&self, upload: &str, connections: usize, numbers: usize, stop: Instant) -> u64 {
        self.side_by_side(connections, |connection_number, connection| {
            let mut sent = 0;
            while Instant::now() < stop {
                let part = connection_number * numbers + sent % numbers + 1;
                let target = format!("/bench/large?partNumber={part}&uploadId={upload}");
                ok(connection.send("PUT", &target, &[], Body::Noise(PART_LEN)));
                sent += 1;
            }
            sent as u64 * PART_LEN
        })
    }

    /// The same to the baseline, which takes any path for a file name.
    pub fn plain_puts(&self, connections: usize, rounds: usize, len: u64) -> u64 {
        self.side_by_side(connections, |number, connection| {
            for round in 0..rounds {
                ok(connection.send("PUT", &format!("/{number}-{round}"), &[], Body::Noise(len)));
            }
            rounds as u64 * len
        })
    }

    pub fn plain_gets(&self, connections: usize, rounds: usize) -> u64 {
        self.side_by_side(connections, |number, connection| {
            (0..rounds)
                .map(|_| ok(connection.send("GET", &format!("/{number}-0"), &[], Body::Noise(0))).body_len)
                .sum()
        })
    }

    /// Deletes all of `objects` in one request; milliseconds until the answer.
    pub fn delete_ms(&self, name: &str, count: usize) -> f64 {
        let mut connection = self.connection();
        let list: String =
            (0..count).map(|number| format!("<Object><Key>{name}-{number}</Key></Object>")).collect();
        let document = format!("<Delete>{list}</Delete>");
        let started = Instant::now();
        let answer = ok(connection.send("POST", "/bench?delete", &[], Body::Bytes(document.as_bytes())));
        let ms = started.elapsed().as_secs_f64() * 1e3;
        assert_eq!(String::from_utf8_lossy(&answer.body).matches("<Deleted>").count(), count);
        ms
    }

    /// `count` objects named `<name>-<number>`.
    pub fn objects(&self, name: &str, count: usize, len: u64) {
        self.side_by_side(count.min(8), |number, connection| {
            for object in (number..count).step_by(count.min(8)) {
                ok(connection.send("PUT", &format!("/bench/{name}-{object}"), &[], Body::Noise(len)));
            }
            0
        });
    }

    pub fn downloads(&self, name: &str, connections: usize, rounds: usize) -> u64 {
        self.side_by_side(connections, |number, connection| {
            let target = format!("/bench/{name}-{number}");
            (0..rounds).map(|_| ok(connection.send("GET", &target, &[], Body::Noise(0))).body_len).sum()
        })
    }

    /// 4 KiB objects for `duration`.
    pub fn small_puts(&self, name: &str, connections: usize, duration: Duration) -> Small {
        small::puts(&self.address, name, connections, duration)
    }

    /// Reads of one object for `duration`.
    pub fn small_gets(&self, key: &str, connections: usize, duration: Duration) -> Small {
        let times = std::sync::Mutex::new(Vec::new());
        let started = Instant::now();
        let target = format!("/bench/{key}");
        self.side_by_side(connections, |_, connection| {
            let mut own = Vec::new();
            while started.elapsed() < duration {
                let sent = Instant::now();
                ok(connection.send("GET", &target, &[], Body::Noise(0)));
                own.push(sent.elapsed());
            }
            times.lock().expect("no thread panicked").extend(own);
            0
        });
        Small::new(times.into_inner().expect("no thread panicked"), started.elapsed())
    }

    /// A lifecycle rule that looks at every object and expires none.
    pub fn expire_after_ten_years(&self) {
        let rules = "<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Expiration><Days>3650</Days>\
                     </Expiration></Rule></LifecycleConfiguration>";
        ok(self.connection().send("PUT", "/bench?lifecycle", &[], Body::Bytes(rules.as_bytes())));
    }

    /// Whether RocksDB has nothing to flush or to compact, as it was some seconds ago.
    pub fn store_is_sorted(&self) -> bool {
        ["compactions_pending", "compactions_running", "flushes_pending", "flushes_running"].iter().all(
            |property| self.metric(&format!("dovetail_metadata_store{{property=\"{property}\"}}")) == 0.0,
        )
    }

    /// A metric, with its labels as they stand there; 0 while it is not there.
    pub fn metric(&self, name: &str) -> f64 {
        let answer = ok(self.connection().send("GET", "/_/metrics", &[], Body::Noise(0)));
        let text = String::from_utf8_lossy(&answer.body);
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or(0.0)
    }

    /// An upload of `parts` copies of an object, by reference.
    pub fn upload_of_copies(&self, key: &str, source: &str, parts: usize) -> String {
        let upload = self.create_upload(key);
        self.copy_parts(key, &upload, source, parts);
        upload
    }

    fn copy_parts(&self, key: &str, upload: &str, source: &str, parts: usize) {
        self.side_by_side(COPIERS, |number, connection| {
            for part in (number + 1..=parts).step_by(COPIERS) {
                let target = format!("/bench/{key}?partNumber={part}&uploadId={upload}");
                let headers = [("x-amz-copy-source", format!("/bench/{source}"))];
                ok(connection.send("PUT", &target, &headers, Body::Noise(0)));
            }
            0
        });
    }

    /// An object of zeros.
    pub fn zeros(&self, key: &str, len: u64) {
        let zeros = vec![0; len as usize];
        ok(self.connection().send("PUT", &format!("/bench/{key}"), &[], Body::Bytes(&zeros)));
    }

    /// The same in an upload whose parts have CRC-64 checksums, as our client opens them.
    pub fn upload_of_checked_copies(&self, key: &str, source: &str, parts: usize) -> String {
        let headers = [
            ("x-amz-checksum-algorithm", "CRC64NVME".to_string()),
            ("x-amz-checksum-type", "FULL_OBJECT".to_string()),
        ];
        let created =
            self.connection().send("POST", &format!("/bench/{key}?uploads"), &headers, Body::Noise(0));
        let upload = ok(created).element("UploadId");
        self.copy_parts(key, &upload, source, parts);
        upload
    }

    /// Completes with all parts; the server's CPU milliseconds.
    pub fn complete_all(&self, server: &Server, key: &str, upload: &str, parts: usize) -> f64 {
        let mut connection = self.connection();
        let source = ok(connection.send("HEAD", "/bench/source-0", &[], Body::Noise(0)));
        let etag = source.header("etag").expect("an object has an ETag").trim_matches('"').to_string();
        let list: String = (1..=parts)
            .map(|part| format!("<Part><PartNumber>{part}</PartNumber><ETag>{etag}</ETag></Part>"))
            .collect();
        let document = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
        // What the server still does for the copies is not Complete's cost.
        server.settle();
        let before = server.cpu_s();
        let target = format!("/bench/{key}?uploadId={upload}");
        ok(connection.send("POST", &target, &[], Body::Bytes(document.as_bytes())));
        (server.cpu_s() - before) * 1e3
    }

    /// Median milliseconds to the first byte of 1 MiB from `offset`.
    pub fn range_first_byte(&self, key: &str, offset: u64, times: usize) -> f64 {
        let mut connection = self.connection();
        let mut measured: Vec<f64> = (0..times as u64)
            .map(|turn| {
                let first = offset + turn * 7_777_777;
                let range = [("range", format!("bytes={first}-{}", first + (1 << 20) - 1))];
                let answer = connection.send("GET", &format!("/bench/{key}"), &range, Body::Noise(0));
                assert_eq!(answer.status, 206);
                answer.first_byte.as_secs_f64() * 1e3
            })
            .collect();
        measured.sort_by(f64::total_cmp);
        measured[times / 2]
    }

    /// Median milliseconds of a listing, and the milliseconds of CPU that the server spends on one.
    pub fn list_ms(&self, server: &Server, query: &str, entries: usize, times: usize) -> (f64, f64) {
        let mut connection = self.connection();
        let target = format!("/bench?{query}");
        let cpu_s = server.cpu_s();
        let mut measured: Vec<f64> = (0..times)
            .map(|_| {
                let started = Instant::now();
                let answer = ok(connection.send("GET", &target, &[], Body::Noise(0)));
                let ms = started.elapsed().as_secs_f64() * 1e3;
                assert_eq!(answer.element("KeyCount"), entries.to_string());
                ms
            })
            .collect();
        measured.sort_by(f64::total_cmp);
        (measured[times / 2], (server.cpu_s() - cpu_s) * 1e3 / times as f64)
    }
}

/// `times` are in order.
fn ok(answer: Answer) -> Answer {
    assert!(answer.status == 200, "{}\n{}", answer.head, String::from_utf8_lossy(&answer.body));
    answer
}
