//! Adoption: by which act a home consents to send an indicator at all, and takes another policy set.
//!
//! A catalogue proposes, a home adopts. An act names one definition by its digest, so that a changed
//! definition is a new proposal, or a legal basis, for every definition that names it, later ones too.
//! An act crosses no border: its digest stands in the unit's ledger, and in the decision behind each
//! figure that was sent by it. Whoever is shown the act can find it there. A consent is withdrawn by
//! another act; of acts about one definition the last one counts. An act about the policy names the policy set
//! before and the one after by digest, and whose tokens put it in force; its text stays at home.

use minicbor::{Decode, Encode};

use crate::catalogue::Indicator;
use crate::cbor::to_vec;
use crate::digest::Digest;
use crate::names::IndicatorId;
use crate::time::Timestamp;
use crate::unit::UnitPath;

/// Separates the entry of an act from the digests of statements and of certificates.
const ADOPTED_AS: &[u8] = b"reeve/adoption/1\0";

/// What was adopted, or is adopted no more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Adopted {
    /// One definition of one indicator.
    #[n(0)]
    Definition {
        /// The indicator.
        #[n(0)]
        indicator: IndicatorId,
        /// Digest of its definition.
        #[n(1)]
        definition: Digest,
    },
    /// Every definition that names this legal basis, word for word, now and later.
    #[n(1)]
    LegalBasis(#[cbor(n(0), with = "crate::cbor::text")] String),
    /// No definition of this indicator any more: the consent is withdrawn, whatever it was given by.
    #[n(2)]
    Withdrawn(#[n(0)] IndicatorId),
    /// Nothing any more that names this legal basis.
    #[n(3)]
    WithdrawnBasis(#[cbor(n(0), with = "crate::cbor::text")] String),
    /// Another policy set is in force.
    #[n(4)]
    Policy {
        /// Digest of the one before.
        #[n(0)]
        before: Digest,
        /// Digest of the one that is in force from now on.
        #[n(1)]
        after: Digest,
    },
}

impl Adopted {
    /// Whether it says something of a definition.
    #[must_use]
    pub fn covers(&self, indicator: &Indicator) -> bool {
        match self {
            Self::Definition { indicator: id, definition } => {
                *id == indicator.id && *definition == indicator.definition()
            }
            Self::Withdrawn(id) => *id == indicator.id,
            Self::LegalBasis(basis) | Self::WithdrawnBasis(basis) => {
                indicator.legal_basis.as_ref() == Some(basis)
            }
            Self::Policy { .. } => false,
        }
    }
}

/// An act of adoption, or of its withdrawal, or a change of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Adoption {
    /// Whose home consents, or does not any more.
    #[n(0)]
    pub unit: UnitPath,
    /// To what.
    #[n(1)]
    pub what: Adopted,
    /// Who did it: the name of an access token, or of two. Empty for a policy set that was found in place of
    /// the one before: at a start, or where another node of the home took over.
    #[cbor(n(2), with = "crate::cbor::text")]
    pub by: String,
    /// When.
    #[n(3)]
    pub at: Timestamp,
}

impl Adoption {
    /// The ledger's entry for the act: what [`crate::ledger::leaf_hash`] takes in place of a statement's
    /// digest.
    #[must_use]
    pub fn entry(&self) -> Digest {
        Digest::of_parts(&[ADOPTED_AS, &to_vec(self)])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// Computed with Python's hashlib over the CBOR written out by hand.
    #[test]
    fn the_entry_of_an_act_is_as_written_down() {
        let act = Adoption {
            unit: "it/03".parse().unwrap(),
            what: Adopted::LegalBasis("Act, s. 7".to_owned()),
            by: "anna".to_owned(),
            at: Timestamp::from_millis(1_000),
        };
        let bytes = to_vec(&act);
        assert_eq!(
            hex::encode(&bytes),
            "a4008262697462303301820181694163742c20732e20370264616e6e61031903e8"
        );
        assert_eq!(
            act.entry().to_string(),
            "490cee62e8741146173ad57fda267307a6acc627f12603c5148353d0293e8e92"
        );
        assert_ne!(act.entry(), Digest::of(&bytes), "it is no statement's digest");
        let back: Adoption = crate::cbor::from_slice("act", &bytes, 1_024).unwrap();
        assert_eq!(back, act);
    }

    /// Computed with Python's hashlib over the CBOR written out by hand.
    #[test]
    fn the_entry_of_a_change_of_the_policy_is_as_written_down() {
        let act = Adoption {
            unit: "it/03".parse().unwrap(),
            what: Adopted::Policy { before: Digest::of(b"old"), after: Digest::of(b"new") },
            by: "anna, bruno".to_owned(),
            at: Timestamp::from_millis(1_000),
        };
        let bytes = to_vec(&act);
        assert_eq!(
            hex::encode(&bytes),
            "a40082626974623033018204825820cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263cc\
             fbd4582011507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437026b616e6e612c2062\
             72756e6f031903e8"
        );
        assert_eq!(
            act.entry().to_string(),
            "cfcbe8234ebac0c486805e426e2a6feb508086e4757f3d16e2353fdbe9e2c754"
        );
        let back: Adoption = crate::cbor::from_slice("act", &bytes, 1_024).unwrap();
        assert_eq!(back, act);
    }
}
