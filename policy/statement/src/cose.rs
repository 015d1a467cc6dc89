//! Signing and verifying: COSE_Sign1 around statements, and around whatever else the house signs.
//!
//! [`Signed`] hides its statement: until [`Signed::verify`] has checked the signer's chain, the
//! signature, the federation and the signer's right to say this, only a few `unverified_` peeks for
//! routing and limits are possible. [`Verified`] can be made in no other way.
//!
//! Verifying says that a unit entitled to it said this. It does not say that it is news, meant for
//! us, or plausible: audience, term and edition are judged by whoever accepts it.
//!
//! [`sign_bytes`] and [`open_bytes`] offer the same [`Envelope`] for other content types, such as
//! writers' changes.

use std::sync::Arc;

mod envelope;
mod verifier;

pub use envelope::{Envelope, EnvelopeError, MAX_ENVELOPE_BYTES};
pub use verifier::{MAX_REMEMBERED_CHAINS, Verifier};

use crate::cbor::{self, CborError};
use crate::cert::{Action, Chain, ChainError, Role, VerifiedChain};
use crate::digest::{Digest, FederationId};
use crate::key::{KeyId, SecretKey};
use crate::limits::STATEMENT_BYTES;
use crate::statement::{Statement, StatementKind, VERSION};
use crate::time::Timestamp;
use crate::unit::UnitPath;

/// Content type of statements.
pub const STATEMENT_TYPE: &str = "application/reeve-statement+cbor";
/// Content type of writers' changes, which stay within a home.
pub const CHANGE_TYPE: &str = "application/reeve-change+cbor";

/// Signs a statement and attaches the signer's chain.
///
/// # Errors
/// When the statement is too long, or the chain is not the key's or not the issuer's.
pub fn sign(statement: &Statement, key: &SecretKey, chain: &Chain) -> Result<Signed, SignError> {
    let leaf = chain.leaf();
    if *leaf.key() != key.public() {
        return Err(SignError::OtherKey { subject: leaf.subject().to_owned() });
    }
    if leaf.claims().is_none_or(|claims| claims.unit != statement.issuer) {
        return Err(SignError::OtherUnit {
            issuer: statement.issuer.clone(),
            subject: leaf.subject().to_owned(),
        });
    }
    let payload = cbor::to_vec(statement);
    if payload.len() > STATEMENT_BYTES {
        return Err(SignError::TooLong { found: payload.len() });
    }
    let (issuer, at) = (&statement.issuer, statement.issued_at);
    let envelope = Envelope::sign(STATEMENT_TYPE, payload, issuer, at, key, leaf.digest());
    Ok(Signed(envelope.with_chain(chain)))
}

/// Signs other bytes of the house under their own content type, without a chain.
#[must_use]
pub fn sign_bytes(
    content_type: &str,
    payload: Vec<u8>,
    issuer: &UnitPath,
    issued_at: Timestamp,
    key: &SecretKey,
    leaf_digest: Digest,
) -> Vec<u8> {
    Envelope::sign(content_type, payload, issuer, issued_at, key, leaf_digest).to_bytes()
}

/// Reads and checks signed bytes of a content type, whose signer's chain is known, and returns the
/// payload.
///
/// # Errors
/// Says what is malformed, or which check failed.
pub fn open_bytes(
    bytes: &[u8],
    content_type: &'static str,
    limit: usize,
    signer: &VerifiedChain,
) -> Result<Vec<u8>, VerifyError> {
    let envelope = Envelope::decode(bytes, content_type, limit)?;
    envelope.verify(signer).map(<[u8]>::to_vec)
}

/// A signed statement. What it says is unreachable until it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed(Envelope);

