#![no_main]

// The properties name the crate's own paths.
use dovetail::wire;

#[allow(dead_code)]
#[path = "../../src/wire/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::post_policy(bytes));
