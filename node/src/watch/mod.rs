//! What an auditor does online: follows the ledgers of jurisdictions, cosigns them, and keeps what it saw.
//!
//! Each jurisdiction's ledger is read over HTTP in the paths of C2SP tlog-tiles (`source`), held against
//! what was seen before and against what other auditors have seen (`visit`), and what follows is kept in
//! a folder (`kept`) before anything is said or signed. Proof that a unit keeps two ledgers is a file that
//! `reeve audit verify` checks alone. Where a jurisdiction shows its statements they are followed, entry by
//! entry (`follow`), and the standing report says who withholds what (`report`).
//!
//! It is no part of a node: it serves nothing, keeps no records, and sees of a jurisdiction only what that
//! shows. No answer is believed that is not signed under the federation's roots, or that does not follow
//! from what is.
//!
//! Specifications: C2SP tlog-tiles, tlog-checkpoint, tlog-cosignature.

mod config;
mod finding;
mod follow;
mod kept;
mod report;
mod source;
mod tree;
mod visit;

#[cfg(test)]
mod tests;

pub use config::{ConfigError, Jurisdiction, WatchConfig};
pub use finding::{Code, Finding};
pub use kept::{Folder, Kept, KeptCosignature, KeptEntries, KeptError, KeptLedger, read_notes};
pub use report::{
    Gap, Lateness, Listed, OfJurisdiction, OfLedger, Revised, Standing, Unanswered, standing,
};
pub use source::{HttpSource, Source, SourceError};
pub use visit::{Auditor, Round, Rules, Visited, visit};
