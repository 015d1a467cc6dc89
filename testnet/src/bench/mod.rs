//! Benchmarks of whole nodes: real stores, real signatures, real TCP on loopback.
//!
//! Every figure is printed beside the machine it was measured on and the target it is held against.
//! Nothing here is adjusted: load from other programs is printed with the figures, not taken off.

pub mod audit;
pub mod bytes;
pub mod feed;
pub mod import;
pub mod italy;
pub mod latency;
pub mod ledger;
pub mod machine;
pub mod measure;
pub mod retention;

use std::path::PathBuf;

use reeve::import::ImportError;
use reeve_crdt::located::Problems;
use reeve_examples::epidemic::TopologyError;

use crate::italy::ItalyError;
use crate::processes::ProcessError;
use crate::town::TownError;

pub use machine::Machine;
pub use measure::Measure;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What the targets speak of.
    Full,
    /// A little of everything, to see that the benchmark works.
    Quick,
}

impl Extent {
    /// One of two values.
    #[must_use]
    pub fn choose<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// Why a benchmark ends early.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The federation.
    #[error(transparent)]
    Town(#[from] TownError),
    /// Nodes as processes.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Italy's federation.
    #[error(transparent)]
    Italy(#[from] ItalyError),
    /// The outbreak's places.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A store.
    #[error(transparent)]
    Store(#[from] reeve::store::StoreError),
    /// A file.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The pack's mapping does not fit its schema.
    #[error("{0}")]
    Mapping(Problems),
    /// The generated file.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A name that is not in the pack.
    #[error("the epidemic pack has no {0}")]
    NotInPack(&'static str),
    /// An auditor's program did not say that an honest bundle passes.
    #[error("{0}")]
    Verdict(String),
    /// A name that is none.
    #[error("{0}")]
    Name(String),
    /// A thread of the benchmark ended before its work.
    #[error("the thread that {0} ended early")]
    Thread(&'static str),
}
