//! How an authority came to another key: a part of its certificate, so that whoever is shown the new key
//! is shown why.
//!
//! An authority's key changes in two ways. Its holder hands it on: the old key signs the new one. Or the
//! key is lost, or was seen by others, and the superior replaces it: an act of its own, with a reason and
//! a date, in a certificate that it signs and enters into its ledger. Whoever knew the authority by an
//! earlier key believes the new one by these steps alone, and a key that came about in no such way is
//! refused.

use minicbor::{Decode, Encode};

use crate::cbor;
use crate::key::{KeyError, PublicKey, SecretKey, Signature};
use crate::time::Timestamp;
use crate::unit::UnitId;

/// Most steps that a certificate tells of, the newest first: enough for a change every year of its
/// superior's, and a quarter of what claims may take.
pub const MAX_STEPS: usize = 5;

/// Stands before what the old key signs.
const SIGNED_AS: &[u8] = b"reeve authority succession 1\0";

/// Why a superior replaced a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Loss {
    /// The key, or its passphrase, is lost.
    #[n(0)]
    Lost,
    /// The key was, or may have been, seen by others.
    #[n(1)]
    Compromised,
    /// The unit joined anew.
    #[n(2)]
    JoinedAnew,
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost",
            Self::Compromised => "compromised",
            Self::JoinedAnew => "joined anew",
        })
    }
}

/// In which way a key followed another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Way {
    /// The old key signed the new one.
    #[n(0)]
    HandedOn(#[cbor(n(0), with = "minicbor::bytes")] [u8; 64]),
    /// The superior replaced it.
    #[n(1)]
    Replaced {
        /// Why.
        #[n(0)]
        loss: Loss,
        /// When.
        #[n(1)]
        at: Timestamp,
    },
}

/// One change of an authority's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Step {
    /// The key of before.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub previous: [u8; 32],
    /// How it was followed.
    #[n(1)]
    pub way: Way,
}

/// The changes that led to an authority's key, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Succession(#[cbor(n(0), with = "steps")] Vec<Step>);

/// How an authority's present key followed one that was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Followed {
    /// By signatures of the keys themselves.
    #[n(0)]
    HandedOn,
    /// At least once by an act of the superior; the last of these acts.
    #[n(1)]
    Replaced {
        /// Why.
        #[n(0)]
        loss: Loss,
        /// When.
        #[n(1)]
        at: Timestamp,
    },
}

/// Signs another key for a unit's authority, with the key that it has.
#[must_use]
pub fn hand_on(unit: &UnitId, key: &SecretKey, next: &PublicKey) -> Step {
    let previous = key.public();
    let signature = key.sign(&signed_bytes(unit, &previous, next));
    Step { previous: previous.to_bytes(), way: Way::HandedOn(*signature.as_bytes()) }
}

fn signed_bytes(unit: &UnitId, previous: &PublicKey, next: &PublicKey) -> Vec<u8> {
    let unit = cbor::to_vec(&unit.as_str());
    [SIGNED_AS, &unit, &previous.to_bytes(), &next.to_bytes()].concat()
}

impl Step {
    /// Whether it leads to a key: a key that was handed on is signed by the one before it.
    ///
    /// # Errors
    /// [`SuccessionError`].
    pub fn check(&self, unit: &UnitId, next: &PublicKey) -> Result<PublicKey, SuccessionError> {
        let previous = PublicKey::from_bytes(&self.previous).map_err(SuccessionError::Key)?;
        if previous == *next {
            return Err(SuccessionError::SameKey);
        }
        if let Way::HandedOn(signature) = &self.way {
            let signed = signed_bytes(unit, &previous, next);
            let signature = Signature::from_bytes(signature).map_err(SuccessionError::Key)?;
            previous.verify(&signed, &signature).map_err(|_| SuccessionError::Unsigned)?;
        }
        Ok(previous)
    }
}

impl Succession {
    /// A change, after those that led to the key of before.
    #[must_use]
    pub fn after(step: Step, before: Option<&Self>) -> Self {
        let before = before.map(|held| held.0.as_slice()).unwrap_or_default();
        Self(core::iter::once(step).chain(before.iter().copied()).take(MAX_STEPS).collect())
    }

