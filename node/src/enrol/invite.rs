//! The line that a person carries to a newcomer.
//!
//! `reeve-invite-1.` and then base64url of deterministic CBOR and a checksum. Whoever reads the line
//! can join in the newcomer's place, once, until it expires: it is to be carried like a password.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use reeve_statement::cbor;
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use super::message::{Asked, Bytes, VERSION};
use super::one_line::{LineError, from_line, to_line};
use super::proof::Secret;

/// What every invite of this version begins with.
const PREFIX: &str = "reeve-invite-1.";
/// Longest line, in bytes.
const MAX_LINE_BYTES: usize = 8 * 1024;
/// Most addresses in an invite.
pub(super) const MAX_ADDRESSES: usize = 8;

/// The place that an invite offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Place {
    /// The first node of a subordinate unit.
    #[n(0)]
    Subordinate,
    /// A further node of the same home.
    #[n(1)]
    HomeNode,
}

/// An invite.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Invite {
    /// Where the desk is reached; each address ends in `/p2p/PEER`, so only that node is talked to.
    #[cbor(n(0), decode_with = "decode_addresses")]
    pub addresses: Vec<String>,
    /// The federation.
    #[n(1)]
    pub federation: FederationId,
    /// Digest of its root list.
    #[n(2)]
    pub roots: Digest,
    /// The place that it offers.
    #[n(3)]
    pub place: Place,
    /// The unit that is invited, or whose home the newcomer enters.
    #[n(4)]
    pub unit: UnitPath,
    /// Name of the unit's level.
    #[cbor(n(5), with = "reeve_statement::cbor::text")]
    pub level: String,
    /// Until when it can be used.
    #[n(6)]
    pub expires: Timestamp,
    #[n(7)]
    pub(super) secret: Secret,
}

fn decode_addresses<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<String>, minicbor::decode::Error> {
    cbor::bounded_vec(d, ctx, MAX_ADDRESSES)
}

impl Invite {
    /// What a newcomer who holds this invite says to the desk: an encoded question, with the proof that
    /// it has the secret.
    #[must_use]
    pub fn question(&self, body: Vec<u8>) -> Vec<u8> {
        let proof = self.secret.prove_asked(&body);
        let invite = self.secret.id();
        cbor::to_vec(&Asked { version: VERSION, invite, body: Bytes(body), proof })
    }
}

impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_line(PREFIX, self))
    }
}

impl FromStr for Invite {
    type Err = InviteError;

    /// Reads the line; blanks and line breaks that a mail program put into it are passed over.
    fn from_str(text: &str) -> Result<Self, InviteError> {
        let invite: Self =
            from_line(PREFIX, text, MAX_LINE_BYTES).map_err(|error| match error {
                LineError::Other { .. } => InviteError::NotAnInvite,
                LineError::Damaged => InviteError::Damaged,
            })?;
        if invite.addresses.is_empty() || !invite.addresses.iter().all(|it| it.contains("/p2p/")) {
            return Err(InviteError::NoPeer);
        }
        Ok(invite)
    }
}

/// Why a text is no invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// Something else.
    #[error("expected an invite: one line that begins with {PREFIX}")]
    NotAnInvite,
    /// Not as it was made.
    #[error("the invite was damaged in copying; copy the whole line again")]
    Damaged,
    /// It does not say which node to talk to.
    #[error("the invite does not name the node to talk to (/p2p/...), so it is not safe to use")]
    NoPeer,
}
