//! Joining: how a newcomer gets the certificates that make it a member.
//!
//! A unit's authority makes an [`Invite`]: one line that a person carries to the newcomer over a
//! channel that people trust. It names addresses and the key behind them, the digest of the root
//! list, the unit, and a one-time secret. The newcomer asks the enrolment port; both sides prove that
//! they know the secret by an HMAC over what they say, so the secret itself is never sent, an
//! application cannot be exchanged on its way, and nobody else can answer in the superior's place.
//!
//! | file | what it does |
//! |---|---|
//! | `invite` | the line that a person carries |
//! | `order` | what an operator asks for |
//! | `message` | what newcomer and desk say to each other |
//! | `proof` | the HMACs |
//! | `desk` | the side that issues; pure: bytes, time and chance in, bytes and certificates out |
//! | `join` | the side that asks |
//! | `by_file` | application and answer as files, for a site without a line |
//! | `one_line` | things that a person carries as a line of text |
//! | `line` | carries the calls of `join` over the network |
//!
//! A desk keeps invites in memory only: a restart voids them. It holds the unlocked authority key
//! while an invite is open and drops it with the last one.

mod by_file;
mod desk;
mod invite;
mod join;
mod line;
mod message;
mod one_line;
mod order;
mod proof;

#[cfg(test)]
mod tests;

pub use by_file::{Admitted, Application};
pub use desk::{EnrolDesk, Handled};
pub use invite::{Invite, InviteError, Place};
pub use join::{JoinError, Joined, Line, join};
pub use line::NetLine;
pub use message::EnrolRefusal;
pub use one_line::LineError;
pub use order::{AdmissionOrder, InviteOrder, OrderError, Reach};