    /// The changes, the newest first.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// How a unit's authority came from a key that was known to its present one.
    ///
    /// # Errors
    /// [`SuccessionError`]: a step is not signed, or none of them begins at that key.
    pub fn from(
        &self,
        unit: &UnitId,
        known: &PublicKey,
        present: &PublicKey,
    ) -> Result<Followed, SuccessionError> {
        let mut next = *present;
        let mut followed = Followed::HandedOn;
        for step in &self.0 {
            let previous = step.check(unit, &next)?;
            if let (Way::Replaced { loss, at }, Followed::HandedOn) = (step.way, followed) {
                followed = Followed::Replaced { loss, at };
            }
            if previous == *known {
                return Ok(followed);
            }
            next = previous;
        }
        Err(SuccessionError::OtherKey)
    }
}

/// Why a key does not follow another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    /// A key that must not be used.
    #[error("a key of the authority's succession is not acceptable: {0}")]
    Key(KeyError),
    /// A key after itself.
    #[error("the authority's succession names one key twice in a row")]
    SameKey,
    /// The old key did not sign.
    #[error("the authority's new key is not signed by the one before it")]
    Unsigned,
    /// None of the steps begins at the key that is known.
    #[error("the authority's key did not come from the one that is known of it")]
    OtherKey,
}

mod steps {
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encode as _, Encoder, Write};

    use super::{MAX_STEPS, Step};

    pub fn encode<C, W: Write>(
        steps: &[Step],
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        steps.encode(e, ctx)
    }

    pub fn decode<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Vec<Step>, Error> {
        crate::cbor::bounded_vec(d, ctx, MAX_STEPS)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::cert::testing::key;

    fn unit() -> UnitId {
        UnitId::new("016").unwrap()
    }

    #[test]
    fn a_key_that_was_handed_on_follows() {
        let (one, two, three) = (key("one"), key("two"), key("three"));
        let first = Succession::after(hand_on(&unit(), &one, &two.public()), None);
        let both = Succession::after(hand_on(&unit(), &two, &three.public()), Some(&first));
        let followed = both.from(&unit(), &one.public(), &three.public());
        assert_eq!(followed, Ok(Followed::HandedOn), "also by whoever missed the step between");
        let again: Succession = cbor::from_slice("steps", &cbor::to_vec(&both), 2_048).unwrap();
        assert_eq!(again, both);
    }

    #[test]
    fn a_replaced_key_says_why_and_when() {
        let (one, two, three) = (key("one"), key("two"), key("three"));
        let at = Timestamp::from_seconds(1_772_366_400);
        let way = Way::Replaced { loss: Loss::Lost, at };
        let first = Succession::after(Step { previous: one.public().to_bytes(), way }, None);
        let both = Succession::after(hand_on(&unit(), &two, &three.public()), Some(&first));
        let told = both.from(&unit(), &one.public(), &three.public());
        assert_eq!(told, Ok(Followed::Replaced { loss: Loss::Lost, at }));
        let since = both.from(&unit(), &two.public(), &three.public());
        assert_eq!(since, Ok(Followed::HandedOn));
    }

    #[test]
    fn a_key_out_of_nowhere_does_not_follow() {
        let (one, two, other) = (key("one"), key("two"), key("other"));
        let step = hand_on(&unit(), &one, &two.public());
        let good = Succession::after(step, None);
        let from = |known: &SecretKey, present: &SecretKey| {
            good.from(&unit(), &known.public(), &present.public())
        };
        assert_eq!(from(&other, &two), Err(SuccessionError::OtherKey));
        assert_eq!(from(&one, &other), Err(SuccessionError::Unsigned), "signed for another key");
        let elsewhere = UnitId::new("017").unwrap();
        let told = good.from(&elsewhere, &one.public(), &two.public());
        assert_eq!(told, Err(SuccessionError::Unsigned), "signed for another unit");
        let twice = Succession::after(hand_on(&unit(), &one, &one.public()), None);
        assert_eq!(
            twice.from(&unit(), &one.public(), &one.public()),
            Err(SuccessionError::SameKey)
        );
    }

    #[test]
    fn no_more_steps_are_kept_than_fit() {
        let mut succession = None;
        for number in 0..20 {
            let (old, new) = (key(&format!("{number}")), key(&format!("{}", number + 1)));
            let step = hand_on(&unit(), &old, &new.public());
            succession = Some(Succession::after(step, succession.as_ref()));
        }
        assert_eq!(succession.unwrap().steps().len(), MAX_STEPS);
    }
}