impl Signed {
    /// Reads a signed statement. Nothing is verified yet.
    ///
    /// # Errors
    /// Says what is too long, malformed, not canonical, or not a statement.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Envelope::decode(bytes, STATEMENT_TYPE, STATEMENT_BYTES).map(Self)
    }

    /// Its one encoding, with the chain if it carries one.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// SHA-256 over the COSE bytes with an empty unprotected header: the statement's name, in the
    /// ledger and wherever another statement refers to it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest()
    }

    /// Carrying this chain.
    #[must_use]
    pub fn with_chain(self, chain: &Chain) -> Self {
        Self(self.0.with_chain(chain))
    }

    /// Carrying no chain, for a connection on which it was sent before.
    #[must_use]
    pub fn without_chain(self) -> Self {
        Self(self.0.without_chain())
    }

    /// Whether it carries a chain.
    #[must_use]
    pub fn carries_chain(&self) -> bool {
        self.0.carries_chain()
    }

    /// Who claims to have issued it: for routing and limits only.
    #[must_use]
    pub fn unverified_issuer(&self) -> &UnitPath {
        self.0.unverified_issuer()
    }

    /// When it claims to have been issued, in whole seconds: for limits only.
    #[must_use]
    pub fn unverified_issued_at(&self) -> Timestamp {
        self.0.unverified_issued_at()
    }

    /// Bytes of what it says: for limits only.
    #[must_use]
    pub fn unverified_payload_len(&self) -> usize {
        self.0.unverified_payload_len()
    }

    /// Digest of the leaf certificate it claims: to look up a chain that was sent before.
    #[must_use]
    pub fn unverified_leaf_digest(&self) -> Digest {
        self.0.unverified_leaf_digest()
    }

    /// Digest over the chain that it carries, if it carries one: equal chains have equal ones.
    #[must_use]
    pub fn unverified_chain_digest(&self) -> Option<Digest> {
        self.0.chain_digest()
    }

    /// The chain that it carries, if it carries one.
    #[must_use]
    pub fn unverified_chain(&self) -> Option<Result<Chain, ChainError>> {
        self.0.unverified_chain()
    }

    /// Verifies with the chain that it carries.
    ///
    /// # Errors
    /// [`VerifyError`], one variant for each reason.
    pub fn verify(self, verifier: &Verifier, at: Timestamp) -> Result<Verified, VerifyError> {
        let digest = self.0.chain_digest().ok_or(VerifyError::NoChain)?;
        let signer = match verifier.recall(&digest, at) {
            Some(signer) => signer,
            None => {
                let chain = verifier.unverified_chain(&self).ok_or(VerifyError::NoChain)??;
                verifier.verify_anew(digest, &chain, at)?
            }
        };
        self.verified_by(signer, verifier)
    }

    /// Verifies with a chain from outside: one that was sent before, or that an auditor holds.
    ///
    /// # Errors
    /// [`VerifyError`], one variant for each reason.
    pub fn verify_with(
        self,
        chain: &Chain,
        verifier: &Verifier,
        at: Timestamp,
    ) -> Result<Verified, VerifyError> {
        let signer = verifier.verify_chain(chain, at)?;
        self.verified_by(signer, verifier)
    }

    fn verified_by(
        self,
        signer: Arc<VerifiedChain>,
        verifier: &Verifier,
    ) -> Result<Verified, VerifyError> {
        let payload = self.0.verify(&signer)?;
        let statement = Self::read(payload)?;
        if statement.version != VERSION {
            return Err(VerifyError::Version { found: statement.version });
        }
        if statement.federation != verifier.federation() {
            return Err(VerifyError::WrongFederation {
                expected: verifier.federation(),
                found: statement.federation,
            });
        }
        check_header(&self.0, &statement)?;
        check_date(&signer, &statement)?;
        check_right(&signer, &statement)?;
        Ok(Verified { digest: self.0.digest(), statement, signer })
    }

    fn read(payload: &[u8]) -> Result<Statement, CborError> {
        cbor::from_slice("statement", payload, STATEMENT_BYTES)
    }
}

