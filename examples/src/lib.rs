//! Packs to start from, and what feeds them.
//!
//! A pack is a folder of plain files (schema, catalogue, policy, mappings) beside this crate:
//! `epidemic/` with a synthetic outbreak ([`epidemic`]), and `italy/` for files published by the
//! Italian Civil Protection ([`italy`]). The texts are here as constants, so that tests and the test
//! network use the very files that a person copies.
//!
//! Short programs against the public API are in `examples/examples/`. Nothing here is part of a node.

pub mod epidemic;
pub mod italy;
