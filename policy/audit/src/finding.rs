//! What a check found: each with a code, and with the jurisdiction, indicator and period that it is about.

use core::fmt;

use reeve_statement::digest::Digest;
use serde::Serialize;

/// What a check came to. The program's exit code says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that is claimed was checked, and holds.
    Pass,
    /// Nothing is wrong with what is there, but something that is needed is not there.
    CannotTell,
    /// Something is wrong.
    Findings,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "PASS",
            Self::CannotTell => "CANNOT TELL",
            Self::Findings => "FINDINGS",
        })
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal $verdict:ident),+ $(,)?) => {
        /// What was found. The words are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])* $name),+
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its stable word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }

            /// What a check comes to that finds it.
            #[must_use]
            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$name => Verdict::$verdict),+ }
            }
        }
    };
}

codes! {
    /// A file cannot be read as what its place says.
    Unreadable = "unreadable" Findings,
    /// Bytes of a statement are not in the one right form.
    Malformed = "malformed" Findings,
    /// A signature does not match: altered or forged.
    BadSignature = "bad_signature" Findings,
    /// A certificate chain does not hold.
    BadChain = "bad_chain" Findings,
    /// A certificate for another area or unit than its issuer may certify.
    OutOfArea = "out_of_area" Findings,
    /// The certificate was not valid when the statement was signed.
    StaleCertificate = "stale_certificate" Findings,
    /// The certificate had been revoked when the statement was signed.
    Revoked = "revoked" Findings,
    /// The signer's key came into other hands, and nobody saw the statement before that.
    NotBeforeCompromise = "not_before_compromise" Findings,
    /// Signed before its certificate began.
    Backdated = "backdated" Findings,
    /// Of another federation.
    OtherFederation = "other_federation" Findings,
    /// The signer may not say this, or not in this unit's name.
    NotEntitled = "not_entitled" Findings,
    /// Of another term than the signer's.
    WrongTerm = "wrong_term" Findings,
    /// Made for another recipient.
    WrongAudience = "wrong_audience" Findings,
    /// A chunk or part is not what the statement says.
    BadPart = "bad_part" Findings,
    /// The figure is not the sum of what it says that it is made of.
    WrongSum = "wrong_sum" Findings,
    /// The Merkle roots are not those of the inputs and the manifest.
    WrongRoots = "wrong_roots" Findings,
    /// Completeness is not what the inputs give.
    WrongCompleteness = "wrong_completeness" Findings,
    /// A unit that the register names is not in the manifest.
    MissingUnit = "missing_unit" Findings,
    /// The manifest names a unit that the register does not.
    UnknownUnit = "unknown_unit" Findings,
    /// The register names fewer units than the one before, and does not say when they ended.
    RegisterShrank = "register_shrank" Findings,
    /// The statement named as an input is of another unit, figure, term or edition.
    OtherInput = "other_input" Findings,
    /// A bulletin names another figure than it says, or one that did not stand last at its moment.
    BadBulletin = "bad_bulletin" Findings,
    /// The edition does not follow the one that it names.
    EditionGap = "edition_gap" Findings,
    /// Two statements as one edition of one figure: told differently to two recipients.
    TwoEditions = "two_editions" Findings,
    /// The proof does not show the statement in its issuer's ledger.
    NotInLedger = "not_in_ledger" Findings,
    /// A receipt does not hold, or says other than the proof beside it.
    BadReceipt = "bad_receipt" Findings,
    /// Two checkpoints of one ledger with one size and different roots.
    LedgerForked = "ledger_forked" Findings,
    /// A unit is proven to have signed two ledgers.
    Equivocation = "equivocation" Findings,
    /// A cosignature does not match its checkpoint, or its key may not cosign.
    BadCosignature = "bad_cosignature" Findings,
    /// The statement's date contradicts when witnesses saw its ledger.
    WitnessTime = "witness_time" Findings,
    /// The figure to check is not in the bundle.
    NoFigure = "no_figure" CannotTell,
    /// Nobody has said which federation's roots to believe.
    RootsNotConfirmed = "roots_not_confirmed" CannotTell,
    /// A statement came without its certificate chain.
    NoChain = "no_chain" CannotTell,
    /// An input is not in the bundle.
    NoInput = "no_input" CannotTell,
    /// A statement that a bulletin names is not in the bundle.
    NoFrozen = "no_frozen" CannotTell,
    /// A chunk of a statement is not in the bundle.
    NoChunk = "no_chunk" CannotTell,
    /// The register that says who was expected is not in the bundle.
    NoRegister = "no_register" CannotTell,
    /// The catalogue that defines the indicator is not in the bundle.
    NoCatalogue = "no_catalogue" CannotTell,
    /// No proof that the statement is in its issuer's ledger is in the bundle.
    NoLedgerProof = "no_ledger_proof" CannotTell,
    /// Revocation lists are required, and not in the bundle.
    ListsRequired = "lists_required" CannotTell,
    /// Every figure must be witnessed, and some are not.
    WitnessRequired = "witness_required" CannotTell,
    /// What is to prove that a unit keeps two ledgers does not.
    NotProven = "not_proven" CannotTell,
    /// Nobody but its issuer vouches for when a figure was signed.
    NotWitnessed = "not_witnessed" Pass,
    /// Revocation lists are not in the bundle.
    NoRevocationList = "no_revocation_list" Pass,
    /// Signed before its certificate was revoked: by its own date, or where others had the key by a witness.
    RevokedLater = "revoked_later" Pass,
    /// A unit's figure was set aside by its superior.
    SetAside = "set_aside" Pass,
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
pub struct About {
    /// The jurisdiction, as a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The indicator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indicator: Option<String>,
    /// The period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// The edition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edition: Option<u64>,
    /// The statement.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "digest")]
    pub statement: Option<Digest>,
}

fn digest<S: serde::Serializer>(digest: &Option<Digest>, s: S) -> Result<S::Ok, S::Error> {
    digest.map(|digest| digest.to_string()).serialize(s)
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.unit.as_deref().unwrap_or("the bundle"))?;
        if let Some(indicator) = &self.indicator {
            write!(f, ", {indicator}")?;
        }
        if let Some(period) = &self.period {
            write!(f, " {period}")?;
        }
        if let Some(edition) = self.edition {
            write!(f, ", edition {edition}")?;
        }
        Ok(())
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What.
    pub code: Code,
    /// Of whom and what.
    #[serde(flatten)]
    pub about: About,
    /// In words: expected, found, and what to do.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_a_word_of_its_own() {
        let words: BTreeSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
    }
}
