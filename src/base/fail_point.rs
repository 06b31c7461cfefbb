//! Points at which a test kills the process, to prove that nothing acknowledged is lost.
//!
//! `fail_point::reach("engine::complete::before_commit")` does nothing in a release. With the feature `fail-points`,
//! which only tests turn on, the environment variable `DOVETAIL_KILL_AT=<point>[:<n>]` makes the process kill itself
//! with SIGKILL when it reaches that point for the n-th time (default 1): no destructor runs and no buffer is flushed,
//! as in `kill -9`. Every point is listed in [`ALL`], and the crash test goes through that list.

/// Every fail point of the program, in the order a request would meet them.
pub const ALL: &[&str] = &[
    "blob::local::after_create",
    "blob::local::after_write",
    "blob::local::after_sync",
    "blob::local::after_link",
    "blob::local::before_settle",
    "blob::local::after_delete",
    "engine::put_object::before_commit",
    "engine::put_object::after_commit",
    "engine::upload_part::before_commit",
    "engine::upload_part::after_commit",
    "engine::create_multipart_upload::after_commit",
    "engine::complete_multipart_upload::before_commit",
    "engine::complete_multipart_upload::after_commit",
    "engine::abort_multipart_upload::after_commit",
    "engine::copy_object::after_commit",
    "engine::rename_object::after_commit",
    "engine::delete_object::after_commit",
    "engine::collector::before_blob_delete",
    "engine::collector::after_blob_delete",
    "engine::collector::after_content_batch",
    "engine::lifecycle::before_commit",
    "engine::lifecycle::after_commit",
    "meta::rocksdb::before_write",
    "meta::rocksdb::after_write",
];

/// Marks a point; kills the process there if a test asked for it.
#[cfg(not(feature = "fail-points"))]
#[inline(always)]
pub fn reach(_point: &'static str) {}

/// Marks a point; kills the process there if a test asked for it.
#[cfg(feature = "fail-points")]
pub fn reach(point: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static ASKED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static REACHED: AtomicU64 = AtomicU64::new(0);
    debug_assert!(ALL.contains(&point), "fail point {point} is not in the list");
    let asked = ASKED.get_or_init(|| {
        let value = std::env::var("DOVETAIL_KILL_AT").ok()?;
        match value.rsplit_once(':') {
            Some((name, count)) if count.parse::<u64>().is_ok() => {
                Some((name.to_string(), count.parse().expect("checked just above")))
            }
            _ => Some((value, 1)),
        }
    });
    if let Some((name, count)) = asked
        && name == point
        && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == *count
    {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}
