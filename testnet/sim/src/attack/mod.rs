//! An attacker on disclosure: what a nosy superior and two colluding subordinates of it can work out
//! about the persons of the others, from everything that they are told.
//!
//! [`attack`] draws federations, policies and histories from seeds, lets the real disclosure tell them
//! window by window, and hands every edition of every class to the attacker (`mind`). It knows the
//! program, the policies and its own records. It subtracts editions, classes, levels, sums and parts
//! and other indicators, and tightens what is left until nothing changes. What counts is what it is
//! sure of: a row of fewer persons than the floor, or a change of one.
//!
//! With one defence left out it must succeed, or it would prove nothing.

mod mind;
mod stage;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use mind::Mind;
use stage::Stage;

/// What keeps the attacker from knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defence {
    /// Rows of few persons are hidden.
    Floor,
    /// Small changes are held.
    Step,
    /// Every number that was ever told exactly is remembered.
    History,
    /// Coarser classes are computed from what the finer class was told.
    Classes,
    /// A hidden row looks like one that is not there.
    Presence,
    /// Figures are told when a window closes.
    Window,
    /// A second cut of the same persons is refused.
    Overlap,
}

impl Defence {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Floor,
        Self::Step,
        Self::History,
        Self::Classes,
        Self::Presence,
        Self::Window,
        Self::Overlap,
    ];

    /// Its name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Step => "step",
            Self::History => "history",
            Self::Classes => "classes",
            Self::Presence => "presence",
            Self::Window => "window",
            Self::Overlap => "overlap",
        }
    }

    /// Whether it can be left out here: what the policy crate does is left out in a build with the
    /// feature `bugs` only.
    #[must_use]
    pub const fn can_be_left_out(self) -> bool {
        cfg!(feature = "bugs") || matches!(self, Self::Window | Self::Overlap)
    }
}

/// What an attack came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Federations that were attacked.
    pub federations: u64,
    /// Editions that the attacker was told.
    pub editions: u64,
    /// Rows of one to floor less one persons, at one time, that there were to find.
    pub small_rows: u64,
    /// Those that it found.
    pub rows_found: u64,
    /// Changes of a row by one to floor less one persons, between two editions, that there were.
    pub small_steps: u64,
    /// Those that it found.
    pub steps_found: u64,
    /// Rows whose truth was not within what the attacker was told: there must be none.
    pub untrue: u64,
}

impl Recovered {
    /// Everything that it found.
    #[must_use]
    pub const fn found(&self) -> u64 {
        self.rows_found + self.steps_found
    }
}

/// Attacks so many federations, with one defence left out or none.
#[must_use]
pub fn attack(federations: u64, first: u64, without: Option<Defence>) -> Recovered {
    let mut all = Recovered { federations, ..Recovered::default() };
    for seed in first..first.saturating_add(federations) {
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0xd15c_105e);
        let scene = Stage::new(&mut random, without).play(&mut random);
        for with_superior in [true, false] {
            Mind::new(&scene, with_superior, without).think(&mut all);
        }
    }
    all
}
