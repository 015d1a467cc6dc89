//! What a certificate's key may do, as policy identifiers (RFC 5280 section 4.2.1.4).
//!
//! The one table of actions and their object identifiers. A chain holds an action only if the leaf
//! and every authority above it name it, which is what RFC 5280 section 6.1 says of policies too.

use std::collections::BTreeSet;
use std::fmt;

use der::asn1::ObjectIdentifier;

/// The arc below which this project's object identifiers stand, as text.
///
/// It belongs to the enterprise number 32473, which is reserved for documentation (RFC 5612). A
/// deployment registers a number of its own with IANA and builds with that.
pub const ARC: &str = "1.3.6.1.4.1.32473.1";

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $code:literal, $name:literal;)*) => {
        /// An action that a certificate can permit.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[$doc])* $action,)*
        }

        impl Action {
            /// All actions, by code.
            pub const ALL: &'static [Self] = &[$(Self::$action,)*];

            /// The policy identifier: `ARC.2.code`.
            #[must_use]
            pub const fn oid(self) -> ObjectIdentifier {
                match self {
                    $(Self::$action => const {
                        ObjectIdentifier::new_unwrap(
                            concat!("1.3.6.1.4.1.32473.1.2.", $code)
                        )
                    },)*
                }
            }

            /// The word for it, in messages and configuration.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$action => $name,)*
                }
            }
        }
    };
}

actions! {
    /// Sign releases and notices of the unit.
    Report = 1, "report";
    /// Sign catalogues of indicators.
    Catalogue = 2, "catalogue";
    /// Sign the register of subordinate units.
    Register = 3, "register";
    /// Sign declarations of an emergency response level.
    Declare = 4, "declare";
    /// Admit newcomers at the enrolment port.
    Admit = 5, "admit";
    /// Sign requests for figures.
    Query = 6, "query";
    /// Read ledgers and evidence, and cosign ledgers of others.
    Audit = 7, "audit";
    /// Sign changes of the unit's own records.
    Write = 8, "write";
}

impl Action {
    /// The action with this policy identifier, if it is one of ours.
    #[must_use]
    pub fn from_oid(oid: &ObjectIdentifier) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.oid() == *oid)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of actions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actions(BTreeSet<Action>);

impl Actions {
    /// No action.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Every action: for authorities whose superior withholds nothing.
    #[must_use]
    pub fn all() -> Self {
        Action::ALL.iter().copied().collect()
    }

    /// What a reporting node needs by default: all but to declare and to write records.
    #[must_use]
    pub fn of_node() -> Self {
        let withheld = [Action::Declare, Action::Write];
        Action::ALL.iter().copied().filter(|action| !withheld.contains(action)).collect()
    }

    /// Whether the action is in the set.
    #[must_use]
    pub fn contains(&self, action: Action) -> bool {
        self.0.contains(&action)
    }

    /// The actions, in the order of their codes.
    pub fn iter(&self) -> impl Iterator<Item = Action> + '_ {
        self.0.iter().copied()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The actions in both sets.
    #[must_use]
    pub fn narrowed_by(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<T: IntoIterator<Item = Action>>(actions: T) -> Self {
        Self(actions.into_iter().collect())
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, action) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{action}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_stand_below_the_arc_and_are_distinct() {
        let oids: BTreeSet<_> = Action::ALL.iter().map(|action| action.oid().to_string()).collect();
        assert_eq!(oids.len(), Action::ALL.len());
        assert!(oids.iter().all(|oid| oid.starts_with(&format!("{ARC}.2."))));
    }

    #[test]
    fn identifiers_lead_back() {
        for action in Action::ALL {
            assert_eq!(Action::from_oid(&action.oid()), Some(*action));
        }
    }
}
