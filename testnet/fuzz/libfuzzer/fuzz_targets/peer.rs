//! Sequences of operations on a node by peers above, below and at home.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reeve_fuzz::run("peer", bytes));
