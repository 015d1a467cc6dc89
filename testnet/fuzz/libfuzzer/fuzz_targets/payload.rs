//! What a statement says, signed by somebody who may.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reeve_fuzz::run("payload", bytes));
