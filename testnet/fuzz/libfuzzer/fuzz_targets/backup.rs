//! Backup files.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reeve_fuzz::run("backup", bytes));
