//! Deliberate lapses of disclosure, to show that the attack on it can succeed.
//!
//! They exist where the crate is built with the feature `bugs`, which nothing but the attack's own test
//! asks for. Elsewhere there are none, and every lapse is compiled away.

/// A defence that disclosure can be made to lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapse {
    /// Tells rows of however few contributors.
    Floor,
    /// Tells every step.
    Step,
    /// Remembers of a row what it told last, and nothing before.
    History,
    /// Looks at the table for each class, and not at what the finer class was told.
    Classes,
    /// Tells a hidden row apart from one that is not there.
    Presence,
}

impl Lapse {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Floor, Self::Step, Self::History, Self::Classes, Self::Presence];
}

/// The lapses of a disclosure: none, unless the crate was built to have some.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lapses {
    #[cfg(feature = "bugs")]
    chosen: Option<Lapse>,
}

impl Lapses {
    /// Without any.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            #[cfg(feature = "bugs")]
            chosen: None,
        }
    }

    /// With one lapse.
    #[cfg(feature = "bugs")]
    #[must_use]
    pub const fn with(lapse: Lapse) -> Self {
        Self { chosen: Some(lapse) }
    }

    /// Whether there is this lapse.
    #[cfg(feature = "bugs")]
    pub(crate) fn has(self, lapse: Lapse) -> bool {
        self.chosen == Some(lapse)
    }

    /// Whether there is this lapse: there is none.
    #[cfg(not(feature = "bugs"))]
    pub(crate) const fn has(self, _: Lapse) -> bool {
        false
    }
}
