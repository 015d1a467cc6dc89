//! Proof bundles: a plain folder of statements and of all that is needed to check them.
//!
//! | file | what |
//! |---|---|
//! | `figure.txt` | digests of the statements that the bundle is about, one per line |
//! | `roots.cbor` | the federation's roots, as the maker of the bundle knew them |
//! | `statements/*.cose` | signed statements, each with its certificate chain |
//! | `chunks/*.cbor` | parts of large statements, which name them by digest |
//! | `revocation/*.crl` | revocation lists (PEM) |
//! | `ledger/*.tlog-proof` | that a statement is in its issuer's ledger (C2SP `tlog-proof`) |
//! | `checkpoints/*.note` | cosigned checkpoints of ledgers, as of earlier times (C2SP `tlog-checkpoint`) |
//! | `witnesses/*.pem` | certificate chains of the nodes that cosigned checkpoints |
//! | `README.txt`, `roots.pem` | for people and other programs; not read here |
//!
//! No file's name is believed: what a statement or chunk is, its own bytes say. So bundles of several
//! jurisdictions are joined by reading all their files.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::cert::{Chain, Crl, RootList};
use reeve_statement::cose::{MAX_ENVELOPE_BYTES, Signed};
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::{Checkpoint, MAX_CHECKPOINT_BYTES};
use reeve_statement::limits::CHUNK_BYTES;

use crate::proof::{LedgerProof, MAX_PROOF_BYTES};

/// Name of the file that says what a bundle is about.
pub const FIGURE: &str = "figure.txt";
/// Name of the file with the federation's roots.
pub const ROOTS: &str = "roots.cbor";
/// Folder and ending of statements.
pub const STATEMENTS: (&str, &str) = ("statements", "cose");
/// Folder and ending of chunks.
pub const CHUNKS: (&str, &str) = ("chunks", "cbor");
/// Folder and ending of revocation lists.
pub const LISTS: (&str, &str) = ("revocation", "crl");
/// Folder and ending of ledger proofs.
pub const PROOFS: (&str, &str) = ("ledger", "tlog-proof");
/// Folder and ending of checkpoints.
pub const CHECKPOINTS: (&str, &str) = ("checkpoints", "note");
/// Folder and ending of witnesses' certificate chains.
pub const WITNESSES: (&str, &str) = ("witnesses", "pem");

/// All folders of a bundle.
pub(crate) const PARTS: [(&str, &str); 6] =
    [STATEMENTS, CHUNKS, LISTS, PROOFS, CHECKPOINTS, WITNESSES];

/// Most bytes of a file that is read: the roots and revocation lists of a federation are the largest.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// Most files of all bundles that are checked together: a day of 3,200 jurisdictions has under 20,000.
pub const MAX_FILES: usize = 1_000_000;
/// Most copies of one statement that differ in their chains: an authority above was renewed so often.
const MAX_COPIES: usize = 64;
/// Most figures that one bundle is about.
const MAX_FIGURES: usize = 10_000;

/// What was read, and nothing of it verified.
#[derive(Debug, Default)]
pub struct Bundle {
    pub(crate) figures: BTreeSet<Digest>,
    pub(crate) roots: Option<RootList>,
    /// Every different copy of each: those of several bundles may come with different chains.
    pub(crate) statements: BTreeMap<Digest, Vec<Held>>,
    /// Chains by the digests over them: a unit signs much under one.
    pub(crate) chains: BTreeMap<Digest, Chain>,
    pub(crate) chunks: BTreeMap<Digest, Vec<u8>>,
    pub(crate) lists: Vec<Crl>,
    pub(crate) proofs: BTreeMap<Digest, Vec<LedgerProof>>,
    pub(crate) checkpoints: BTreeSet<String>,
    pub(crate) witnesses: Vec<Chain>,
    pub(crate) unread: Vec<(String, String)>,
    files: usize,
}

/// A statement as a file holds it, with its chain kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) signed: Signed,
    /// Which of the bundle's chains it carries; none: none, or one in wrong form that it still carries.
    pub(crate) chain: Option<Digest>,
}

/// Why a file cannot be part of any bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Too many files.
    #[error("expected at most {MAX_FILES} files in all bundles together; check fewer at a time")]
    TooMany,
    /// Two bundles are of different federations.
    #[error("the bundles are of different federations: {one} and {other}; check them apart")]
    TwoFederations {
        /// One's id.
        one: String,
        /// The other's.
        other: String,
    },
}

impl Bundle {
    /// Takes a file: its place in the folder, with `/` between the parts, and its bytes. A file that is
    /// damaged is no error here: it is reported when the bundle is checked.
    ///
    /// # Errors
    /// [`BundleError`] if the files do not belong together.
    pub fn add(&mut self, place: &str, bytes: &[u8]) -> Result<(), BundleError> {
        self.files += 1;
        if self.files > MAX_FILES {
            return Err(BundleError::TooMany);
        }
        if place == ROOTS {
            return match RootList::decode(bytes) {
                Ok(roots) => self.add_roots(roots),
                Err(error) => {
                    self.refuse(place, error.to_string());
                    Ok(())
                }
            };
        }
        let taken = match place_of(place) {
            _ if place == FIGURE => self.add_figures(bytes),
            Some(STATEMENTS) => self.add_statement(bytes),
            Some(CHUNKS) => self.add_chunk(bytes),
            Some(LISTS) => self.add_list(bytes),
            Some(PROOFS) => self.add_proof(place, bytes),
            Some(CHECKPOINTS) => self.add_checkpoint(bytes),
            Some(WITNESSES) => self.add_witness(bytes),
            _ => Ok(()),
        };
        if let Err(reason) = taken {
            self.refuse(place, reason);
        }
        Ok(())
    }

