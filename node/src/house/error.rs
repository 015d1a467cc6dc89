//! What can go wrong with a node's folder: what was expected, what was found, what to do.

use std::path::PathBuf;

use reeve_crdt::located::Problems;
use reeve_policy::authz::PolicyFaults;
use reeve_statement::cert::{ChainError, CrlError, IssueError, RootListError, Serial};
use reeve_statement::digest::FederationId;
use reeve_statement::key::file::KeyFileError;
use reeve_statement::unit::UnitId;

use super::entropy::EntropyError;

/// Why a node's folder cannot be made, opened or changed.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// No node of this home has that label.
    #[error(
        "no node with the label {label} was certified for this home; `reeve certificate list` shows them"
    )]
    NoSuchNode {
        /// The label.
        label: String,
    },
    /// Another authority's key.
    #[error(
        "the key is {found}, and this unit's authority has {expected}: it is another authority's, or an \
         older one of this unit; nothing was written"
    )]
    OtherAuthorityKey {
        /// The key of the certificate.
        expected: String,
        /// The one that was found.
        found: String,
    },
    /// Not what `reeve authority export` writes.
    #[error(
        "the file does not hold an authority's papers, as `reeve authority export` writes them"
    )]
    NotPapers,
    /// A certificate among the papers cannot be read.
    #[error("the authority's papers are damaged: {reason}; nothing was written")]
    PapersDamaged {
        /// Why.
        reason: String,
    },
    /// Not what `reeve authority rekey` writes.
    #[error("it is not an application for another authority key: {reason}")]
    NotAnApplication {
        /// Why.
        reason: String,
    },
    /// An application is under way.
    #[error(
        "another key is applied for already; take its answer with `reeve authority take`, or remove {} to \
         begin anew",
        path.display()
    )]
    KeyUnderWay {
        /// The key's file.
        path: PathBuf,
    },
    /// No application is under way.
    #[error(
        "no other key was applied for here ({} is not there); begin with `reeve authority rekey`",
        path.display()
    )]
    NoKeyUnderWay {
        /// Where it would be.
        path: PathBuf,
    },
    /// The application follows another key.
    #[error(
        "the application names {found} as the key of before, and {expected} was certified last: it is \
         outdated, or somebody else's; nothing was issued"
    )]
    OtherPreviousKey {
        /// The key that was certified last.
        expected: String,
        /// The one that the application names.
        found: String,
    },
    /// The old key did not sign.
    #[error(
        "the old key did not sign this application; if it is lost or was seen by others, say so with \
         --replace, after comparing the new key over another channel"
    )]
    NotHandedOn,
    /// An answer to something else.
    #[error("the answer is not for the key that was applied for here")]
    OtherAnswer,
    /// The answer's key does not follow.
    #[error("the answer does not follow this authority's present key: {reason}")]
    NotFollowed {
        /// Why.
        reason: String,
    },
    /// There is no configuration.
    #[error(
        "{} is not a node's folder: it has no reeve.toml; make one with `reeve init`, or name \
         another with --home",
        folder.display()
    )]
    NotAHouse {
        /// The folder.
        folder: PathBuf,
    },
    /// Something is there already.
    #[error(
        "{} is there already and is never overwritten; choose another folder, or move it away if \
         an earlier `reeve init` was interrupted",
        path.display()
    )]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {doing} {}: {reason}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// A file is longer than any of ours.
    #[error("{} is longer than {limit} bytes; is it the right file?", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Most bytes that are read.
        limit: u64,
    },
    /// A key file can be read by others.
    #[error(
        "{} can be read by other users (mode {mode:03o}); run `chmod 600` on it, and consider \
         whether the key was seen",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Mistakes in the configuration.
    #[error("the configuration is refused:\n{0}")]
    Config(Problems),
    /// Mistakes in the schema.
    #[error("the schema is refused:\n{0}")]
    Schema(Problems),
    /// Mistakes in the policy.
    #[error("the policy is refused:\n{0}")]
    Policy(PolicyFaults),
    /// A key file cannot be opened.
    #[error("{}: {error}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        error: KeyFileError,
    },
    /// A file of certificates cannot be read.
    #[error("{}: {error}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        error: ChainError,
    },
    /// Certificates do not belong to this house.
    #[error("{}: expected a certificate of {expected}, found {found}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The node has no certificates yet.
    #[error(
        "unit {unit} has not joined a federation yet; ask the superior unit for an invite \
         (`reeve invite {unit}` there), then run `reeve join INVITE`"
    )]
    NotJoined {
        /// The unit.
        unit: UnitId,
    },
    /// The node has its certificates already.
    #[error("this node has joined already, as {subject}")]
    Joined {
        /// The subject of its certificate.
        subject: String,
    },
    /// The authority key is kept elsewhere.
    #[error(
        "this folder does not hold the authority key of {unit}; run the command on the unit's \
         first node"
    )]
    NoAuthorityKey {
        /// The unit.
        unit: UnitId,
    },
    /// A key that none of the federation's roots has.
    #[error(
        "the key is not that of a root of federation {federation}; the founder's `reeve init` made \
         the root key as keys/root.key"
    )]
    NotARoot {
        /// The federation.
        federation: FederationId,
    },
    /// A revocation was asked for something that was never issued here.
    #[error(
        "this key has issued nothing to {what:?}; see {} (the first unit's authority was certified \
         by the root: --root-key)",
        folder.display()
    )]
    NeverIssued {
        /// What was asked for.
        what: String,
        /// Where the issued certificates are.
        folder: PathBuf,
    },
    /// A certificate that another authority issued cannot be renewed here.
    #[error("{subject} was not issued by this authority; whoever issued it renews it")]
    NotIssuedHere {
        /// Its subject.
        subject: String,
    },
    /// A revoked certificate is not renewed.
    #[error(
        "{subject} (serial {serial}) was revoked and is not renewed; let the unit or node join \
         again with new keys"
    )]
    WasRevoked {
        /// Its subject.
        subject: String,
        /// Its serial number.
        serial: Serial,
    },
    /// A renewed certificate is for nobody here, or ends no later than the one that is here.
    #[error(
        "the certificate of {subject} is not for this folder's keys, or does not end later than the \
         one that is here"
    )]
    NotRenewed {
        /// Its subject.
        subject: String,
    },
    /// A file does not hold what it should.
    #[error("{} is damaged ({reason}); restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A key could not be written.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// A certificate cannot be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// A statement could not be signed.
    #[error(transparent)]
    Sign(#[from] reeve_statement::cose::SignError),
    /// A chain cannot be used.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A root list cannot be used.
    #[error(transparent)]
    Roots(#[from] RootListError),
    /// A revocation list cannot be used.
    #[error(transparent)]
    List(#[from] CrlError),
}
