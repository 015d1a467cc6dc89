//! Questions about a ledger, and the line of an invite.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reeve_fuzz::run("questions", bytes));
