#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dovetail::s3::properties::documents(bytes));
