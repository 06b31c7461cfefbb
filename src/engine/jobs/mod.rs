//! What runs though nobody asked: one file a job, one bounded unit of work at a time.

pub mod collector;
pub mod lifecycle;
pub mod upload_sweeper;
