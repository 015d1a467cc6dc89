//! Certificates: who is which unit, and who may do what in its name.
//!
//! X.509 (RFC 5280), because government IT and `openssl verify` speak it already:
//!
//! ```text
//! federation root (self-signed) -> authority of the first level -> ... -> authority of a unit
//!                                                                           |-> node of that unit
//!                                                                           `-> writer of that unit
//! ```
//!
//! - A certificate's name is the chain of unit ids, leaf first, as exactly one DNS name:
//!   `016.03.it.<federation domain>` ([`name`]). An authority may certify at or below its own name
//!   only, by a critical name constraint that openssl, GnuTLS and Go enforce as well.
//! - The authority that issues a node's or writer's certificate names the *identical* unit. A
//!   superior's key could otherwise make a node of its subordinate, which X.509 alone allows.
//! - What a key may do is a set of policy identifiers ([`action`]), narrowed at every step of the
//!   chain. Role, level, path, term and writable kinds are a private, non-critical extension
//!   ([`claims`]) that only our verifier reads; other tools pass over it.
//! - [`issue`] makes certificates, [`revocation`] the lists of revoked ones, [`request`] the
//!   applications, [`roots`] the list everything hangs from; [`verify`] checks a [`chain`].
//!
//! ## Two opinions
//!
//! rustls-webpki is the maintained library for path checking, but it stops at six intermediate
//! certificates, and paths here have up to sixteen. Since a chain arrives in order, no path has to be
//! *built*: [`verify`] walks it once, from the root down, and gives each refusal its own name. webpki
//! then gives a second opinion on the leaf and the nearest six authorities, anchored at whatever
//! stands above them; a chain is accepted only when both agree.
//!
//! This module never decides what a unit's policy permits, holds no key, and reads no clock.

pub mod action;
mod build;
pub mod certificate;
pub mod chain;
mod checked;
pub mod claims;
pub mod issue;
pub mod name;
mod profile;
pub mod request;
pub mod revocation;
pub mod roots;
mod second_opinion;
pub mod succession;
pub mod verify;

#[cfg(test)]
mod attack_tests;
#[cfg(test)]
mod openssl_tests;
#[cfg(test)]
pub(crate) mod testing;

pub use action::{Action, Actions};
pub use certificate::{Certificate, CertificateError, Serial, Validity};
pub(crate) use chain::Shelf;
pub use chain::{Chain, ChainError};
pub(crate) use checked::Checked;
pub use claims::{Claims, Role};
pub use issue::{AuthorityGrant, IssueError, Issuer, NodeGrant, Stamp, WriterGrant, issue_root};
pub use name::{Domain, NameError, dns_name};
pub use request::{CertificateRequest, RequestError};
pub use revocation::{Crl, CrlError, CrlSet, Reason, Revocation, StaleRule, issuer_of_list};
pub use roots::{RootList, RootListError};
pub use succession::{Followed, Loss, Step, Succession, SuccessionError, Way, hand_on};
pub(crate) use verify::verify_chain_with;
pub use verify::{VerifiedChain, verify_chain};

/// Longest certificate, in bytes. Ours take 400 to 900; the rest is room for more actions and kinds.
pub const MAX_CERTIFICATE_BYTES: usize = 4 * 1024;
/// Most certificates of a chain: one authority for each unit of the longest path, and the leaf.
pub const MAX_CHAIN: usize = crate::limits::PATH_UNITS + 1;
/// Longest revocation list, in bytes: fits a frame of the wire, for about 4,000 entries.
pub const MAX_CRL_BYTES: usize = 192 * 1024;
