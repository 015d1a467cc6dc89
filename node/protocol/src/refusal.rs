//! Why a peer's message is refused: one table of codes for the wire, the metrics and people.

use core::fmt;

use minicbor::{Decode, Encode};

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:literal $label:literal $text:literal),+ $(,)?) => {
        /// A refusal. The codes are on the wire and never change; a refusal carries no data.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
        #[cbor(index_only)]
        pub enum Refusal {
            $($(#[$doc])* #[n($code)] $name),+
        }

        impl Refusal {
            /// All refusals, by code.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its label in metrics.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label),+ }
            }

            /// What people read, with what to do next.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

refusals! {
    /// The frame does not decode.
    Malformed = 0 "malformed" "the message does not decode; the sender's program is at fault",
    /// A message before the hello, or one that this relation does not allow.
    OutOfPlace = 1 "out_of_place" "the message is not allowed in this relation or before the hello",
    /// The chain does not verify.
    BadChain = 2 "bad_chain" "the certificate chain does not lead to this federation's root",
    /// A certificate of the chain has expired.
    Expired = 3 "expired" "a certificate has expired; renew it with `reeve certificate renew`",
    /// A certificate of the chain is not valid yet, or the statement is dated before it.
    NotYetValid = 4 "not_yet_valid" "a certificate is not valid yet, or a statement is older than it; check both clocks",
    /// A certificate of the chain was revoked.
    Revoked = 5 "revoked" "a certificate was revoked by its issuer",
    /// A certificate names a unit outside of its issuer's area.
    OutOfArea = 6 "out_of_area" "a certificate is for another area than its issuer's",
    /// The chain belongs to another key than the connection.
    OtherKey = 7 "other_key" "the certificate is for another key than the one that connected",
    /// The signature is wrong.
    BadSignature = 8 "bad_signature" "the signature does not fit; the statement was altered or forged",
    /// The signer's certificate does not hold the action.
    NoRight = 9 "no_right" "the signer's certificate does not allow this kind of statement",
    /// The statement is for another audience.
    OtherAudience = 10 "other_audience" "the statement is for another audience",
    /// The statement is for another federation.
    OtherFederation = 11 "other_federation" "the statement is for another federation",
    /// The statement's issuer is not the peer that it must come from.
    OtherIssuer = 12 "other_issuer" "the statement is from another unit than its sender may speak for",
    /// An older edition than the one held.
    OldEdition = 13 "old_edition" "a newer edition of this figure is held already",
    /// An older term than the one held.
    OldTerm = 14 "old_term" "the unit reports under a newer term already",
    /// The same edition with another content.
    Equivocation = 15 "equivocation" "another statement with the same term and edition is held already",
    /// The statement's time is beyond the accepted window.
    ClockSkew = 16 "clock_skew" "the statement is dated in the future; check both clocks",
    /// The statement was valid until a time that has passed.
    Stale = 17 "stale" "the statement's validity has ended",
    /// The catalogue, register or list is older than the one held.
    OldVersion = 18 "old_version" "a newer version is held already",
    /// The ledger head is smaller than or contradicts the one held.
    LedgerRegressed = 19 "ledger_regressed" "the ledger went back; reconcile before reporting",
    /// A change of the home is over a limit.
    OverLimit = 20 "over_limit" "the message is over a limit",
    /// A change's writer may not write that kind.
    WriterRight = 21 "writer_right" "the writer may not write this kind",
    /// A writer made two different changes with one number.
    Fork = 22 "fork" "the writer has forked its changes and is cut off",
    /// A change does not fit the schema, or builds another document than was signed.
    BadChange = 23 "bad_change" "the change does not fit the schema or its signed hash",
    /// A format version that this node does not know.
    OtherVersion = 24 "other_version" "the peer speaks another version; update the older node",
    /// Too much at once.
    Busy = 25 "busy" "too much at once; it will be sent again",
    /// What was asked for is not there.
    NotFound = 26 "not_found" "what was asked for is not here",
    /// The table or manifest beside the statement is missing or wrong.
    BadParts = 27 "bad_parts" "a chunk of the statement's table is missing or wrong",
    /// A revocation list is older than it may be.
    StaleList = 28 "stale_list" "a revocation list is too old; its issuer must sign a new one",
    /// The peer was not admitted here.
    UnknownPeer = 29 "unknown_peer" "this node was not admitted; use `reeve invite` and `reeve join`",
    /// Nothing is signed yet: the superior has not said what it holds of this node's ledger.
    Unreconciled = 30 "unreconciled" "the superior has not said yet what it holds of this node's ledger; connect to it, and try again",
    /// A declaration's level or dates make no sense.
    BadDeclaration = 31 "bad_declaration" "a declaration has no name or level, ends before it begins, or is longer than 366 days",
    /// Another node of the unit reports for it by now.
    NotReporting = 32 "not_reporting" "another node reports for this unit by now; reports go to that one",
    /// An authority of the chain has another key than is known of it, and does not say how it came to it.
    OtherAuthority = 33 "other_authority" "an authority has another key than before, and its certificate does not say how it came to it; compare keys over another channel",
    /// The unit has signed two ledgers of this term.
    LedgerForked = 34 "ledger_forked" "the unit has signed two ledgers in this term, and that is proven; its authority must appoint a node for a later term",
    /// The nodes of a home do not hold the same seals.
    Sealed = 35 "sealed" "the nodes of this home have not removed the same records yet; they tell each other what was sealed first",
}

impl Refusal {
    /// Whether no program of ours would have caused it, however old, late or set back it is.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        matches!(self, Self::Malformed | Self::BadSignature | Self::OtherIssuer | Self::OverLimit)
    }

    /// Whether the same statement may be taken later, without being signed anew.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(
            self,
            Self::OutOfPlace
                | Self::BadChain
                | Self::NotYetValid
                | Self::ClockSkew
                | Self::BadParts
                | Self::StaleList
                | Self::NotReporting
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
