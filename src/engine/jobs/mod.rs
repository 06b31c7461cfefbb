//! What runs though nobody asked: one file a job, one bounded unit of work at a time.

pub mod collector;
pub mod key_rewrapper;
pub mod lifecycle;
pub mod unsettled;
pub mod upload_sweeper;
