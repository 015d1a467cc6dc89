//! Certificates and chains, up to their verification.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reeve_fuzz::run("chain", bytes));
