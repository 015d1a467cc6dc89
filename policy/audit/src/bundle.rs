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
//! | `ledger/*.receipt` | the same as COSE receipts (RFC 9942), for other programs |
//! | `checkpoints/*.note` | cosigned checkpoints of ledgers, as of earlier times (C2SP `tlog-checkpoint`) |
//! | `witnesses/*.pem` | certificate chains of the nodes that cosigned checkpoints |
//! | `README.txt`, `roots.pem` | for people and other programs; not read here |
//!
//! No file's name is believed: what a statement or chunk is, its own bytes say. So bundles of several
//! jurisdictions are joined by reading all their files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reeve_statement::cert::{Chain, Crl, RootList};
use reeve_statement::cose::{MAX_ENVELOPE_BYTES, Signed};
use reeve_statement::digest::Digest;
use reeve_statement::key::KeyId;
use reeve_statement::ledger::checkpoint::{Checkpoint, MAX_CHECKPOINT_BYTES};
use reeve_statement::ledger::receipt::Receipt;
use reeve_statement::limits::CHUNK_BYTES;

use crate::proof::{LedgerProof, MAX_PROOF_BYTES};
use crate::source::Source;

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
/// Folder and ending of the same proofs as COSE receipts.
pub const RECEIPTS: (&str, &str) = ("ledger", "receipt");
/// Folder and ending of checkpoints.
pub const CHECKPOINTS: (&str, &str) = ("checkpoints", "note");
/// Folder and ending of witnesses' certificate chains.
pub const WITNESSES: (&str, &str) = ("witnesses", "pem");

/// All folders of a bundle.
pub(crate) const PARTS: [(&str, &str); 7] =
    [STATEMENTS, CHUNKS, LISTS, PROOFS, RECEIPTS, CHECKPOINTS, WITNESSES];

/// Most bytes of a file that is read: the roots and revocation lists of a federation are the largest.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// Most files of all bundles that are checked together: a day of 3,200 jurisdictions has under 20,000.
pub const MAX_FILES: usize = 1_000_000;
/// Most figures that one bundle is about.
const MAX_FIGURES: usize = 10_000;

