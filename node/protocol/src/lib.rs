//! The node as a pure state machine.
//!
//! [`Node::handle`] takes what happened (a connection, a message, a local ask, a result of an earlier
//! effect) together with the time; [`Node::drain`] hands out what the driver is to do: persist, load,
//! send, answer, compute, dial, wake. The driver is the shell's event loop, or a simulator.
//!
//! Two rules hold everywhere:
//!
//! 1. *Commit, then speak.* Whatever a peer or person learns is durable before they can learn it:
//!    see `context`.
//! 2. *Same inputs, same outputs.* Randomness and time come in; nothing depends on the order of a
//!    hash map.
//!
//! # How to drive a node
//!
//! 1. [`Node::new`] with [`Settings`].
//! 2. [`Node::restore`] with every row of the prefixes in [`rows::RESTORED`], in that order.
//! 3. [`Node::handle`] with [`Input::Started`], then [`Node::drain`] and carry out the effects.
//! 4. For everything that happens: `handle`, then `drain`.
//!
//! Persists are to be committed in the order given; each is answered with [`Input::Persisted`]. A
//! load sees every persist handed out before it. A driver that cannot commit must stop: nothing may
//! be spoken after a failed persist.
//!
//! This crate never opens a socket or a file, reads a clock, or draws a random number.

mod around;
mod asks;
mod audited;
pub mod authorities;
pub mod bugs;
pub mod bulletin;
pub mod consent;
mod context;
pub mod counters;
pub mod declared;
pub mod effect;
pub mod fill;
pub mod from_backup;
mod home;
pub mod job;
pub mod ledger;
pub mod letter;
mod letters;
pub mod local;
mod members;
mod node;
mod peers;
mod policies;
pub mod refusal;
pub mod register;
mod renewal;
mod report;
pub mod rows;
pub mod settings;
mod share;
pub mod situation;
pub mod stored;
pub mod tiles;
mod trust;
pub mod wire;
pub mod witness;

pub use effect::{Effect, Input, NodeKey, Now};
pub use node::{Node, StartError};
pub use settings::Settings;
pub use trust::Standing;
