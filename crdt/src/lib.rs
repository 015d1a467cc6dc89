//! The digital twins of one jurisdiction: their schema, their records, the signed changes that make
//! them, and the indicators counted from them.
//!
//! Raw records live here and in the home's own store, nowhere else: nothing in this crate is a
//! statement, and nothing in it may cross a border. It never reads a clock, draws a random number,
//! opens a file or a socket, and knows nothing of policies, stores or peers.

pub mod catalogue;
pub mod indicator;
pub mod located;
pub mod record;
pub mod schema;
pub mod twin;
