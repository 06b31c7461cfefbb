//! What the program tells its operators: log lines and metrics.
//!
//! Every layer may log (through `tracing`) and record metrics (through [`metrics`]); where the lines go and how the
//! metrics are read is set up here once, by `cli`.

pub mod log;
pub mod metrics;
