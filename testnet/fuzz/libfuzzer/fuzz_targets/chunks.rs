//! Tables, manifests, and the chunks in which they travel.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reeve_fuzz::run("chunks", bytes));
