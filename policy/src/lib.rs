//! Who may have what, and the only way from a table to a release.
//!
//! - [`authz`] answers questions by the node's Cedar policies: a permit with conditions, or a refusal.
//! - [`disclosure`] protects a table as the permit demands, adds the subordinates' figures, and makes
//!   the one type that may be signed as a release.
//!
//! Nothing here reads a clock, draws a random number, opens a file or a socket, or knows a twin, a
//! store or a peer connection. Same inputs, same outputs.

pub mod authz;
pub mod disclosure;

#[cfg(test)]
mod fixture;