/// What the header told other tools is what the statement says.
fn check_header(envelope: &Envelope, statement: &Statement) -> Result<(), VerifyError> {
    if statement.issuer != *envelope.unverified_issuer() {
        return Err(VerifyError::WrongIssuer {
            issuer: statement.issuer.clone(),
            certified: envelope.unverified_issuer().clone(),
        });
    }
    let stated = Timestamp::from_seconds(statement.issued_at.as_seconds());
    if stated != envelope.unverified_issued_at() {
        return Err(VerifyError::IssuedAtDiffers {
            header: envelope.unverified_issued_at(),
            statement: statement.issued_at,
        });
    }
    Ok(())
}

/// A statement is not older than the certificate that it was signed under: whoever has a key cannot
/// date what it says to before it was appointed. (Of the chain above, only the authorities may be
/// renewed while the leaf stays, so their dates say nothing.)
fn check_date(signer: &VerifiedChain, statement: &Statement) -> Result<(), VerifyError> {
    let validity = signer.leaf().validity();
    if statement.issued_at < validity.not_before {
        return Err(VerifyError::BeforeCertificate {
            subject: signer.leaf().subject().to_owned(),
            from: validity.not_before,
            found: statement.issued_at,
        });
    }
    Ok(())
}

/// Nodes and authorities speak for their unit, each within its actions; figures only under the term
/// that the unit's authority gave to the node.
fn check_right(signer: &VerifiedChain, statement: &Statement) -> Result<(), VerifyError> {
    let kind = statement.body.kind();
    if signer.role() == Role::Writer {
        return Err(VerifyError::WrongRole { role: signer.role(), kind });
    }
    let action = action_for(kind);
    if !signer.actions().contains(action) {
        return Err(VerifyError::NotEntitled { issuer: statement.issuer.clone(), action, kind });
    }
    if action == Action::Report && signer.term() != Some(statement.term) {
        return Err(VerifyError::WrongTerm { certified: signer.term(), found: statement.term });
    }
    Ok(())
}

/// The action that a signer needs for a kind of statement.
#[must_use]
pub const fn action_for(kind: StatementKind) -> Action {
    match kind {
        StatementKind::Release | StatementKind::Notice | StatementKind::Bulletin => Action::Report,
        StatementKind::Request => Action::Query,
        StatementKind::Catalogue => Action::Catalogue,
        StatementKind::Register => Action::Register,
        StatementKind::Declaration => Action::Declare,
    }
}

/// A statement that a unit entitled to it made. Only [`Signed::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    statement: Statement,
    digest: Digest,
    signer: Arc<VerifiedChain>,
}

impl Verified {
    /// What it says.
    #[must_use]
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Its name; see [`Signed::digest`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Who signed it.
    #[must_use]
    pub fn signer(&self) -> &VerifiedChain {
        &self.signer
    }

    /// That it was verified, without what it says.
    #[must_use]
    pub fn remembered(&self) -> Remembered {
        Remembered { digest: self.digest, signer: Arc::clone(&self.signer) }
    }

    /// Gives the statement away; the verdict is then the caller's to remember.
    #[must_use]
    pub fn into_statement(self) -> Statement {
        self.statement
    }
}

/// That a statement was verified, without what it says: for whoever cannot hold all of them at once. Only
/// [`Verified::remembered`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    digest: Digest,
    signer: Arc<VerifiedChain>,
}

impl Remembered {
    /// The statement's name.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Who signed it.
    #[must_use]
    pub fn signer(&self) -> &VerifiedChain {
        &self.signer
    }

    /// The statement again, if this is the one. Its name is over everything that was verified, so that it
    /// is not verified once more.
    #[must_use]
    pub fn recall(&self, signed: &Signed) -> Option<Verified> {
        let same = signed.digest() == self.digest;
        let statement = same.then(|| Signed::read(signed.0.payload()).ok())??;
        Some(Verified { statement, digest: self.digest, signer: Arc::clone(&self.signer) })
    }
}

