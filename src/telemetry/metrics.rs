//! Every metric of the program, in one table, and how they are recorded and rendered.
//!
//! A metric is recorded by its constant: `metrics::CONNECTIONS_OPEN.add(1.0, &[])`. Label values are `&'static str`,
//! so they come from enums and never from clients: the number of series is bounded. Nothing is recorded before
//! [`install`], which only a server calls. `docs/metrics.md` is printed from the table.

use ::metrics::{Key, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::fmt::Write;
use std::sync::OnceLock;

/// Upper bounds of the buckets of every histogram of seconds. Few, because each costs a series per label value.
const SECONDS_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Upper bounds of the buckets of histograms of counts.
const COUNT_BUCKETS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// What a metric does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    pub name: &'static str,
    pub kind: Kind,
    /// What is counted: `seconds`, `bytes`, or the plural of a noun.
    pub unit: &'static str,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

/// A metric that only goes up.
#[derive(Clone, Copy, Debug)]
pub struct Counter(pub Description);
/// A metric that goes up and down.
#[derive(Clone, Copy, Debug)]
pub struct Gauge(pub Description);
/// A metric whose observations are counted in fixed buckets.
#[derive(Clone, Copy, Debug)]
pub struct Histogram(pub Description);

macro_rules! metrics_table {
    ($($constant:ident = $kind:ident $name:literal, $unit:literal, [$($label:literal),*], $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: $kind = $kind(Description {
            name: $name, kind: Kind::$kind, unit: $unit, labels: &[$($label),*], help: $help,
        });)*
        /// The table, in the order of the documentation.
        pub const ALL: &[Description] = &[$($constant.0),*];
    };
}

metrics_table! {
    BUILD = Gauge "dovetail_build_info", "builds", ["version"],
        "Always 1; the label is the version that runs.";
    REQUESTS = Counter "dovetail_requests_total", "requests", ["operation", "status"],
        "Requests answered, by operation and class of the status (2xx, 3xx, 4xx, 5xx).";
    REQUEST_SECONDS = Histogram "dovetail_request_seconds", "seconds", ["operation"],
        "Time from the end of a request's header to the beginning of its answer.";
    REQUEST_BYTES = Counter "dovetail_request_bytes_total", "bytes", [],
        "Bytes of request bodies read from clients.";
    RESPONSE_BYTES = Counter "dovetail_response_bytes_total", "bytes", [],
        "Bytes of response bodies handed to the network.";
    CONNECTIONS = Counter "dovetail_connections_total", "connections", [],
        "Connections accepted.";
    CONNECTIONS_OPEN = Gauge "dovetail_connections_open", "connections", [],
        "Connections open now.";
    CONNECTIONS_LIMIT = Gauge "dovetail_connections_limit", "connections", [],
        "Connections that may be open at a time; more wait to be accepted.";
    CONNECTIONS_CUT = Counter "dovetail_connections_cut_total", "connections", ["reason"],
        "Connections ended by the server before the client was done, by reason (header, idle, displaced, stalled_reader, handshake, shutdown).";
    TLS_CERTIFICATE_EXPIRES = Gauge "dovetail_tls_certificate_expiry_timestamp_seconds", "seconds", [],
        "When the certificate that new connections get expires, since the Unix epoch. Without TLS it is not there.";
    REQUESTS_IN_FLIGHT = Gauge "dovetail_requests_in_flight", "requests", [],
        "Requests whose answer has not been sent in full.";
    BODY_TIMEOUTS = Counter "dovetail_body_timeouts_total", "requests", ["reason"],
        "Request bodies given up because the client sent nothing (idle) or too little (slow).";
    PANICS = Counter "dovetail_panics_total", "requests", [],
        "Requests that ended in a panic. Each is a bug to report.";
    BODIES_IN_FLIGHT = Gauge "dovetail_bodies_in_flight", "bodies", [],
        "Request bodies that hold buffers now.";
    BODY_MEMORY_BYTES = Gauge "dovetail_body_memory_bytes", "bytes", [],
        "Memory leased to request bodies now.";
    BODY_MEMORY_LIMIT_BYTES = Gauge "dovetail_body_memory_limit_bytes", "bytes", [],
        "Memory that request bodies may hold together; limits.upload_memory.";
    SLOWDOWNS = Counter "dovetail_slowdowns_total", "requests", [],
        "Requests refused with 503 SlowDown because no body memory came free.";
    CHECKSUM_MISMATCHES = Counter "dovetail_checksum_mismatches_total", "blocks", [],
        "Stored blocks that did not match their checksum when they were read. Run `dovetail fsck --deep`.";
    BLOB_BYTES_WRITTEN = Counter "dovetail_blob_written_bytes_total", "bytes", [],
        "Bytes written to the blob backend.";
    BLOB_BYTES_READ = Counter "dovetail_blob_read_bytes_total", "bytes", [],
        "Bytes read from the blob backend.";
    BLOB_ERRORS = Counter "dovetail_blob_errors_total", "errors", ["step"],
        "Failures of the blob backend, by step (create, write, finish, open, read, delete, list).";
    BLOBS_DELETED = Counter "dovetail_blobs_deleted_total", "blobs", [],
        "Blobs deleted because nothing referred to them any more.";
    COMMITS = Counter "dovetail_commits_total", "commits", [],
        "Metadata transactions committed.";
    COMMIT_BATCH = Histogram "dovetail_commit_batch", "commits", [],
        "Transactions that shared one sync of the write-ahead log.";
    COMMIT_SECONDS = Histogram "dovetail_commit_seconds", "seconds", [],
        "Time to write and sync one batch of transactions.";
    METADATA_STORE = Gauge "dovetail_metadata_store", "various", ["property"],
        "Properties of the metadata store, as it reports them.";
    GARBAGE_QUEUED = Gauge "dovetail_garbage_queued", "entries", [],
        "Blobs and contents waiting to be deleted.";
    UPLOADS_OPEN = Gauge "dovetail_uploads_open", "uploads", [],
        "Multipart uploads that are neither completed nor aborted.";
    UPLOADS_OPEN_BYTES = Gauge "dovetail_uploads_open_bytes", "bytes", [],
        "Bytes of the parts of open multipart uploads.";
    UPLOADS_OPEN_OLDEST_SECONDS = Gauge "dovetail_uploads_open_oldest_seconds", "seconds", [],
        "Age of the oldest open multipart upload; 0 when none is open.";
    UPLOADS_SWEPT = Counter "dovetail_uploads_swept_total", "uploads", [],
        "Multipart uploads aborted because they were older than uploads.expire_after.";
    UPLOADS_SWEPT_BYTES = Counter "dovetail_uploads_swept_bytes_total", "bytes", [],
        "Bytes of the parts of multipart uploads aborted because of their age.";
    LIFECYCLE_SEEN = Counter "dovetail_lifecycle_seen_total", "entries", [],
        "Objects, versions and uploads that were compared with lifecycle rules.";
    LIFECYCLE_ACTIONS = Counter "dovetail_lifecycle_actions_total", "actions", ["action"],
        "What lifecycle rules did (expire_object, expire_version, expire_marker, transition, abort_upload), and what was due and is locked (skip_locked).";
    LIFECYCLE_FREED_BYTES = Counter "dovetail_lifecycle_freed_bytes_total", "bytes", [],
        "Bytes of objects, versions and parts that lifecycle rules removed.";
    LIFECYCLE_SWEEP_SECONDS = Gauge "dovetail_lifecycle_sweep_seconds", "seconds", [],
        "How long the last sweep of the lifecycle rules took, rests included.";
}

const METADATA: Metadata<'static> = Metadata::new("dovetail", Level::INFO, None);

impl Description {
    /// # Panics
    /// If `values` are not as many as the table's labels: a mistake in the program, found by its first test.
    fn key(&self, values: &[&'static str]) -> Key {
        assert_eq!(self.labels.len(), values.len(), "{} takes the labels {:?}", self.name, self.labels);
        if values.is_empty() {
            return Key::from_static_name(self.name);
        }
        let labels = self.labels.iter().zip(values);
        Key::from_parts(
            self.name,
            labels.map(|(label, value)| Label::from_static_parts(label, value)).collect::<Vec<_>>(),
        )
    }
}

impl Counter {
    /// Counts `count` more. `labels` are the values of the table's labels, in its order.
    pub fn add(&self, count: u64, labels: &[&'static str]) {
        ::metrics::with_recorder(|recorder| {
            recorder.register_counter(&self.0.key(labels), &METADATA).increment(count);
        });
    }
}

impl Gauge {
    pub fn set(&self, value: f64, labels: &[&'static str]) {
        ::metrics::with_recorder(|recorder| {
            recorder.register_gauge(&self.0.key(labels), &METADATA).set(value);
        });
    }

    /// Moves the gauge up, or down when `change` is negative.
    pub fn add(&self, change: f64, labels: &[&'static str]) {
        ::metrics::with_recorder(|recorder| {
            recorder.register_gauge(&self.0.key(labels), &METADATA).increment(change);
        });
    }

    /// Counts one more until the guard is dropped, whatever way that happens.
    pub fn enter(self) -> Entered {
        self.add(1.0, &[]);
        Entered(self)
    }
}

/// Holds a gauge up by one.
#[derive(Debug)]
pub struct Entered(Gauge);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.add(-1.0, &[]);
    }
}

impl Histogram {
    pub fn record(&self, value: f64, labels: &[&'static str]) {
        ::metrics::with_recorder(|recorder| {
            recorder.register_histogram(&self.0.key(labels), &METADATA).record(value);
        });
    }
}

/// The class of a status, as the label of [`REQUESTS`] wants it.
pub fn status_class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// The metrics recorded so far. Cloning shares them.
#[derive(Clone)]
pub struct Exporter(PrometheusHandle);

impl Exporter {
    /// The metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Moves observations of histograms into their buckets. Until then each takes memory, so this is to be called
    /// every few seconds, whether anybody asks for the metrics or not.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exporter")
    }
}

/// Begins to record. There is one set of metrics a process: a second call returns the same one.
pub fn install() -> Exporter {
    static INSTALLED: OnceLock<Exporter> = OnceLock::new();
    INSTALLED
        .get_or_init(|| {
            let recorder = builder().build_recorder();
            describe(&recorder);
            let exporter = Exporter(recorder.handle());
            // Another recorder can only be a test's own; then ours stays empty.
            let _ = ::metrics::set_global_recorder(recorder);
            BUILD.set(1.0, &[env!("CARGO_PKG_VERSION")]);
            exporter
        })
        .clone()
}

/// Every histogram has buckets: the exporter's summaries would keep single observations.
fn builder() -> PrometheusBuilder {
    ALL.iter().filter(|metric| metric.kind == Kind::Histogram).fold(
        PrometheusBuilder::new(),
        |builder, metric| {
            let buckets = if metric.unit == "seconds" { SECONDS_BUCKETS } else { COUNT_BUCKETS };
            builder
                .set_buckets_for_metric(Matcher::Full(metric.name.to_string()), buckets)
                .expect("the buckets are constants and not empty")
        },
    )
}

fn describe(recorder: &impl Recorder) {
    for metric in ALL {
        let unit = match metric.unit {
            "seconds" => Some(Unit::Seconds),
            "bytes" => Some(Unit::Bytes),
            _ => None,
        };
        match metric.kind {
            Kind::Counter => recorder.describe_counter(metric.name.into(), unit, metric.help.into()),
            Kind::Gauge => recorder.describe_gauge(metric.name.into(), unit, metric.help.into()),
            Kind::Histogram => recorder.describe_histogram(metric.name.into(), unit, metric.help.into()),
        }
    }
}

/// `docs/metrics.md`, from the table.
pub fn document() -> String {
    let mut text = String::from(
        "# Metrics\n\n\
         `GET /_/metrics` answers with these in Prometheus' text format. This page is printed from the table in\n\
         `src/telemetry/metrics.rs`; `DOVETAIL_TEST_WRITE_DOCS=1 cargo test docs_metrics` writes it anew.\n\n\
         | metric | kind | unit | labels | meaning |\n| --- | --- | --- | --- | --- |\n",
    );
    for Description { name, kind, unit, labels, help } in ALL {
        let kind = format!("{kind:?}").to_ascii_lowercase();
        writeln!(text, "| `{name}` | {kind} | {unit} | {} | {help} |", labels.join(", "))
            .expect("writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_metrics_is_current() {
        crate::base::document::assert_current("docs/metrics.md", &document());
    }

    #[test]
    fn the_dashboard_asks_for_metrics_that_exist() {
        let dashboard = include_str!("../../deploy/grafana/dashboards/dovetail.json");
        let mut asked = 0;
        for piece in dashboard.split("dovetail_").skip(1) {
            let name: String = piece.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            let name = format!("dovetail_{name}");
            let exists = |name: &str| ALL.iter().any(|metric| metric.name == name);
            let of_histogram = ["_bucket", "_count", "_sum"]
                .into_iter()
                .any(|end| name.strip_suffix(end).is_some_and(exists));
            assert!(exists(&name) || of_histogram, "{name}");
            asked += 1;
        }
        assert!(asked > 20);
    }

    #[test]
    fn names_follow_one_convention_and_are_unique() {
        let mut names = std::collections::HashSet::new();
        for metric in ALL {
            assert!(names.insert(metric.name), "{} is there twice", metric.name);
            assert!(metric.name.starts_with("dovetail_"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            if metric.unit == "bytes" || metric.unit == "seconds" {
                assert!(metric.name.trim_end_matches("_total").ends_with(metric.unit), "{}", metric.name);
            }
        }
    }

    #[test]
    fn histograms_are_rendered_as_buckets_and_gauges_go_down_again() {
        let recorder = builder().build_recorder();
        describe(&recorder);
        let exporter = Exporter(recorder.handle());
        ::metrics::with_local_recorder(&recorder, || {
            REQUEST_SECONDS.record(0.2, &["PutObject"]);
            REQUESTS.add(2, &["PutObject", status_class(204)]);
            drop(CONNECTIONS_OPEN.enter());
        });
        exporter.upkeep();
        let text = exporter.render();
        assert!(
            text.contains("dovetail_request_seconds_bucket{operation=\"PutObject\",le=\"0.25\"} 1"),
            "{text}"
        );
        assert!(text.contains("dovetail_requests_total{operation=\"PutObject\",status=\"2xx\"} 2"), "{text}");
        assert!(text.contains("dovetail_connections_open 0"), "{text}");
        assert!(!text.contains("quantile"), "{text}");
    }
}
