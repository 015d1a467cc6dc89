//! The short programs of `examples/examples/` run to their end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/count_records.rs"]
mod count_records;
#[path = "../examples/explain_a_policy.rs"]
mod explain_a_policy;
#[path = "../examples/sign_a_release.rs"]
mod sign_a_release;

#[test]
fn a_release_is_signed_and_verified() {
    sign_a_release::main().unwrap();
}

#[test]
fn a_policy_is_explained() {
    explain_a_policy::main().unwrap();
}

#[test]
fn two_departments_count_the_same() {
    count_records::main().unwrap();
}