/// What is there, and nothing of it verified. Of what there can be much only its place is held: a check
/// reads it.
#[derive(Debug, Default)]
pub struct Bundle {
    pub(crate) figures: BTreeSet<Digest>,
    pub(crate) roots: Option<RootList>,
    pub(crate) statements: Vec<Source>,
    /// By the digests of their bytes.
    pub(crate) chunks: BTreeMap<Digest, Source>,
    /// By the keys that must have signed them.
    pub(crate) lists: BTreeMap<KeyId, Vec<Crl>>,
    pub(crate) proofs: BTreeMap<Digest, Vec<Source>>,
    pub(crate) receipts: BTreeMap<Digest, Vec<Source>>,
    pub(crate) checkpoints: Vec<Source>,
    /// By the digests of their nodes' certificates.
    pub(crate) witnesses: BTreeMap<Digest, Chain>,
    pub(crate) unread: Vec<(String, String)>,
    files: usize,
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
        self.take(Source::Memory(Arc::new((place.to_owned(), bytes.to_vec()))))
    }

    pub(crate) fn take(&mut self, source: Source) -> Result<(), BundleError> {
        self.files += 1;
        if self.files > MAX_FILES {
            return Err(BundleError::TooMany);
        }
        let place = source.place();
        if place == ROOTS {
            return self.take_roots(&source);
        }
        let taken = match place_of(&place) {
            _ if place == FIGURE => self.take_figures(&source),
            Some(STATEMENTS) => {
                self.statements.push(source);
                Ok(())
            }
            Some(CHUNKS) => self.take_chunk(source),
            Some(LISTS) => self.take_list(&source),
            Some(PROOFS) => proves(&place, source, &mut self.proofs),
            Some(RECEIPTS) => proves(&place, source, &mut self.receipts),
            Some(CHECKPOINTS) => {
                self.checkpoints.push(source);
                Ok(())
            }
            Some(WITNESSES) => self.take_witness(&source),
            _ => Ok(()),
        };
        if let Err(reason) = taken {
            self.refuse(&place, reason);
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

    fn take_roots(&mut self, source: &Source) -> Result<(), BundleError> {
        let read = source.read();
        let roots = read.and_then(|it| RootList::decode(&it).map_err(|error| error.to_string()));
        let roots = match roots {
            Ok(roots) => roots,
            Err(reason) => {
                self.refuse(ROOTS, reason);
                return Ok(());
            }
        };
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

    fn take_figures(&mut self, source: &Source) -> Result<(), String> {
        let bytes = source.read()?;
        for line in text(&bytes)?.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if self.figures.len() >= MAX_FIGURES {
                return Err(format!("expected at most {MAX_FIGURES} figures"));
            }
            let digest: Digest = line.parse().map_err(|error| format!("{error}"))?;
            self.figures.insert(digest);
        }
        Ok(())
    }

    fn take_chunk(&mut self, source: Source) -> Result<(), String> {
        let bytes = source.read()?;
        at_most(&bytes, CHUNK_BYTES)?;
        let digest = Digest::of(&bytes);
        drop(bytes);
        self.chunks.insert(digest, source);
        Ok(())
    }

    fn take_list(&mut self, source: &Source) -> Result<(), String> {
        let bytes = source.read()?;
        let list = Crl::from_pem(text(&bytes)?).map_err(|error| error.to_string())?;
        let of_issuer = self.lists.entry(list.issuer_key_id()).or_default();
        if !of_issuer.contains(&list) {
            of_issuer.push(list);
        }
        Ok(())
    }

    fn take_witness(&mut self, source: &Source) -> Result<(), String> {
        let bytes = source.read()?;
        let chain = Chain::from_pem(text(&bytes)?).map_err(|error| error.to_string())?;
        self.witnesses.entry(chain.leaf_digest()).or_insert(chain);
        Ok(())
    }
}

/// A proof says where an entry is, and not of what; that is its file's name. If the name is wrong, the proof
/// leads nowhere.
fn proves(
    place: &str,
    source: Source,
    proofs: &mut BTreeMap<Digest, Vec<Source>>,
) -> Result<(), String> {
    let name = place.split_once('/').and_then(|(_, name)| name.split_once('.'));
    let digest: Digest = name
        .and_then(|(name, _)| name.parse().ok())
        .ok_or("expected the statement's digest as the name of its ledger proof")?;
    proofs.entry(digest).or_default().push(source);
    Ok(())
}

/// The statement that a file holds.
pub(crate) fn statement_of(source: &Source) -> Result<Signed, String> {
    let bytes = source.read()?;
    at_most(&bytes, MAX_ENVELOPE_BYTES)?;
    Signed::decode(&bytes).map_err(|error| error.to_string())
}

/// The proof that a file holds.
pub(crate) fn proof_of(source: &Source) -> Result<LedgerProof, String> {
    let bytes = source.read()?;
    at_most(&bytes, MAX_PROOF_BYTES)?;
    text(&bytes)?.parse().map_err(|error| format!("{error}"))
}

/// The receipt that a file holds.
pub(crate) fn receipt_of(source: &Source) -> Result<Receipt, String> {
    Receipt::decode(&source.read()?).map_err(|error| error.to_string())
}

/// The note that a file holds.
pub(crate) fn note_of(source: &Source) -> Result<String, String> {
    let bytes = source.read()?;
    at_most(&bytes, MAX_CHECKPOINT_BYTES)?;
    let note = text(&bytes)?;
    Checkpoint::parse_unverified(note).map_err(|error| error.to_string())?;
    Ok(note.to_owned())
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    core::str::from_utf8(bytes).map_err(|error| error.to_string())
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
