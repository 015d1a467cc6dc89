//! What issuing needs besides a key: the time, chance, and how long things are to be valid.

use reeve_statement::cert::{Certificate, Stamp, Validity};
use reeve_statement::time::Timestamp;

use super::entropy::{Entropy, EntropyError};

/// One day, in milliseconds.
pub const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// Certificates begin so long ago, in milliseconds, because clocks differ.
const HEAD_START_MS: i64 = 5 * 60 * 1_000;

/// How long what is issued is valid, in days: intervals that suit a person with a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// A federation's root.
    pub root_days: i64,
    /// A unit's authority.
    pub authority_days: i64,
    /// A node, and its writer.
    pub node_days: i64,
    /// A revocation list, until the next is due.
    pub list_days: i64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { root_days: 20 * 365, authority_days: 5 * 365, node_days: 400, list_days: 180 }
    }
}

/// Carries the time and the chance to whoever issues.
#[derive(Debug)]
pub struct Clerk<'a> {
    /// The time.
    pub now: Timestamp,
    /// How long what is issued is valid.
    pub lifetimes: Lifetimes,
    entropy: &'a mut Entropy,
}

impl<'a> Clerk<'a> {
    /// A clerk at this moment, with the usual lifetimes.
    pub fn new(now: Timestamp, entropy: &'a mut Entropy) -> Self {
        Self { now, lifetimes: Lifetimes::default(), entropy }
    }

    /// The chance it carries.
    pub fn entropy(&mut self) -> &mut Entropy {
        self.entropy
    }

    /// A stamp for so many days, within the validity of the issuer's certificate.
    pub(super) fn stamp(
        &mut self,
        days: i64,
        issuer: Option<&Certificate>,
    ) -> Result<Stamp, EntropyError> {
        let whole = |at: Timestamp| Timestamp::from_seconds(at.as_seconds());
        let not_before = whole(self.now.plus_millis(-HEAD_START_MS));
        let not_after = whole(self.now.plus_millis(days.saturating_mul(DAY_MS)));
        let validity = match issuer.map(Certificate::validity) {
            Some(above) => Validity {
                not_before: not_before.max(above.not_before),
                not_after: not_after.min(above.not_after),
            },
            None => Validity { not_before, not_after },
        };
        Ok(Stamp { serial: self.entropy.serial()?, validity })
    }

    /// The time in whole seconds, which is all that lists can say.
    pub(super) fn second(&self) -> Timestamp {
        Timestamp::from_seconds(self.now.as_seconds())
    }

    /// When the next revocation list is due.
    pub(super) fn next_list(&self) -> Timestamp {
        let due = self.now.plus_millis(self.lifetimes.list_days.saturating_mul(DAY_MS));
        Timestamp::from_seconds(due.as_seconds())
    }
}
