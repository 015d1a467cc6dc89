//! Records in CBOR, in JSON, and in batches.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reeve_fuzz::run("record", bytes));
