//! Sequences of operations on indicators, held against a recount.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reeve_fuzz::run("indicator", bytes));
