//! Messages to the enrolment desk, with and without an invite.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reeve_fuzz::run("enrolment", bytes));
