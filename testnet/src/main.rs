//! The testnet command.
fn main() {}
