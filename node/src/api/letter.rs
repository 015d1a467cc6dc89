//! Documents about letters.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// How many figures are still to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// So many.
    pub due: usize,
}

/// A letter, and where the next one goes on.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct LetterPage {
    /// The letter, signed.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub letter: Vec<u8>,
    /// Where it ended; none: it is the last.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub next: Option<Vec<u8>>,
}

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterTaken {
    /// Who wrote it.
    pub from: String,
    /// When.
    pub written_at: String,
    /// Messages that were taken, or were here already.
    pub accepted: u64,
    /// Messages than which something newer was here already.
    pub known: u64,
    /// Messages that were refused.
    pub refused: Vec<RefusedMessages>,
}

/// Messages that were refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedMessages {
    /// A stable word for why.
    pub code: String,
    /// Why, and what to do.
    pub reason: String,
    /// How many.
    pub count: u64,
}

impl From<&reeve_protocol::local::LetterTaken> for LetterTaken {
    fn from(taken: &reeve_protocol::local::LetterTaken) -> Self {
        let refused = taken.refused.iter().map(|(refusal, count)| RefusedMessages {
            code: refusal.label().to_owned(),
            reason: refusal.text().to_owned(),
            count: *count,
        });
        Self {
            from: taken.from.to_string(),
            written_at: taken.written_at.to_string(),
            accepted: taken.accepted,
            known: taken.known,
            refused: refused.collect(),
        }
    }
}