    /// A file that could not be read at all, or that is no part of a bundle's form.
    pub fn refuse(&mut self, place: &str, reason: String) {
        self.unread.push((place.to_owned(), reason));
    }

    /// Whether a file of this place is read; others are for people.
    #[must_use]
    pub fn reads(place: &str) -> bool {
        place == FIGURE || place == ROOTS || place_of(place).is_some()
    }

    /// The federation's roots, if the bundle has them. They prove nothing by themselves.
    #[must_use]
    pub const fn roots(&self) -> Option<&RootList> {
        self.roots.as_ref()
    }

    fn add_roots(&mut self, roots: RootList) -> Result<(), BundleError> {
        if let Some(known) = self.roots.as_ref().filter(|it| it.federation() != roots.federation())
        {
            return Err(BundleError::TwoFederations {
                one: known.federation().to_string(),
                other: roots.federation().to_string(),
            });
        }
        if self.roots.as_ref().is_none_or(|known| known.number() < roots.number()) {
            self.roots = Some(roots);
        }
        Ok(())
    }

    fn add_figures(&mut self, bytes: &[u8]) -> Result<(), String> {
        let text = core::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if self.figures.len() >= MAX_FIGURES {
                return Err(format!("expected at most {MAX_FIGURES} figures"));
            }
            let digest: Digest = line.parse().map_err(|error| format!("{error}"))?;
            self.figures.insert(digest);
        }
        Ok(())
    }

    fn add_statement(&mut self, bytes: &[u8]) -> Result<(), String> {
        at_most(bytes, MAX_ENVELOPE_BYTES)?;
        let signed = Signed::decode(bytes).map_err(|error| error.to_string())?;
        let digest = signed.digest();
        let held = self.held(signed);
        let copies = self.statements.entry(digest).or_default();
        if copies.contains(&held) {
            return Ok(());
        }
        if copies.len() >= MAX_COPIES {
            return Err(format!("expected at most {MAX_COPIES} different copies of one statement"));
        }
        copies.push(held);
        Ok(())
    }

    fn held(&mut self, signed: Signed) -> Held {
        let Some(name) = signed.unverified_chain_digest() else {
            return Held { signed, chain: None };
        };
        if let Entry::Vacant(place) = self.chains.entry(name) {
            // One in wrong form stays where it is, and is refused when the statement is checked.
            let Some(Ok(chain)) = signed.unverified_chain() else {
                return Held { signed, chain: None };
            };
            place.insert(chain);
        }
        Held { signed: signed.without_chain(), chain: Some(name) }
    }

    fn add_chunk(&mut self, bytes: &[u8]) -> Result<(), String> {
        at_most(bytes, CHUNK_BYTES)?;
        self.chunks.insert(Digest::of(bytes), bytes.to_vec());
        Ok(())
    }

    fn add_list(&mut self, bytes: &[u8]) -> Result<(), String> {
        let text = core::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let list = Crl::from_pem(text).map_err(|error| error.to_string())?;
        if !self.lists.contains(&list) {
            self.lists.push(list);
        }
        Ok(())
    }

    fn add_checkpoint(&mut self, bytes: &[u8]) -> Result<(), String> {
        at_most(bytes, MAX_CHECKPOINT_BYTES)?;
        let text = core::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        Checkpoint::parse_unverified(text).map_err(|error| error.to_string())?;
        self.checkpoints.insert(text.to_owned());
        Ok(())
    }

    fn add_witness(&mut self, bytes: &[u8]) -> Result<(), String> {
        let text = core::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let chain = Chain::from_pem(text).map_err(|error| error.to_string())?;
        let known = self.witnesses.iter().any(|it| it.leaf_digest() == chain.leaf_digest());
        if !known {
            self.witnesses.push(chain);
        }
        Ok(())
    }

    /// A proof says where an entry is, and not of what; that is its file's name. If the name is wrong,
    /// the proof leads nowhere.
    fn add_proof(&mut self, place: &str, bytes: &[u8]) -> Result<(), String> {
        at_most(bytes, MAX_PROOF_BYTES)?;
        let name = place.split_once('/').and_then(|(_, name)| name.split_once('.'));
        let digest: Digest = name
            .and_then(|(name, _)| name.parse().ok())
            .ok_or("expected the statement's digest as the name of its ledger proof")?;
        let text = core::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let proof: LedgerProof = text.parse().map_err(|error| format!("{error}"))?;
        let proofs = self.proofs.entry(digest).or_default();
        if !proofs.contains(&proof) {
            proofs.push(proof);
        }
        Ok(())
    }
}

fn at_most(bytes: &[u8], most: usize) -> Result<(), String> {
    if bytes.len() <= most {
        Ok(())
    } else {
        Err(format!("expected at most {most} bytes, found {}", bytes.len()))
    }
}

/// Which folder of a bundle a file lies in, if it has that folder's ending.
fn place_of(place: &str) -> Option<(&'static str, &'static str)> {
    let (folder, name) = place.split_once('/')?;
    let (_, ending) = name.rsplit_once('.')?;
    PARTS.into_iter().find(|it| *it == (folder, ending))
}
