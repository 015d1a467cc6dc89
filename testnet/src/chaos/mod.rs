//! Trials of a federation of real processes under faults that nobody would arrange by hand.
//!
//! Fourteen `reeve` processes of twelve units on four levels, one home with three nodes among them, run
//! in network namespaces where the machine gives them, else on loopback behind relays ([`way`],
//! [`proxy`]). Clients write to the lowest units all the time and remember what was acknowledged. Faults
//! are drawn from a seed; at which instruction they meet a process is not.
//!
//! After faults everything is held against the book: records, figures, ledgers, stores, logs, memory.

mod broken;
pub mod clocks;
mod disk;
pub mod faults;
mod federation;
pub mod kills;
mod load;
pub mod mixed;
mod namespaces;
mod network;
pub mod partitions;
pub mod proxy;
pub mod relay;
mod remains;
mod shape;
pub mod silence;
pub mod spread;
pub mod way;
pub mod week;

use std::path::PathBuf;
use std::time::Duration;

use reeve::config::Engine;
use serde::Serialize;

use crate::trial::TrialError;
use way::Way;

/// Over what nodes reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// QUIC, on UDP.
    Quic,
}

/// What every trial of chaos needs.
#[derive(Debug, Clone)]
pub struct ChaosSpec {
    /// Where the nodes' folders are made.
    pub folder: PathBuf,
    /// Their store engine.
    pub engine: Engine,
    /// How their network is made.
    pub way: Way,
    /// Over what they reach each other.
    pub transport: Transport,
    /// What chance begins with.
    pub seed: u64,
    /// Longest time from the end of a fault to right figures at the nation.
    pub within: Duration,
}

/// What every trial of chaos saw.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Seen {
    /// Requests that were acknowledged; none of them was lost.
    pub acknowledged: u64,
    /// Requests that were not answered: done or not.
    pub open: u64,
    /// Entries of all ledgers.
    pub entries: usize,
    /// Editions of figures, each of which is one statement.
    pub editions: usize,
    /// Statements verified in the stores that were left.
    pub verified: usize,
    /// The most memory that a process held, in MB.
    pub peak_mb: u64,
}

/// Ends a trial: stops the nodes, whose clocks are off by so many seconds, and looks into what they left.
fn end(mut federation: federation::Federation, shifted: i64) -> Result<Seen, TrialError> {
    /// kB of a MB.
    const MB: u64 = 1_024;
    federation.load.rest()?;
    let (acknowledged, open) = federation.load.tally();
    let (entries, editions) = federation.book.size();
    federation.note_memory();
    let peak_mb = federation.peak_kb() / MB;
    let verified = federation.end(shifted)?;
    Ok(Seen { acknowledged, open, entries, editions, verified, peak_mb })
}
