//! The `dovetail` program.

use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;

/// RocksDB allocates with the same one.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    dovetail::cli::run()
}
