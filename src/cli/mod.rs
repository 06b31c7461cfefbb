//! The commands, and the configuration that puts the other layers together.

pub mod config;
pub mod credentials;
pub mod data_dir;
