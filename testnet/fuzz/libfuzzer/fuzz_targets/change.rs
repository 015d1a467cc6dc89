//! Signed changes of records and proofs of forks, also by an insider.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reeve_fuzz::run("change", bytes));
