#![no_main]

// The property names the crate's own paths.
use dovetail::engine;

#[allow(dead_code)]
#[path = "../../src/engine/access/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::policy(bytes));