/// Why a statement could not be signed: a mistake in our own set-up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The chain certifies another key.
    #[error("the signing key is not the one that {subject} certifies")]
    OtherKey {
        /// The leaf's subject.
        subject: String,
    },
    /// The chain certifies another unit.
    #[error("a statement of {issuer} cannot be signed under the certificate of {subject}")]
    OtherUnit {
        /// The statement's issuer.
        issuer: UnitPath,
        /// The leaf's subject.
        subject: String,
    },
    /// Too long for a frame: large parts belong into chunks.
    #[error(
        "the statement has {found} bytes, at most {STATEMENT_BYTES} fit: its parts must travel in chunks"
    )]
    TooLong {
        /// Bytes found.
        found: usize,
    },
}

/// Why signed bytes are not believed: one variant for each reason. Whoever signed or sent them is at
/// fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The envelope itself is not acceptable.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It carries no chain, and none was given.
    #[error("the statement carries no certificate chain; the chain must be sent first")]
    NoChain,
    /// The signer's chain is refused.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// It was signed under another certificate than the one at hand.
    #[error("expected the chain of certificate {expected}, found that of {found}")]
    OtherCertificate {
        /// Digest that the header names.
        expected: Digest,
        /// Digest of the certificate at hand.
        found: Digest,
    },
    /// The key identifier is not the certificate's.
    #[error("expected key identifier {expected}, found {found}")]
    KeyId {
        /// The certificate's.
        expected: KeyId,
        /// The header's.
        found: KeyId,
    },
    /// The signature does not match.
    #[error("the signature in the name of {issuer} does not match: it was altered or forged")]
    BadSignature {
        /// Who it claims to be from.
        issuer: UnitPath,
    },
    /// Signed in the name of another unit.
    #[error("issued in the name of {issuer}, but signed by {certified}")]
    WrongIssuer {
        /// The unit named as issuer.
        issuer: UnitPath,
        /// The unit that signed.
        certified: UnitPath,
    },
    /// Header and statement disagree about the time.
    #[error("the header says it was issued at {header}, the statement at {statement}")]
    IssuedAtDiffers {
        /// In the header.
        header: Timestamp,
        /// In the statement.
        statement: Timestamp,
    },
    /// Dated before the signer's certificate began.
    #[error(
        "dated {found}, but the certificate of {subject} begins at {from}: it was backdated, or a clock was wrong"
    )]
    BeforeCertificate {
        /// The leaf's subject.
        subject: String,
        /// When its validity begins.
        from: Timestamp,
        /// The statement's date.
        found: Timestamp,
    },
    /// The payload is no statement, or not in its one form.
    #[error(transparent)]
    Payload(#[from] CborError),
    /// Another version of the format.
    #[error("expected a statement of version {VERSION}, found {found}: update this program")]
    Version {
        /// The version found.
        found: u16,
    },
    /// A statement of another federation.
    #[error("expected a statement in federation {expected}, found one in {found}")]
    WrongFederation {
        /// Our federation.
        expected: FederationId,
        /// The statement's.
        found: FederationId,
    },
    /// A writer cannot speak for a unit.
    #[error("a {role} may not sign a {kind}")]
    WrongRole {
        /// The signer's role.
        role: Role,
        /// The kind of statement.
        kind: StatementKind,
    },
    /// The signer's chain does not permit this kind of statement.
    #[error("{issuer} signed a {kind} without the action {action} in its certificate chain")]
    NotEntitled {
        /// The issuer.
        issuer: UnitPath,
        /// The action needed.
        action: Action,
        /// The kind of statement.
        kind: StatementKind,
    },
    /// Not the term that the signer was appointed for.
    #[error("expected the term of the signer's certificate ({}), found term {found}", .certified.map_or_else(|| "none".to_owned(), |term| term.to_string()))]
    WrongTerm {
        /// The term in the certificate.
        certified: Option<u64>,
        /// The term in the statement.
        found: u64,
    },
}

#[cfg(test)]
mod attack_tests;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
