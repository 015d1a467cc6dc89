//! Whole federations of protocol cores in one thread, under virtual time, with faults from one seed.
//!
//! [`Plan::of`] draws a federation and its faults from a seed; [`Sim`] runs it; a [`Report`] says what
//! happened. The cores, their policy, disclosure, ledgers and twins are the real ones; time, network
//! and disks are played. The same seed gives the same run, event by event, in every process: the
//! trace's digest tells.
//!
//! What must be true is in `invariants`; it knows the records that were acknowledged and nothing of
//! how the core works.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a simulator fails by panicking: a federation that it cannot set up is its own mistake"
)]

pub mod attack;
mod auditors;
mod bulletins;
mod calendars;
mod check;
mod consent;
mod disk;
mod evidence;
mod file;
mod hostile;
mod invariants;
mod known;
mod minimise;
mod model;
mod network;
mod observe;
mod plan;
mod policies;
mod registers;
pub mod registry;
mod retention;
mod scale;
mod setup;
mod sim;
pub mod specimen;
mod sums;
mod trace;
mod trouble;
mod witnesses;

pub use file::BadPlan;
pub use minimise::minimise;
pub use plan::{Faults, Plan, Size};
pub use scale::{Scale, scale};
pub use sim::{Report, Sim};
pub use trace::Violation;
