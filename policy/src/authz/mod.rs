//! Who may have what: Cedar policies of one node, asked one question at a time.
//!
//! - [`question`]: who, what, of which thing, under which circumstances;
//! - [`set`]: a policy file, parsed and strictly validated against `reeve.cedarschema`;
//! - [`conditions`]: what the annotations of determining permits demand;
//! - [`decide`]: the answer, a [`Permit`] or a [`Refusal`];
//! - [`recent`]: a set that remembers its last answers;
//! - [`check`] and [`explain`]: what people ask before they trust a policy;
//! - [`again`]: what was asked, kept so that anybody can decide again.
//!
//! This is the only place that knows Cedar (language version 4, <https://docs.cedarpolicy.com>). It
//! never sees a record or a table, keeps nothing but its last answers, and answers alike on every surface.

pub mod again;
mod ask;
pub mod check;
pub mod conditions;
pub mod decide;
pub mod explain;
pub mod question;
pub mod recent;
pub mod set;
mod source;

#[cfg(test)]
mod again_tests;
#[cfg(test)]
mod attack_tests;
#[cfg(test)]
mod relax_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors_tests;

pub use again::{Again, AgainFault, KeptQuestion};
pub use ask::QuestionFault;
pub use check::{Finding, Weight};
pub use conditions::{AnnotationFault, Conditions};
pub use decide::{Decision, Permit, Reason, Refusal};
pub use explain::{Difference, Explanation, Fired, FloorGrounds};
pub use question::{
    Action, Circumstances, Peer, Person, Principal, Question, Relation, Resource, Role, Scope,
};
pub use recent::Decider;
pub use set::{DEFAULT_POLICY, PolicyFault, PolicyFaults, PolicySet, SCHEMA};
pub use source::Place;
