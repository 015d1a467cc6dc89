//! What a visit found, each with a stable code.

use reeve_audit::Verdict;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal $verdict:ident),+ $(,)?) => {
        /// What was found. The words are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Code {
            $($(#[$doc])* $name),+
        }

        impl Code {
            /// Its stable word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }

            /// What a visit comes to that finds it.
            #[must_use]
            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$name => Verdict::$verdict),+ }
            }
        }
    };
}

codes! {
    /// The unit has signed two ledgers, and the proof is kept.
    Equivocation = "equivocation" Findings,
    /// The ledger does not go on from what was seen of it, and the unit has not signed a contradiction.
    NotConsistent = "not_consistent" Findings,
    /// The ledger is shorter than it was, or than another auditor was shown.
    WentBack = "went_back" Findings,
    /// A reporting term that had ended already.
    OldTerm = "old_term" Findings,
    /// The certificate chain does not hold, or is another unit's.
    BadChain = "bad_chain" Findings,
    /// The checkpoint is not signed by the unit's node.
    BadSignature = "bad_signature" Findings,
    /// Another key signs than before in the same term.
    OtherKey = "other_key" Findings,
    /// What is shown as a statement is none.
    BadStatement = "bad_statement" Findings,
    /// The jurisdiction does not answer, or not with what was asked for.
    Unreachable = "unreachable" CannotTell,
    /// What was seen cannot be read or kept: nothing was cosigned.
    NotKept = "not_kept" CannotTell,
    /// A file of another auditor cannot be read, or is not signed by whom it names.
    Unreadable = "unreadable" CannotTell,
    /// The jurisdiction has not taken the cosignature.
    NotTaken = "not_taken" Pass,
    /// The jurisdiction shows no statements.
    Declined = "declined" Pass,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub code: Code,
    /// In words: expected, found, and what to do.
    pub text: String,
}

impl Finding {
    pub(super) fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_written_as_its_word() {
        for code in [Code::Equivocation, Code::NotConsistent, Code::OldTerm, Code::NotTaken] {
            assert_eq!(serde_json::json!(code), code.word());
        }
    }
}
