//! Checkpoints, proofs of inclusion and consistency.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reeve_fuzz::run("ledger", bytes));
