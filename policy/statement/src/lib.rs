//! What crosses a border: signed statements, certificates, ledger proofs.

pub mod key;
