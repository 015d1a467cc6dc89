//! The only way from a table to a release.
//!
//! ```text
//! Permits + Indicator + own table --advance--> Steps --disclosed--> DisclosedTable --\
//!                              verified releases of the subordinates ----------------roll_up--> Figure --> Released
//! ```
//!
//! - [`protect`]: primary suppression to intervals. Every published cell stands for zero or at least
//!   k contributors, or is an interval that holds the truth;
//! - [`steps`]: no step in time of fewer contributors than the least step, per class of recipient,
//!   each coarser class computed of the finer one;
//! - [`state`]: what was told of one figure, per class of recipient and never per recipient;
//! - [`sum`]: adds tables, and only adds;
//! - [`plausible`]: sets aside what cannot be;
//! - [`input`]: what is known of the own part and of each subordinate;
//! - [`mod@roll_up`]: own table and subordinates' figures, with completeness down to the leaves;
//! - [`released`]: what may be signed.
//!
//! A table holds its finest rows only, never margins: a total is the sum of the rows' intervals, so
//! one release has no two figures to subtract from each other.
//!
//! Nothing here subtracts, and nothing here sees a record. Windows of publication are kept by the node.

pub mod input;
pub mod lapse;
pub mod plausible;
pub mod protect;
pub mod released;
pub mod roll_up;
pub mod state;
pub mod steps;
pub mod sum;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod flips;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use input::{Input, InputError, OwnPart, Standing, Subordinate};
pub use lapse::{Lapse, Lapses};
pub use plausible::Implausible;
pub use protect::{DiscloseError, DisclosedTable, OwnTable, Protection, disclose};
pub use released::{Edition, ReleaseError, Released, commitment, may_receive};
pub use roll_up::{Figure, RollUpError, roll_up};
pub use state::{ClassState, DisclosureState, StateError};
pub use steps::{ClassSteps, Steps, advance, basis};
