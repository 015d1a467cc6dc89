//! What an auditor needs: checks, offline and alone, that figures are the sums of what jurisdictions
//! signed, and that nothing was altered, left out, or told in two ways.
//!
//! [`Bundle`] takes the files of one or several proof bundles; [`verify`] checks them and returns a
//! [`Report`]. The sums are added by code of this crate, not by the code that added them first. It
//! knows neither twins, policies, stores nor the network, and reads no clock.

mod bulletin;
mod bundle;
mod check;
mod equivocation;
mod figure;
mod finding;
mod folder;
mod html;
mod ledger;
#[cfg(feature = "program")]
pub mod program;
mod proof;
mod report;
mod source;
mod statements;
mod sum;

pub use bundle::{
    Bundle, BundleError, CHECKPOINTS, CHUNKS, FIGURE, LISTS, MAX_FILE_BYTES, MAX_FILES, PROOFS,
    RECEIPTS, ROOTS, STATEMENTS, WITNESSES,
};
pub use check::{Rules, Trust, verify};
pub use equivocation::{
    EQUIVOCATION_FORMAT, EquivocationFile, EquivocationReport, MAX_EQUIVOCATION_BYTES,
    verify_equivocation,
};
pub use finding::{About, Code, Finding, Verdict};
pub use folder::FolderError;
pub use proof::{LedgerProof, ProofTextError};
pub use report::{Counted, FrozenFigure, Published, Report, Tree, Witnessed};
pub use sum::{Adding, holds, roots, sum};
