//! What newcomer and desk say to each other: deterministic CBOR, bounded before it is decoded.

use minicbor::{Decode, Encode};
use reeve_protocol::wire::SignedList;
use reeve_statement::cbor::{self, CborError, bounded_vec};
use reeve_statement::unit::UnitPath;

use super::proof::{InviteId, Proof};

/// Version of these messages.
pub(super) const VERSION: u16 = 1;
/// Longest message either way, in bytes: a frame of the enrolment port.
pub(super) const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Most lists in an answer.
const MAX_LISTS: usize = 32;
/// Most peers in an answer.
const MAX_PEERS: usize = 8;
/// Most addresses of a peer.
const MAX_ADDRESSES: usize = 16;

/// Bytes that another layer decodes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Bytes(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

/// A question of a newcomer.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Asked {
    #[n(0)]
    pub version: u16,
    /// Which invite.
    #[n(1)]
    pub invite: InviteId,
    /// An encoded [`Ask`].
    #[n(2)]
    pub body: Bytes,
    /// Over the body.
    #[n(3)]
    pub proof: Proof,
}

/// What a newcomer asks for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) enum Ask {
    /// A certificate for a unit's authority.
    #[n(0)]
    Authority(#[n(0)] Bytes),
    /// Certificates for a further node of the home and its writer.
    #[n(1)]
    HomeNode {
        /// The node's application.
        #[n(0)]
        node: Bytes,
        /// Its writer's.
        #[n(1)]
        writer: Bytes,
    },
    /// To be admitted with this chain, which the unit's new authority issued.
    #[n(2)]
    Announce {
        /// The node's chain.
        #[n(0)]
        chain: Bytes,
        /// The unit's time zone.
        #[n(1)]
        time_zone: String,
        /// Where it stood before, if it moves.
        #[n(2)]
        came_from: Option<UnitPath>,
    },
}

/// An answer of a desk.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Answered {
    /// An encoded [`Answer`].
    #[n(0)]
    pub body: Bytes,
    /// Over the question and the body; none in a refusal.
    #[n(1)]
    pub proof: Proof,
}

/// A node and where it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct PeerAt {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub key: [u8; 32],
    #[cbor(n(1), decode_with = "decode_addresses")]
    pub addresses: Vec<String>,
}

/// What every newcomer needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Welcome {
    /// The federation's root list.
    #[n(0)]
    pub roots: Bytes,
    /// Revocation lists, as far as they fit; the others come once the node is connected.
    #[cbor(n(1), decode_with = "decode_lists")]
    pub lists: Vec<SignedList>,
    /// The nodes to dial.
    #[cbor(n(2), decode_with = "decode_peers")]
    pub peers: Vec<PeerAt>,
}

/// What a desk answers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) enum Answer {
    /// The authority's chain.
    #[n(0)]
    Authority {
        /// The chain, itself first.
        #[n(0)]
        chain: Bytes,
        #[n(1)]
        welcome: Welcome,
        /// The reporting term that its first node is to begin with.
        #[n(2)]
        term: u64,
    },
    /// The chains of a further node of the home and its writer, and of the node that invited it.
    #[n(1)]
    HomeNode {
        /// The node's chain.
        #[n(0)]
        node: Bytes,
        /// Its writer's.
        #[n(1)]
        writer: Bytes,
        /// The chain of the node that answers.
        #[n(2)]
        first: Bytes,
        #[n(3)]
        welcome: Welcome,
    },
    /// The node is admitted.
    #[n(2)]
    Admitted,
    /// Nothing was done.
    #[n(3)]
    Refused(#[n(0)] EnrolRefusal),
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $refusal:ident = $code:literal, $label:literal, $text:literal;)*) => {
        /// Why a desk refuses a newcomer. One table of wire codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
        #[derive(thiserror::Error)]
        #[cbor(index_only)]
        pub enum EnrolRefusal {
            $($(#[$doc])* #[error($text)] #[n($code)] $refusal,)*
        }

        impl EnrolRefusal {
            /// The word for it in metrics.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$refusal => $label,)*
                }
            }
        }
    };
}

refusals! {
    /// The message cannot be read.
    Malformed = 0, "malformed", "the node could not read the message; both sides need the same version of this program";
    /// No such invite.
    UnknownInvite = 1, "unknown_invite", "the node does not know this invite: it was used up, or the node was restarted since; ask for a new one";
    /// The invite is too old.
    Expired = 2, "expired", "the invite has expired; ask for a new one";
    /// Whoever asks does not know the secret.
    WrongProof = 3, "wrong_proof", "the message does not prove that its sender has the invite";
    /// Too many wrong proofs.
    Void = 4, "void", "the invite was tried too often with a wrong proof and is void; ask for a new one";
    /// Another key got the invite's certificate.
    Used = 5, "used", "the invite was used already, by another key; if that was not you, tell the superior unit at once";
    /// The invite is for something else.
    OtherPlace = 6, "other_place", "the invite is for another unit or another kind of node";
    /// The application is not acceptable.
    BadRequest = 7, "bad_request", "the application for a certificate is not acceptable";
    /// The chain to be admitted is not acceptable.
    BadChain = 8, "bad_chain", "the announced certificate does not follow from the one that was issued";
    /// Nothing could be issued.
    Failed = 9, "failed", "the node could not issue the certificate; its log says why";
    /// The unit stands below another superior, which has not let it go.
    NotReceived = 10, "not_received", "the unit stands below another superior, and both would expect it: have it let go there with `reeve register move`, and taken at the one that invites with `reeve register receive`; the same invite works then";
}

fn decode_addresses<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<String>, minicbor::decode::Error> {
    bounded_vec(d, ctx, MAX_ADDRESSES)
}

fn decode_lists<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<SignedList>, minicbor::decode::Error> {
    bounded_vec(d, ctx, MAX_LISTS)
}

fn decode_peers<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<PeerAt>, minicbor::decode::Error> {
    bounded_vec(d, ctx, MAX_PEERS)
}

pub(super) fn decode<'b, T>(bytes: &'b [u8]) -> Result<T, CborError>
where
    T: Decode<'b, ()> + Encode<()>,
{
    cbor::from_slice("enrolment message", bytes, MAX_MESSAGE_BYTES)
}

/// Keeps as many lists as fit beside what must be said; nobody is kept out by long lists.
pub(super) fn lists_that_fit(all: &[SignedList], used: usize) -> Vec<SignedList> {
    /// Room for what stands around the lists.
    const AROUND: usize = 1_024;
    let mut left = MAX_MESSAGE_BYTES.saturating_sub(used).saturating_sub(AROUND);
    let mut kept = Vec::new();
    for list in all.iter().take(MAX_LISTS) {
        let bytes = cbor::to_vec(list).len();
        if let Some(rest) = left.checked_sub(bytes) {
            left = rest;
            kept.push(list.clone());
        }
    }
    kept
}
