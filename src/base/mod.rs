//! What every layer may use and that uses no layer: the clock, randomness, sizes, buffers, turns at the disk, owned tasks, wildcards.
//!
//! The clock, the random source and `tokio::spawn` are touched here and nowhere else (`clippy.toml` holds that),
//! so that a test can hand in its own and a run can be replayed.

pub mod body;
pub mod buffers;
pub mod clock;
pub mod disk_space;
pub mod disk_turns;
#[cfg(test)]
pub mod document;
pub mod fail_point;
pub mod limits;
pub mod memory;
pub mod random;
pub mod tasks;
pub mod wildcard;
