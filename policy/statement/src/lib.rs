//! What may cross an administrative border: signed statements and all that is needed to check them.
//!
//! This crate holds unit ids, periods, tables and cells, the statement kinds with their CBOR,
//! COSE signatures, certificates and ledger proofs: everything that an auditor needs, offline.
//!
//! It never reads a clock, draws a random number, opens a file or a socket, and knows nothing of
//! twins, policies, stores or peers.

pub mod adoption;
pub mod bounds;
pub mod bulletin;
pub mod calendar;
pub mod catalogue;
pub mod cbor;
pub mod cert;
pub mod chunk;
pub mod completeness;
pub mod cose;
pub mod digest;
pub mod key;
pub mod ledger;
pub mod limits;
pub mod names;
pub mod notice;
pub mod period;
pub mod register;
pub mod release;
pub mod request;
pub mod statement;
pub mod table;
pub mod time;
pub mod unit;
