//! Messages between the nodes of a home.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reeve_fuzz::run("home", bytes));
