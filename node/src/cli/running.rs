//! What the commands for certificates ask of the running node. The client of the HTTP API answers;
//! tests answer with a desk of their own.

use crate::api::IssuedEntry;
use crate::enrol::{AdmissionOrder, InviteOrder};

use super::CommandError;

/// The running node of this house.
pub trait RunningNode {
    /// Makes an invite and returns its line.
    ///
    /// # Errors
    /// [`NotDone`].
    fn invite(&self, order: &InviteOrder) -> Result<String, NotDone>;

    /// Certifies a unit that applies by file, and returns the line of its answer.
    ///
    /// # Errors
    /// [`NotDone`].
    fn admit(&self, order: &AdmissionOrder) -> Result<String, NotDone>;

    /// Takes a revocation list (DER) with its issuer's chain (CBOR), and passes it on.
    ///
    /// # Errors
    /// [`NotDone`].
    fn take_list(&self, chain: &[u8], list: &[u8]) -> Result<(), NotDone>;

    /// What the ledger holds of what the authority issued, from a place on.
    ///
    /// # Errors
    /// [`NotDone`].
    fn issued(&self, term: Option<u64>, from: u64) -> Result<Vec<IssuedEntry>, NotDone>;

    /// The latest term that any node of the unit is known to have been appointed for, or the last one in
    /// which this one may not sign any more.
    fn home_term(&self) -> Option<u64>;

    /// Takes a renewed chain (CBOR), and passes it to whom it is for.
    ///
    /// # Errors
    /// [`NotDone`].
    fn renew(&self, chain: &[u8]) -> Result<(), NotDone>;
}

/// Why the running node did not do it.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// It does not run, or cannot be reached.
    #[error("the node is not running, or its local API cannot be reached: {reason}")]
    NotRunning {
        /// What the connection said.
        reason: String,
    },
    /// Something else went wrong.
    #[error(transparent)]
    Failed(#[from] CommandError),
}

/// Whether the running node took something; that it does not run is told, not an error, because it
/// reads the files when it starts.
pub(super) fn taken(result: Result<(), NotDone>) -> Result<bool, CommandError> {
    match result {
        Ok(()) => Ok(true),
        Err(NotDone::NotRunning { .. }) => Ok(false),
        Err(NotDone::Failed(error)) => Err(error),
    }
}
